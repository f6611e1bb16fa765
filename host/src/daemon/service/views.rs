//! From what the daemon knows to what the API shows.

use hostler_api::time::rfc3339;
use hostler_api::view::{ExitView, ProcessView, RunView, Status};
use hostler_model::health::{Health, Status as HealthStatus};
use hostler_model::lifecycle::{Failure, State, Then};
use hostler_model::text::clip;
use hostler_model::{Lifecycle, ProcessSpec, Timestamp};
use hostler_store::{RunReason, RunRecord};
use hostler_supervisor::Snapshot;
use serde_json::{Map, Value};

use crate::daemon::monitor::Usage;
use crate::daemon::registry::Entry;

/// Longest argument in a view; the specification in `get_process_info` has all of it.
const ARGUMENT_CHARS: usize = 2_000;

/// The view of a process.
pub(super) fn process_view(entry: &Entry, snapshot: &Snapshot, usage: Option<&Usage>) -> ProcessView {
    let life = &snapshot.lifecycle;
    let started = started_at(&life.state);
    let now = crate::daemon::now();
    ProcessView {
        id: entry.id.to_string(),
        name: entry.name.to_string(),
        project: entry.project.name.clone(),
        status: status(&life.state),
        status_reason: reason(life, now).or_else(|| ailment(snapshot)),
        pid: life.state.pid().map(|p| p.0),
        started_at: started.map(rfc3339),
        uptime_ms: started.map(|at| now.ms_since(at)),
        exit: life.last_exit().as_ref().map(ExitView::from),
        restarts: life.restarts,
        health: snapshot.health().map(|health| health.status.to_string()),
        ready: life.state.ready(life.last_run).is_some(),
        group: entry.group().map(String::from),
        command: snapshot.spec.command.clone(),
        args: snapshot.spec.args.iter().map(|arg| clip(arg.clone(), ARGUMENT_CHARS)).collect(),
        ports: usage.map(|u| u.ports.clone()).unwrap_or_default(),
        cpu_percent: usage.map(|u| u.cpu_percent),
        memory_bytes: usage.map(|u| u.memory_bytes),
        generation: life.generation.0,
    }
}

/// The state by its public name.
pub(super) fn status(state: &State) -> Status {
    match state {
        State::Stopped { .. } => Status::Stopped,
        State::Starting { .. } => Status::Starting,
        State::Running { .. } => Status::Running,
        State::Stopping { .. } | State::Ending { .. } => Status::Stopping,
        State::Backoff { .. } => Status::Backoff,
        State::Exited { .. } => Status::Exited,
        State::Failed { .. } => Status::Failed,
    }
}

/// When the process that runs now began.
pub(super) fn started_at(state: &State) -> Option<Timestamp> {
    match state {
        State::Running { since, .. } | State::Stopping { since, pid: Some(_), .. } => Some(*since),
        _ => None,
    }
}

/// Why a process is in its state, where the state's name does not say it.
pub(super) fn reason(life: &Lifecycle, now: Timestamp) -> Option<String> {
    match &life.state {
        State::Stopped { last: None } | State::Starting { .. } | State::Running { .. } => None,
        State::Stopped { last: Some(exit) } => Some(format!("stopped on request; {exit}")),
        State::Stopping { deadline, then, .. } => {
            let next = match then {
                Then::Start => "; it starts again afterwards".to_owned(),
                Then::Unhealthy(why) => {
                    format!(", because it is unhealthy ({why}); its policy decides what follows")
                }
                Then::Policy | Then::Rest => String::new(),
            };
            Some(match deadline.ms_since(now) {
                0 => format!("being killed{next}"),
                left => format!("asked to end; killed in {left} ms{next}"),
            })
        }
        State::Ending { exit, .. } => Some(format!("{exit}; ending the descendants that it left")),
        State::Backoff { until, attempt, why } => {
            Some(format!("{}; restart {attempt} in {} ms", failure(why), until.ms_since(now)))
        }
        State::Exited { exit } => Some(exit.to_string()),
        State::Failed { why, crash_loop: Some(restarts), retry_at } => {
            let cooled = retry_at
                .map(|at| format!(", and its policy does in {} ms", at.ms_since(now)))
                .unwrap_or_default();
            Some(format!(
                "crash loop: ended {} times within the window, last with {}; start_process or restart_process tries \
                 again{cooled}",
                restarts + 1,
                failure(why)
            ))
        }
        State::Failed { why, crash_loop: None, .. } => Some(failure(why)),
    }
}

fn failure(why: &Failure) -> String {
    match why {
        Failure::Launch(text) => text.clone(),
        Failure::Exit(exit) => exit.to_string(),
        Failure::Unhealthy { why, .. } => format!("unhealthy ({why})"),
    }
}

/// What its health checks complain of, while it runs.
fn ailment(snapshot: &Snapshot) -> Option<String> {
    snapshot.lifecycle.state.running()?;
    let Health { status, reason, .. } = snapshot.health()?;
    reason.filter(|_| status != HealthStatus::Healthy).map(|reason| format!("{status}: {reason}"))
}

/// The view of a run.
pub(super) fn run_view(run: &RunRecord) -> RunView {
    let reason = match run.reason {
        RunReason::Start => "started on request",
        RunReason::Restart => "restarted on request",
        RunReason::Policy => "restarted by its policy",
        RunReason::Unhealthy => "restarted because it was unhealthy",
    };
    let cause = || run.exit.as_ref()?.cause.map(|cause| cause.to_string());
    let note = run.end_note.clone().or_else(cause).map(|note| format!("; {note}")).unwrap_or_default();
    RunView {
        run: run.run.0,
        pid: run.pid.map(|p| p.0),
        started_at: run.started_at.map(rfc3339),
        ended_at: run.ended_at.map(rfc3339),
        // A program that was never executed has no exit.
        exit: run.exit.as_ref().filter(|_| run.started_at.is_some()).map(ExitView::from),
        reason: format!("{reason}{note}"),
    }
}

/// A declaration with the values of its environment hidden: they are where secrets are.
pub(super) fn specification(spec: &ProcessSpec) -> Map<String, Value> {
    let mut redacted = spec.clone();
    for value in redacted.env.values_mut() {
        *value = "[redacted]".to_owned();
    }
    match serde_json::to_value(&redacted) {
        Ok(Value::Object(fields)) => fields.into_iter().filter(|(_, v)| !v.is_null()).collect(),
        _ => Map::new(),
    }
}
