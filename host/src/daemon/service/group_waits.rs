//! Waiting for a group: until its members are as was asked, or it is clear that they will not be.

use std::time::Duration;

use hostler_api::process::WaitFor;
use hostler_model::Timestamp;
use hostler_model::groups::{Condition, QUIET_MS, SETTLE_MS, Standing, summary};
use tokio::time::Instant;

use super::Patience;
use crate::daemon::groups::{GroupEntry, Shown};

/// How far a wait has come.
pub(super) enum Reached {
    /// All members are as was asked, or some will not be.
    Decided(bool),
    /// Not yet; time alone may decide it then.
    NotYet(Option<Timestamp>),
}

/// Whether a started group is as was wished.
pub(super) fn reached(shown: &Shown, goal: Option<WaitFor>, now: Timestamp) -> Reached {
    let (standings, _, _) = summary(&shown.group, &shown.run, now);
    let condition = match goal {
        Some(WaitFor::Started) => Condition::Started,
        // A member without checks cannot be more than ready.
        None | Some(WaitFor::Ready | WaitFor::Healthy) => Condition::Ready,
        Some(WaitFor::Exited) => Condition::Completed,
    };
    let (mut all, mut open, mut look_again) = (true, false, None);
    for standing in &standings {
        let fulfilled = match (goal, standing) {
            // Without a wish it is enough that it lives: whether its checks pass is not waited for.
            (None, Standing::Up { since, .. }) => (now >= since.plus_ms(SETTLE_MS)).then_some(true),
            _ => standing.fulfils(condition, now),
        };
        if let (None, Standing::Up { since, .. }) = (fulfilled, standing) {
            let settled = since.plus_ms(if goal.is_none() { SETTLE_MS } else { QUIET_MS });
            look_again = (settled > now).then_some(settled).into_iter().chain(look_again).min();
        }
        open |= fulfilled.is_none();
        all &= fulfilled != Some(false);
    }
    if open { Reached::NotYet(look_again) } else { Reached::Decided(all) }
}

/// Whether nothing of a group runs any more.
pub(super) fn all_rest(shown: &Shown, now: Timestamp) -> Reached {
    let (standings, _, _) = summary(&shown.group, &shown.run, now);
    let rests = |s: &Standing| matches!(s, Standing::Stopped | Standing::Completed | Standing::Failed(_));
    if standings.iter().all(rests) { Reached::Decided(true) } else { Reached::NotYet(None) }
}

/// Waits until it is decided; none when time is up, or the wait was cut short.
pub(super) async fn wait(
    entry: &GroupEntry,
    timeout: Duration,
    patience: &Patience,
    reached: impl Fn(&Shown, Timestamp) -> Reached,
) -> Option<bool> {
    let mut shown = entry.watch();
    let deadline = Instant::now() + timeout;
    loop {
        let now = crate::daemon::now();
        let look_again = match reached(&shown.borrow_and_update(), now) {
            Reached::Decided(all) => return Some(all),
            Reached::NotYet(at) => at.map(|at| Instant::now() + Duration::from_millis(at.ms_since(now) + 1)),
        };
        tokio::select! {
            changed = shown.changed() => if changed.is_err() { return None },
            () = tokio::time::sleep_until(look_again.unwrap_or(deadline).min(deadline)) => {
                if Instant::now() >= deadline {
                    return None;
                }
            }
            () = patience.cut_short.cancelled() => return None,
        }
    }
}
