//! Waiting for what a start was asked for.

use std::time::Duration;

use hostler_api::ToolError;
use hostler_api::process::{WaitArgs, WaitFor};
use hostler_model::{ProcessId, RunNo};
use hostler_store::{LogPoint, LogQuery, Order, Store};
use hostler_supervisor::Snapshot;
use regex::Regex;
use tokio::time::Instant;

use super::{Patience, gone, not_configured, store_error};
use crate::daemon::registry::Entry;

/// No call takes longer: some clients give up after 60 s.
pub(super) const LONGEST: Duration = Duration::from_millis(55_000);
pub(super) const DEFAULT: Duration = Duration::from_secs(30);
/// How long a start without a wish waits to see whether the process survives it.
/// An interpreter on a busy machine takes some 300 ms to fail at its first import.
const SETTLE: Duration = Duration::from_millis(500);
/// Bounds of one look at new lines.
const LINES: usize = 1_000;
const BYTES: usize = 1 << 20;

/// What to wait for.
#[derive(Debug)]
pub(super) struct Wish {
    goal: Goal,
    timeout: Duration,
}

#[derive(Debug)]
enum Goal {
    Settled,
    Started,
    Exited,
    Line(Regex),
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// It came true.
    Done,
    /// The process ended, or could not be executed, and it cannot come true any more.
    Failed,
    /// Time is up, or the wait was cut short.
    NotYet,
}

impl Wish {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// When the expression is none, or the wish cannot be fulfilled.
    pub(super) fn read(args: &WaitArgs) -> Result<Self, ToolError> {
        let timeout = args.timeout_ms.map_or(DEFAULT, Duration::from_millis).min(LONGEST);
        let goal = match (&args.wait_for_log, args.wait_for) {
            (Some(_), Some(WaitFor::Exited)) => {
                return Err(ToolError::invalid("give either `wait_for: exited` or `wait_for_log`, not both"));
            }
            (Some(pattern), _) => Goal::Line(pattern_of("wait_for_log", pattern)?),
            (None, None) => Goal::Settled,
            (None, Some(WaitFor::Started)) => Goal::Started,
            (None, Some(WaitFor::Exited)) => Goal::Exited,
            (None, Some(WaitFor::Ready | WaitFor::Healthy)) => {
                return Err(not_configured(
                    "`wait_for: ready` and `healthy` need a health check, and none is configured; use \
                     `wait_for: started` or `exited`, or `wait_for_log` with a line that says it is ready",
                ));
            }
        };
        Ok(Self { goal, timeout })
    }

    /// Waits for it in a run.
    ///
    /// # Errors
    /// When the process is no longer supervised or the store fails.
    pub(super) async fn wait(
        &self,
        store: &Store,
        entry: &Entry,
        run: RunNo,
        patience: &Patience,
    ) -> Result<Waited, ToolError> {
        tokio::select! {
            waited = self.wait_patiently(store, entry, run) => waited,
            () = patience.cut_short.cancelled() => Ok(Waited::NotYet),
        }
    }

    async fn wait_patiently(&self, store: &Store, entry: &Entry, run: RunNo) -> Result<Waited, ToolError> {
        let launched =
            |s: &Snapshot| s.run.run > run || (s.run.run == run && (s.run.launched || s.run.is_over()));
        let deadline = Instant::now() + self.timeout;
        let Some(snapshot) = entry.handle.wait(self.timeout, launched).await.map_err(gone)? else {
            return Ok(Waited::NotYet);
        };
        if snapshot.run.run == run && snapshot.run.launch_error.is_some() {
            return Ok(Waited::Failed);
        }
        match &self.goal {
            Goal::Started => Ok(Waited::Done),
            Goal::Settled => self.settle(entry, run).await,
            Goal::Exited => {
                let left = deadline.saturating_duration_since(Instant::now());
                let over = |s: &Snapshot| s.run.run > run || s.run.is_over();
                let ended = entry.handle.wait(left, over).await.map_err(gone)?;
                Ok(if ended.is_some() { Waited::Done } else { Waited::NotYet })
            }
            Goal::Line(pattern) => {
                let line = LineWait { store, entry, run, pattern, deadline };
                line.wait().await
            }
        }
    }

    async fn settle(&self, entry: &Entry, run: RunNo) -> Result<Waited, ToolError> {
        let over = |s: &Snapshot| s.run.run > run || s.run.is_over();
        let ended = entry.handle.wait(SETTLE.min(self.timeout), over).await.map_err(gone)?;
        Ok(match ended {
            None => Waited::Done,
            Some(s) if s.run.run == run && s.run.exit.is_some_and(|e| e.is_success()) => Waited::Done,
            Some(_) => Waited::Failed,
        })
    }
}

/// A wait for a line of one run.
struct LineWait<'a> {
    store: &'a Store,
    entry: &'a Entry,
    run: RunNo,
    pattern: &'a Regex,
    deadline: Instant,
}

impl LineWait<'_> {
    async fn wait(&self) -> Result<Waited, ToolError> {
        let mut logs = self.entry.logs.subscribe();
        let mut snapshots = self.entry.handle.watch();
        let mut after = LogPoint { run: self.run, seq: 0 };
        loop {
            // What is stored whole now has all that it will ever have.
            let snapshot = snapshots.borrow_and_update().clone();
            let drained = logs.borrow_and_update().drained;
            let key = snapshot.run.key.map(|k| hostler_store::RunKey(k.0));
            let over = snapshot.run.run > self.run || (snapshot.run.is_over() && drained >= key);
            if self.found(&mut after).await? {
                return Ok(Waited::Done);
            }
            if over {
                return Ok(Waited::Failed);
            }
            tokio::select! {
                _ = logs.changed() => {}
                // The end of the run may be known after the end of its journal.
                changed = snapshots.changed() => if changed.is_err() { return Ok(Waited::NotYet) },
                () = tokio::time::sleep_until(self.deadline) => return Ok(Waited::NotYet),
            }
        }
    }

    async fn found(&self, after: &mut LogPoint) -> Result<bool, ToolError> {
        loop {
            let page = self
                .store
                .logs(new_lines(self.entry.id, Some(self.run), *after))
                .await
                .map_err(store_error)?;
            for row in &page.rows {
                if self.pattern.is_match(&hostler_model::text::readable(&row.raw)) {
                    return Ok(true);
                }
                *after = row.point();
            }
            if !page.more {
                return Ok(false);
            }
        }
    }
}

/// The lines after a point, oldest first.
pub(super) fn new_lines(process: ProcessId, run: Option<RunNo>, after: LogPoint) -> LogQuery {
    LogQuery {
        run,
        after: Some(after),
        order: Order::Asc,
        max_bytes: BYTES,
        ..LogQuery::newest(process, LINES)
    }
}

/// Compiles an expression of a client. The regex crate runs in linear time; its size is bounded here.
///
/// # Errors
/// Names the argument and the place of the mistake.
pub(super) fn pattern_of(field: &str, pattern: &str) -> Result<Regex, ToolError> {
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|e| ToolError::invalid(format!("`{field}` is not a regular expression:\n{e}")))
}
