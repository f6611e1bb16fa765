//! What a group of errors goes through: it is seen, resolved, and seen again.

use serde::{Deserialize, Serialize};

use super::trend::Trend;
use crate::time::Timestamp;

/// The span whose rate is compared with what is usual, minutes.
const RECENT_MINUTES: u64 = 5;
/// Fewer than this within the span are no anomaly, however rare they were.
const ANOMALY_MIN: u64 = 10;
/// How many times the usual rate is one.
const ANOMALY_FACTOR: u64 = 5;
/// The longest past that counts as usual, hours.
const USUAL_HOURS: u64 = 24;

/// That somebody says a fault is mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// What was done; may be empty.
    pub text: String,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// That it came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regression {
    /// When it came back the last time.
    pub at: Timestamp,
    /// How often it has come back.
    pub times: u32,
    /// The resolution that did not hold.
    pub resolution: Resolution,
}

/// A group's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// How often it was seen.
    pub count: u64,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// That it is resolved.
    pub resolution: Option<Resolution>,
    /// That it came back after it had been resolved.
    pub regression: Option<Regression>,
    /// How often it was seen lately.
    pub trend: Trend,
}

/// A rate that is not usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anomaly {
    /// Seen within the last five minutes.
    pub recent: u64,
    /// What is usual within five minutes, hundredths.
    pub usual_hundredths: u64,
}

impl GroupState {
    /// A group that has not been seen.
    #[must_use]
    pub fn new() -> Self {
        Self {
            count: 0,
            first_seen: Timestamp(i64::MAX),
            last_seen: Timestamp(i64::MIN),
            resolution: None,
            regression: None,
            trend: Trend::default(),
        }
    }

    /// It was seen. What happened before it was resolved and is only found now is counted, and changes nothing else.
    pub fn seen(&mut self, at: Timestamp) {
        self.count += 1;
        self.first_seen = self.first_seen.min(at);
        self.last_seen = self.last_seen.max(at);
        self.trend.add(at, 1);
        if let Some(resolution) = self.resolution.take_if(|resolution| resolution.at < at) {
            let times = self.regression.as_ref().map_or(0, |earlier| earlier.times) + 1;
            self.regression = Some(Regression { at, times, resolution });
        }
    }

    /// Somebody says that it is mended. Saying it again keeps who said it first, and takes a new text.
    pub fn resolve(&mut self, resolution: Resolution) {
        match &mut self.resolution {
            Some(known) if resolution.text.is_empty() || known.text == resolution.text => {}
            known => *known = Some(resolution),
        }
    }

    /// Whether it is resolved.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.resolution.is_some()
    }

    /// Whether it came back after a resolution and was not resolved since.
    #[must_use]
    pub fn is_regression(&self) -> bool {
        self.regression.is_some() && self.resolution.is_none()
    }

    /// Whether it comes far more often now than it used to. A group younger than an hour has nothing to compare with.
    #[must_use]
    pub fn anomaly(&self, now: Timestamp) -> Option<Anomaly> {
        let hours = (now.ms_since(self.first_seen) / 3_600_000).min(USUAL_HOURS);
        let recent = self.trend.last_minutes(now, RECENT_MINUTES as usize);
        if hours == 0 || recent < ANOMALY_MIN {
            return None;
        }
        let before = self.trend.hours_before(now, hours as usize);
        let usual_hundredths = before * 100 * RECENT_MINUTES / (hours * 60);
        (recent * 100 >= usual_hundredths * ANOMALY_FACTOR).then_some(Anomaly { recent, usual_hundredths })
    }
}

impl Default for GroupState {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolution(at: i64) -> Resolution {
        Resolution { text: "mended".into(), by: "ann".into(), at: Timestamp(at) }
    }

    fn seen(times: &[i64]) -> GroupState {
        let mut state = GroupState::new();
        times.iter().for_each(|at| state.seen(Timestamp(*at)));
        state
    }

    #[test]
    fn what_is_seen_after_a_resolution_is_a_regression() {
        let mut state = seen(&[10, 20]);
        assert!(!state.is_regression());
        state.resolve(resolution(30));
        state.seen(Timestamp(25));
        assert!(state.is_resolved() && !state.is_regression(), "it happened before");
        state.seen(Timestamp(40));
        assert!(!state.is_resolved() && state.is_regression());
        assert_eq!(state.regression.as_ref().map(|r| (r.times, r.at)), Some((1, Timestamp(40))));
        state.resolve(resolution(50));
        assert!(state.is_resolved() && !state.is_regression());
        state.seen(Timestamp(60));
        assert_eq!(state.regression.as_ref().map(|r| r.times), Some(2));
        assert_eq!((state.count, state.first_seen, state.last_seen), (5, Timestamp(10), Timestamp(60)));
    }

    #[test]
    fn a_second_resolution_only_adds_what_is_new() {
        let mut state = seen(&[10]);
        state.resolve(resolution(30));
        state.resolve(Resolution { text: String::new(), by: "bob".into(), at: Timestamp(40) });
        assert_eq!(state.resolution, Some(resolution(30)));
    }

    #[test]
    fn a_rate_far_above_the_usual_is_an_anomaly() {
        const MINUTE: i64 = 60_000_000_000;
        let base = 1_000_000 * 60 * MINUTE;
        let mut state = GroupState::new();
        (0..24).for_each(|n| state.seen(Timestamp(base + n * 5 * MINUTE)));
        let now = Timestamp(base + 125 * MINUTE);
        assert_eq!(state.anomaly(now), None);
        (0..20).for_each(|_| state.seen(now));
        assert_eq!(state.anomaly(now), Some(Anomaly { recent: 20, usual_hundredths: 100 }));
        let mut young = GroupState::new();
        (0..100).for_each(|_| young.seen(now));
        assert_eq!(young.anomaly(now), None);
    }

    proptest! {
        /// Over any history: all are counted, and it is a regression exactly when something was seen after the last
        /// resolution.
        #[test]
        fn nothing_is_lost_and_no_resolution_outlives_a_return(steps in prop::collection::vec((any::<bool>(), 0_i64..1_000), 1..60)) {
            let mut state = GroupState::new();
            let (mut count, mut now) = (0, 0);
            for (resolves, step) in steps {
                now += step + 1;
                if resolves {
                    state.resolve(Resolution { text: now.to_string(), ..resolution(now) });
                    prop_assert!(state.is_resolved());
                } else {
                    count += 1;
                    state.seen(Timestamp(now));
                    prop_assert!(!state.is_resolved());
                }
                prop_assert_eq!(state.count, count);
                prop_assert!(!(state.is_resolved() && state.is_regression()));
            }
        }
    }
}
