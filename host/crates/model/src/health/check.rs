//! One check of one process: what its outcomes mean.

use serde::{Deserialize, Serialize};

use super::{CheckSpec, OnUnhealthy, Status};
use crate::ids::RunNo;
use crate::time::Timestamp;

/// A check that could not be made this often in a row is left alone for a while.
pub const TROUBLES_UNTIL_OPEN: u32 = 3;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It works.
    Healthy,
    /// It works, but somebody should look. Counts as success.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There is a verdict.
    Found(Verdict),
    /// It could not be made, which says nothing about the process.
    NotMade,
}

impl Outcome {
    /// What it says by itself, whatever was before.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Found(Verdict::Healthy) => Status::Healthy,
            Self::Found(Verdict::Degraded) => Status::Degraded,
            Self::Found(Verdict::Unhealthy) => Status::Unhealthy,
            Self::NotMade => Status::Unknown,
        }
    }
}

/// The newest outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// When it was known.
    pub at: Timestamp,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen.
    pub message: String,
    /// How long it took, microseconds.
    pub latency_us: u64,
}

/// Whether a check is made at its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// It is.
    Closed,
    /// It could not be made several times in a row, and is tried rarely.
    Open,
}

impl Breaker {
    /// As it is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

/// What a check of one run has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckState {
    /// The run.
    pub run: RunNo,
    /// What it says, by its thresholds.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
    /// Failures in a row that count.
    pub failures: u32,
    /// Successes in a row.
    pub successes: u32,
    /// The newest failure that counts.
    pub last_failure: Option<Timestamp>,
    /// How often in a row it could not be made.
    pub troubles: u32,
    /// Whether it passed in this run.
    pub passed: bool,
    /// Whether somebody paused it.
    pub paused: bool,
    /// The newest outcome.
    pub last: Option<Last>,
}

/// What an outcome brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The status before, when it is another one now.
    pub was: Option<Status>,
    /// Whether the process is to be restarted.
    pub restart: bool,
}

impl CheckState {
    /// Of a run that begins.
    #[must_use]
    pub fn new(run: RunNo, now: Timestamp) -> Self {
        Self {
            run,
            status: Status::Unknown,
            since: now,
            failures: 0,
            successes: 0,
            last_failure: None,
            troubles: 0,
            passed: false,
            paused: false,
            last: None,
        }
    }

    /// The same check in the next run: what somebody decided about it stays, and that it cannot be made.
    #[must_use]
    pub fn renewed(&self, run: RunNo, now: Timestamp) -> Self {
        Self { paused: self.paused, troubles: self.troubles, ..Self::new(run, now) }
    }

    /// Whether it is made at its times.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        if self.troubles >= TROUBLES_UNTIL_OPEN { Breaker::Open } else { Breaker::Closed }
    }

    /// Takes the outcome of a check of a run that started at `started`. An `early` one may pass and cannot fail.
    ///
    /// Failures count when they are half an interval apart at least: somebody who asks ten times within a second does
    /// not make a process unhealthy that is busy for this second.
    pub fn take(&mut self, spec: &CheckSpec, last: Last, started: Timestamp, early: bool) -> Taken {
        let (outcome, now) = (last.outcome, last.at);
        self.last = Some(last);
        let to = match outcome {
            Outcome::NotMade => {
                self.troubles = self.troubles.saturating_add(1);
                Status::Unknown
            }
            Outcome::Found(Verdict::Unhealthy) => self.failed(spec, started, now, early),
            Outcome::Found(Verdict::Healthy | Verdict::Degraded) => self.succeeded(spec, outcome.status()),
        };
        let failed = outcome == Outcome::Found(Verdict::Unhealthy);
        let enough = self.failures >= spec.schedule.failure_threshold;
        let restart = failed && enough && spec.on_unhealthy == OnUnhealthy::Restart;
        let was = (self.status != to).then_some(self.status);
        if was.is_some() {
            self.status = to;
            self.since = now;
        }
        Taken { was, restart }
    }

    fn succeeded(&mut self, spec: &CheckSpec, to: Status) -> Status {
        self.troubles = 0;
        self.failures = 0;
        self.last_failure = None;
        self.passed = true;
        self.successes = self.successes.saturating_add(1);
        let enough = self.status.is_success() || self.successes >= spec.schedule.success_threshold;
        if enough { to } else { self.status }
    }

    fn failed(&mut self, spec: &CheckSpec, started: Timestamp, now: Timestamp, early: bool) -> Status {
        self.troubles = 0;
        self.successes = 0;
        let schedule = &spec.schedule;
        if !self.passed && (early || !schedule.is_over(started, now)) {
            return self.status;
        }
        let apart =
            self.last_failure.is_none_or(|at| now < at || now.ms_since(at) >= schedule.interval_ms / 2);
        if apart {
            self.failures = self.failures.saturating_add(1);
            self.last_failure = Some(now);
        }
        if self.failures >= schedule.failure_threshold { Status::Unhealthy } else { self.status }
    }
}
