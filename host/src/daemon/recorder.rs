//! What the supervisor's actors ask of the daemon: records in the store, programs by policy, journals to ingest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_model::{Exit, Lifecycle, Pid, ProcessId, ProcessSpec, RunNo, Timestamp};
use hostler_store::{NewRun, RunReason, Store, StoreError};
use hostler_supervisor::host::Cause;
use hostler_supervisor::{Host, LaunchError, Program, RunKey};

use super::degraded::Degraded;
use super::home::Home;
use super::ingest::Ingest;
use super::resolve;

/// Implements [`Host`] for the processes of one project.
pub(crate) struct Recorder {
    pub(crate) home: Home,
    pub(crate) project_root: PathBuf,
    pub(crate) store: Store,
    pub(crate) ingest: Ingest,
    pub(crate) boot_id: Arc<str>,
    pub(crate) degraded: Degraded,
}

const RECORDS: &str = "records of processes are not written";

impl Recorder {
    fn noted<T>(&self, outcome: Result<T, StoreError>) -> Option<T> {
        self.degraded.note(RECORDS, &outcome);
        outcome.ok()
    }
}

impl Host for Recorder {
    fn now(&self) -> Timestamp {
        super::now()
    }

    fn resolve(&self, spec: &ProcessSpec) -> Result<Program, LaunchError> {
        resolve::resolve(&self.home, &self.project_root, spec)
    }

    fn run_dir(&self, process: ProcessId, run: RunNo) -> PathBuf {
        self.home.runs().join(Home::run_dir_name(process, run))
    }

    async fn begin_run(
        &self,
        process: ProcessId,
        run: &hostler_supervisor::host::NewRun,
        lifecycle: &Lifecycle,
    ) -> Option<RunKey> {
        let new = NewRun {
            process_id: process,
            run: run.run,
            dir: Home::run_dir_name(process, run.run),
            boot_id: self.boot_id.to_string(),
            reason: match run.cause {
                Cause::Start => RunReason::Start,
                Cause::Restart => RunReason::Restart,
                Cause::Policy => RunReason::Policy,
            },
            now: run.at,
        };
        match self.store.begin_run(new, lifecycle).await {
            // The daemon died between this and the launch, and does it again.
            Err(StoreError::Duplicate(_)) => {
                let runs = self.noted(self.store.runs(process, 1).await)?;
                runs.rows.first().filter(|r| r.run == run.run).map(|r| RunKey(r.key.0))
            }
            outcome => self.noted(outcome).map(|key| RunKey(key.0)),
        }
    }

    async fn run_started(&self, run: RunKey, pid: Pid, start_ticks: u64, at: Timestamp) {
        let key = hostler_store::RunKey(run.0);
        self.noted(self.store.run_started(key, pid, Some(start_ticks), at).await);
    }

    async fn run_noted(&self, run: RunKey, note: &str) {
        self.noted(self.store.run_noted(hostler_store::RunKey(run.0), note).await);
    }

    async fn run_ended(&self, run: RunKey, exit: &Exit, descendants_ended: u32, note: Option<String>) {
        let key = hostler_store::RunKey(run.0);
        self.noted(self.store.run_ended(key, exit, descendants_ended, note.as_deref()).await);
    }

    async fn save(&self, process: ProcessId, lifecycle: &Lifecycle) {
        match self.store.save_lifecycle(process, lifecycle, super::now()).await {
            // Removed meanwhile: there is nothing to keep.
            Err(StoreError::NotFound(_)) => {}
            outcome => drop(self.noted(outcome)),
        }
    }

    fn journal_grew(&self, process: ProcessId, run: RunKey, dir: &Path) {
        self.ingest.grew(process, hostler_store::RunKey(run.0), dir.to_owned());
    }

    fn journal_closed(&self, process: ProcessId, run: RunKey, dir: &Path) {
        self.ingest.closed(process, hostler_store::RunKey(run.0), dir.to_owned());
    }
}
