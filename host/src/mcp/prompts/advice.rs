//! Which calls come next, by what is known. Pure. Each can be carried out as it stands: nothing in it is to be filled in.

use std::collections::HashMap;

use hostler_api::groups::{GroupView, MemberStatus};
use hostler_api::view::{ProcessView, Status};
use hostler_model::text::clip;
use serde_json::{Value, json};

/// A reason that is quoted is cut here.
const REASON_CHARS: usize = 150;
/// So many members are called causes; who mends these sees the next.
const CAUSES: usize = 5;
/// CPU below this, percent of one core, makes nothing slow.
const IDLE_PERCENT: f64 = 1.0;
/// Limits of memory are multiples of this, and at least four of it.
const MEMORY_STEP: u64 = 64 << 20;

/// One call to go on with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// The tool.
    pub(super) tool: &'static str,
    /// Its arguments.
    pub(super) arguments: Value,
    /// What it is for.
    pub(super) why: String,
    /// Of use only after a call of this tool, which a client may not have.
    pub(super) after: Option<&'static str>,
}

pub(super) fn step(tool: &'static str, arguments: Value, why: impl Into<String>) -> Step {
    Step { tool, arguments, why: why.into(), after: None }
}

impl Step {
    pub(super) fn after(self, tool: &'static str) -> Self {
        Self { after: Some(tool), ..self }
    }
}

/// A process as calls name it, with what is known of it.
pub(super) struct Subject<'a> {
    pub(super) view: &'a ProcessView,
    /// Its name; with its project, when that is not the client's.
    pub(super) name: &'a str,
    /// Ids of its errors that are not resolved.
    pub(super) errors: &'a [String],
}

/// Whether a process is not as it should be.
pub(super) fn is_in_trouble(view: &ProcessView) -> bool {
    matches!(view.status, Status::Failed | Status::Backoff)
        || view.exit.as_ref().is_some_and(|exit| exit.code != Some(0) && view.status == Status::Exited)
        || matches!(view.health.as_deref(), Some("unhealthy" | "degraded"))
}

/// For a process that misbehaves.
pub(super) fn debug(subject: &Subject<'_>) -> Vec<Step> {
    let (view, process) = (subject.view, subject.name);
    let mut steps = match view.status {
        Status::Failed | Status::Exited | Status::Backoff => vec![
            step(
                "get_logs",
                json!({"process": process, "stream": "stderr", "limit": 200}),
                "See all that it complained of",
            ),
            step(
                "list_processes",
                json!({"all_projects": true, "detail": "full"}),
                "When it could not bind a port or reach another process, see who has which ports",
            ),
        ],
        Status::Stopped => vec![step(
            "start_process",
            start_of(view, process),
            "It is stopped on purpose; start it to see whether it fails",
        )],
        Status::Starting | Status::Running | Status::Stopping => watch(view, process),
    };
    steps.push(step(
        "get_errors",
        json!({"process": process, "resolved": false}),
        "Read the errors with their frames",
    ));
    steps.push(step(
        "restart_process",
        json!({"process": process}),
        "When the cause is mended, in its files or by changed parameters (`env`, `args`, `limits`), start it anew",
    ));
    steps.extend(resolve(subject.errors));
    steps
}

fn watch(view: &ProcessView, process: &str) -> Vec<Step> {
    let tail = step(
        "tail_logs",
        json!({"process": process, "follow": true, "wait_ms": 10_000}),
        "Watch what it does",
    );
    let check = view
        .health
        .is_some()
        .then(|| step("check_process_health", json!({"process": process}), "Check whether it serves"));
    let stats = step("get_process_stats", json!({"process": process}), "See whether memory or CPU grow");
    std::iter::once(tail).chain(check).chain([stats]).collect()
}

/// The arguments that start a known process: a name, and its project where the name alone would be taken for another.
fn start_of(view: &ProcessView, name: &str) -> Value {
    match name.contains('/') {
        true => json!({"name": view.name, "project": view.project}),
        false => json!({"name": view.name}),
    }
}

/// Marking the errors that are known, once they are mended.
fn resolve(errors: &[String]) -> Option<Step> {
    let ids = match errors {
        [] => return None,
        [one] => json!(one),
        several => json!(several),
    };
    let why = "And mark what is mended, with a `resolution` that says how; it reopens when it comes back";
    Some(step("mark_error_resolved", json!({"error_id": ids}), why))
}

/// For one that is slow or large.
pub(super) fn optimize(subject: &Subject<'_>) -> Vec<Step> {
    let process = subject.name;
    vec![
        look_at_an_hour(process, "Look at a whole hour: does it grow, or come in waves?"),
        step(
            "search_logs",
            json!({"process": process, "query": "slow|timeout|timed out|retry", "mode": "regex"}),
            "Find what it waits for",
        ),
        step("get_process_info", json!({"process": process}), "See which process of its tree has the memory"),
        bound(subject.view, process, "When it is mended, or is to be bounded with some room, start it anew"),
        step("get_process_stats", json!({"process": process, "window_ms": 300_000}), "And compare"),
    ]
}

/// For all of them: the one with most CPU and the one with most memory, which may be the same.
pub(super) fn optimize_all(views: &[ProcessView]) -> Vec<Step> {
    let cpu = |view: &ProcessView| view.cpu_percent.unwrap_or_default();
    let memory = |view: &ProcessView| view.memory_bytes.unwrap_or_default();
    let busiest = views.iter().filter(|v| cpu(v) >= IDLE_PERCENT).max_by(|a, b| cpu(a).total_cmp(&cpu(b)));
    let largest = views.iter().filter(|v| memory(v) > 0).max_by_key(|v| memory(v));
    let mut steps = Vec::new();
    if let Some(view) = busiest {
        let why =
            format!("`{}` uses most CPU ({:.0} % of a core): look at an hour of it", view.name, cpu(view));
        steps.push(look_at_an_hour(&view.name, &why));
    }
    if let Some(view) = largest {
        let (name, mib) = (&view.name, memory(view) >> 20);
        if busiest.is_none_or(|busiest| busiest.name != view.name) {
            let why = format!("`{name}` has most memory ({mib} MiB): look at an hour of it");
            steps.push(look_at_an_hour(name, &why));
        }
        let tree = format!("See which process of the tree of `{name}` has its {mib} MiB");
        steps.push(step("get_process_info", json!({"process": name}), tree));
        steps.push(bound(view, name, "When it grows without end, bound it, with some room"));
    }
    if steps.is_empty() {
        steps.push(step(
            "list_processes",
            json!({"all_projects": true, "detail": "full"}),
            "Nothing of this project runs: look at the others",
        ));
    }
    steps.push(step("get_system_stats", json!({"top": 10}), "And compare"));
    steps
}

fn look_at_an_hour(process: &str, why: &str) -> Step {
    step("get_process_stats", json!({"process": process, "window_ms": 3_600_000}), why)
}

/// A restart with a limit of memory that what it uses now does not reach.
fn bound(view: &ProcessView, process: &str, why: &str) -> Step {
    let room = view.memory_bytes.unwrap_or_default().saturating_mul(2).div_ceil(MEMORY_STEP).max(4);
    let limits = json!({"memory_bytes": room.saturating_mul(MEMORY_STEP)});
    step("restart_process", json!({"process": process, "limits": limits}), why)
}

/// A member that keeps others from working, or does not work itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) process: String,
    state: String,
    holds_up: Vec<String>,
}

/// Where to begin: who fails by itself, first those that most others wait for. Who is blocked is no cause.
pub(super) fn causes(group: &GroupView, processes: &[ProcessView]) -> Vec<Cause> {
    let views: HashMap<&str, &ProcessView> = processes.iter().map(|v| (v.name.as_str(), v)).collect();
    let mut causes: Vec<Cause> = Vec::new();
    for member in &group.members {
        let holds_up: Vec<String> = group
            .members
            .iter()
            .filter(|m| m.blocked_by.as_ref() == Some(&member.process))
            .map(|m| m.process.clone())
            .collect();
        let waits = matches!(member.status, MemberStatus::Blocked | MemberStatus::Waiting);
        let ails = matches!(member.status, MemberStatus::Failed | MemberStatus::Backoff)
            || matches!(member.health.as_deref(), Some("unhealthy" | "degraded"))
            || views.get(member.process.as_str()).is_some_and(|view| is_in_trouble(view));
        if waits || (holds_up.is_empty() && !ails) {
            continue;
        }
        let reason = views.get(member.process.as_str()).and_then(|view| view.status_reason.clone());
        let reason = member.why.clone().or(reason).map(|why| format!(" ({})", clip(why, REASON_CHARS)));
        let state = format!("{}{}", member.status.as_str(), reason.unwrap_or_default());
        causes.push(Cause { process: member.process.clone(), state, holds_up });
    }
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.holds_up.len()));
    causes.truncate(CAUSES);
    causes
}

/// The group with those members first that matter: causes, who is blocked by them, and the others.
pub(super) fn by_trouble(mut group: GroupView, causes: &[Cause]) -> GroupView {
    group.members.sort_by_key(|member| match causes.iter().position(|c| c.process == member.process) {
        Some(at) => at,
        None if member.blocked_by.is_some() => causes.len(),
        None => causes.len() + 1,
    });
    group
}

/// For a group that does not work as a whole.
pub(super) fn group(group: &GroupView, causes: &[Cause], errors: &[String]) -> Vec<Step> {
    let name = &group.name;
    if group.members.is_empty() {
        let why = "It has no members yet: see which processes there are, and put them in with add_to_group";
        return vec![step("list_processes", json!({}), why)];
    }
    let mut steps: Vec<Step> = causes
        .iter()
        .map(|Cause { process, state, holds_up }| {
            let holds_up = match holds_up.as_slice() {
                [] => String::new(),
                names => format!(" and holds up {}", clip(names.join(", "), REASON_CHARS)),
            };
            let why = format!("`{process}` is {state}{holds_up}: begin with it");
            step("get_process_info", json!({"process": process}), why)
        })
        .collect();
    if steps.is_empty() {
        let resting = group.members.iter().filter(|m| m.status == MemberStatus::Stopped);
        let resting: Vec<&str> = resting.map(|m| m.process.as_str()).collect();
        if !resting.is_empty() {
            let why = format!("At rest: {}; start them", clip(resting.join(", "), REASON_CHARS));
            steps.push(step("start_group", json!({"group": name}), why));
        }
    }
    steps.push(step(
        "get_logs",
        json!({"group": name, "limit": 200}),
        "Read what all of them wrote, in its order",
    ));
    steps.push(step(
        "start_group",
        json!({"group": name}),
        "When the causes are mended, start the group; those that run stay as they are",
    ));
    steps.extend(resolve(errors));
    steps
}

/// What a prompt is about.
pub(super) enum About<'a> {
    Process(&'a str),
    Group(&'a str),
    All,
}

/// What can be looked at with other tools, for a client that has none of those that would be best.
pub(super) fn instead(about: &About<'_>) -> Vec<Step> {
    match about {
        About::Process(process) => ["get_process_info", "get_logs", "get_errors", "get_process_stats"]
            .map(|tool| step(tool, json!({"process": process}), "Look further"))
            .to_vec(),
        About::Group(group) => vec![
            step("list_processes", json!({"group": group, "detail": "full"}), "Look at its members"),
            step("get_latest_errors", json!({}), "Look at the newest errors"),
            step("get_system_stats", json!({"top": 10}), "Look at what uses the machine"),
        ],
        About::All => vec![
            step("list_processes", json!({"detail": "full"}), "Look at all of them"),
            step(
                "search_logs",
                json!({"query": "slow|timeout|timed out|retry", "mode": "regex"}),
                "Find what they wait for",
            ),
            step("get_latest_errors", json!({}), "Look at the newest errors"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str, status: Status) -> ProcessView {
        serde_json::from_value(json!({
            "id": "p1", "name": name, "project": "shop", "status": status, "restarts": 0, "command": "x", "generation": 1,
        }))
        .unwrap()
    }

    fn group_of(members: Value) -> GroupView {
        serde_json::from_value(json!({
            "name": "all", "project": "shop", "status": "failed", "health": "unknown", "stop_strategy": "reverse",
            "members": members,
        }))
        .unwrap()
    }

    #[test]
    fn what_comes_next_depends_on_the_state() {
        let first = |status| {
            let view = view("web", status);
            debug(&Subject { view: &view, name: "web", errors: &[] }).remove(0).tool
        };
        assert_eq!(first(Status::Failed), "get_logs");
        assert_eq!(first(Status::Running), "tail_logs");
        assert_eq!(first(Status::Stopped), "start_process");
    }

    #[test]
    fn known_errors_are_named_and_unknown_ones_are_not_made_up() {
        let view = view("web", Status::Failed);
        let resolved = |errors: &[String]| {
            let steps = debug(&Subject { view: &view, name: "web", errors });
            steps.into_iter().find(|s| s.tool == "mark_error_resolved").map(|s| s.arguments)
        };
        assert_eq!(resolved(&["e3".to_owned()]), Some(json!({"error_id": "e3"})));
        assert_eq!(resolved(&["e3".to_owned(), "e5".to_owned()]), Some(json!({"error_id": ["e3", "e5"]})));
        assert_eq!(resolved(&[]), None);
    }

    #[test]
    fn a_process_of_another_project_is_named_with_it() {
        let view = view("web", Status::Stopped);
        let steps = debug(&Subject { view: &view, name: "shop/web", errors: &[] });
        assert_eq!(steps[0].arguments, json!({"name": "web", "project": "shop"}));
        assert!(steps[1..].iter().all(|s| s.arguments["process"] == "shop/web"), "{steps:?}");
    }

    #[test]
    fn the_hungriest_are_named() {
        let mut views = ["idle", "busy", "large"].map(|name| view(name, Status::Running));
        views[1].cpu_percent = Some(80.0);
        views[1].memory_bytes = Some(10 << 20);
        views[2].memory_bytes = Some(1000 << 20);
        let steps = optimize_all(&views);
        assert_eq!((steps[0].tool, &steps[0].arguments["process"]), ("get_process_stats", &json!("busy")));
        let restart = steps.iter().find(|s| s.tool == "restart_process").unwrap();
        assert_eq!(
            restart.arguments,
            json!({"process": "large", "limits": {"memory_bytes": 2048_u64 << 20}})
        );
        let steps = optimize_all(&[view("web", Status::Stopped)]);
        assert_eq!(steps[0].tool, "list_processes");
    }

    #[test]
    fn a_group_begins_with_who_holds_up_the_others() {
        let members = json!([
            {"process": "mail", "status": "failed", "why": "exit code 2"},
            {"process": "api", "status": "blocked", "why": "blocked by `db`: exit code 1", "blocked_by": "db", "depends_on": ["db"]},
            {"process": "db", "status": "failed", "why": "exit code 1"},
            {"process": "web", "status": "blocked", "why": "blocked by `db`: exit code 1", "blocked_by": "db", "depends_on": ["api"]},
        ]);
        let view_of = group_of(members);
        // Its end was not a good one either, but it is not why it does not run.
        let mut api = view("api", Status::Exited);
        api.exit = Some(
            serde_json::from_value(json!({"code": 1, "at": "x", "cpu_ms": 0, "max_rss_bytes": 0})).unwrap(),
        );
        let causes = causes(&view_of, &[api]);
        let names: Vec<&str> = causes.iter().map(|c| c.process.as_str()).collect();
        assert_eq!(names, ["db", "mail"]);
        let steps = group(&view_of, &causes, &["e1".to_owned()]);
        assert_eq!((steps[0].tool, &steps[0].arguments), ("get_process_info", &json!({"process": "db"})));
        assert!(
            steps[0].why.contains("exit code 1") && steps[0].why.contains("holds up api, web"),
            "{}",
            steps[0].why
        );
        assert!(steps.iter().all(|s| s.arguments["process"] != "api"), "{steps:?}");
        let sorted = by_trouble(view_of, &causes);
        let order: Vec<&str> = sorted.members.iter().map(|m| m.process.as_str()).collect();
        assert_eq!(order, ["db", "mail", "api", "web"]);
    }

    #[test]
    fn who_holds_up_others_is_a_cause_though_it_was_stopped_on_purpose() {
        let members = json!([
            {"process": "db", "status": "stopped"},
            {"process": "api", "status": "blocked", "blocked_by": "db"},
        ]);
        let causes = causes(&group_of(members), &[]);
        assert_eq!(causes[0].process, "db");
        let resting = group_of(json!([{"process": "db", "status": "stopped"}]));
        assert_eq!(group(&resting, &[], &[])[0].tool, "start_group");
        assert_eq!(group(&group_of(json!([])), &[], &[])[0].tool, "list_processes");
    }
}
