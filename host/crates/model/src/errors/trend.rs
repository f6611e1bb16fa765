//! How often something happened lately: counters by minute for an hour, and by hour for two days.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
/// Minutes that are counted apart.
pub const MINUTES: usize = 60;
/// Hours that are counted apart.
pub const HOURS: usize = 48;

/// Counters of the recent past.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trend {
    minutes: Ring,
    hours: Ring,
}

/// The counters of consecutive spans of time, the newest last; those before the first one are zero.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Ring {
    /// The number of the newest span since the epoch.
    newest: i64,
    counts: Vec<u32>,
}

impl Ring {
    fn add(&mut self, span: i64, count: u32, size: usize) {
        if self.counts.is_empty() {
            self.newest = span;
            self.counts.push(0);
        }
        let ahead = span.saturating_sub(self.newest);
        if ahead > 0 {
            let steps = usize::try_from(ahead).unwrap_or(usize::MAX).min(size);
            self.counts.extend(std::iter::repeat_n(0, steps));
            self.counts.drain(..self.counts.len().saturating_sub(size));
            self.newest = span;
        }
        let back = usize::try_from(self.newest.saturating_sub(span)).unwrap_or(usize::MAX);
        if back >= size {
            return;
        }
        while self.counts.len() <= back {
            self.counts.insert(0, 0);
        }
        let at = self.counts.len() - 1 - back;
        self.counts[at] = self.counts[at].saturating_add(count);
    }

    fn at(&self, span: i64) -> u32 {
        let back = usize::try_from(self.newest.saturating_sub(span)).unwrap_or(usize::MAX);
        if span > self.newest || back >= self.counts.len() {
            0
        } else {
            self.counts[self.counts.len() - 1 - back]
        }
    }

    fn sum(&self, spans: std::ops::RangeInclusive<i64>) -> u64 {
        spans.map(|span| u64::from(self.at(span))).sum()
    }
}

impl Trend {
    /// Counts what happened at this time. What is older than all counters is not counted here.
    pub fn add(&mut self, at: Timestamp, count: u64) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.minutes.add(at.0.div_euclid(MINUTE), count, MINUTES);
        self.hours.add(at.0.div_euclid(HOUR), count, HOURS);
    }

    /// How often it happened within the last minutes, the current one included.
    #[must_use]
    pub fn last_minutes(&self, now: Timestamp, minutes: usize) -> u64 {
        let current = now.0.div_euclid(MINUTE);
        self.minutes.sum(current - minutes.clamp(1, MINUTES) as i64 + 1..=current)
    }

    /// How often it happened within so many whole hours before the current one.
    #[must_use]
    pub fn hours_before(&self, now: Timestamp, hours: usize) -> u64 {
        let current = now.0.div_euclid(HOUR);
        self.hours.sum(current - hours.min(HOURS) as i64..=current - 1)
    }

    /// The counters of the last hours, oldest first, each with the time at which it begins.
    #[must_use]
    pub fn by_hour(&self, now: Timestamp, hours: usize) -> Vec<(Timestamp, u32)> {
        let current = now.0.div_euclid(HOUR);
        let first = current - hours.clamp(1, HOURS) as i64 + 1;
        (first..=current).map(|hour| (Timestamp(hour.saturating_mul(HOUR)), self.hours.at(hour))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counters_follow_the_clock() {
        let mut trend = Trend::default();
        let at = |minutes: i64| Timestamp(1_000 * HOUR + minutes * MINUTE);
        trend.add(at(0), 2);
        trend.add(at(5), 3);
        trend.add(at(4), 1);
        assert_eq!(
            (trend.last_minutes(at(5), 1), trend.last_minutes(at(5), 2), trend.last_minutes(at(5), 60)),
            (3, 4, 6)
        );
        assert_eq!(trend.hours_before(at(65), 24), 6);
        assert_eq!(trend.by_hour(at(65), 3).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [0, 6, 0]);
        trend.add(at(60 * 100), 1);
        assert_eq!(trend.last_minutes(at(60 * 100), 60), 1);
        trend.add(at(0), 9);
        assert_eq!(trend.hours_before(at(60 * 100), HOURS), 0);
    }

    proptest! {
        #[test]
        fn counters_are_bounded_and_lose_nothing_recent(times in prop::collection::vec(0_i64..10_000, 1..100)) {
            let mut trend = Trend::default();
            for minute in &times {
                trend.add(Timestamp(minute * MINUTE), 1);
            }
            prop_assert!(trend.minutes.counts.len() <= MINUTES && trend.hours.counts.len() <= HOURS);
            let newest = *times.iter().max().unwrap();
            let recent = times.iter().filter(|minute| newest - **minute < 60).count() as u64;
            // Those that came when a newer minute was known, and were too old then, are the only ones left out.
            prop_assert_eq!(trend.last_minutes(Timestamp(newest * MINUTE), 60), recent);
        }
    }
}
