//! The quarantine: whether a plugin that failed may be called again.
//!
//! A circuit breaker as a pure state machine. Time is an argument, milliseconds of any clock that only goes forward.

use std::collections::VecDeque;

/// The rules of the quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// This many faults within the window open the breaker. 0 counts as 1.
    pub max_faults: u32,
    /// The length of the window, milliseconds.
    pub window_ms: u64,
    /// The first quarantine, milliseconds.
    pub backoff_initial_ms: u64,
    /// The longest quarantine, milliseconds.
    pub backoff_max_ms: u64,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { max_faults: 3, window_ms: 60_000, backoff_initial_ms: 5_000, backoff_max_ms: 600_000 }
    }
}

impl BreakerPolicy {
    /// The quarantine after `trips` earlier ones in a row: doubled each time, capped.
    fn backoff_ms(&self, trips: u32) -> u64 {
        let factor = 1_u64.checked_shl(trips).unwrap_or(u64::MAX);
        self.backoff_initial_ms.saturating_mul(factor).min(self.backoff_max_ms)
    }
}

/// What the breaker is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Calls go through; the instants of the faults in the window, oldest first.
    Closed { faults: VecDeque<u64> },
    /// No call goes through before `until_ms`.
    Open { until_ms: u64, reason: String },
    /// One call goes through, and its end decides.
    HalfOpen { trial: u64, reason: String },
}

/// Whether a plugin is trusted with calls, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Calls go through.
    Trusted {
        /// Faults within the window.
        recent_faults: u32,
    },
    /// Calls are refused.
    Quarantined {
        /// Milliseconds until the next trial.
        remaining_ms: u64,
        /// The fault that led to it.
        reason: String,
    },
    /// One call is under way to find out whether it works again, or may begin.
    OnTrial {
        /// The fault that led to the quarantine.
        reason: String,
    },
}

/// A call that was let through. Say how it ended with [`Breaker::succeeded`], [`Breaker::faulted`] or
/// [`Breaker::abandoned`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Pass {
    /// Which trial it is; `None` for a call of a closed breaker.
    trial: Option<u64>,
}

/// Why a call was not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quarantined {
    /// Milliseconds after which to ask again; 0 while another call is the trial.
    pub(crate) retry_after_ms: u64,
    /// The fault that led to it.
    pub(crate) reason: String,
}

/// The breaker of one plugin.
#[derive(Debug, Clone)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    state: State,
    /// Quarantines since the last success of a trial.
    trips: u32,
    /// Number of the next trial, so that the end of an old one is not taken for the end of a new one.
    next_trial: u64,
}

impl Breaker {
    /// A breaker that lets calls through.
    #[must_use]
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        Self { policy, state: State::Closed { faults: VecDeque::new() }, trips: 0, next_trial: 0 }
    }

    /// Asks for a call at `now_ms`.
    ///
    /// # Errors
    /// When the plugin is in quarantine, or another call is its trial.
    pub(crate) fn admit(&mut self, now_ms: u64) -> Result<Pass, Quarantined> {
        match &self.state {
            State::Closed { .. } => Ok(Pass { trial: None }),
            State::Open { until_ms, reason } if now_ms < *until_ms => {
                Err(Quarantined { retry_after_ms: until_ms - now_ms, reason: reason.clone() })
            }
            State::Open { reason, .. } => {
                let trial = self.next_trial;
                self.next_trial += 1;
                self.state = State::HalfOpen { trial, reason: reason.clone() };
                Ok(Pass { trial: Some(trial) })
            }
            State::HalfOpen { reason, .. } => Err(Quarantined { retry_after_ms: 0, reason: reason.clone() }),
        }
    }

    /// The call ended well. A trial that did ends the quarantine.
    pub(crate) fn succeeded(&mut self, pass: Pass) {
        if self.is_current_trial(pass) {
            self.state = State::Closed { faults: VecDeque::new() };
            self.trips = 0;
        }
    }

    /// The call ended with a fault. Returns whether this opened the breaker.
    pub(crate) fn faulted(&mut self, pass: Pass, now_ms: u64, reason: &str) -> bool {
        if self.is_current_trial(pass) {
            self.open(now_ms, reason);
            return true;
        }
        let policy = self.policy;
        let State::Closed { faults } = &mut self.state else { return false };
        faults.push_back(now_ms);
        while faults.front().is_some_and(|at| now_ms.saturating_sub(*at) >= policy.window_ms) {
            faults.pop_front();
        }
        if faults.len() < policy.max_faults.max(1) as usize {
            return false;
        }
        self.open(now_ms, reason);
        true
    }

    /// Nobody waited for the end of the call. An abandoned trial makes room for the next one.
    pub(crate) fn abandoned(&mut self, pass: Pass, now_ms: u64) {
        if !self.is_current_trial(pass) {
            return;
        }
        if let State::HalfOpen { reason, .. } = &self.state {
            self.state = State::Open { until_ms: now_ms, reason: reason.clone() };
        }
    }

    /// Forgets everything and goes on by these rules: the file or the configuration is another one.
    pub(crate) fn replace_policy(&mut self, policy: BreakerPolicy) {
        self.policy = policy;
        self.reset();
    }

    /// Forgets everything, but for calls under way: a person said so.
    pub(crate) fn reset(&mut self) {
        self.state = State::Closed { faults: VecDeque::new() };
        self.trips = 0;
    }

    /// What to show at `now_ms`.
    #[must_use]
    pub(crate) fn trust(&self, now_ms: u64) -> Trust {
        match &self.state {
            State::Closed { faults } => {
                let recent =
                    faults.iter().filter(|at| now_ms.saturating_sub(**at) < self.policy.window_ms).count();
                Trust::Trusted { recent_faults: u32::try_from(recent).unwrap_or(u32::MAX) }
            }
            State::Open { until_ms, reason } if now_ms < *until_ms => {
                Trust::Quarantined { remaining_ms: until_ms - now_ms, reason: reason.clone() }
            }
            State::Open { reason, .. } | State::HalfOpen { reason, .. } => {
                Trust::OnTrial { reason: reason.clone() }
            }
        }
    }

    fn is_current_trial(&self, pass: Pass) -> bool {
        match &self.state {
            State::HalfOpen { trial, .. } => pass.trial == Some(*trial),
            State::Closed { .. } | State::Open { .. } => false,
        }
    }

    fn open(&mut self, now_ms: u64, reason: &str) {
        let backoff_ms = self.policy.backoff_ms(self.trips);
        self.trips = self.trips.saturating_add(1);
        self.state = State::Open { until_ms: now_ms.saturating_add(backoff_ms), reason: reason.to_owned() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerPolicy {
            max_faults: 3,
            window_ms: 1_000,
            backoff_initial_ms: 100,
            backoff_max_ms: 400,
        })
    }

    fn fault(breaker: &mut Breaker, now_ms: u64) -> bool {
        let pass = breaker.admit(now_ms).unwrap();
        breaker.faulted(pass, now_ms, "trap")
    }

    #[test]
    fn faults_in_the_window_open_it_and_the_reason_is_kept() {
        let mut breaker = breaker();
        assert!(!fault(&mut breaker, 0));
        assert!(!fault(&mut breaker, 10));
        assert_eq!(breaker.trust(10), Trust::Trusted { recent_faults: 2 });
        assert!(fault(&mut breaker, 20));
        assert_eq!(breaker.admit(50), Err(Quarantined { retry_after_ms: 70, reason: "trap".into() }));
    }

    #[test]
    fn faults_far_apart_do_not_open_it() {
        let mut breaker = breaker();
        for at in (0..20_000).step_by(600) {
            assert!(!fault(&mut breaker, at), "at {at}");
        }
    }

    #[test]
    fn one_trial_at_a_time_and_its_success_closes_it() {
        let mut breaker = breaker();
        for at in 0..3 {
            fault(&mut breaker, at);
        }
        let trial = breaker.admit(200).unwrap();
        assert_eq!(breaker.admit(201).unwrap_err().retry_after_ms, 0);
        breaker.succeeded(trial);
        assert_eq!(breaker.trust(201), Trust::Trusted { recent_faults: 0 });
    }

    #[test]
    fn failed_trials_double_the_quarantine_up_to_the_cap() {
        let mut breaker = breaker();
        for _ in 0..3 {
            fault(&mut breaker, 0);
        }
        let mut now = 0;
        for expected in [100, 200, 400, 400] {
            let Trust::Quarantined { remaining_ms, .. } = breaker.trust(now) else { panic!("open") };
            assert_eq!(remaining_ms, expected);
            now += expected;
            assert!(fault(&mut breaker, now));
        }
    }

    #[test]
    fn an_abandoned_trial_lets_the_next_one_begin_and_late_news_of_it_is_ignored() {
        let mut breaker = breaker();
        for _ in 0..3 {
            fault(&mut breaker, 0);
        }
        let first = breaker.admit(100).unwrap();
        breaker.abandoned(first, 110);
        let second = breaker.admit(110).unwrap();
        breaker.succeeded(first);
        assert!(matches!(breaker.trust(110), Trust::OnTrial { .. }));
        breaker.succeeded(second);
        assert!(matches!(breaker.trust(110), Trust::Trusted { .. }));
    }

    #[derive(Debug, Clone)]
    enum Event {
        Admit,
        End(usize, u8),
        Wait(u16),
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            3 => Just(Event::Admit),
            3 => (0..8_usize, 0..3_u8).prop_map(|(call, how)| Event::End(call, how)),
            2 => (0..600_u16).prop_map(Event::Wait),
        ];
        prop::collection::vec(event, 0..200)
    }

    proptest! {
        /// Whatever happens: never two trials at once, a quarantine is never longer than its cap, and it always ends.
        #[test]
        fn it_never_lets_two_trials_run_and_always_recovers(events in events()) {
            let mut breaker = breaker();
            let mut now = 0;
            let mut open: Vec<Pass> = Vec::new();
            for event in events {
                match event {
                    Event::Admit => open.extend(breaker.admit(now).ok()),
                    Event::Wait(ms) => now += u64::from(ms),
                    Event::End(call, how) if call < open.len() => {
                        let pass = open.swap_remove(call);
                        match how {
                            0 => breaker.succeeded(pass),
                            1 => { breaker.faulted(pass, now, "trap"); }
                            _ => breaker.abandoned(pass, now),
                        }
                    }
                    Event::End(..) => {}
                }
                let trials = open.iter().filter(|pass| breaker.is_current_trial(**pass)).count();
                prop_assert!(trials <= 1);
                if let Trust::Quarantined { remaining_ms, .. } = breaker.trust(now) {
                    prop_assert!(remaining_ms <= 400);
                }
            }
            for pass in open.drain(..) {
                breaker.abandoned(pass, now);
            }
            let pass = breaker.admit(now + 400);
            prop_assert!(pass.is_ok());
            if let Ok(pass) = pass { breaker.succeeded(pass); }
            let trusted = matches!(breaker.trust(now + 400), Trust::Trusted { .. });
            prop_assert!(trusted);
        }
    }
}
