//! The prompts: a task, what is known about it now, and the calls to go on with.

mod advice;
mod evidence;
mod monitoring;

use hostler_api::ToolError;
use hostler_model::nearest::nearest;
use rmcp::model::{
    CacheScope, ErrorData, GetPromptResult, JsonObject, ListPromptsResult, Prompt, PromptArgument,
    PromptMessage, Role,
};
use serde_json::{Value, json};

use super::tools::ToolDef;
use crate::daemon::service::{Client, Service};
use advice::{About, Subject};
use evidence::Evidence;

/// The prompts change with the version only.
const LIST_TTL_MS: u64 = 3_600_000;
/// A prompt has at most this many characters: some 2,500 tokens.
pub(super) const BUDGET: usize = 10_000;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    DebugProcess,
    OptimizePerformance,
    SetupMonitoring,
    TroubleshootGroup,
}

/// Name, title, description, and its argument: name, whether it is needed.
type Shown = (Task, &'static str, &'static str, &'static str, (&'static str, bool));

const ALL: [Shown; 4] = [
    (
        Task::DebugProcess,
        "debug_process",
        "Debug a process",
        "Find out why a process fails or misbehaves, from its state, runs, errors and last lines, and fix it.",
        ("process", true),
    ),
    (
        Task::OptimizePerformance,
        "optimize_performance",
        "Optimize performance",
        "Find what uses CPU and memory, in one process or in all of them, and what to do about it.",
        ("process", false),
    ),
    (
        Task::SetupMonitoring,
        "setup_monitoring",
        "Set up monitoring",
        "Look at a process and propose health checks and log parsers for it, with configuration that was checked.",
        ("process", true),
    ),
    (
        Task::TroubleshootGroup,
        "troubleshoot_group",
        "Troubleshoot a group",
        "Find out which members of a group keep it from working, and start it again.",
        ("group", true),
    ),
];

/// All of them, for the documentation: name, argument, description.
pub(super) fn catalogue() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    ALL.into_iter().map(|(_, name, _, description, (argument, _))| (name, argument, description))
}

/// The argument of a prompt.
///
/// # Errors
/// When there is no such prompt; the message names those that there are.
pub(super) fn argument_of(name: &str) -> Result<&'static str, String> {
    ALL.into_iter().find(|p| p.1 == name).map(|(.., (argument, _))| argument).ok_or_else(|| unknown(name))
}

/// `prompts/list`.
pub(super) fn list() -> ListPromptsResult {
    let prompt = |(_, name, title, description, (argument, required)): Shown| {
        let about = match (argument, required) {
            ("group", _) => "Name of the group",
            (_, true) => "Name, project/name or id",
            (_, false) => "Name, project/name or id; all of them without it",
        };
        let argument = PromptArgument::new(argument).with_description(about).with_required(required);
        Prompt::new(name, Some(description), Some(vec![argument])).with_title(title)
    };
    ListPromptsResult::with_all_items(ALL.map(prompt).to_vec())
        .with_ttl_ms(LIST_TTL_MS)
        .with_cache_scope(CacheScope::Public)
}

/// `prompts/get`.
///
/// # Errors
/// When there is no such prompt, or nothing of the name that it is about.
pub(super) async fn get(
    service: &std::sync::Arc<Service>,
    client: &std::sync::Arc<Client>,
    tools: &[&'static ToolDef],
    name: &str,
    arguments: Option<&JsonObject>,
) -> Result<GetPromptResult, ErrorData> {
    let Some((task, _, _, description, (argument, required))) = ALL.into_iter().find(|p| p.1 == name) else {
        return Err(ErrorData::invalid_params(unknown(name), None));
    };
    let given = arguments.and_then(|a| a.get(argument)).and_then(Value::as_str).filter(|v| !v.is_empty());
    if required && given.is_none() {
        return Err(ErrorData::invalid_params(format!("{name}: the argument `{argument}` is missing"), None));
    }
    let evidence = Evidence::new(service, client, tools);
    let text = write(task, service, evidence, given)
        .await
        .map_err(|error| ErrorData::invalid_params(error.message, None))?;
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]).with_description(description))
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = ALL.iter().map(|p| p.1).collect();
    let hint =
        nearest(name, names.iter().copied()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
    let shown: String = name.chars().take(100).collect();
    format!("no prompt `{shown}`; {hint}There are: {}", names.join(", "))
}

async fn write(
    task: Task,
    service: &Service,
    evidence: Evidence<'_>,
    given: Option<&str>,
) -> Result<String, ToolError> {
    match (task, given) {
        (Task::DebugProcess, given) => debug(evidence, given.unwrap_or_default()).await,
        (Task::OptimizePerformance, Some(process)) => optimize(evidence, process).await,
        (Task::OptimizePerformance, None) => optimize_all(evidence).await,
        (Task::SetupMonitoring, given) => monitor(service, evidence, given.unwrap_or_default()).await,
        (Task::TroubleshootGroup, given) => troubleshoot(evidence, given.unwrap_or_default()).await,
    }
}

async fn debug(mut evidence: Evidence<'_>, process: &str) -> Result<String, ToolError> {
    let (view, plugins) = evidence.process(process).await?;
    let errors = evidence.errors(process, 3, 1_800).await;
    if view.health.is_some() {
        evidence.health(process, 1_300).await;
    }
    evidence.plugins(Some(&plugins), 500).await;
    evidence.add("get_process_stats", json!({"process": process, "points": 5}), 1_200).await;
    evidence.add_end("tail_logs", json!({"process": process, "lines": 40}), 2_500).await;
    let name = evidence.name_of(&view);
    let steps = advice::debug(&Subject { view: &view, name: &name, errors: &errors });
    let task = format!("Find out why the process `{name}` misbehaves, and fix it.");
    Ok(evidence.told(&task, &About::Process(&name), &steps))
}

async fn optimize(mut evidence: Evidence<'_>, process: &str) -> Result<String, ToolError> {
    let (view, _) = evidence.process(process).await?;
    evidence.add("get_process_stats", json!({"process": process, "points": 12}), 2_500).await;
    evidence.add("get_system_stats", json!({"top": 5}), 1_500).await;
    evidence.add_end("tail_logs", json!({"process": process, "lines": 20}), 1_200).await;
    let name = evidence.name_of(&view);
    let steps = advice::optimize(&Subject { view: &view, name: &name, errors: &[] });
    let task = format!("Find out what makes the process `{name}` slow or large, and improve it.");
    Ok(evidence.told(&task, &About::Process(&name), &steps))
}

async fn optimize_all(mut evidence: Evidence<'_>) -> Result<String, ToolError> {
    let processes = evidence.processes(json!({"limit": 500})).await?;
    evidence.add("get_system_stats", json!({"top": 10}), 3_500).await;
    evidence.add("list_processes", json!({"detail": "full"}), 4_000).await;
    let task = "Find out which processes use the machine's CPU and memory, and what to do about it.";
    Ok(evidence.told(task, &About::All, &advice::optimize_all(&processes)))
}

async fn monitor(service: &Service, mut evidence: Evidence<'_>, process: &str) -> Result<String, ToolError> {
    let (view, _) = evidence.process(process).await?;
    evidence.add_end("tail_logs", json!({"process": process, "lines": 15}), 1_500).await;
    evidence.plugins(None, 1_500).await;
    let name = evidence.name_of(&view);
    let proposal = monitoring::propose(service, &view, &evidence.lines(process).await).await;
    let task =
        format!("Set up health checks and log parsing for the process `{name}`.\n\n{}", proposal.reasons());
    Ok(evidence.told(&task, &About::Process(&name), &proposal.steps(&name)))
}

async fn troubleshoot(mut evidence: Evidence<'_>, name: &str) -> Result<String, ToolError> {
    let (group, causes) = evidence.group(name).await?;
    let errors = evidence.causes(&causes).await;
    if causes.is_empty() {
        evidence.add("list_processes", json!({"group": name, "detail": "full"}), 2_500).await;
    }
    let task = format!("Find out why the group `{name}` does not work as a whole, and make it work.");
    Ok(evidence.told(&task, &About::Group(name), &advice::group(&group, &causes, &errors)))
}
