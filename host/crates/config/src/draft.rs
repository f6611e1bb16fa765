//! A `hostler.toml` in the making: what another tool's file or a look at a directory is turned into.
//!
//! Texts are kept as they will stand in the file: `${NAME}` is a variable there, and `$$` a dollar sign.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use hostler_api::process::HealthArgs;
use hostler_model::ProcessName;
use hostler_model::groups::Condition;
use serde_json::Value;

/// Something to know of a file that was read, with its line where it has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Line of the file that was read, from 1.
    pub line: Option<usize>,
    /// What is to be known.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// A process.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    /// Where it stands in the file that was read.
    pub(crate) line: Option<usize>,
    /// Said of it in the file, a line each.
    pub(crate) comments: Vec<String>,
    pub(crate) command: String,
    pub(crate) args: Vec<String>,
    pub(crate) cwd: Option<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) env_files: Vec<String>,
    pub(crate) depends_on: BTreeMap<String, Condition>,
    pub(crate) health: Vec<HealthArgs>,
    pub(crate) parsers: Vec<String>,
    pub(crate) restart: Option<&'static str>,
    pub(crate) max_restarts: Option<u32>,
    /// The first delay of a restart, and the longest.
    pub(crate) backoff_ms: Option<(u64, u64)>,
    pub(crate) schedule: Option<Cron>,
    pub(crate) watch: Option<Watch>,
    pub(crate) stop_signal: Option<String>,
    pub(crate) grace_ms: Option<u64>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) cpu_percent: Option<u64>,
    pub(crate) pty: bool,
    pub(crate) autostart: Option<bool>,
    /// Groups that it is a member of.
    pub(crate) groups: Vec<String>,
    /// It runs in a container; the file does not say it, but its command does.
    pub(crate) container: Option<Container>,
}

/// When a process is started, in place of at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cron {
    pub(crate) cron: String,
    /// One that still runs is restarted.
    pub(crate) restarts: bool,
}

/// For which files a process is restarted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Watch {
    pub(crate) paths: Vec<String>,
    pub(crate) debounce_ms: Option<u64>,
}

/// The container of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Container {
    pub(crate) image: Option<String>,
    /// Whether its image is made from the project.
    pub(crate) is_built: bool,
}

/// The processes, and what is to be said of them all.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct DraftFile {
    /// The name of the whole stack, when it is not that of the directory.
    pub(crate) name: Option<String>,
    /// Variables of every process.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) processes: Vec<Draft>,
}

/// The line by which editors find the schema of the file.
const SCHEMA: &str = "#:schema ./hostler.schema.json\n# `hostler schema > hostler.schema.json` makes the file by which editors complete and check this one.\n";

impl DraftFile {
    /// Gives each process a valid name that no other one has, wherever it is named; the names that were changed.
    pub(crate) fn make_names_valid(&mut self) -> Vec<(String, String)> {
        let mut renamed: Vec<(String, String)> = Vec::new();
        let mut taken: Vec<String> = Vec::new();
        for draft in &mut self.processes {
            let valid = ProcessName::suggest(&draft.name).map_or_else(|| "process".to_owned(), String::from);
            let mut unique = valid.clone();
            for number in 2.. {
                if !taken.contains(&unique) {
                    break;
                }
                // Room for the number in what a name may be long.
                let stem: String = valid.chars().take(56).collect();
                unique = format!("{stem}-{number}");
            }
            if unique != draft.name {
                renamed.push((std::mem::replace(&mut draft.name, unique.clone()), unique.clone()));
            }
            taken.push(unique);
        }
        // One that kept its name has it, whoever had the same.
        let kept: Vec<&String> =
            taken.iter().filter(|name| renamed.iter().all(|(_, new)| new != *name)).collect();
        for draft in &mut self.processes {
            let depends_on = std::mem::take(&mut draft.depends_on);
            let now = |on: String| match renamed.iter().find(|(old, _)| *old == on) {
                Some((_, new)) if !kept.contains(&&on) => new.clone(),
                _ => on,
            };
            draft.depends_on = depends_on.into_iter().map(|(on, condition)| (now(on), condition)).collect();
        }
        renamed
    }

    /// Lets nobody wait for the health of what has no checks, which could not be read again: for it to be ready, in place
    /// of that. Answers who waits for whom, with the line that who waits comes from.
    pub(crate) fn make_conditions_valid(&mut self) -> Vec<(Option<usize>, String, String)> {
        let unchecked = self.processes.iter().filter(|draft| draft.health.is_empty());
        let unchecked: Vec<String> = unchecked.map(|draft| draft.name.clone()).collect();
        let mut changed = Vec::new();
        for draft in &mut self.processes {
            for (on, condition) in &mut draft.depends_on {
                if *condition == Condition::Healthy && unchecked.contains(on) {
                    *condition = Condition::Ready;
                    changed.push((draft.line, draft.name.clone(), on.clone()));
                }
            }
        }
        changed
    }

    /// The text of the file; `remarks` stand at its top.
    pub(crate) fn to_toml(&self, remarks: &[String]) -> String {
        let mut out = SCHEMA.to_owned();
        for remark in remarks {
            let _ = writeln!(out, "# {}", on_one_line(remark));
        }
        if let Some(name) = &self.name {
            let _ = writeln!(out, "\nname = {}", basic(name));
        }
        if !self.env.is_empty() {
            out.push_str("\n[env]\n");
            for (name, value) in &self.env {
                let _ = writeln!(out, "{} = {}", key(name), basic(value));
            }
        }
        for draft in &self.processes {
            draft.write(&mut out);
        }
        for (group, members) in self.groups() {
            let _ = writeln!(out, "\n[groups.{}]", key(&group));
            line(&mut out, "members", list(&members));
        }
        out
    }

    /// The groups by valid names, with their members in the order of the file.
    pub(crate) fn groups(&self) -> BTreeMap<String, Vec<String>> {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for draft in &self.processes {
            for group in draft.groups.iter().filter_map(|group| ProcessName::suggest(group)) {
                let members = groups.entry(String::from(group)).or_default();
                if !members.contains(&draft.name) {
                    members.push(draft.name.clone());
                }
            }
        }
        groups
    }

    /// Gives the stack a name of its own where a group has that of the directory, which it would have; whether it did.
    pub(crate) fn part_name_from_groups(&mut self, directory: &str) -> bool {
        let name = self.name.clone().or_else(|| ProcessName::suggest(directory).map(String::from));
        let Some(name) = name.filter(|name| self.groups().contains_key(name)) else { return false };
        let stem: String = name.chars().take(56).collect();
        self.name = Some(format!("{stem}-stack"));
        true
    }
}

impl Draft {
    fn write(&self, out: &mut String) {
        out.push('\n');
        for comment in &self.comments {
            let _ = writeln!(out, "# {}", on_one_line(comment));
        }
        let _ = writeln!(out, "[processes.{}]", key(&self.name));
        let _ = writeln!(out, "command = {}", basic(&self.command));
        line(out, "args", list(&self.args));
        line(out, "cwd", self.cwd.as_deref().map(basic));
        line(out, "env_files", list(&self.env_files));
        line(out, "env", inline(self.env.iter().map(|(n, v)| (n.as_str(), Some(basic(v))))));
        let conditions = self.depends_on.iter().map(|(on, condition)| {
            let condition = serde_json::to_value(condition).unwrap_or_default();
            (on.as_str(), Some(toml_of(&condition)))
        });
        line(out, "depends_on", inline(conditions));
        // TOML has no larger one.
        let number = |n: Option<u64>| n.map(|n| n.min(i64::MAX.unsigned_abs()).to_string());
        let restart = [
            ("policy", self.restart.map(basic)),
            ("max_restarts", number(self.max_restarts.map(u64::from))),
            ("backoff_initial_ms", number(self.backoff_ms.map(|(initial, _)| initial))),
            ("backoff_max_ms", number(self.backoff_ms.map(|(_, most)| most))),
        ];
        line(out, "restart", inline(restart));
        line(out, "schedule", self.schedule.as_ref().map(schedule));
        line(out, "watch", self.watch.as_ref().and_then(watch));
        let checks: Vec<String> = self.health.iter().map(check).collect();
        line(out, "health", (!checks.is_empty()).then(|| format!("[{}]", checks.join(", "))));
        line(out, "log", inline([("parsers", list(&self.parsers))]));
        let limits = [("memory_bytes", number(self.memory_bytes)), ("cpu_percent", number(self.cpu_percent))];
        line(out, "limits", inline(limits));
        let stop = [("signal", self.stop_signal.as_deref().map(basic)), ("grace_ms", number(self.grace_ms))];
        line(out, "stop", inline(stop));
        line(out, "pty", self.pty.then(|| "true".to_owned()));
        line(out, "autostart", self.autostart.map(|autostart| autostart.to_string()));
    }
}

fn schedule(schedule: &Cron) -> String {
    match schedule.restarts {
        true => format!("{{ cron = {}, overlap = \"restart\" }}", basic(&schedule.cron)),
        false => basic(&schedule.cron),
    }
}

fn watch(watch: &Watch) -> Option<String> {
    let paths = list(&watch.paths)?;
    Some(match watch.debounce_ms {
        Some(ms) => format!("{{ paths = {paths}, debounce_ms = {ms} }}"),
        None => paths,
    })
}

fn check(check: &HealthArgs) -> String {
    let value = serde_json::to_value(check).unwrap_or_default();
    toml_of(&value)
}

fn line(out: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value {
        let _ = writeln!(out, "{name} = {value}");
    }
}

fn inline<'a>(fields: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Option<String> {
    let given = fields.into_iter().filter_map(|(n, v)| v.map(|v| format!("{} = {v}", key(n))));
    let given: Vec<String> = given.collect();
    (!given.is_empty()).then(|| format!("{{ {} }}", given.join(", ")))
}

fn list(texts: &[String]) -> Option<String> {
    let texts: Vec<String> = texts.iter().map(|text| basic(text)).collect();
    (!texts.is_empty()).then(|| format!("[{}]", texts.join(", ")))
}

/// A value without nulls as TOML.
fn toml_of(value: &Value) -> String {
    match value {
        Value::String(text) => basic(text),
        Value::Array(items) => format!("[{}]", items.iter().map(toml_of).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => inline(fields.iter().map(|(n, v)| (n.as_str(), Some(toml_of(v)))))
            .unwrap_or_else(|| "{}".to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if bare { text.to_owned() } else { basic(text) }
}

/// A basic string of TOML; JSON's escapes are among its own.
fn basic(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// A comment ends with its line, and may have no control characters.
fn on_one_line(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A text that has no variables, as it stands in the file.
pub(crate) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
