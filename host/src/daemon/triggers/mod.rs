//! What starts a process besides its clients and its restart policy: the times of its schedule, and files that change.
//!
//! One task for each process that has a schedule, and one for each that has files to watch, for as long as it is
//! supervised; a declaration that comes later is followed. When something is due is decided in `hostler_model::schedule`
//! and `hostler_model::watch`. What was stopped on purpose is left alone.

mod schedule;
mod tree;
mod watch;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_model::{ProcessId, Timestamp};

use super::recorder::Recorder;
use super::registry::Entry;

/// The tasks of all processes.
#[derive(Debug, Default)]
pub(crate) struct Triggers(Mutex<Followed>);

#[derive(Debug, Default)]
struct Followed {
    schedules: HashSet<ProcessId>,
    watches: HashSet<ProcessId>,
}

impl Triggers {
    /// Sees to it that somebody follows the schedule and the files of a process that has them.
    pub(crate) fn follow(&self, entry: &Arc<Entry>, recorder: impl FnOnce() -> Arc<Recorder>) {
        let (schedule, watch) = entry.handle.with(|s| (s.spec.schedule.is_some(), s.spec.watch.is_some()));
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let schedule = schedule && followed.schedules.insert(entry.id);
        let watch = watch && followed.watches.insert(entry.id);
        if !schedule && !watch {
            return;
        }
        let recorder = recorder();
        if schedule {
            tokio::spawn(schedule::run(entry.clone(), recorder.store.clone()));
        }
        if watch {
            tokio::spawn(watch::run(entry.clone(), recorder));
        }
    }

    /// Forgets a process that was removed. Its tasks end with its actor.
    pub(crate) fn forget(&self, id: ProcessId) {
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followed.schedules.remove(&id);
        followed.watches.remove(&id);
    }
}

/// What the tasks of a process say of it, for those who ask.
#[derive(Debug, Default)]
pub(crate) struct Outlook(Mutex<Told>);

/// See [`Outlook`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// When its schedule starts it next.
    pub(crate) next_run: Option<Timestamp>,
    /// It is started again as soon as it ends.
    pub(crate) queued: bool,
    /// Whether its files are watched.
    pub(crate) watching: Option<Watching>,
}

/// Whether the files of a process are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Watching {
    /// They are, in so many directories.
    Directories(usize),
    /// Something keeps it from being restarted for them.
    Trouble(String),
}

impl Outlook {
    /// What was said last.
    pub(crate) fn told(&self) -> Told {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
