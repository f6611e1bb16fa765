//! When a check is due.

use serde::{Deserialize, Serialize};

use super::check::{CheckState, TROUBLES_UNTIL_OPEN};
use crate::restart::Jitter;
use crate::time::Timestamp;

/// The first look at a new run, milliseconds after its start.
const FIRST_LOOK_MS: u64 = 50;
/// A check that cannot be made is tried again after this long at the latest, milliseconds.
const LONGEST_BREAK_MS: u64 = 600_000;

/// When a check is made, and how its outcomes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Time between checks, milliseconds.
    pub interval_ms: u64,
    /// Time that one may take, milliseconds.
    pub timeout_ms: u64,
    /// Time after a start in which failures do not count, milliseconds, unless it passed before.
    pub start_period_ms: u64,
    /// Failures in a row until unhealthy.
    pub failure_threshold: u32,
    /// Successes in a row until healthy.
    pub success_threshold: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            interval_ms: 10_000,
            timeout_ms: 5_000,
            start_period_ms: 10_000,
            failure_threshold: 3,
            success_threshold: 1,
        }
    }
}

/// The next check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// It comes before its time, to see early that a new run works. It may pass; that it fails says nothing.
    pub early: bool,
}

impl Schedule {
    /// When the next check is due, of a run that started at `started`. Intervals vary by a tenth, so that checks which
    /// begin together do not stay so. Until a new run has passed once it is looked at in growing steps, beginning at
    /// 50 ms; a check that cannot be made is left alone for longer and longer.
    #[must_use]
    pub fn next(&self, state: &CheckState, started: Timestamp, now: Timestamp, jitter: Jitter) -> Due {
        let regular = |ms| Due { at: now.plus_ms(varied(ms, jitter)), early: false };
        if state.troubles >= TROUBLES_UNTIL_OPEN {
            return regular(self.break_ms(state.troubles));
        }
        let first_regular = started.plus_ms(self.first_ms());
        if state.passed || now >= first_regular || now < started {
            return regular(self.interval_ms);
        }
        let step = now.ms_since(started).clamp(FIRST_LOOK_MS, self.interval_ms.max(FIRST_LOOK_MS));
        let at = now.plus_ms(varied(step, jitter));
        if at < first_regular { Due { at, early: true } } else { Due { at: first_regular, early: false } }
    }

    /// The first check after the daemon has started, of a run that it knows: when it would have been without that, so
    /// that daemons which are restarted often neither put it off nor hurry. What is overdue is spread over a tenth of
    /// the interval.
    #[must_use]
    pub fn resume(&self, state: &CheckState, started: Timestamp, now: Timestamp, jitter: Jitter) -> Due {
        let last = state.last.as_ref().filter(|last| (started..=now).contains(&last.at));
        let due = self.next(state, started, last.map_or(now, |last| last.at), jitter);
        if due.at > now {
            return due;
        }
        let at = now.plus_ms(self.interval_ms / 10 * u64::from(jitter.0.min(1000)) / 1000);
        Due { at, early: due.early && at < started.plus_ms(self.first_ms()) }
    }

    /// Whether a failure at `now` counts, of a run that has not passed yet.
    #[must_use]
    pub fn is_over(&self, started: Timestamp, now: Timestamp) -> bool {
        // A clock that was set back ends the period rather than making it longer.
        now < started || now.ms_since(started) >= self.start_period_ms
    }

    /// The first check that may fail.
    fn first_ms(&self) -> u64 {
        self.start_period_ms.max(self.interval_ms)
    }

    fn break_ms(&self, troubles: u32) -> u64 {
        let doublings = troubles - TROUBLES_UNTIL_OPEN + 1;
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        self.interval_ms.saturating_mul(factor).min(LONGEST_BREAK_MS.max(self.interval_ms))
    }
}

/// Nine to eleven tenths of it.
fn varied(ms: u64, jitter: Jitter) -> u64 {
    let tenth = ms / 10;
    ms - tenth + tenth * 2 * u64::from(jitter.0.min(1000)) / 1000
}
