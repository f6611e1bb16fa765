//! What process trees use now. Measured on demand, and for a second the answer stands: a look at a tree costs some
//! 50 µs, and agents ask often. A CPU percentage is over the time since the look before.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hostler_model::ProcessId;
use hostler_supervisor::proc::{self, Listeners, Process, Roots};

/// How long an answer stands. Also long enough for a percentage: clock ticks are 10 ms.
const FRESH: Duration = Duration::from_secs(1);

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
pub(crate) struct Sampler(Mutex<HashMap<ProcessId, Look>>);

#[derive(Debug, Clone)]
struct Look {
    at: Instant,
    roots: Roots,
    ticks: u64,
    usage: Usage,
}

impl Sampler {
    /// Measures trees. Blocks for some microseconds per process.
    pub(crate) fn measure(&self, trees: &[(ProcessId, Roots)]) -> HashMap<ProcessId, Usage> {
        let mut listeners = None;
        let measured = trees.iter().map(|(id, roots)| {
            let before = self.looks().get(id).filter(|look| look.roots == *roots).cloned();
            match before {
                Some(look) if look.at.elapsed() < FRESH => (*id, look.usage),
                before => {
                    (*id, self.look(*id, *roots, before, listeners.get_or_insert_with(Listeners::read)))
                }
            }
        });
        measured.collect()
    }

    fn look(&self, id: ProcessId, roots: Roots, before: Option<Look>, listeners: &Listeners) -> Usage {
        let at = Instant::now();
        let tree = roots.tree();
        let ticks: u64 = tree.iter().map(|p| p.cpu_ticks).sum();
        let cpu_percent = match before {
            Some(before) => ratio(ticks.saturating_sub(before.ticks), at - before.at),
            // The first look: the mean since the start.
            None => {
                let start = tree.iter().map(|p| p.start_ticks).min().unwrap_or(0);
                let ran = proc::uptime_ticks().saturating_sub(start).max(1);
                ratio(ticks, Duration::from_millis(ran * 1000 / proc::ticks_per_second()))
            }
        };
        let usage = Usage {
            cpu_percent,
            memory_bytes: tree.iter().map(|p| p.rss_bytes).sum(),
            ports: listeners.ports_of(tree.iter().map(|p| p.pid)),
            tree,
        };
        self.looks().insert(id, Look { at, roots, ticks, usage: usage.clone() });
        usage
    }

    /// Forgets a process.
    pub(crate) fn forget(&self, id: ProcessId) {
        self.looks().remove(&id);
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, HashMap<ProcessId, Look>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn ratio(ticks: u64, over: Duration) -> f64 {
    let seconds = ticks as f64 / proc::ticks_per_second() as f64;
    let percent = 100.0 * seconds / over.as_secs_f64().max(0.01);
    (percent * 10.0).round() / 10.0
}
