//! Errors: found among the events of a run, read by categorizers, and made into occurrences of groups.
//!
//! Nothing here is in the way of a line: it works on what parsers made of lines that are stored. What it finds goes
//! into the transaction that says how far the parsers are, so that each error is counted exactly once.

mod candidate;
mod categorize;
mod config;
mod crashes;
mod detector;
mod unhealthy;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostler_model::errors::{Families, Fault, Identity, Redactor};
use hostler_model::{ProcessId, RunNo};
use hostler_store::{NewKind, RunKey, Store, StoreError};
use tokio::sync::{Notify, watch};

pub(crate) use config::ErrorsConfig;
pub(crate) use detector::Detector;
pub(crate) use unhealthy::Unhealthy;

use self::categorize::Categorizers;
use super::changes::Topic;
use super::config::ConfigFile;
use super::degraded::Degraded;
use super::plugins::Plugins;
use super::registry::Registry;

/// The part of the daemon that knows errors. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Errors(Arc<Inner>);

struct Inner {
    store: Store,
    registry: Arc<Registry>,
    config: ConfigFile,
    degraded: Degraded,
    categorizers: Categorizers,
    redactor: Mutex<(Vec<String>, Arc<Redactor>)>,
    /// By project.
    families: Mutex<HashMap<i64, Families>>,
    /// Somebody ended, or was looked at to its end.
    ended: Notify,
    /// Counts the crashes that were judged.
    judged: watch::Sender<u64>,
}

/// What is wrong with the section of the configuration.
const PART: &str = "rules for secrets do not apply as they are written";

impl Errors {
    pub(crate) fn new(
        store: Store,
        registry: Arc<Registry>,
        plugins: Plugins,
        config: ConfigFile,
        degraded: Degraded,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            registry,
            categorizers: Categorizers::new(plugins),
            config,
            degraded,
            redactor: Mutex::default(),
            families: Mutex::default(),
            ended: Notify::new(),
            judged: watch::Sender::new(0),
        }))
    }

    /// Finds the errors of one run: for whoever parses its lines.
    pub(crate) fn detector(&self) -> Detector {
        Detector::new(self.clone())
    }

    /// Takes secrets out of texts, by the rules that apply now.
    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        let config = self.0.config.current();
        let mut known = self.0.redactor.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != config.errors.redact {
            let made = Redactor::new(&config.errors.redact);
            self.0.degraded.note(PART, &made);
            *known = (config.errors.redact.clone(), Arc::new(made.unwrap_or_default()));
        }
        Arc::clone(&known.1)
    }

    /// Tells who watches them that errors were recorded.
    pub(crate) fn recorded(&self) {
        self.0.registry.changes.tell(Topic::Errors);
    }

    /// A run ended, or all that it wrote was looked at: perhaps its end can be explained now.
    pub(crate) fn ended(&self) {
        self.0.ended.notify_one();
    }

    /// Waits until the end of a run is explained, if it needs to be.
    pub(crate) async fn explained(&self, process: ProcessId, run: RunNo) {
        let mut judged = self.0.judged.subscribe();
        loop {
            judged.mark_unchanged();
            let open = self.0.store.is_run_unexplained(process, run).await;
            if !matches!(open, Ok(true)) || judged.changed().await.is_err() {
                return;
            }
        }
    }

    /// The group of an error, in its project.
    async fn kind(&self, project: i64, fault: Fault, text: &str) -> Result<NewKind, StoreError> {
        let identity = Identity::of(&fault, text);
        self.know(project).await?;
        let member = self.families().entry(project).or_default().place(&identity);
        Ok(NewKind { fault, family: identity.family, member, earlier: identity.earlier })
    }

    /// Makes the groups of a project known, at first and whenever there are too many to keep.
    async fn know(&self, project: i64) -> Result<(), StoreError> {
        if self.families().get(&project).is_some_and(|families| !families.is_full()) {
            return Ok(());
        }
        let mut families = Families::default();
        for (family, member) in self.0.store.error_families(project).await? {
            families.insert(family, member);
        }
        self.families().insert(project, families);
        Ok(())
    }

    fn families(&self) -> MutexGuard<'_, HashMap<i64, Families>> {
        self.0.families.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn project_of(&self, run: RunKey) -> Result<Option<i64>, StoreError> {
        self.0.store.project_of_run(run).await
    }
}

impl std::fmt::Debug for Errors {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Errors").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
