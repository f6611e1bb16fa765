//! What processes and the machine use.

use hostler_api::monitoring::{ProcessStats, SystemStats};

use super::{InWords, READS, ToolDef, tool};

pub(super) fn tools() -> Vec<ToolDef> {
    vec![
        tool(
            "get_process_stats",
            "Use over time",
            "CPU, memory, threads, open files and storage I/O of a process's whole tree over time, up to 30 days back, \
             with min, max, mean and p95. Use it to find leaks and busy loops.",
            READS,
            |service, client, request, _| async move { service.process_stats(&client, request).await },
        ),
        tool(
            "get_system_stats",
            "Machine use",
            "The machine's CPU, memory, swap, load, disks and pressure, what hostler itself uses, and the processes of \
             all projects that use most.",
            READS,
            |service, _, request, _| async move { service.system_stats(request).await },
        ),
    ]
}

impl InWords for ProcessStats {}
impl InWords for SystemStats {}
