//! Processes that turned unhealthy: each time is an error, of the check that found it and of what it said.

use std::sync::Arc;

use hostler_model::errors::{Fault, parameterize};
use hostler_model::text::clip;
use hostler_model::{ProcessId, RunNo, Stream, Timestamp};
use hostler_store::{NewOccurrence, RunRecord, Sample, StoreError};

use super::Errors;

/// Runs among which the one that was checked is looked for: it is the newest, or was a moment ago.
const RUNS: usize = 3;
/// Longest title.
const TITLE: usize = 160;

/// A process that a check found unhealthy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unhealthy<'u> {
    /// Which.
    pub(crate) process: ProcessId,
    /// The run that was checked.
    pub(crate) run: RunNo,
    /// The plugin that checked it.
    pub(crate) plugin: &'u str,
    /// What it said.
    pub(crate) message: &'u str,
    /// When.
    pub(crate) at: Timestamp,
}

impl Errors {
    /// Counts a process that turned unhealthy. What cannot be stored is told as a degradation: the check itself is on
    /// record elsewhere.
    pub(crate) async fn unhealthy(&self, found: Unhealthy<'_>) {
        let outcome = self.store_unhealthy(found).await;
        self.0.degraded.note("failed health checks are not among the errors", &outcome);
    }

    async fn store_unhealthy(&self, found: Unhealthy<'_>) -> Result<(), StoreError> {
        let runs = self.0.store.runs(found.process, RUNS).await?.rows;
        let Some(RunRecord { key, .. }) = runs.into_iter().find(|known| known.run == found.run) else {
            return Ok(());
        };
        let Some(project) = self.project_of(key).await? else { return Ok(()) };
        let message = self.redactor().redact(found.message);
        let fault = self.fault_of_check(found.plugin, &message).await;
        let kind = self.kind(project, fault, &message).await?;
        let occurrence = NewOccurrence {
            run: key,
            stream: Stream::Stderr,
            // No line tells of it.
            first_seq: 0,
            last_seq: 0,
            time: found.at,
            kind: Arc::new(kind),
            sample: Some(Sample { lines: vec![format!("[{}] {message}", found.plugin)], context: 0 }),
        };
        self.0.store.record_errors(vec![occurrence]).await?;
        self.recorded();
        Ok(())
    }

    /// A failed check as an error: the categorizers know its message as they know those of programs.
    async fn fault_of_check(&self, plugin: &str, message: &str) -> Fault {
        let names = self.0.config.current().errors.categorizers.clone();
        let read = self.0.categorizers.read(&names, &[message]).await.into_iter().next();
        let note = read.as_ref().and_then(|read| read.fault.note.clone());
        let known = read.map(|read| read.fault).filter(|fault| fault.category != "unknown");
        let wording = parameterize::wording(message).join(" ");
        Fault {
            category: known.as_ref().map_or_else(|| "health".to_owned(), |fault| fault.category.clone()),
            confidence: 50,
            title: clip(format!("health check {plugin} failed: {message}"), TITLE),
            parts: vec!["health".to_owned(), plugin.to_owned(), wording],
            suggestion: Some(known.and_then(|fault| fault.suggestion).unwrap_or_else(|| {
                "check_process_health makes the check now and shows earlier results.".to_owned()
            })),
            note,
            ..Fault::default()
        }
    }
}
