//! Which calls come next, by what is known. Pure.

use hostler_api::view::{ProcessView, Status};
use serde_json::{Value, json};

/// One call to go on with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// The tool.
    pub(super) tool: &'static str,
    /// Its arguments.
    pub(super) arguments: Value,
    /// What it is for.
    pub(super) why: String,
}

pub(super) fn step(tool: &'static str, arguments: Value, why: impl Into<String>) -> Step {
    Step { tool, arguments, why: why.into() }
}

/// Whether a process is not as it should be.
pub(super) fn is_in_trouble(view: &ProcessView) -> bool {
    matches!(view.status, Status::Failed | Status::Backoff)
        || view.exit.as_ref().is_some_and(|exit| exit.code != Some(0) && view.status == Status::Exited)
        || matches!(view.health.as_deref(), Some("unhealthy" | "degraded"))
}

/// For a process that misbehaves.
pub(super) fn debug(view: &ProcessView) -> Vec<Step> {
    let process = &view.name;
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
        Status::Stopped => {
            vec![step(
                "start_process",
                json!({"name": process}),
                "It is stopped on purpose; start it to see whether it fails",
            )]
        }
        Status::Starting | Status::Running | Status::Stopping => vec![
            step(
                "tail_logs",
                json!({"process": process, "follow": true, "wait_ms": 10_000}),
                "Watch what it does",
            ),
            step("check_process_health", json!({"process": process}), "Check whether it serves"),
            step("get_process_stats", json!({"process": process}), "See whether memory or CPU grow"),
        ],
    };
    steps.push(step(
        "get_errors",
        json!({"process": process, "resolved": false}),
        "Read the errors with their frames",
    ));
    steps.push(step(
        "restart_process",
        json!({"process": process, "wait_for_log": "a line that says it is ready"}),
        "When the cause is mended, in its files or by changed parameters (`env`, `args`, `limits`), start it anew",
    ));
    steps.push(step(
        "mark_error_resolved",
        json!({"error_id": "ID", "resolution": "what it was"}),
        "And mark the errors that are mended",
    ));
    steps
}

/// For what is slow or large.
pub(super) fn optimize(process: Option<&str>) -> Vec<Step> {
    let Some(process) = process else {
        return vec![
            step(
                "get_process_stats",
                json!({"process": "NAME", "window_ms": 3_600_000}),
                "Look at the hungriest over an hour",
            ),
            step(
                "restart_process",
                json!({"process": "NAME", "limits": {"memory_bytes": 536_870_912}}),
                "Limit what grows without end",
            ),
            step("stop_process", json!({"process": "NAME"}), "Stop what nobody needs"),
        ];
    };
    vec![
        step(
            "get_process_stats",
            json!({"process": process, "window_ms": 3_600_000}),
            "Look at a whole hour: does it grow, or come in waves?",
        ),
        step(
            "search_logs",
            json!({"process": process, "query": "slow|timeout|timed out|retry", "mode": "regex"}),
            "Find what it waits for",
        ),
        step("get_process_info", json!({"process": process}), "See which process of its tree has the memory"),
        step(
            "restart_process",
            json!({"process": process, "limits": {"memory_bytes": 536_870_912}}),
            "When it is mended or bounded, start it anew",
        ),
        step("get_process_stats", json!({"process": process, "window_ms": 300_000}), "And compare"),
    ]
}

/// For a group that does not work as a whole.
pub(super) fn group(group: &str, members: &[ProcessView]) -> Vec<Step> {
    let mut steps: Vec<Step> = members
        .iter()
        .filter(|view| is_in_trouble(view))
        .map(|view| {
            let state = view.status_reason.clone().unwrap_or_else(|| view.status.as_str().to_owned());
            step(
                "get_process_info",
                json!({"process": view.name}),
                format!("`{}` is in trouble ({state}): begin with it", view.name),
            )
        })
        .collect();
    if steps.is_empty() {
        let resting: Vec<&str> =
            members.iter().filter(|v| v.status == Status::Stopped).map(|v| v.name.as_str()).collect();
        if !resting.is_empty() {
            steps.push(step(
                "start_group",
                json!({"group": group}),
                format!("At rest: {}; start them", resting.join(", ")),
            ));
        }
    }
    steps.push(step(
        "get_logs",
        json!({"group": group, "limit": 200}),
        "Read what all of them wrote, in its order",
    ));
    steps.push(step(
        "start_group",
        json!({"group": group, "wait_for": "ready"}),
        "When the causes are mended, start the group; those that run stay as they are",
    ));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(status: Status) -> ProcessView {
        serde_json::from_value(json!({
            "id": "p1", "name": "web", "project": "shop", "status": status, "restarts": 0, "command": "x", "generation": 1,
        }))
        .unwrap()
    }

    #[test]
    fn what_comes_next_depends_on_the_state() {
        let tools = |status| debug(&view(status)).into_iter().map(|s| s.tool).collect::<Vec<_>>();
        assert_eq!(tools(Status::Failed)[0], "get_logs");
        assert_eq!(tools(Status::Running)[0], "tail_logs");
        assert_eq!(tools(Status::Stopped)[0], "start_process");
        let members = [view(Status::Running), view(Status::Failed)];
        assert_eq!(group("all", &members)[0].tool, "get_process_info");
        assert_eq!(group("all", &[view(Status::Stopped)])[0].tool, "start_group");
    }
}
