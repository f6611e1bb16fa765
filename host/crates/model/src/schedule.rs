//! Starting a process at certain times: when it is due next, and what becomes of a start that cannot be.

use std::fmt;

use croner::Cron;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A start that comes later than this was missed: no daemon was there, or the machine slept.
const LATE_MS: u64 = 60_000;

/// A clock that is set back by less than this makes nothing happen twice.
const CLOCK_SLACK_MS: u64 = 3_600_000;

/// When a process is started by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The times.
    pub cron: CronExpr,
    /// What becomes of a start whose time comes while the process runs.
    #[serde(default)]
    pub overlap: Overlap,
    /// Whether a start that was missed is made up for, once.
    #[serde(default)]
    pub catch_up: bool,
}

/// What becomes of a start whose time comes while the process still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Overlap {
    /// Nothing: the next one comes at its time.
    #[default]
    Skip,
    /// The process is restarted.
    Restart,
    /// It is started again as soon as it has ended; one such start is kept.
    Queue,
}

/// A cron expression: minute, hour, day of month, month, day of week, and before them the second where there are six.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronExpr(Cron);

/// A text that is no such expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no schedule: {why}; five fields say minute, hour, day, month and weekday, such as \"*/5 * * * *\" or \
     \"0 3 * * mon-fri\", and a sixth one before them the second"
)]
pub struct InvalidCron {
    text: String,
    why: String,
}

impl CronExpr {
    /// The first time after `after` by the clock of this zone; none when there is none any more.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_nanosecond(i128::from(after.0)).ok()?.to_zoned(zone.clone());
        let next = self.0.find_next_occurrence(&after, false).ok()?;
        i64::try_from(next.timestamp().as_nanosecond()).ok().map(Timestamp)
    }
}

impl TryFrom<String> for CronExpr {
    type Error = InvalidCron;

    fn try_from(text: String) -> Result<Self, InvalidCron> {
        let parsed = text.parse::<Cron>().map(Self).map_err(|e| e.to_string());
        let possible = parsed.and_then(|cron| match cron.next(Timestamp(0), &TimeZone::UTC) {
            Some(_) => Ok(cron),
            None => Err("there is no such time".to_owned()),
        });
        possible.map_err(|why| InvalidCron { text, why: why.trim_end_matches('.').to_owned() })
    }
}

impl From<CronExpr> for String {
    fn from(cron: CronExpr) -> Self {
        cron.to_string()
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

impl PartialEq for CronExpr {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for CronExpr {}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Start it.
    Start,
    /// End it, and start it anew.
    Restart,
}

/// A schedule at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timetable {
    next: Option<Timestamp>,
    /// A start waits for the end of the run.
    queued: bool,
    looked: Timestamp,
}

impl Timetable {
    /// Begins now.
    #[must_use]
    pub fn begin(schedule: &Schedule, now: Timestamp, zone: &TimeZone) -> Self {
        Self { next: schedule.cron.next(now, zone), queued: false, looked: now }
    }

    /// Goes on after a daemon that knew of a run which began at `last`: what should have come since was missed.
    #[must_use]
    pub fn resume(schedule: &Schedule, last: Timestamp, now: Timestamp, zone: &TimeZone) -> Self {
        let since = if schedule.catch_up { last.min(now) } else { now };
        Self { looked: now, ..Self::begin(schedule, since, zone) }
    }

    /// When it is started next; none when never again.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Whether a start waits for the end of the run.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.queued
    }

    /// Looks at the clock and at the process; `busy` while it runs, or comes back by its restart policy.
    pub fn look(&mut self, schedule: &Schedule, busy: bool, now: Timestamp, zone: &TimeZone) -> Option<Due> {
        if self.looked.ms_since(now) > CLOCK_SLACK_MS {
            self.next = schedule.cron.next(now, zone);
        }
        self.looked = now;
        if let Some(due) = self.next.filter(|due| *due <= now) {
            self.next = schedule.cron.next(now, zone);
            let missed = now.ms_since(due) > LATE_MS && !schedule.catch_up;
            match schedule.overlap {
                _ if missed => {}
                _ if !busy => return Some(Due::Start),
                Overlap::Skip => {}
                Overlap::Restart => return Some(Due::Restart),
                Overlap::Queue => self.queued = true,
            }
        }
        (!busy && std::mem::take(&mut self.queued)).then_some(Due::Start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp(i64::try_from(at.as_nanosecond()).unwrap())
    }

    fn schedule(cron: &str, overlap: Overlap) -> Schedule {
        Schedule { cron: CronExpr::try_from(cron.to_owned()).unwrap(), overlap, catch_up: false }
    }

    fn zone(rules: &str) -> TimeZone {
        TimeZone::posix(rules).unwrap()
    }

    #[test]
    fn times_are_those_of_the_zone_across_the_changes_of_its_clock() {
        let berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
        for (cron, after, wanted) in [
            ("*/5 * * * *", "2026-11-28T02:56:10Z", "2026-11-28T03:00:00Z"),
            ("0 3 * * *", "2026-11-28T02:00:00Z", "2026-11-29T02:00:00Z"),
            ("0 3 * * mon", "2026-07-01T00:00:00Z", "2026-07-06T01:00:00Z"),
            ("*/10 * * * * *", "2026-11-28T02:56:10Z", "2026-11-28T02:56:20Z"),
            // There is no half past two on this night: it comes as soon as the clock has gone on.
            ("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            // And on this one there are two; it comes once.
            ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ] {
            let cron = CronExpr::try_from(cron.to_owned()).unwrap();
            assert_eq!(cron.next(at(after), &berlin), Some(at(wanted)), "{cron} after {after}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_told_with_what_would_be() {
        for (text, wanted) in [
            ("61 * * * *", "out of bounds"),
            ("every day", "every day"),
            ("", "empty"),
            ("* * *", "five fields"),
            ("0 0 30 2 *", "there is no such time"),
        ] {
            let message = CronExpr::try_from(text.to_owned()).unwrap_err().to_string();
            assert!(message.contains(wanted) && message.contains("*/5 * * * *"), "{text}: {message}");
        }
    }

    #[test]
    fn a_start_that_overlaps_is_skipped_queued_once_or_a_restart() {
        let (zero, ms) = (at("2026-11-28T02:00:30Z"), 60_000);
        let play = |overlap, busy: &[bool]| {
            let schedule = schedule("* * * * *", overlap);
            let mut table = Timetable::begin(&schedule, zero, &TimeZone::UTC);
            let looks = busy.iter().enumerate();
            looks
                .map(|(n, busy)| table.look(&schedule, *busy, zero.plus_ms(n as u64 * ms), &TimeZone::UTC))
                .collect::<Vec<_>>()
        };
        let (start, restart) = (Some(Due::Start), Some(Due::Restart));
        assert_eq!(play(Overlap::Skip, &[false, true, true, false]), [None, None, None, start]);
        assert_eq!(play(Overlap::Restart, &[false, true, true, false]), [None, restart, restart, start]);
        let schedule = schedule("0 3 * * *", Overlap::Queue);
        let mut table = Timetable::begin(&schedule, at("2026-11-28T02:59:59Z"), &TimeZone::UTC);
        let mut look = |busy, now: &str| table.look(&schedule, busy, at(now), &TimeZone::UTC);
        assert_eq!(look(true, "2026-11-28T03:00:00Z"), None);
        assert_eq!(look(true, "2026-11-29T03:00:00Z"), None);
        assert_eq!(look(false, "2026-11-29T03:10:00Z"), start, "for two that were queued");
        assert_eq!(look(false, "2026-11-29T03:11:00Z"), None);
    }

    #[test]
    fn what_was_missed_is_made_up_for_only_where_it_is_wished_and_once() {
        let (last, now) = (at("2026-11-25T03:00:00Z"), at("2026-11-28T02:00:00Z"));
        for (catch_up, wanted) in [(false, None), (true, Some(Due::Start))] {
            let schedule = Schedule { catch_up, ..schedule("0 3 * * *", Overlap::Skip) };
            let mut table = Timetable::resume(&schedule, last, now, &TimeZone::UTC);
            assert_eq!(table.look(&schedule, false, now, &TimeZone::UTC), wanted);
            assert_eq!(table.look(&schedule, false, now.plus_ms(1), &TimeZone::UTC), None);
            assert_eq!(table.next(), Some(at("2026-11-28T03:00:00Z")));
            // The machine sleeps over the next time.
            let awake = at("2026-11-28T07:00:00Z");
            assert_eq!(table.look(&schedule, false, awake, &TimeZone::UTC), wanted);
        }
    }

    #[test]
    fn a_clock_that_was_wrong_by_years_does_not_hold_it_up() {
        let schedule = schedule("0 3 * * *", Overlap::Skip);
        let mut table = Timetable::begin(&schedule, at("2036-01-01T00:00:00Z"), &TimeZone::UTC);
        assert_eq!(table.look(&schedule, false, at("2026-11-28T02:00:00Z"), &TimeZone::UTC), None);
        assert_eq!(table.next(), Some(at("2026-11-28T03:00:00Z")));
    }

    proptest! {
        /// Whatever the looks: at most one start for each time that has come, and none before the first.
        #[test]
        fn never_more_starts_than_times(
            looks in prop::collection::vec((0_u64..200_000, any::<bool>()), 1..60),
            overlap in 0..3_usize, catch_up: bool,
        ) {
            let overlap = [Overlap::Skip, Overlap::Restart, Overlap::Queue][overlap];
            let schedule = Schedule { catch_up, ..schedule("* * * * *", overlap) };
            let begin = at("2026-11-28T02:00:00Z");
            let mut table = Timetable::begin(&schedule, begin, &TimeZone::UTC);
            let (mut now, mut starts) = (begin, 0);
            for (pause, busy) in looks {
                now = now.plus_ms(pause);
                let due = table.look(&schedule, busy, now, &TimeZone::UTC);
                starts += u64::from(due.is_some());
                prop_assert!(!(busy && due == Some(Due::Start)), "started while it runs");
                prop_assert!(table.next() > Some(now), "it is looked at again");
            }
            prop_assert!(starts <= now.ms_since(begin) / 60_000, "{} starts", starts);
        }
    }

    #[test]
    fn it_survives_its_own_serialization() {
        let text = r#"{"cron":"*/5 * * * *"}"#;
        let read: Schedule = serde_json::from_str(text).unwrap();
        assert_eq!(read, schedule("*/5 * * * *", Overlap::Skip));
        let again = serde_json::from_str::<Schedule>(&serde_json::to_string(&read).unwrap()).unwrap();
        assert_eq!(again, read);
    }
}
