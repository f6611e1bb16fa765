//! What process trees use now. Measured on demand; a CPU percentage is over the time since the last look.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hostler_model::ProcessId;
use hostler_supervisor::proc::{self, Listeners, Process};

/// Two looks closer together than this share the older one's baseline: clock ticks are 10 ms.
const SHORTEST: Duration = Duration::from_millis(250);

/// What a tree uses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Usage {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_bytes: u64,
    pub(crate) ports: Vec<u16>,
    pub(crate) tree: Vec<Process>,
}

/// Remembers the last look at each process.
#[derive(Debug, Default)]
pub(crate) struct Sampler(Mutex<HashMap<ProcessId, Baseline>>);

#[derive(Debug, Clone, Copy)]
struct Baseline {
    at: Instant,
    root: i32,
    ticks: u64,
}

impl Sampler {
    /// Measures trees, each below its shim. Blocks for some microseconds per process.
    pub(crate) fn measure(&self, trees: &[(ProcessId, i32)]) -> HashMap<ProcessId, Usage> {
        let listeners = Listeners::read();
        trees.iter().map(|(id, shim)| (*id, self.measure_one(*id, *shim, &listeners))).collect()
    }

    fn measure_one(&self, id: ProcessId, shim: i32, listeners: &Listeners) -> Usage {
        let tree = proc::descendants(shim);
        let ticks = tree.iter().map(|p| p.cpu_ticks).sum();
        Usage {
            cpu_percent: self.cpu_percent(id, shim, ticks, &tree),
            memory_bytes: tree.iter().map(|p| p.rss_bytes).sum(),
            ports: listeners.ports_of(tree.iter().map(|p| p.pid)),
            tree,
        }
    }

    fn cpu_percent(&self, id: ProcessId, root: i32, ticks: u64, tree: &[Process]) -> f64 {
        let now = Instant::now();
        let mut baselines = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = baselines.get(&id).copied().filter(|b| b.root == root);
        let percent = match before {
            Some(b) if now - b.at >= SHORTEST => ratio(ticks.saturating_sub(b.ticks), now - b.at),
            // The first look, or one right after another: the mean since the start.
            _ => {
                let start = tree.iter().map(|p| p.start_ticks).min().unwrap_or(0);
                let ran = proc::uptime_ticks().saturating_sub(start).max(1);
                ratio(ticks, Duration::from_millis(ran * 1000 / proc::ticks_per_second()))
            }
        };
        if before.is_none_or(|b| now - b.at >= SHORTEST) {
            baselines.insert(id, Baseline { at: now, root, ticks });
        }
        percent
    }

    /// Forgets a process.
    pub(crate) fn forget(&self, id: ProcessId) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&id);
    }
}

fn ratio(ticks: u64, over: Duration) -> f64 {
    let seconds = ticks as f64 / proc::ticks_per_second() as f64;
    let percent = 100.0 * seconds / over.as_secs_f64().max(0.01);
    (percent * 10.0).round() / 10.0
}
