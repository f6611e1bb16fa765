//! What is known now: the answers of the tools themselves, each within its share of the budget.

use std::sync::Arc;

use hostler_api::groups::GroupView;
use hostler_api::plugin::PluginView;
use hostler_api::view::ProcessView;
use hostler_api::{ErrorKind, ToolError};
use hostler_model::text::clip;
use serde_json::{Value, json};

use super::BUDGET;
use super::advice::{self, About, Cause, Step};
use crate::daemon::service::{Client, Service};
use crate::mcp::tools::{self, Answer, ToolDef};

/// What the state of a process may take.
const STATE_CHARS: usize = 2_200;
/// What the state of a group may take.
const GROUP_CHARS: usize = 2_600;
/// What is known of the members that are in trouble may take, all of them together.
const CAUSES_CHARS: usize = 4_400;
/// So many of them are looked at.
const CAUSES: usize = 3;
/// Lines that are looked at for their form.
const SAMPLE: usize = 50;

/// The evidence for one prompt, gathered for one client.
pub(super) struct Evidence<'a> {
    service: &'a Arc<Service>,
    client: &'a Arc<Client>,
    tools: &'a [&'static ToolDef],
    sections: Vec<String>,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(
        service: &'a Arc<Service>,
        client: &'a Arc<Client>,
        tools: &'a [&'static ToolDef],
    ) -> Self {
        Self { service, client, tools, sections: Vec::new() }
    }

    /// The state of a process, and the names of the plugins that it uses.
    ///
    /// # Errors
    /// When there is none of this name.
    pub(super) async fn process(&mut self, process: &str) -> Result<(ProcessView, Vec<String>), ToolError> {
        let arguments = json!({"process": process, "runs": 3});
        let answer = self.ask("get_process_info", &arguments).await?;
        let view = view_of(&answer.structured["process"])?;
        let plugins = names(&answer.structured["plugins"]);
        self.push("get_process_info", &arguments, clip(answer.text, STATE_CHARS));
        Ok((view, plugins))
    }

    /// How this client names a process: with its project, when that is another one.
    pub(super) fn name_of(&self, view: &ProcessView) -> String {
        match view.project == self.client.project.name {
            true => view.name.clone(),
            false => format!("{}/{}", view.project, view.name),
        }
    }

    /// A group: how its members stand and depend on each other, and who of them is to be looked at first.
    ///
    /// # Errors
    /// When there is no such group.
    pub(super) async fn group(&mut self, group: &str) -> Result<(GroupView, Vec<Cause>), ToolError> {
        let view = self.service.group_named(self.client, group)?;
        let processes = self.processes(json!({"group": group, "limit": 500})).await?;
        let causes = advice::causes(&view, &processes);
        let view = advice::by_trouble(view, &causes);
        let mut shown = serde_json::to_value(&view).map_err(|e| ToolError::internal(e.to_string()))?;
        self.service.errors.redactor().redact_json(&mut shown);
        let text = clip(shown.to_string(), GROUP_CHARS);
        self.sections.push(format!("\n\n## groups://{group}\n\n{text}"));
        Ok((view, causes))
    }

    /// What is known of the members that are in trouble: last lines, errors, health, usage, plugins. Answers the ids of
    /// their errors.
    pub(super) async fn causes(&mut self, causes: &[Cause]) -> Vec<String> {
        let (mut errors, mut plugins) = (Vec::new(), Vec::new());
        let share = CAUSES_CHARS / causes.len().clamp(1, CAUSES);
        for Cause { process, .. } in causes.iter().take(CAUSES) {
            self.add_end("tail_logs", json!({"process": process, "lines": 15}), share * 2 / 5).await;
            errors.extend(self.errors(process, 1, share / 5).await);
            let info = self.ask("get_process_info", &json!({"process": process, "runs": 1})).await;
            let info = info.map(|answer| answer.structured).unwrap_or_default();
            plugins.extend(names(&info["plugins"]));
            if info["process"]["health"].is_string() {
                self.health(process, share / 5).await;
            }
            self.add("get_process_stats", json!({"process": process, "points": 5}), share / 5).await;
        }
        self.plugins(Some(&plugins), 400).await;
        errors
    }

    /// Processes, all that is known of each.
    ///
    /// # Errors
    /// When what they are of is not known.
    pub(super) async fn processes(&self, mut which: Value) -> Result<Vec<ProcessView>, ToolError> {
        which["detail"] = json!("full");
        let answer = self.ask("list_processes", &which).await?;
        answer.structured["processes"].as_array().into_iter().flatten().map(view_of).collect()
    }

    /// The errors of a process that are not resolved, and their ids.
    pub(super) async fn errors(&mut self, process: &str, limit: usize, chars: usize) -> Vec<String> {
        let arguments = json!({"process": process, "resolved": false, "limit": limit});
        let Ok(answer) = self.ask("get_errors", &arguments).await else { return Vec::new() };
        let errors = answer.structured["errors"].as_array().into_iter().flatten();
        let ids = errors.filter_map(|error| error["id"].as_str().map(str::to_owned)).collect();
        self.push("get_errors", &arguments, clip(answer.text, chars));
        ids
    }

    /// Its checks, and what they found lately.
    pub(super) async fn health(&mut self, process: &str, chars: usize) {
        self.add("check_process_health", json!({"process": process, "history": 5}), chars).await;
    }

    /// How plugins are: those of these names, or all.
    pub(super) async fn plugins(&mut self, names: Option<&[String]>, chars: usize) {
        let list = self.service.plugins.list().await;
        let wanted = |view: &&PluginView| names.is_none_or(|names| names.contains(&view.name));
        let lines: Vec<String> = list.plugins.iter().filter(wanted).map(plugin_line).collect();
        if !lines.is_empty() {
            self.sections.push(format!("\n\n## plugins\n\n{}", clip(lines.join("\n"), chars)));
        }
    }

    /// What a tool answers, its beginning.
    pub(super) async fn add(&mut self, tool: &str, arguments: Value, chars: usize) {
        if let Ok(answer) = self.ask(tool, &arguments).await {
            self.push(tool, &arguments, clip(answer.text, chars));
        }
    }

    /// What a tool answers, its end.
    pub(super) async fn add_end(&mut self, tool: &str, arguments: Value, chars: usize) {
        if let Ok(answer) = self.ask(tool, &arguments).await {
            let skipped = answer.text.chars().count().saturating_sub(chars);
            let end: String = answer.text.chars().skip(skipped).collect();
            self.push(tool, &arguments, if skipped > 0 { format!("…{end}") } else { end });
        }
    }

    /// The newest lines of a process as it wrote them: what parsers made of them has lost its form.
    pub(super) async fn lines(&self, process: &str) -> Vec<String> {
        self.service.written(self.client, process, SAMPLE).await.unwrap_or_default()
    }

    /// The whole prompt. It ends with the calls to go on with, of the tools that this client has.
    pub(super) fn told(self, task: &str, about: &About<'_>, steps: &[Step]) -> String {
        let end = self.end(about, steps);
        let mut text = task.to_owned();
        for section in &self.sections {
            let room = BUDGET.saturating_sub(text.chars().count() + end.chars().count());
            text.push_str(&clipped(section, room));
        }
        text + &end
    }

    fn end(&self, about: &About<'_>, steps: &[Step]) -> String {
        let has = |tool: &str| self.tools.iter().any(|t| t.tool.name == tool);
        let can = |step: &&Step| has(step.tool) && step.after.is_none_or(has);
        let instead = advice::instead(about);
        let mut calls: Vec<&Step> = steps.iter().filter(can).collect();
        if calls.is_empty() {
            calls = instead.iter().filter(can).collect();
        }
        let mut end = "\n\n## What to do next\n".to_owned();
        for (at, step) in calls.iter().enumerate() {
            end.push_str(&format!("\n{}. {}: `{} {}`", at + 1, step.why, step.tool, step.arguments));
        }
        let mut missing: Vec<&str> = steps.iter().map(|step| step.tool).filter(|tool| !has(tool)).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            end.push_str(&format!(
                "\n\nThis client does not have {}: --tools or --read-only of its hostler leave them out.",
                missing.join(", ")
            ));
        }
        end
    }

    /// Asks a tool, whether or not this client has it: what it shows is for reading only.
    async fn ask(&self, tool: &str, arguments: &Value) -> Result<Answer, ToolError> {
        let found = tools::families().iter().flat_map(|f| &f.tools).find(|t| t.tool.name == tool);
        let Some(found) = found else {
            return Err(ToolError::new(ErrorKind::NotConfigured, format!("there is no {tool}")));
        };
        tools::ask(found, self.service, self.client, arguments).await
    }

    fn push(&mut self, tool: &str, arguments: &Value, text: String) {
        self.sections.push(format!("\n\n## {tool} {arguments}\n\n{text}"));
    }
}

/// A section in the room that is left for it; nothing where that is too little to be of use.
fn clipped(section: &str, room: usize) -> String {
    /// A heading, some text, and what clipping adds to say how much is missing.
    const USEFUL: usize = 150;
    /// What clipping adds at most.
    const ADDED: usize = 40;
    match section.chars().count() <= room {
        true => section.to_owned(),
        false if room < USEFUL => String::new(),
        false => clip(section.to_owned(), room - ADDED),
    }
}

/// A plugin in a line: what it is for, how it is, and how often it failed.
fn plugin_line(view: &PluginView) -> String {
    let kind = view.kind.as_deref().unwrap_or("no plugin");
    let faults = view.traps + view.timeouts + view.invalid_answers;
    let calls =
        if view.calls > 0 { format!(", {} calls, {faults} failed", view.calls) } else { String::new() };
    let reason = view.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} ({kind}): {}{calls}{reason}", view.name, view.status.as_str())
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn view_of(value: &Value) -> Result<ProcessView, ToolError> {
    serde_json::from_value(value.clone()).map_err(|e| ToolError::internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_fits_into_its_room() {
        let section = "x".repeat(5_000);
        for room in [0, 1, 149, 150, 151, 1_000, 5_000, 6_000] {
            assert!(clipped(&section, room).chars().count() <= room, "{room}");
        }
        assert_eq!(clipped("short", 10), "short");
        assert!(clipped(&section, 1_000).contains("characters"), "it says what is missing");
    }
}
