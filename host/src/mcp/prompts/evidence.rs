//! What is known now: the answers of the tools themselves, each within its share of the budget.

use std::sync::Arc;

use hostler_api::plugin::PluginView;
use hostler_api::view::ProcessView;
use hostler_api::{ErrorKind, ToolError};
use hostler_model::text::clip;
use serde_json::{Value, json};

use super::BUDGET;
use super::advice::Step;
use crate::daemon::service::{Client, Service};
use crate::mcp::tools::{self, Answer, ToolDef};

/// What the state of a process may take.
const STATE_CHARS: usize = 2_200;
/// What the state of all members of a group may take.
const MEMBERS_CHARS: usize = 3_000;

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
        let plugins = answer.structured["plugins"].as_array().into_iter().flatten();
        let plugins = plugins.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        self.push("get_process_info", &arguments, clip(answer.text, STATE_CHARS));
        Ok((view, plugins))
    }

    /// The states of the members of a group.
    ///
    /// # Errors
    /// When there is no such group.
    pub(super) async fn members(&mut self, group: &str) -> Result<Vec<ProcessView>, ToolError> {
        // Says clearly when there is none.
        self.service.group_named(self.client, group)?;
        let arguments = json!({"group": group});
        let answer = self.ask("list_processes", &arguments).await?;
        let views = answer.structured["processes"].as_array().into_iter().flatten().map(view_of).collect();
        self.push("list_processes", &arguments, clip(answer.text, MEMBERS_CHARS));
        views
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

    /// The newest lines of a process, as text.
    pub(super) async fn lines(&self, process: &str) -> Vec<String> {
        let arguments = json!({"process": process, "limit": 50, "format": "records"});
        let Ok(answer) = self.ask("get_logs", &arguments).await else { return Vec::new() };
        let lines = answer.structured["lines"].as_array().cloned().unwrap_or_default();
        lines.iter().filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
    }

    /// The whole prompt. It ends with the calls to go on with, of the tools that this client has.
    pub(super) fn told(self, task: &str, steps: &[Step]) -> String {
        let mut end = "\n\n## What to do next\n".to_owned();
        let offered = |step: &&Step| self.tools.iter().any(|t| t.tool.name == step.tool);
        for (at, step) in steps.iter().filter(offered).enumerate() {
            end.push_str(&format!("\n{}. {}: `{} {}`", at + 1, step.why, step.tool, step.arguments));
        }
        let mut text = task.to_owned();
        for section in &self.sections {
            let room = BUDGET.saturating_sub(text.chars().count() + end.chars().count());
            text.push_str(&clip(section.clone(), room.saturating_sub(1)));
        }
        text + &end
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

/// A plugin in a line: what it is for, how it is, and how often it failed.
fn plugin_line(view: &PluginView) -> String {
    let kind = view.kind.as_deref().unwrap_or("no plugin");
    let faults = view.traps + view.timeouts + view.invalid_answers;
    let calls =
        if view.calls > 0 { format!(", {} calls, {faults} failed", view.calls) } else { String::new() };
    let reason = view.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} ({kind}): {}{calls}{reason}", view.name, view.status.as_str())
}

fn view_of(value: &Value) -> Result<ProcessView, ToolError> {
    serde_json::from_value(value.clone()).map_err(|e| ToolError::internal(e.to_string()))
}
