//! What the numbers of a check may be. Who declares one is refused beyond them; who makes one from another tool's file
//! keeps within them.

use std::ops::RangeInclusive;

const DAY_MS: u64 = 86_400_000;

/// Time between checks.
pub const INTERVAL_MS: RangeInclusive<u64> = 100..=DAY_MS;
/// Time that one check may take: a call of a plugin lasts no longer.
pub const TIMEOUT_MS: RangeInclusive<u64> = 1..=50_000;
/// Time after a start in which failures do not count.
pub const START_PERIOD_MS: RangeInclusive<u64> = 0..=DAY_MS;
/// Outcomes in a row.
pub const THRESHOLD: RangeInclusive<u32> = 1..=1_000;
