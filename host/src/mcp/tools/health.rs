//! Check the health of a process.

use hostler_api::health::HealthReport;

use super::{Hints, InWords, ToolDef, tool};

/// A plugin may reach out, and a failure that it finds counts: not read-only, and harmless.
const CHECKS: Hints = Hints { read_only: false, destructive: false, idempotent: true };

pub(super) fn tools() -> Vec<ToolDef> {
    vec![tool(
        "check_process_health",
        "Check the health of a process",
        "Makes the health checks of a process now and says what each found, what failed and what to look at next; a check \
         that could not be made is `unknown`, and the message says whose fault that is. Checks are declared with `health` \
         of start_process or restart_process. `pause` suspends and resumes their schedule.",
        CHECKS,
        |service, client, request, patience| async move {
            service.check_health(&client, request, &patience).await
        },
    )]
}

impl InWords for HealthReport {}
