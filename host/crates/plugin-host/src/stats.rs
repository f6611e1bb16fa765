//! What a plugin's calls cost and how they ended. Counting is a few atomic additions.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The running counters of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) calls: AtomicU64,
    pub(crate) nanos: AtomicU64,
    pub(crate) items: AtomicU64,
    pub(crate) traps: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) invalid_answers: AtomicU64,
    pub(crate) refusals: AtomicU64,
    pub(crate) quarantined: AtomicU64,
    pub(crate) starts: AtomicU64,
    pub(crate) memory_peak: AtomicU64,
}

/// The counters of one plugin, at one instant. They begin with the daemon and survive a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Calls that reached the plugin, whatever came of them.
    pub calls: u64,
    /// Time spent in them, waiting for the network and for other plugins included.
    pub busy: Duration,
    /// Lines parsed, checks made or errors categorized.
    pub items: u64,
    /// Calls that ended in a trap: a panic, an illegal access, out of memory or stack.
    pub traps: u64,
    /// Calls that used up their time.
    pub timeouts: u64,
    /// Calls whose answer broke the contract.
    pub invalid_answers: u64,
    /// Calls that the plugin itself answered with an error.
    pub refusals: u64,
    /// Calls that were not made because of the quarantine.
    pub quarantined: u64,
    /// Times that an instance was made and configured.
    pub starts: u64,
    /// The most memory that one instance of it ever had, bytes.
    pub memory_peak: u64,
}

impl std::ops::Add for Stats {
    type Output = Self;

    /// Of two uses of a plugin together.
    fn add(self, more: Self) -> Self {
        Self {
            calls: self.calls + more.calls,
            busy: self.busy + more.busy,
            items: self.items + more.items,
            traps: self.traps + more.traps,
            timeouts: self.timeouts + more.timeouts,
            invalid_answers: self.invalid_answers + more.invalid_answers,
            refusals: self.refusals + more.refusals,
            quarantined: self.quarantined + more.quarantined,
            starts: self.starts + more.starts,
            memory_peak: self.memory_peak.max(more.memory_peak),
        }
    }
}

impl Counters {
    /// Counts a call that took this long.
    pub(crate) fn count_call(&self, took: Duration) {
        self.calls.fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The counters as they are now.
    pub(crate) fn snapshot(&self) -> Stats {
        Stats {
            calls: self.calls.load(Relaxed),
            busy: Duration::from_nanos(self.nanos.load(Relaxed)),
            items: self.items.load(Relaxed),
            traps: self.traps.load(Relaxed),
            timeouts: self.timeouts.load(Relaxed),
            invalid_answers: self.invalid_answers.load(Relaxed),
            refusals: self.refusals.load(Relaxed),
            quarantined: self.quarantined.load(Relaxed),
            starts: self.starts.load(Relaxed),
            memory_peak: self.memory_peak.load(Relaxed),
        }
    }
}
