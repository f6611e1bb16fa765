//! Health checks: one task for each process that has any makes them at their times.
//!
//! [`checker`] owns the checks of a process and decides nothing itself: when a check is due and what its outcome means is
//! in `hostler_model::health`. [`attempt`] makes one check. What the checks say together goes to the actor of the process,
//! which publishes it; that an unhealthy process is to be restarted goes there as a wish.

mod attempt;
mod checker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_model::ProcessId;
use hostler_model::health::{CheckSpec, CheckState};
use hostler_plugin_host::{Metric, Surroundings};
use hostler_store::Store;
use tokio::sync::{mpsc, oneshot};

use super::errors::Errors;
use super::plugins::Plugins;
use super::registry::Entry;
use checker::Checker;

/// Requests that may wait for a checker.
const QUEUE: usize = 64;

/// The checkers of all processes.
#[derive(Debug, Default)]
pub(crate) struct Checkers(Mutex<HashMap<ProcessId, mpsc::Sender<Request>>>);

/// What a checker works with.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) store: Store,
    pub(crate) plugins: Plugins,
    /// That a process turned unhealthy is told there.
    pub(crate) errors: Errors,
    /// What plugins see of the process.
    pub(crate) surroundings: Arc<dyn Surroundings>,
}

/// What is asked of a checker. Checks are named by their places.
#[derive(Debug)]
pub(crate) enum Request {
    /// Make these checks now, and answer when all are made.
    Check(Vec<usize>, oneshot::Sender<Vec<Report>>),
    /// Say what is known of all checks.
    Look(oneshot::Sender<Vec<Report>>),
    /// Pause the schedules of these checks, or resume them.
    Pause(Vec<usize>, bool, oneshot::Sender<Vec<Report>>),
}

/// What is known of a check.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// Its place among the checks of its process, from 0.
    pub(crate) position: usize,
    pub(crate) spec: CheckSpec,
    pub(crate) state: CheckState,
    /// What the newest check of this daemon measured.
    pub(crate) metrics: Vec<Metric>,
}

impl Checkers {
    /// Sees to it that a process with checks has somebody who makes them.
    pub(crate) fn follow(&self, entry: &Arc<Entry>, means: impl FnOnce() -> Means) {
        let mut checkers = self.lock();
        let is_there = checkers.get(&entry.id).is_some_and(|checker| !checker.is_closed());
        if is_there || entry.handle.snapshot().spec.health.is_empty() {
            return;
        }
        let (sender, requests) = mpsc::channel(QUEUE);
        checkers.insert(entry.id, sender);
        tokio::spawn(Checker::new(entry.clone(), means(), requests).run());
    }

    /// Forgets a process that was removed. Its checker ends with its actor.
    pub(crate) fn forget(&self, id: ProcessId) {
        self.lock().remove(&id);
    }

    /// Asks the checker of a process; `None` when it has none.
    pub(crate) async fn ask(
        &self,
        id: ProcessId,
        request: impl FnOnce(oneshot::Sender<Vec<Report>>) -> Request,
    ) -> Option<Vec<Report>> {
        let checker = self.lock().get(&id).cloned()?;
        let (reply, answer) = oneshot::channel();
        checker.send(request(reply)).await.ok()?;
        answer.await.ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ProcessId, mpsc::Sender<Request>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
