//! What the supervisor's actors ask of the daemon: records in the store, programs by policy, journals to ingest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_model::{Lifecycle, Pid, ProcessId, ProcessName, ProcessSpec, RunNo, Timestamp};
use hostler_store::{NewRun, Project, RunReason, Store, StoreError};
use hostler_supervisor::host::{Cause, RunEnd};
use hostler_supervisor::{Host, LaunchError, Program, RunKey};

use super::backlog::{Backlog, RunNews, may_succeed_later};
use super::degraded::Degraded;
use super::errors::Errors;
use super::home::Home;
use super::ingest::Ingest;
use super::journals::Journals;
use super::monitor::OomKills;
use super::rescue::{self, DECLARATION, Declaration};
use super::resolve;

/// Implements [`Host`] for one process.
pub(crate) struct Recorder {
    pub(crate) home: Home,
    pub(crate) project: Project,
    pub(crate) name: ProcessName,
    pub(crate) store: Store,
    pub(crate) ingest: Ingest,
    pub(crate) boot_id: Arc<str>,
    pub(crate) degraded: Degraded,
    pub(crate) journals: Journals,
    pub(crate) backlog: Backlog,
    pub(crate) errors: Errors,
    pub(crate) oom_kills: OomKills,
}

impl Recorder {
    fn noted<T>(&self, outcome: Result<T, StoreError>) -> Option<T> {
        self.backlog.note(&self.degraded, &outcome);
        outcome.ok()
    }

    /// Records it, now or, when that is not possible, later.
    async fn record(&self, run: RunKey, news: RunNews) {
        let key = hostler_store::RunKey(run.0);
        let outcome = news.write(&self.store, key).await;
        if outcome.as_ref().is_err_and(may_succeed_later) {
            self.backlog.keep_run(key, news);
        }
        self.backlog.note(&self.degraded, &outcome);
    }
}

impl Host for Recorder {
    fn now(&self) -> Timestamp {
        super::now()
    }

    fn oom_kills_around(&self, end: Timestamp) -> u64 {
        self.oom_kills.around(end)
    }

    fn resolve(&self, spec: &ProcessSpec) -> Result<Program, LaunchError> {
        resolve::resolve(&self.home, Path::new(&self.project.root), spec)
    }

    fn run_dir(&self, process: ProcessId, run: RunNo) -> PathBuf {
        self.home.runs().join(Home::run_dir_name(process, run))
    }

    fn declaration(&self, process: ProcessId, spec: &ProcessSpec) -> (&'static str, Vec<u8>) {
        let declaration = Declaration {
            process,
            project_root: self.project.root.clone(),
            project_name: self.project.name.clone(),
            name: self.name.clone(),
            spec: spec.clone(),
        };
        (DECLARATION, serde_json::to_vec(&declaration).unwrap_or_default())
    }

    async fn begin_run(
        &self,
        process: ProcessId,
        run: &hostler_supervisor::host::NewRun,
        lifecycle: &Lifecycle,
        before: Option<RunEnd>,
    ) -> Option<RunKey> {
        let new = NewRun {
            process_id: process,
            run: run.run,
            dir: Home::run_dir_name(process, run.run),
            boot_id: self.boot_id.to_string(),
            reason: match &run.cause {
                Cause::Start => RunReason::Start,
                Cause::Restart => RunReason::Restart,
                Cause::Policy => RunReason::Policy,
                Cause::Unhealthy => RunReason::Unhealthy,
                Cause::Schedule => RunReason::Schedule,
                Cause::Watch(what) => RunReason::Watch(what.clone()),
            },
            before: before.as_ref().map(stored),
            now: run.at,
        };
        let begun = self.store.begin_run(new, lifecycle).await;
        match before {
            Some(_) if begun.is_ok() => self.errors.ended(),
            Some(end) => self.run_ended(end).await,
            None => {}
        }
        match begun {
            // The daemon died between this and the launch, and does it again.
            Err(StoreError::Duplicate(_)) => {
                let runs = self.noted(self.store.runs(process, 1).await)?;
                runs.rows.first().filter(|r| r.run == run.run).map(|r| RunKey(r.key.0))
            }
            outcome => self.noted(outcome).map(|key| RunKey(key.0)),
        }
    }

    async fn run_started(&self, run: RunKey, pid: Pid, start_ticks: u64, at: Timestamp) {
        self.record(run, RunNews::Started { pid, start_ticks, at }).await;
    }

    async fn run_noted(&self, run: RunKey, note: &str) {
        self.record(run, RunNews::Noted(note.to_owned())).await;
    }

    async fn run_ended(&self, end: RunEnd) {
        self.record(end.key, RunNews::Ended(stored(&end))).await;
        self.errors.ended();
    }

    async fn save(&self, process: ProcessId, lifecycle: &Lifecycle) {
        rescue::note_wish(&self.run_dir(process, lifecycle.last_run), lifecycle.desired);
        match self.store.save_lifecycle(process, lifecycle, super::now()).await {
            // Removed meanwhile: there is nothing to keep.
            Err(StoreError::NotFound(_)) => {}
            outcome => {
                if outcome.as_ref().is_err_and(may_succeed_later) {
                    self.backlog.keep_lifecycle(process, lifecycle);
                }
                self.backlog.note(&self.degraded, &outcome);
            }
        }
    }

    fn journal_grew(&self, process: ProcessId, run: RunKey, dir: &Path) {
        self.ingest.grew(process, hostler_store::RunKey(run.0), dir.to_owned());
    }

    fn journal_refused(&self, process: ProcessId, why: Option<std::io::Error>) {
        self.journals.note(process, &self.project, &self.name, why);
    }

    fn journal_closed(&self, process: ProcessId, run: RunKey, dir: &Path) {
        self.journal_refused(process, None);
        self.ingest.closed(process, hostler_store::RunKey(run.0), dir.to_owned());
    }
}

/// The end of a run as the store takes it.
fn stored(end: &RunEnd) -> hostler_store::RunEnd {
    hostler_store::RunEnd {
        run: hostler_store::RunKey(end.key.0),
        exit: end.exit,
        descendants_ended: end.descendants_ended,
        note: end.note.clone(),
    }
}
