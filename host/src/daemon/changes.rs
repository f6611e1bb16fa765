//! Who wants to know of changes waits for a counter: nothing is polled, and nobody is waited for.

use tokio::sync::watch;

/// What changes beside the processes themselves, which publish their own snapshots and the marks of their output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Processes came or went.
    Processes,
    /// Groups came, went, or were declared anew.
    Groups,
    /// What processes use was looked at.
    Metrics,
    /// Errors were recorded or resolved.
    Errors,
}

/// One counter for each topic.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    processes: watch::Sender<u64>,
    groups: watch::Sender<u64>,
    metrics: watch::Sender<u64>,
    errors: watch::Sender<u64>,
}

impl Changes {
    /// Something changed.
    pub(crate) fn tell(&self, topic: Topic) {
        self.counter(topic).send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes from now on.
    pub(crate) fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        self.counter(topic).subscribe()
    }

    fn counter(&self, topic: Topic) -> &watch::Sender<u64> {
        match topic {
            Topic::Processes => &self.processes,
            Topic::Groups => &self.groups,
            Topic::Metrics => &self.metrics,
            Topic::Errors => &self.errors,
        }
    }
}
