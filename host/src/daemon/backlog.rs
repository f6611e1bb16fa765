//! Records that could not be written: kept until they can. A full disk delays them and loses none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostler_model::{Lifecycle, Pid, ProcessId, Timestamp};
use hostler_store::{RunEnd, RunKey, Store, StoreError};
use tokio::sync::Notify;

use super::degraded::Degraded;

/// How often they are tried again.
const RETRY: Duration = Duration::from_secs(1);

const RECORDS: &str = "records of processes are not written";

/// What is to be recorded of a run.
#[derive(Debug, Clone)]
pub(crate) enum RunNews {
    Started { pid: Pid, start_ticks: u64, at: Timestamp },
    Noted(String),
    Ended(RunEnd),
}

impl RunNews {
    /// Writes it.
    pub(crate) async fn write(&self, store: &Store, run: RunKey) -> Result<(), StoreError> {
        match self {
            Self::Started { pid, start_ticks, at } => {
                store.run_started(run, *pid, Some(*start_ticks), *at).await
            }
            Self::Noted(note) => store.run_noted(run, note).await,
            Self::Ended(end) => store.run_ended(end.clone()).await,
        }
    }
}

/// What waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    grown: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The newest state of each process; the store keeps a newer one that it already has.
    lifecycles: BTreeMap<ProcessId, Lifecycle>,
    /// In the order in which it happened.
    runs: Vec<(RunKey, RunNews)>,
    /// Some were taken out and are being written.
    in_hand: bool,
}

/// Whether a failed write may succeed later: it is not the record that is wrong, but the disk.
pub(crate) fn may_succeed_later(error: &StoreError) -> bool {
    !matches!(error, StoreError::NotFound(_) | StoreError::Duplicate(_) | StoreError::Closed)
}

impl Backlog {
    pub(crate) fn keep_lifecycle(&self, id: ProcessId, lifecycle: &Lifecycle) {
        self.waiting().lifecycles.insert(id, lifecycle.clone());
        self.0.grown.notify_one();
    }

    pub(crate) fn keep_run(&self, run: RunKey, news: RunNews) {
        self.waiting().runs.push((run, news));
        self.0.grown.notify_one();
    }

    /// Writes what waits as soon as that is possible. Never ends.
    pub(crate) async fn work_off(self, store: Store, degraded: Degraded) {
        loop {
            self.0.grown.notified().await;
            while !self.is_empty() {
                tokio::time::sleep(RETRY).await;
                let waiting =
                    std::mem::replace(&mut *self.waiting(), Waiting { in_hand: true, ..Waiting::default() });
                let outcome = self.write(&store, waiting).await;
                self.waiting().in_hand = false;
                self.note(&degraded, &outcome);
            }
        }
    }

    /// Notes how writing a record went. One that succeeds heals nothing while others wait.
    pub(crate) fn note<T>(&self, degraded: &Degraded, outcome: &Result<T, StoreError>) {
        if outcome.is_err() || (self.is_empty() && !self.waiting().in_hand) {
            degraded.note(RECORDS, outcome);
        }
    }

    /// Writes all; what cannot be written goes back.
    async fn write(&self, store: &Store, mut waiting: Waiting) -> Result<(), StoreError> {
        let mut runs = std::mem::take(&mut waiting.runs).into_iter();
        while let Some((run, news)) = runs.next() {
            match news.write(store, run).await {
                Err(error) if may_succeed_later(&error) => {
                    waiting.runs = std::iter::once((run, news)).chain(runs).collect();
                    self.put_back(waiting);
                    return Err(error);
                }
                _ => {}
            }
        }
        while let Some((id, lifecycle)) = waiting.lifecycles.pop_first() {
            match store.save_lifecycle(id, &lifecycle, super::now()).await {
                Err(error) if may_succeed_later(&error) => {
                    waiting.lifecycles.insert(id, lifecycle);
                    self.put_back(waiting);
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Behind nothing that came meanwhile: it is older.
    fn put_back(&self, older: Waiting) {
        let mut waiting = self.waiting();
        let newer = std::mem::replace(&mut *waiting, older);
        waiting.in_hand = newer.in_hand;
        waiting.lifecycles.extend(newer.lifecycles);
        waiting.runs.extend(newer.runs);
    }

    fn is_empty(&self) -> bool {
        let waiting = self.waiting();
        waiting.lifecycles.is_empty() && waiting.runs.is_empty()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
