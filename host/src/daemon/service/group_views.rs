//! From what the daemon knows of groups to what the API shows.

use std::collections::BTreeMap;

use hostler_api::groups::{GroupView, MemberStatus, MemberView};
use hostler_api::time::rfc3339;
use hostler_model::Group;
use hostler_model::groups::{Condition, GroupHealth, GroupStatus, Health, Last, Member, Standing};
use hostler_store::Project;

use crate::daemon::registry::Entry;

/// The view of a group.
pub(super) fn view(
    project: &Project,
    group: &Group,
    status: GroupStatus,
    health: GroupHealth,
    members: Vec<MemberView>,
) -> GroupView {
    let status = match status {
        GroupStatus::Stopped => "stopped",
        GroupStatus::Starting => "starting",
        GroupStatus::Running => "running",
        GroupStatus::Degraded => "degraded",
        GroupStatus::Failed => "failed",
        GroupStatus::Stopping => "stopping",
    };
    let health = match health {
        GroupHealth::Healthy => "healthy",
        GroupHealth::Degraded => "degraded",
        GroupHealth::Unhealthy => "unhealthy",
        GroupHealth::Unknown => "unknown",
    };
    let declared = group.declared();
    GroupView {
        name: declared.name.to_string(),
        project: project.name.clone(),
        description: declared.description.clone(),
        status: status.to_owned(),
        health: health.to_owned(),
        stop_strategy: declared.stop_strategy,
        members,
    }
}

/// The view of a member.
pub(super) fn member_view(member: &Member, standing: &Standing, process: Option<&Entry>) -> MemberView {
    let (status, why) = told(standing);
    let next_run = process.and_then(|e| e.outlook.told().next_run);
    let next_run = next_run.filter(|_| status == MemberStatus::Scheduled);
    let next_run = next_run.map(|at| format!("next run at {}", rfc3339(at)));
    let why = [why, next_run].into_iter().flatten().reduce(|why, next| format!("{why}; {next}"));
    let conditions: BTreeMap<String, Condition> =
        member.depends_on.iter().map(|(on, c)| (on.to_string(), *c)).collect();
    let mut kinds: Vec<Condition> = conditions.values().copied().collect();
    kinds.dedup();
    let common = match kinds.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    MemberView {
        process: member.process.to_string(),
        status,
        why,
        blocked_by: match standing {
            Standing::Blocked { by, .. } => Some(by.to_string()),
            _ => None,
        },
        pid: process.and_then(|e| e.handle.snapshot().lifecycle.state.pid()).map(|p| p.0),
        health: health(standing),
        depends_on: conditions.keys().cloned().collect(),
        condition: common,
        conditions: if common.is_none() { conditions } else { BTreeMap::new() },
        delay_ms: (member.delay_ms > 0).then_some(member.delay_ms),
    }
}

fn told(standing: &Standing) -> (MemberStatus, Option<String>) {
    match standing {
        Standing::Stopped => (MemberStatus::Stopped, None),
        Standing::Waiting { on, because } => {
            (MemberStatus::Waiting, Some(format!("waits for `{on}`: {because}")))
        }
        Standing::Blocked { by, because } => (
            MemberStatus::Blocked,
            Some(format!("blocked by `{by}`: {because}; it starts by itself when `{by}` has recovered")),
        ),
        Standing::Delayed { .. } => (MemberStatus::Waiting, Some("its delay runs".to_owned())),
        Standing::Starting => (MemberStatus::Starting, None),
        Standing::Up { .. } => (MemberStatus::Running, None),
        Standing::Stopping => (MemberStatus::Stopping, None),
        Standing::Backoff(why) => {
            (MemberStatus::Backoff, Some(format!("ended with {why}; it is started again")))
        }
        Standing::Scheduled(Last::Failed(why)) => {
            (MemberStatus::Scheduled, Some(format!("its last run ended with {why}")))
        }
        Standing::Scheduled(Last::None | Last::Completed) => (MemberStatus::Scheduled, None),
        Standing::Completed => (MemberStatus::Exited, None),
        Standing::Failed(why) => (MemberStatus::Failed, Some(why.clone())),
    }
}

fn health(standing: &Standing) -> Option<String> {
    let Standing::Up { health, .. } = standing else { return None };
    let word = match health {
        Health::Unchecked => return None,
        Health::Unknown => "unknown",
        Health::Healthy => "healthy",
        Health::Degraded => "degraded",
        Health::Unhealthy => "unhealthy",
    };
    Some(word.to_owned())
}
