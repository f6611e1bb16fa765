//! From what the daemon knows to what the API shows.

use hostler_api::time::rfc3339;
use hostler_api::view::{ExitView, ProcessView, RunView, Status};
use hostler_model::errors::redact::REDACTED;
use hostler_model::health::{Health, Status as HealthStatus};
use hostler_model::lifecycle::{Failure, State, Then};
use hostler_model::text::clip;
use hostler_model::{Desired, Lifecycle, ProcessSpec, Timestamp};
use hostler_store::{RunReason, RunRecord};
use hostler_supervisor::Snapshot;
use serde_json::{Map, Value};

use crate::daemon::monitor::Usage;
use crate::daemon::registry::Entry;
use crate::daemon::triggers::{Told, Watching};

/// Longest argument in a view; the specification in `get_process_info` has all of it.
const ARGUMENT_CHARS: usize = 2_000;

/// The view of a process.
pub(super) fn process_view(entry: &Entry, snapshot: &Snapshot, usage: Option<&Usage>) -> ProcessView {
    let life = &snapshot.lifecycle;
    let started = started_at(&life.state);
    let (now, told) = (crate::daemon::now(), entry.outlook.told());
    ProcessView {
        id: entry.id.to_string(),
        name: entry.name.to_string(),
        project: entry.project.name.clone(),
        status: status(&life.state),
        status_reason: joined([
            reason(life, now).or_else(|| ailment(snapshot)),
            schedule_in_words(snapshot, &told),
            trouble(&told),
        ]),
        next_run_at: told.next_run.map(rfc3339),
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

fn joined(parts: [Option<String>; 3]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// When a process that rests is started by its schedule.
fn schedule_in_words(snapshot: &Snapshot, told: &Told) -> Option<String> {
    snapshot.spec.schedule.as_ref()?;
    let life = &snapshot.lifecycle;
    match told.next_run {
        _ if life.desired == Desired::Stopped && life.state.is_at_rest() => {
            Some("its schedule is paused; start_process runs it and goes on with the schedule".to_owned())
        }
        _ if told.queued => Some("it runs once more when it has ended".to_owned()),
        Some(at) if life.state.is_at_rest() => Some(format!("next run at {}", rfc3339(at))),
        _ => None,
    }
}

/// What is watched of its files.
pub(super) fn watching(entry: &Entry) -> Option<String> {
    Some(match entry.outlook.told().watching? {
        Watching::Directories(1) => "1 directory".to_owned(),
        Watching::Directories(n) => format!("{n} directories"),
        Watching::Trouble(why) => why,
    })
}

/// What keeps it from being restarted when its files change.
fn trouble(told: &Told) -> Option<String> {
    match &told.watching {
        Some(Watching::Trouble(why)) => Some(why.clone()),
        _ => None,
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
    let reason = match &run.reason {
        RunReason::Start => "started on request".to_owned(),
        RunReason::Restart => "restarted on request".to_owned(),
        RunReason::Policy => "restarted by its policy".to_owned(),
        RunReason::Unhealthy => "restarted because it was unhealthy".to_owned(),
        RunReason::Schedule => "started by its schedule".to_owned(),
        RunReason::Watch(what) => format!("restarted: {what}"),
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

/// A declaration with the values of its environment hidden: they are where secrets are. Where commands are looked for
/// is not part of what was declared; it is long, and about the machine. What was left out is left out here too.
pub(super) fn specification(spec: &ProcessSpec) -> Map<String, Value> {
    let mut redacted = spec.clone();
    for value in redacted.env.values_mut() {
        REDACTED.clone_into(value);
    }
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&redacted) else { return Map::new() };
    fields.remove("search_path");
    fields.remove("env_digest");
    for field in fields.values_mut() {
        if let Value::Object(inner) = field {
            inner.retain(|_, value| !value.is_null());
        }
    }
    fields.retain(|name, value| {
        let is_empty = match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(inner) => inner.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        !is_empty || ["args", "env"].contains(&name.as_str())
    });
    fields
}
