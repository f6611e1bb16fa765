//! `process-compose.yaml`: processes with dependencies, probes and restarts. Their commands are lines of a shell.

mod probes;
mod schedule;
mod templates;

use super::yaml::{Entry, Node};
use super::{Imported, NotImported, condition, nothing, stack_name};
use crate::draft::{Draft, literal};
use crate::shell::variables;
use crate::units::duration_ms;
use templates::Templates;

/// Fields of the file that are carried over, or say nothing of processes.
const FILE: &[&str] = &[
    "version",
    "name",
    "processes",
    "environment",
    "env_files",
    "vars",
    "log_level",
    "log_location",
    "log_length",
    "log_format",
    "log_configuration",
    "theme",
    "is_strict",
    "ordered_shutdown",
    "disable_env_expansion",
    "is_tui_disabled",
    "is_dotenv_disabled",
];

/// Fields of a process that are carried over, or have no meaning here: output is always kept.
const PROCESS: &[&str] = &[
    "command",
    "entrypoint",
    "working_dir",
    "environment",
    "env_file",
    "depends_on",
    "availability",
    "readiness_probe",
    "liveness_probe",
    "ready_log_line",
    "shutdown",
    "disabled",
    "is_tty",
    "description",
    "namespace",
    "schedule",
    "replicas",
    "vars",
    "log_location",
    "log_configuration",
    "disable_ansi_colors",
    "is_dotenv_disabled",
    "is_foreground",
];

pub(super) fn read(root: &Node, has_env: bool) -> Result<Imported, NotImported> {
    let mut imported = Imported::default();
    let Some(processes) = root.get("processes") else {
        return Err(NotImported("it has no `processes`".to_owned()));
    };
    let fields = root.entries().iter().map(|e| (e.line, e.key.as_str()));
    imported.unknown(fields, FILE, "the file");
    imported.file.name = root.text_of("name").and_then(stack_name);
    let templates = Templates::of(root.get("vars"));
    for (line, name, value) in root.get("environment").map(Node::variables).unwrap_or_default() {
        let value = templates.filled(&value.unwrap_or_default(), line, &name, &mut imported);
        if let Some(value) = text(&value, line, &mut imported) {
            imported.file.env.insert(name, value);
        }
    }
    let dotenv = has_env && !root.is_true("is_dotenv_disabled");
    let mut env_files: Vec<String> = dotenv.then(|| ".env".to_owned()).into_iter().collect();
    env_files.extend(root.get("env_files").map(Node::texts).unwrap_or_default().iter().map(|f| literal(f)));
    for entry in processes.entries() {
        let of_process = templates.with(entry.value.get("vars")).of_process(&entry.key);
        Process { entry, templates: of_process, env_files: &env_files }.read(&mut imported);
    }
    Ok(imported)
}

struct Process<'a> {
    entry: &'a Entry,
    templates: Templates,
    /// Files that all processes have.
    env_files: &'a [String],
}

impl Process<'_> {
    fn name(&self) -> &str {
        &self.entry.key
    }

    fn node(&self) -> &Node {
        &self.entry.value
    }

    /// The text of a field, its templates filled in.
    fn text_of(&self, field: &str, imported: &mut Imported) -> Option<String> {
        let node = self.node().get(field)?;
        Some(self.templates.filled(node.text()?, node.line, self.name(), imported))
    }

    fn read(&self, imported: &mut Imported) {
        let (name, node, line) = (self.name(), self.node(), self.entry.line);
        let mut draft = match self.program(imported) {
            Ok(draft) => draft,
            Err(why) => return imported.left_out(line, name, why),
        };
        draft.line = Some(line);
        imported.unknown(node.entries().iter().map(|e| (e.line, e.key.as_str())), PROCESS, name);
        let directory = self.text_of("working_dir", imported);
        if let Some(dir) = directory.and_then(|dir| text(&dir, line, imported)) {
            draft.cwd = Some(match draft.cwd {
                Some(inner) => format!("{}/{inner}", dir.trim_end_matches('/')),
                None => dir,
            });
        }
        self.environment(&mut draft, imported);
        imported.fill_in_own_values(&mut draft);
        self.depends_on(&mut draft, imported);
        availability(node, &mut draft, imported);
        self.probes(&mut draft, imported);
        self.schedule(&mut draft, imported);
        shutdown(node, &mut draft, imported);
        draft.pty = node.is_true("is_tty");
        draft.autostart = node.is_true("disabled").then_some(false);
        draft.comments.extend(node.text_of("description").map(str::to_owned));
        draft.groups.extend(node.text_of("namespace").filter(|name| *name != "default").map(str::to_owned));
        if let Some(replicas) = node.number_of("replicas").filter(|n| *n > 1) {
            let text =
                format!("of the {replicas} replicas of `{name}` one is started; declare others beside it");
            imported.note(line, text);
        }
        imported.file.processes.push(draft);
    }

    fn program(&self, imported: &mut Imported) -> Result<Draft, String> {
        if let Some(command) = self.text_of("command", imported) {
            // `$$` is a dollar sign that the file leaves to the shell.
            return Draft::of_shell(self.name(), &command.replace("$$", "$"), nothing);
        }
        let Some(words) = self.node().get("entrypoint") else { return Err("it has no command".to_owned()) };
        let filled = |word: &String| self.templates.filled(word, words.line, self.name(), imported);
        let texts: Vec<String> = words.texts().iter().map(filled).collect();
        let words = texts.iter().map(|word| variables(word, nothing)).collect::<Result<Vec<_>, _>>()?;
        Draft::of_words(self.name(), words)
    }

    fn environment(&self, draft: &mut Draft, imported: &mut Imported) {
        let node = self.node();
        for (line, variable, value) in node.get("environment").map(Node::variables).unwrap_or_default() {
            let value = self.templates.filled(&value.unwrap_or_default(), line, self.name(), imported);
            if let Some(value) = text(&value, line, imported) {
                draft.env.entry(variable).or_insert(value);
            }
        }
        draft.env_files =
            if node.is_true("is_dotenv_disabled") { Vec::new() } else { self.env_files.to_vec() };
        let own = node.get("env_file").map(Node::texts).unwrap_or_default();
        draft.env_files.extend(own.iter().map(|file| literal(file)));
    }

    fn depends_on(&self, draft: &mut Draft, imported: &mut Imported) {
        let name = self.name();
        for on in self.node().get("depends_on").map(Node::entries).unwrap_or_default() {
            let named = on.value.text_of("condition").unwrap_or("process_completed");
            match condition(named) {
                Some(condition) => drop(draft.depends_on.insert(on.key.clone(), condition)),
                None => imported.note(on.line, format!("nothing is known of the condition `{named}`")),
            }
            if named == "process_log_ready" {
                let text = format!(
                    "`{name}` waits until `{}` is ready, which its log line does not tell here: its health checks do, or \
                     else a port that it listens on, or READY=1 sent to NOTIFY_SOCKET",
                    on.key
                );
                imported.note(on.line, text);
            }
        }
    }
}

/// A text with the variables of process-compose.
fn text(text: &str, line: usize, imported: &mut Imported) -> Option<String> {
    // It is no line of a shell: quotes in it are plain characters. `$$` is a dollar sign in both files.
    let pieces = text.split("$$").map(|text| {
        let pieces = text.split('\'').map(|piece| variables(piece, nothing));
        pieces.collect::<Result<Vec<_>, _>>().map(|pieces| pieces.join("'"))
    });
    match pieces.collect::<Result<Vec<_>, _>>() {
        Ok(pieces) => Some(pieces.join("$$")),
        Err(why) => {
            imported.note(line, format!("{text:?} is not carried over: {why}"));
            None
        }
    }
}

fn availability(node: &Node, draft: &mut Draft, imported: &mut Imported) {
    let Some(availability) = node.get("availability") else { return };
    draft.restart = match availability.text_of("restart") {
        Some("always") => Some("always"),
        Some("on_failure") => Some("on_failure"),
        Some("exit_on_failure") => {
            let text = format!("that `{}` ends all others when it fails is not carried over", draft.name);
            imported.note(availability.line, text);
            Some("never")
        }
        Some(_) => Some("never"),
        None => None,
    };
    let most = availability.number_of("max_restarts").filter(|n| *n > 0);
    draft.max_restarts = most.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let pause = availability.text_of("backoff_seconds").and_then(duration_ms);
    draft.backoff_ms = pause.map(|pause| (pause, pause));
    let known = ["restart", "max_restarts", "backoff_seconds"];
    let fields = availability.entries().iter().map(|e| (e.line, e.key.as_str()));
    imported.unknown(fields, &known, &draft.name.clone());
}

fn shutdown(node: &Node, draft: &mut Draft, imported: &mut Imported) {
    let Some(shutdown) = node.get("shutdown") else { return };
    draft.grace_ms = shutdown.text_of("timeout_seconds").and_then(duration_ms);
    let signal = shutdown.text_of("signal");
    draft.stop_signal = signal.and_then(|signal| imported.signal(shutdown.line, &draft.name, signal));
    if shutdown.get("command").is_some() {
        let text =
            format!("the shutdown command of `{}` is not carried over: it is ended by a signal", draft.name);
        imported.note(shutdown.line, text);
    }
}
