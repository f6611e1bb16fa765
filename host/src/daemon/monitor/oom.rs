//! What the kernel kills for lack of memory on this machine: looked at with each tick, for ends that nothing explains.

use std::sync::{Arc, Mutex};

use hostler_model::Timestamp;
use hostler_model::oom::OomCounter;
use hostler_supervisor::proc;

/// The looks at the counter of the machine. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct OomKills(Arc<Mutex<OomCounter>>);

impl OomKills {
    /// Looks for the first time.
    pub(super) fn new() -> Self {
        let kills = Self::default();
        kills.look();
        kills
    }

    /// Remembers what the counter says now.
    pub(super) fn look(&self) {
        if let Some(kills) = proc::oom_kills() {
            super::lock(&self.0).look(crate::daemon::now(), kills);
        }
    }

    /// How many of the kills until now may have been the end of a run at this time.
    pub(crate) fn around(&self, end: Timestamp) -> u64 {
        proc::oom_kills().map_or(0, |kills| super::lock(&self.0).since_before(end, kills))
    }
}
