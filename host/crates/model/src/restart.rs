//! The restart policy: what follows when a run ends by itself.
//!
//! Exponential backoff with equal jitter (half fixed, half random, as in the AWS Architecture Blog's
//! "Exponential Backoff And Jitter"), and a sliding window of restarts, as systemd's
//! `StartLimitBurst`/`StartLimitIntervalSec`, that ends in a crash loop.

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::time::Timestamp;

/// When a process that ended by itself is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum RestartWhen {
    /// Not at all.
    #[default]
    Never,
    /// When it did not end with status 0.
    OnFailure,
    /// Whatever its end was.
    Always,
}

/// The rules of automatic restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// After which ends.
    pub when: RestartWhen,
    /// This many restarts within the window are a crash loop at the next end.
    pub max_restarts: u32,
    /// The length of the window, milliseconds. A run that lasted this long also resets the backoff.
    pub window_ms: u64,
    /// First delay, milliseconds; 0 restarts at once.
    pub backoff_initial_ms: u64,
    /// Longest delay, milliseconds.
    pub backoff_max_ms: u64,
    /// After a crash loop, this many milliseconds later it is tried again with a new budget; never without it.
    #[serde(default)]
    pub cooldown_ms: Option<u64>,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            when: RestartWhen::Never,
            max_restarts: 5,
            window_ms: 60_000,
            backoff_initial_ms: 500,
            backoff_max_ms: 30_000,
            cooldown_ms: None,
        }
    }
}

/// What the policy remembers of earlier restarts. Persisted, so that a new daemon goes on counting.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RestartHistory {
    /// Instants of the automatic restarts in the window, oldest first; never more than `max_restarts`.
    pub recent: Vec<Timestamp>,
    /// Restarts since the last stable run, which sets the backoff.
    pub attempt: u32,
}

/// A random number in `0..=1000`, drawn by the caller: thousandths of the random half of the delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(pub u16);

/// What to do after an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Leave it ended.
    Rest,
    /// Start again after this many milliseconds.
    RestartAfter {
        /// The delay.
        delay_ms: u64,
    },
    /// Too many restarts in the window: give up until somebody acts.
    CrashLoop {
        /// Restarts counted in the window.
        restarts: u32,
    },
}

impl RestartPolicy {
    /// Whether this end calls for a restart at all.
    #[must_use]
    pub fn applies_to(&self, exit: &Exit) -> bool {
        match self.when {
            RestartWhen::Never => false,
            RestartWhen::OnFailure => !exit.is_success(),
            RestartWhen::Always => true,
        }
    }

    /// Decides what follows an end at `now` of a run that lasted `ran_ms`, and counts it in `history`.
    pub fn decide(
        &self,
        exit: &Exit,
        ran_ms: u64,
        history: &mut RestartHistory,
        now: Timestamp,
        jitter: Jitter,
    ) -> Verdict {
        if self.applies_to(exit) { self.grant(ran_ms, history, now, jitter) } else { Verdict::Rest }
    }

    /// A restart at `now` after a run that lasted `ran_ms`, if there is budget for it; counted in `history`. All
    /// automatic restarts share one budget, whether the process ended by itself or was ended because it was
    /// unhealthy.
    pub fn grant(
        &self,
        ran_ms: u64,
        history: &mut RestartHistory,
        now: Timestamp,
        jitter: Jitter,
    ) -> Verdict {
        history.recent.retain(|at| now.ms_since(*at) < self.window_ms);
        if ran_ms >= self.window_ms {
            history.attempt = 0;
        }
        let restarts = u32::try_from(history.recent.len()).unwrap_or(u32::MAX);
        if restarts >= self.max_restarts {
            return Verdict::CrashLoop { restarts };
        }
        let delay_ms = self.delay_ms(history.attempt, jitter);
        history.attempt = history.attempt.saturating_add(1);
        history.recent.push(now);
        Verdict::RestartAfter { delay_ms }
    }

    /// The delay before restart number `attempt` (from 0): doubled each time, capped, half of it random.
    fn delay_ms(&self, attempt: u32, jitter: Jitter) -> u64 {
        let doubled = self.backoff_initial_ms.saturating_mul(1_u64.checked_shl(attempt).unwrap_or(u64::MAX));
        let full = doubled.min(self.backoff_max_ms);
        let half = full / 2;
        half + (full - half) * u64::from(jitter.0.min(1000)) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Outcome;
    use proptest::prelude::*;

    fn exit(code: i32) -> Exit {
        Exit { outcome: Outcome::Code(code), ..Exit::unknown(Timestamp(0)) }
    }

    #[test]
    fn the_policy_chooses_by_the_end() {
        let with = |when| RestartPolicy { when, ..RestartPolicy::default() };
        assert!(!with(RestartWhen::Never).applies_to(&exit(1)));
        assert!(with(RestartWhen::OnFailure).applies_to(&exit(1)));
        assert!(!with(RestartWhen::OnFailure).applies_to(&exit(0)));
        assert!(with(RestartWhen::Always).applies_to(&exit(0)));
    }

    #[test]
    fn a_stable_run_resets_the_backoff_and_a_short_one_does_not_reset_the_window() {
        let policy = RestartPolicy { when: RestartWhen::Always, max_restarts: 3, ..RestartPolicy::default() };
        let mut history = RestartHistory::default();
        let mut now = Timestamp(0);
        for _ in 0..3 {
            now = now.plus_ms(2_000);
            assert!(matches!(
                policy.decide(&exit(1), 1_500, &mut history, now, Jitter(0)),
                Verdict::RestartAfter { .. }
            ));
        }
        assert_eq!(
            policy.decide(&exit(1), 1_500, &mut history, now, Jitter(0)),
            Verdict::CrashLoop { restarts: 3 }
        );
        let later = now.plus_ms(policy.window_ms);
        assert_eq!(
            policy.decide(&exit(1), policy.window_ms, &mut history, later, Jitter(1000)),
            Verdict::RestartAfter { delay_ms: policy.backoff_initial_ms }
        );
    }

    proptest! {
        #[test]
        fn delays_grow_within_their_bounds(initial in 0_u64..100_000, max in 0_u64..1_000_000, attempt in 0_u32..200, jitter in 0_u16..=1000) {
            let policy = RestartPolicy { backoff_initial_ms: initial, backoff_max_ms: max, ..RestartPolicy::default() };
            let delay = policy.delay_ms(attempt, Jitter(jitter));
            prop_assert!(delay <= max);
            prop_assert!(delay >= initial.min(max) / 2);
            prop_assert!(delay <= policy.delay_ms(attempt + 1, Jitter(1000)));
        }

        #[test]
        fn never_more_than_max_restarts_in_any_window(gaps in prop::collection::vec(0_u64..3_000, 1..200), max in 0_u32..6) {
            let policy = RestartPolicy { when: RestartWhen::Always, max_restarts: max, window_ms: 5_000, ..RestartPolicy::default() };
            let (mut history, mut now, mut granted) = (RestartHistory::default(), Timestamp(0), Vec::new());
            for gap in gaps {
                now = now.plus_ms(gap);
                if let Verdict::RestartAfter { .. } = policy.decide(&exit(1), gap, &mut history, now, Jitter(500)) {
                    granted.push(now);
                }
                let inside = granted.iter().filter(|at| now.ms_since(**at) < policy.window_ms).count();
                prop_assert!(inside <= max as usize);
            }
        }
    }
}
