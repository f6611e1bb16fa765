//! A bucket of tokens: so many at once, and so many a minute. Time is an argument.

use crate::time::Timestamp;

const MINUTE_MS: u64 = 60_000;

/// How much is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In a minute, in the long run.
    pub per_minute: u32,
    /// At once.
    pub burst: u32,
}

/// The tokens of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Sixty-thousandths of tokens: a minute's worth of them each millisecond.
    parts: u64,
    filled: Timestamp,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn full(rate: Rate, now: Timestamp) -> Self {
        Self { parts: u64::from(rate.burst.max(1)) * MINUTE_MS, filled: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// When there is none: milliseconds until there is one.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), u64> {
        let (per_ms, most) = (u64::from(rate.per_minute.max(1)), u64::from(rate.burst.max(1)) * MINUTE_MS);
        let passed = now.ms_since(self.filled);
        self.parts = self.parts.saturating_add(passed.saturating_mul(per_ms)).min(most);
        // Whole milliseconds only, so that what is less is not lost. A clock that was set back begins anew.
        self.filled = if now < self.filled { now } else { self.filled.plus_ms(passed) };
        match self.parts.checked_sub(MINUTE_MS) {
            Some(left) => {
                self.parts = left;
                Ok(())
            }
            None => Err((MINUTE_MS - self.parts).div_ceil(per_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate(
            per_minute in 1_u32..100_000, burst in 1_u32..500, pauses in prop::collection::vec(0_u64..5_000, 1..300),
        ) {
            let rate = Rate { per_minute, burst };
            let (mut now, mut taken) = (Timestamp(0), 0_u64);
            let mut bucket = Bucket::full(rate, now);
            for pause in pauses {
                now = now.plus_ms(pause);
                taken += u64::from(bucket.take(rate, now).is_ok());
            }
            let allowed = u64::from(burst) + now.ms_since(Timestamp(0)) * u64::from(per_minute) / MINUTE_MS;
            prop_assert!(taken <= allowed, "{taken} of {allowed}");
        }

        #[test]
        fn whoever_waits_as_long_as_told_gets_a_token(
            per_minute in 1_u32..100_000, burst in 1_u32..50, extra in 0_u64..1000,
        ) {
            let rate = Rate { per_minute, burst };
            let mut now = Timestamp(7);
            let mut bucket = Bucket::full(rate, now);
            for _ in 0..burst {
                prop_assert_eq!(bucket.take(rate, now), Ok(()));
            }
            let wait = bucket.take(rate, now).unwrap_err();
            prop_assert!(wait > 0);
            now = now.plus_ms(wait + extra);
            prop_assert_eq!(bucket.take(rate, now), Ok(()));
        }
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nobody_up() {
        let rate = Rate { per_minute: 60, burst: 1 };
        let mut bucket = Bucket::full(rate, Timestamp(0).plus_ms(1_000_000));
        assert_eq!(bucket.take(rate, Timestamp(0).plus_ms(1_000_000)), Ok(()));
        assert_eq!(bucket.take(rate, Timestamp(0)), Err(1_000));
        assert_eq!(bucket.take(rate, Timestamp(0).plus_ms(1_000)), Ok(()));
    }
}
