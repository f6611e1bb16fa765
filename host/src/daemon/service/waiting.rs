//! Waiting for what a start was asked for.

use std::time::Duration;

use hostler_api::ToolError;
use hostler_api::process::{WaitArgs, WaitFor};
use hostler_model::ProcessSpec;
use hostler_model::lifecycle::Ready;
use hostler_model::{ProcessId, RunNo};
use hostler_store::{LogPoint, LogQuery, Order, Store};
use hostler_supervisor::Snapshot;
use regex::Regex;
use tokio::time::Instant;

use super::{Patience, gone, store_error};
use crate::daemon::listening::watch_ports;
use crate::daemon::registry::Entry;

/// No call takes longer: some clients give up after 60 s.
pub(super) const LONGEST: Duration = Duration::from_millis(55_000);
pub(super) const DEFAULT: Duration = Duration::from_secs(30);
/// How long a start without a wish waits to see whether the process survives it.
/// An interpreter on a busy machine takes some 300 ms to fail at its first import.
const SETTLE: Duration = Duration::from_millis(500);
/// What can say that a process without health checks serves, for who waited in vain.
const NOTHING_SAID_SO: &str = "nothing has said that it is ready: it has no health checks, its tree listens on \
     no TCP port, and it has not sent READY=1 to NOTIFY_SOCKET. Declare a check (restart_process with `health`), or wait with \
     `wait_for_log`, `wait_for: started` or `exited`";
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
    /// It serves.
    Ready,
    /// Its checks say that it works.
    Healthy,
    /// It wrote this line; and its checks say that it works, if that was wished for as well.
    Line(Regex, bool),
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
            (Some(pattern), wait_for) => {
                Goal::Line(pattern_of("wait_for_log", pattern)?, wait_for == Some(WaitFor::Healthy))
            }
            (None, None) => Goal::Settled,
            (None, Some(WaitFor::Started)) => Goal::Started,
            (None, Some(WaitFor::Exited)) => Goal::Exited,
            (None, Some(WaitFor::Ready)) => Goal::Ready,
            (None, Some(WaitFor::Healthy)) => Goal::Healthy,
        };
        Ok(Self { goal, timeout })
    }

    /// Checks that it can come true for a process of this declaration.
    ///
    /// # Errors
    /// When nothing could ever say so.
    pub(super) fn suits(&self, spec: &ProcessSpec) -> Result<(), ToolError> {
        match self.goal {
            Goal::Healthy | Goal::Line(_, true) if spec.health.is_empty() => Err(ToolError::invalid(
                "`wait_for: healthy` needs health checks, and there are none: declare one, such as \
                 `health: [{\"plugin\": \"http\", \"config\": {\"url\": \"http://localhost:8080/\"}}]`, or wait for `ready` (a \
                 listening port or READY=1), `started` or `exited`, or with `wait_for_log`",
            )),
            _ => Ok(()),
        }
    }

    /// What to say to who waited in vain.
    pub(super) fn in_vain(&self, entry: &Entry) -> String {
        let snapshot = entry.handle.snapshot();
        let health = snapshot.health();
        match (&self.goal, health) {
            (Goal::Ready, None) => format!("not ready yet; the process goes on: {NOTHING_SAID_SO}"),
            (Goal::Ready | Goal::Healthy | Goal::Line(_, true), Some(health)) => format!(
                "not so yet; the process goes on, and its health is {}{}. check_process_health {{\"process\": \"{}\"}} \
                 makes its checks now",
                health.status,
                health.reason.map(|reason| format!(" ({reason})")).unwrap_or_default(),
                entry.name
            ),
            _ => format!(
                "what was waited for has not happened yet; the process goes on. Wait on with tail_logs {{\"process\": \
                 \"{}\", \"follow\": true}}, or look with get_process_info",
                entry.name
            ),
        }
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
            Goal::Ready => wait_ready(entry, run, deadline).await,
            Goal::Healthy => wait_snapshot(entry, run, deadline, |s| s.is_healthy(run)).await,
            Goal::Line(pattern, healthy) => {
                let line = LineWait { store, entry, run, pattern, deadline };
                let waited = line.wait().await?;
                if waited == Waited::Done {
                    entry.handle.ready(run, Ready::Line);
                    // Who is told that it serves also finds it said of the process. It may be over by now.
                    wait_snapshot(entry, run, deadline, |s| s.is_ready(run)).await?;
                }
                if *healthy && waited == Waited::Done {
                    return wait_snapshot(entry, run, deadline, |s| s.is_healthy(run)).await;
                }
                Ok(waited)
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

/// Waits until a run serves.
async fn wait_ready(entry: &Entry, run: RunNo, deadline: Instant) -> Result<Waited, ToolError> {
    let ready = wait_snapshot(entry, run, deadline, |s| s.is_ready(run));
    if !entry.handle.snapshot().spec.health.is_empty() {
        return ready.await;
    }
    tokio::select! {
        waited = ready => waited,
        () = watch_ports(entry, run) => Ok(Waited::NotYet),
    }
}

/// Waits until a snapshot of a run that goes on fulfils a condition.
async fn wait_snapshot(
    entry: &Entry,
    run: RunNo,
    deadline: Instant,
    holds: impl Fn(&Snapshot) -> bool,
) -> Result<Waited, ToolError> {
    let left = deadline.saturating_duration_since(Instant::now());
    let over = |s: &Snapshot| s.run.run > run || s.run.exit.is_some() || s.run.is_over();
    let found = entry.handle.wait(left, |s| holds(s) || over(s)).await.map_err(gone)?;
    Ok(match found {
        None => Waited::NotYet,
        Some(s) if holds(&s) => Waited::Done,
        Some(_) => Waited::Failed,
    })
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
