//! Follows the schedule of one process.

use std::sync::Arc;
use std::time::Duration;

use hostler_model::schedule::{Due, Schedule, Timetable};
use hostler_model::{Desired, Timestamp};
use hostler_store::Store;
use hostler_supervisor::Snapshot;
use hostler_supervisor::host::Cause;
use jiff::tz::TimeZone;

use crate::daemon::registry::Entry;

/// The clock is looked at this often at least: a timer knows neither of a clock that was set nor of a machine that slept.
const LOOK: Duration = Duration::from_secs(30);

/// Until the process is no longer supervised.
pub(super) async fn run(entry: Arc<Entry>, store: Store) {
    let mut snapshots = entry.handle.watch();
    // Where an earlier daemon went on to.
    let newest_run = store.runs(entry.id, 1).await.ok();
    let mut last = newest_run.and_then(|runs| runs.rows.first().map(|run| run.created_at));
    let mut at_work: Option<(Schedule, Timetable)> = None;
    loop {
        let (schedule, busy) = look(&snapshots.borrow_and_update());
        let now = crate::daemon::now();
        let zone = TimeZone::system();
        at_work = schedule.map(|schedule| match at_work.take() {
            Some((known, table)) if known == schedule => (known, table),
            _ => begin(schedule, last.take(), now, &zone),
        });
        last = None;
        let mut pause = None;
        if let Some((schedule, table)) = &mut at_work {
            match table.look(schedule, busy, now, &zone) {
                Some(Due::Start) => entry.handle.start_for(Cause::Schedule),
                Some(Due::Restart) => entry.handle.restart_for(Cause::Schedule),
                None => {}
            }
            pause = table.next().map(|at| Duration::from_millis(at.ms_since(now) + 1).min(LOOK));
        }
        let table = at_work.as_ref().map(|(_, table)| table);
        entry.outlook.tell(|told| {
            told.next_run = table.and_then(Timetable::next);
            told.queued = table.is_some_and(Timetable::is_queued);
        });
        tokio::select! {
            changed = snapshots.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)) => {}
        }
    }
}

/// The schedule that is to be followed now, and whether the process is busy.
fn look(snapshot: &Snapshot) -> (Option<Schedule>, bool) {
    let is_wanted = snapshot.lifecycle.desired == Desired::Running;
    (snapshot.spec.schedule.clone().filter(|_| is_wanted), !snapshot.lifecycle.state.is_at_rest())
}

fn begin(
    schedule: Schedule,
    last: Option<Timestamp>,
    now: Timestamp,
    zone: &TimeZone,
) -> (Schedule, Timetable) {
    let table = match last {
        Some(last) => Timetable::resume(&schedule, last, now, zone),
        None => Timetable::begin(&schedule, now, zone),
    };
    (schedule, table)
}
