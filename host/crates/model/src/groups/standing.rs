//! How each member stands, and the group with them: derived from what is wanted and what is seen, never stored.

use std::collections::BTreeMap;

use super::run::{GroupRun, Health, Last, Phase, Step, Wanted};
use super::{Condition, Group, Member, QUIET_MS};
use crate::ids::ProcessName;
use crate::time::Timestamp;

/// How a member stands in its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It rests, and the group wants nothing of it; or it was stopped by hand.
    Stopped,
    /// It is to be started, and will be when another member has come so far.
    Waiting {
        /// Which one.
        on: ProcessName,
        /// What for, in words.
        because: String,
    },
    /// It is to be started, and cannot be until somebody mends another member. Then it starts by itself.
    Blocked {
        /// The member with which it begins.
        by: ProcessName,
        /// What is wrong with that, in words.
        because: String,
    },
    /// Its delay runs.
    Delayed {
        /// Until then.
        until: Timestamp,
    },
    /// Being started.
    Starting,
    /// Running.
    Up {
        /// Since when.
        since: Timestamp,
        /// Whether something said that it is ready.
        ready: bool,
        /// What its checks say.
        health: Health,
    },
    /// Being ended.
    Stopping,
    /// Ended, and comes back by itself.
    Backoff(String),
    /// At rest until the next time of its schedule, with the end of its last run.
    Scheduled(Last),
    /// Ended with status 0.
    Completed,
    /// Ended otherwise, or could not be started.
    Failed(String),
}

impl Standing {
    /// Whether a start is still under way, so that a little patience may tell more.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        match self {
            Self::Waiting { .. }
            | Self::Delayed { .. }
            | Self::Starting
            | Self::Stopping
            | Self::Backoff(_) => true,
            Self::Stopped
            | Self::Blocked { .. }
            | Self::Up { .. }
            | Self::Scheduled(_)
            | Self::Completed
            | Self::Failed(_) => false,
        }
    }

    /// Whether it should work and does not, until somebody mends it.
    fn is_lost(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Blocked { .. } | Self::Scheduled(Last::Failed(_)))
    }

    /// Whether it is as far as a condition asks; none while that is open.
    #[must_use]
    pub fn fulfils(&self, condition: Condition, now: Timestamp) -> Option<bool> {
        match (self, condition) {
            // More cannot be wished for of one whose time has not come.
            (Self::Up { .. }, Condition::Started) | (Self::Completed | Self::Scheduled(_), _) => Some(true),
            (Self::Up { .. }, Condition::Completed) => None,
            (Self::Up { health: Health::Healthy | Health::Degraded, .. }, _) => Some(true),
            (Self::Up { health: Health::Unchecked, since, ready }, Condition::Ready) => {
                (*ready || now >= since.plus_ms(QUIET_MS)).then_some(true)
            }
            (Self::Up { health: Health::Unchecked, .. }, Condition::Healthy) => Some(false),
            (Self::Up { .. }, _) => None,
            (Self::Stopped | Self::Blocked { .. } | Self::Failed(_), _) => Some(false),
            _ => None,
        }
    }
}

/// Whether a member may be started.
pub(super) enum Gate {
    Open,
    Waits { on: ProcessName, because: String, opens_at: Option<Timestamp> },
    Shut { by: ProcessName, because: String },
}

/// How all members stand, by name.
pub(super) fn standings<'a>(
    group: &'a Group,
    run: &GroupRun,
    now: Timestamp,
) -> BTreeMap<&'a ProcessName, Standing> {
    let mut all = BTreeMap::new();
    // In their order, so that each finds those that it depends on.
    for member in group.in_order() {
        let standing = standing(member, &all, run, now);
        all.insert(&member.process, standing);
    }
    all
}

fn standing(
    member: &Member,
    others: &BTreeMap<&ProcessName, Standing>,
    run: &GroupRun,
    now: Timestamp,
) -> Standing {
    let step = run.step(&member.process);
    let Some(seen) = run.seen(&member.process) else { return Standing::Starting };
    match (&seen.phase, step) {
        (Phase::Missing, _) => Standing::Failed(format!(
            "there is no process `{}` any more; start_process declares it",
            member.process
        )),
        (Phase::Starting, _) => Standing::Starting,
        (Phase::Up { since, ready }, _) => Standing::Up { since: *since, ready: *ready, health: seen.health },
        (Phase::Ending { .. }, _) => Standing::Stopping,
        (Phase::Backoff(why), _) => Standing::Backoff(why.clone()),
        (Phase::Scheduled(last), _) => Standing::Scheduled(last.clone()),
        (_, Step::Asked { .. }) => Standing::Starting,
        (_, Step::Delayed { until }) => Standing::Delayed { until },
        (_, Step::Pending) => match gate(member, others, run, now) {
            Gate::Open => Standing::Starting,
            Gate::Waits { on, because, .. } => Standing::Waiting { on, because },
            Gate::Shut { by, because } => Standing::Blocked { by, because },
        },
        (Phase::Down, _) => Standing::Stopped,
        (Phase::Completed, _) => Standing::Completed,
        (Phase::Failed(why), _) => Standing::Failed(why.clone()),
    }
}

/// The first dependency that is in the way. One that cannot be passed counts before one that only takes time.
pub(super) fn gate(
    member: &Member,
    others: &BTreeMap<&ProcessName, Standing>,
    run: &GroupRun,
    now: Timestamp,
) -> Gate {
    let mut gate = Gate::Open;
    for (on, condition) in &member.depends_on {
        let standing = others.get(on).unwrap_or(&Standing::Stopped);
        match passes(on, *condition, standing, run.step(on), now) {
            Gate::Open => {}
            shut @ Gate::Shut { .. } => return shut,
            waits @ Gate::Waits { .. } => {
                if let Gate::Open = gate {
                    gate = waits;
                }
            }
        }
    }
    gate
}

fn passes(on: &ProcessName, wish: Condition, standing: &Standing, step: Step, now: Timestamp) -> Gate {
    let shut = |because: String| Gate::Shut { by: on.clone(), because };
    let waits = |because: &str| Gate::Waits { on: on.clone(), because: because.to_owned(), opens_at: None };
    match standing {
        // What a member was before this start of the group says nothing.
        Standing::Completed if step != Step::Begun => waits("it is to run first"),
        Standing::Completed if wish == Condition::Healthy => {
            shut("it ended with status 0, and what has ended is not healthy".to_owned())
        }
        Standing::Completed => Gate::Open,
        Standing::Scheduled(Last::Completed) if wish == Condition::Completed => Gate::Open,
        Standing::Scheduled(_) => waits("its schedule says when it runs"),
        Standing::Up { since, ready, health } => {
            let quiet_until = (!ready).then(|| since.plus_ms(QUIET_MS)).filter(|until| *until > now);
            up(on, wish, quiet_until, *health)
        }
        Standing::Stopped => shut("it is stopped; start_process starts it".to_owned()),
        Standing::Failed(why) => shut(why.clone()),
        Standing::Blocked { by, because } => Gate::Shut { by: by.clone(), because: because.clone() },
        Standing::Waiting { on: next, .. } => waits(&format!("it waits for `{next}`")),
        Standing::Delayed { .. } => waits("its delay runs"),
        Standing::Starting => waits("it is being started"),
        Standing::Stopping => waits("it is being ended"),
        Standing::Backoff(why) => waits(&format!("it ended ({why}) and is started again")),
    }
}

/// Whether one that runs is so far. `quiet_until`: it has not said that it is ready, and may until then.
fn up(on: &ProcessName, wish: Condition, quiet_until: Option<Timestamp>, health: Health) -> Gate {
    let waits =
        |because: &str, opens_at| Gate::Waits { on: on.clone(), because: because.to_owned(), opens_at };
    match (wish, health) {
        (Condition::Started, _) => Gate::Open,
        (Condition::Completed, _) => waits("it has not completed yet", None),
        (_, Health::Healthy | Health::Degraded) => Gate::Open,
        (Condition::Ready, Health::Unchecked) if quiet_until.is_none() => Gate::Open,
        (Condition::Ready, Health::Unchecked) => {
            waits("it listens on no port yet and has not sent READY=1", quiet_until)
        }
        (Condition::Healthy, Health::Unchecked) => Gate::Shut {
            by: on.clone(),
            because: "it has no health checks; declare some, or wait for it to be `started`".to_owned(),
        },
        (_, Health::Unknown) => waits("its health checks have not passed yet", None),
        (_, Health::Unhealthy) => waits("its health checks fail", None),
    }
}

/// A group in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStatus {
    /// Nothing of it runs.
    Stopped,
    /// It is being started.
    Starting,
    /// All members run, or have completed.
    Running,
    /// Some do, and some do not.
    Degraded,
    /// None does that should.
    Failed,
    /// It is being ended.
    Stopping,
}

/// The health of a group: that of its worst member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupHealth {
    /// All that is checked passes.
    Healthy,
    /// Something is not as it should be, and something works.
    Degraded,
    /// Something that should work does not.
    Unhealthy,
    /// Nothing is known.
    Unknown,
}

/// How each member stands, in the order of the declaration, and the group with them.
#[must_use]
pub fn summary(group: &Group, run: &GroupRun, now: Timestamp) -> (Vec<Standing>, GroupStatus, GroupHealth) {
    let mut all = standings(group, run, now);
    let members: Vec<Standing> =
        group.members().iter().map(|m| all.remove(&m.process).unwrap_or(Standing::Stopped)).collect();
    let (status, health) = (status(&members, run), health(&members, run));
    (members, status, health)
}

fn status(members: &[Standing], run: &GroupRun) -> GroupStatus {
    let count = |test: fn(&Standing) -> bool| members.iter().filter(|s| test(s)).count();
    let up = count(|s| matches!(s, Standing::Up { .. }));
    let lost = count(Standing::is_lost);
    if let Wanted::Stopped { .. } = run.wanted {
        return match (count(|s| matches!(s, Standing::Stopping)), up) {
            (0, 0) => GroupStatus::Stopped,
            (0, _) if members.iter().all(|s| matches!(s, Standing::Up { .. } | Standing::Completed)) => {
                GroupStatus::Running
            }
            (0, _) => GroupStatus::Degraded,
            (_, _) => GroupStatus::Stopping,
        };
    }
    let stopped = count(|s| matches!(s, Standing::Stopped));
    match (lost + stopped, up) {
        _ if members.iter().any(Standing::is_under_way) => GroupStatus::Starting,
        (0, _) => GroupStatus::Running,
        (_, 0) if lost > 0 => GroupStatus::Failed,
        (_, 0) => GroupStatus::Stopped,
        (_, _) => GroupStatus::Degraded,
    }
}

fn health(members: &[Standing], run: &GroupRun) -> GroupHealth {
    let is = |test: fn(&Standing) -> bool| members.iter().any(test);
    let of = |wanted: Health| {
        members.iter().any(|s| matches!(s, Standing::Up { health, .. } if *health == wanted))
    };
    let lost = run.is_wanted() && is(Standing::is_lost);
    match () {
        () if of(Health::Unhealthy) || lost => GroupHealth::Unhealthy,
        () if of(Health::Degraded) || is(|s| matches!(s, Standing::Backoff(_))) => GroupHealth::Degraded,
        () if of(Health::Unknown) => GroupHealth::Unknown,
        () if of(Health::Healthy) => GroupHealth::Healthy,
        () => GroupHealth::Unknown,
    }
}
