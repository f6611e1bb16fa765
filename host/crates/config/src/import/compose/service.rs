//! One service of docker compose.

mod checked;
mod program;

use std::collections::BTreeMap;

use hostler_model::groups::Condition;

use super::super::yaml::{Entry, Node};
use super::super::{Imported, condition};
use super::ports::Ports;
use super::variables;
use crate::draft::{Container, Draft, literal};
use crate::{shell, units};
use program::Program;

/// Where the program of a service comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// From a directory of the project, when it is not that of the file.
    Here(Option<String>),
    /// From an image.
    Container,
}

pub(super) struct Service<'a> {
    pub(super) name: &'a str,
    pub(super) line: usize,
    pub(super) home: Home,
    pub(super) ports: Ports,
    node: &'a Node,
    /// What it runs, or why that needs its container.
    program: Result<Program, String>,
    /// Variables that it sets, and notes of those that are lost.
    environment: BTreeMap<String, String>,
    lost: Vec<(usize, String)>,
    /// The compose file, when docker compose does not find it by itself.
    file: Option<&'a str>,
}

/// Fields of a service that runs here which are carried over, or which only its image needs.
const HERE: [&str; 25] = [
    "command",
    "entrypoint",
    "working_dir",
    "build",
    "image",
    "environment",
    "env_file",
    "depends_on",
    "healthcheck",
    "restart",
    "ports",
    "expose",
    "container_name",
    "hostname",
    "networks",
    "volumes",
    "profiles",
    "stop_signal",
    "stop_grace_period",
    "tty",
    "stdin_open",
    "init",
    "mem_limit",
    "cpus",
    "deploy",
];

impl<'a> Service<'a> {
    pub(super) fn of(entry: &'a Entry, file: Option<&'a str>) -> Self {
        let (name, line, node) = (entry.key.as_str(), entry.line, &entry.value);
        let program = Program::of(name, node);
        let home = match (program::directory(node), &program) {
            (Some(directory), Ok(_)) => Home::Here((directory != ".").then(|| literal(&directory))),
            _ => Home::Container,
        };
        let ports = Ports::of(node.get("ports"));
        let (mut environment, mut lost) = (BTreeMap::new(), Vec::new());
        for (line, variable, value) in node.get("environment").map(Node::variables).unwrap_or_default() {
            // A name alone takes the value that it has where compose is run.
            match value.map_or_else(|| shell::variable(&variable), |value| variables(&value)) {
                Ok(value) => drop(environment.insert(variable, value)),
                Err(why) => lost.push((line, format!("`{variable}` of `{name}` is not carried over: {why}"))),
            }
        }
        Self { name, line, home, ports, node, program, environment, lost, file }
    }

    /// The process.
    pub(super) fn draft(&self, imported: &mut Imported) -> Draft {
        let mut draft = match (&self.home, &self.program) {
            (Home::Here(directory), Ok(program)) => self.here(directory.clone(), program.clone(), imported),
            _ => self.in_container(imported),
        };
        draft.line = Some(self.line);
        self.depends_on(&mut draft, imported);
        self.restart(&mut draft);
        self.check(&mut draft, imported);
        let grace = self.node.text_of("stop_grace_period").and_then(units::duration_ms);
        draft.grace_ms = grace.or(draft.grace_ms);
        // Docker compose starts those of a profile when it is asked for, which is what a group is for.
        draft.groups = self.node.get("profiles").map(Node::texts).unwrap_or_default();
        if !draft.groups.is_empty() {
            draft.autostart = Some(false);
        }
        draft
    }

    /// Docker compose starts it, shows its output, and ends it when it is ended itself.
    fn in_container(&self, imported: &mut Imported) -> Draft {
        let file = self.file.map(|file| format!("-f {} ", literal(file))).unwrap_or_default();
        let name = literal(self.name);
        let command =
            format!("docker compose {file}up --no-deps --no-log-prefix --exit-code-from {name} {name}");
        let image = self.node.text_of("image").map(|image| format!(" ({image})")).unwrap_or_default();
        let why = match (&self.program, program::directory(self.node)) {
            (Err(why), Some(_)) => format!(": {why}"),
            _ => String::new(),
        };
        let text = format!("`{}` runs in its container{image}, through docker compose{why}", self.name);
        imported.note(self.line, text);
        let container = Container {
            image: self.node.text_of("image").map(str::to_owned),
            is_built: self.node.get("build").is_some(),
        };
        Draft { name: self.name.to_owned(), command, container: Some(container), ..Draft::default() }
    }

    fn here(&self, directory: Option<String>, program: Program, imported: &mut Imported) -> Draft {
        let text = format!("`{}` runs here, not in its container: install what its image has", self.name);
        imported.note(self.line, text);
        imported.unknown(self.node.entries().iter().map(|e| (e.line, e.key.as_str())), &HERE, self.name);
        self.lost.iter().for_each(|(line, text)| imported.note(*line, text.clone()));
        let mut env_files = Vec::new();
        for file in self.node.get("env_file").map(Node::items).unwrap_or_default() {
            let path = file.text().or_else(|| file.text_of("path")).unwrap_or_default();
            env_files.extend(variables(path).ok().filter(|path| !path.is_empty()));
            if file.text_of("required") == Some("false") {
                let text = format!("`{}` needs {path}, which compose does without: make one", self.name);
                imported.note(file.line, text);
            }
        }
        let mut draft = program.draft(self.line, &self.environment, env_files, imported);
        draft.cwd = match (directory, draft.cwd.take()) {
            (Some(outer), Some(inner)) => Some(format!("{outer}/{inner}")),
            (outer, inner) => outer.or(inner),
        };
        let signal = self.node.text_of("stop_signal");
        draft.stop_signal = signal.and_then(|signal| imported.signal(self.line, self.name, signal));
        draft.pty = self.node.is_true("tty");
        self.limits(&mut draft, imported);
        draft
    }

    fn depends_on(&self, draft: &mut Draft, imported: &mut Imported) {
        let Some(depends_on) = self.node.get("depends_on") else { return };
        let names = if depends_on.entries().is_empty() { depends_on.texts() } else { Vec::new() };
        draft.depends_on.extend(names.into_iter().map(|name| (name, Condition::Started)));
        for on in depends_on.entries() {
            let named = on.value.text_of("condition").unwrap_or("service_started");
            match condition(named) {
                Some(condition) => drop(draft.depends_on.insert(on.key.clone(), condition)),
                None => imported.note(on.line, format!("nothing is known of the condition `{named}`")),
            }
        }
    }

    fn restart(&self, draft: &mut Draft) {
        let (policy, most) = match self.node.text_of("restart") {
            Some("no" | "false") => ("never", None),
            Some("always" | "unless-stopped") => ("always", None),
            Some(text) => match text.split_once(':') {
                Some(("on-failure", most)) => ("on_failure", most.parse().ok()),
                _ if text == "on-failure" => ("on_failure", None),
                _ => return,
            },
            None => return,
        };
        draft.restart = Some(policy);
        draft.max_restarts = most;
    }

    fn limits(&self, draft: &mut Draft, imported: &mut Imported) {
        let deploy = self.node.get("deploy");
        let limits = deploy.and_then(|d| d.get("resources")).and_then(|r| r.get("limits"));
        let of = |old: &str, new: &str| {
            self.node.text_of(old).or_else(|| limits.and_then(|limits| limits.text_of(new)))
        };
        // 0 is no limit there.
        draft.memory_bytes = of("mem_limit", "memory").and_then(units::bytes).filter(|bytes| *bytes > 0);
        draft.cpu_percent = of("cpus", "cpus").and_then(units::cpu_percent);
        if let Some(replicas) = deploy.and_then(|d| d.number_of("replicas")).filter(|n| *n > 1) {
            let text = format!("of the {replicas} replicas of `{}` one is started", self.name);
            imported.note(self.line, text);
        }
    }
}
