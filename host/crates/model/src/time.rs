//! Wall-clock instants as plain numbers, so that they can be stored, compared and made up in tests.

use serde::{Deserialize, Serialize};

/// An instant: nanoseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

const NANOS_PER_MS: i64 = 1_000_000;

impl Timestamp {
    /// The instant `ms` milliseconds later; saturates at the end of time.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        let nanos = i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(NANOS_PER_MS);
        Self(self.0.saturating_add(nanos))
    }

    /// Milliseconds from `earlier` to this instant; 0 when the clock went backwards.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / NANOS_PER_MS).unwrap_or(0)
    }
}
