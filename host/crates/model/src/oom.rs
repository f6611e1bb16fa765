//! Kills by the kernel for lack of memory. For a run without a control group it counts them for the machine alone: that
//! one of them was the end of a run is a guess, by the time.

use crate::time::Timestamp;

/// Looks are kept when they are so far apart, milliseconds.
const APART_MS: u64 = 8_000;

/// A look so long before an end, milliseconds, was before the kill as well: the kernel takes the memory first.
const DYING_MS: u64 = 2_000;

/// The counter of the machine at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    at: Timestamp,
    kills: u64,
}

/// The last looks at the counter of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OomCounter {
    newest: Option<Look>,
    before: Option<Look>,
}

impl OomCounter {
    /// Remembers what the counter says at a time.
    pub fn look(&mut self, at: Timestamp, kills: u64) {
        if self.newest.is_none_or(|newest| at.ms_since(newest.at) >= APART_MS) {
            self.before = self.newest.replace(Look { at, kills });
        }
    }

    /// How many of the `kills` that the counter says now may have been an end at this time: those since the last look
    /// that was surely before it. None of them when nobody looked before.
    #[must_use]
    pub fn since_before(&self, end: Timestamp, kills: u64) -> u64 {
        let looks = || [self.newest, self.before].into_iter().flatten();
        let is_before = |look: &Look, by_ms| look.at.plus_ms(by_ms) <= end;
        let surely = looks().find(|look| is_before(look, DYING_MS));
        let known = surely.or_else(|| looks().rfind(|look| is_before(look, 0)));
        known.map_or(0, |look| kills.saturating_sub(look.kills))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: i64) -> Timestamp {
        Timestamp(ms * 1_000_000)
    }

    fn looked(looks: &[(i64, u64)]) -> OomCounter {
        let mut counter = OomCounter::default();
        looks.iter().for_each(|(ms, kills)| counter.look(at(*ms), *kills));
        counter
    }

    #[test]
    fn kills_since_the_look_before_an_end_are_counted() {
        let counter = looked(&[(0, 5), (10_000, 5), (20_000, 7)]);
        assert_eq!(counter.since_before(at(25_000), 7), 0, "those before were seen before");
        assert_eq!(counter.since_before(at(25_000), 8), 1);
        assert_eq!(counter.since_before(at(21_000), 7), 2, "the look may have been between kill and end");
        assert_eq!(counter.since_before(at(19_000), 7), 2, "the daemon may be late");
    }

    #[test]
    fn without_a_look_before_nothing_is_said() {
        assert_eq!(OomCounter::default().since_before(at(5), 9), 0);
        assert_eq!(
            looked(&[(10_000, 1)]).since_before(at(9_999), 9),
            0,
            "it ended before the daemon was there"
        );
        assert_eq!(looked(&[(10_000, 1)]).since_before(at(10_001), 2), 1, "the only look will do");
        assert_eq!(looked(&[(10_000, 9)]).since_before(at(20_000), 1), 0, "a counter that began anew");
    }

    #[test]
    fn frequent_looks_do_not_hide_what_was_before() {
        let counter = looked(&[(0, 0), (10_000, 0), (11_000, 1), (12_000, 1), (13_000, 1)]);
        assert_eq!(counter.since_before(at(13_500), 1), 1);
    }
}
