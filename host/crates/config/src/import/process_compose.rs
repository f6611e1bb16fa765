//! `process-compose.yaml`: processes with dependencies, probes and restarts. Their commands are lines of a shell.

use hostler_api::process::HealthArgs;

use super::probe::Timing;
use super::yaml::{Entry, Node};
use super::{Imported, NotImported, condition};
use crate::draft::{Draft, literal};
use crate::shell;
use crate::units::duration_ms;
use crate::{checks, shell::variables};

/// Fields of the file that are carried over, or say nothing of processes.
const FILE: [&str; 16] = [
    "version",
    "name",
    "processes",
    "environment",
    "env_files",
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
const PROCESS: [&str; 18] = [
    "command",
    "entrypoint",
    "working_dir",
    "environment",
    "env_file",
    "depends_on",
    "availability",
    "readiness_probe",
    "liveness_probe",
    "shutdown",
    "disabled",
    "is_tty",
    "description",
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
    imported.unknown(fields, &FILE, "the file");
    for (line, name, value) in root.get("environment").map(Node::variables).unwrap_or_default() {
        if let Some(value) = text(&value.unwrap_or_default(), line, &mut imported) {
            imported.file.env.insert(name, value);
        }
    }
    let dotenv = has_env && !root.is_true("is_dotenv_disabled");
    let mut env_files: Vec<String> = dotenv.then(|| ".env".to_owned()).into_iter().collect();
    env_files.extend(root.get("env_files").map(Node::texts).unwrap_or_default().iter().map(|f| literal(f)));
    for entry in processes.entries() {
        process(entry, &env_files, &mut imported);
    }
    Ok(imported)
}

fn process(entry: &Entry, env_files: &[String], imported: &mut Imported) {
    let (name, node) = (entry.key.as_str(), &entry.value);
    let draft = match (node.text_of("command"), node.get("entrypoint")) {
        (Some(command), _) => Draft::of_shell(name, command),
        (None, Some(words)) => of_words(name, &words.texts()),
        (None, None) => Err("it has no command".to_owned()),
    };
    let mut draft = match draft {
        Ok(draft) => draft,
        Err(why) => return imported.left_out(entry.line, name, why),
    };
    imported.unknown(node.entries().iter().map(|e| (e.line, e.key.as_str())), &PROCESS, name);
    if let Some(dir) = node.text_of("working_dir").and_then(|dir| text(dir, entry.line, imported)) {
        draft.cwd = Some(match draft.cwd {
            Some(inner) => format!("{}/{inner}", dir.trim_end_matches('/')),
            None => dir,
        });
    }
    for (line, variable, value) in node.get("environment").map(Node::variables).unwrap_or_default() {
        if let Some(value) = text(&value.unwrap_or_default(), line, imported) {
            draft.env.entry(variable).or_insert(value);
        }
    }
    draft.env_files = if node.is_true("is_dotenv_disabled") { Vec::new() } else { env_files.to_vec() };
    draft
        .env_files
        .extend(node.get("env_file").map(Node::texts).unwrap_or_default().iter().map(|f| literal(f)));
    depends_on(node, &mut draft, imported);
    availability(node, &mut draft, imported);
    for probe in ["readiness_probe", "liveness_probe"] {
        let Some(check) = node.entries().iter().find(|e| e.key == probe) else { continue };
        match check_of(&check.value) {
            Ok(found) if draft.health.iter().any(|have| have.config == found.config) => {}
            Ok(found) => draft.health.push(Timing::of_process_compose(&check.value).with(found)),
            Err(why) => imported.note(check.line, format!("the {probe} of `{name}`: {why}")),
        }
    }
    shutdown(node, &mut draft, imported);
    draft.pty = node.is_true("is_tty");
    draft.autostart = node.is_true("disabled").then_some(false);
    draft.comments.extend(node.text_of("description").map(str::to_owned));
    imported.file.processes.push(draft);
}

fn of_words(name: &str, words: &[String]) -> Result<Draft, String> {
    let mut words = words.iter().map(|word| variables(word, |_| String::new()));
    let program = words.next().ok_or("its entrypoint is empty")??;
    let args = words.collect::<Result<Vec<_>, _>>()?;
    let command = shell::program(&program)?;
    Ok(Draft { name: name.to_owned(), command, args, ..Draft::default() })
}

/// A text with the variables of process-compose.
fn text(text: &str, line: usize, imported: &mut Imported) -> Option<String> {
    // It is no line of a shell: quotes in it are plain characters.
    let pieces = text.split('\'').map(|piece| variables(piece, |_| String::new()));
    match pieces.collect::<Result<Vec<_>, _>>() {
        Ok(pieces) => Some(pieces.join("'")),
        Err(why) => {
            imported.note(line, format!("{text:?} is not carried over: {why}"));
            None
        }
    }
}

fn depends_on(node: &Node, draft: &mut Draft, imported: &mut Imported) {
    for on in node.get("depends_on").map(Node::entries).unwrap_or_default() {
        let named = on.value.text_of("condition").unwrap_or("process_completed");
        match condition(named) {
            Some(condition) => drop(draft.depends_on.insert(on.key.clone(), condition)),
            None => imported.note(on.line, format!("nothing is known of the condition `{named}`")),
        }
        if named == "process_log_ready" {
            let text =
                format!("`{}` waits until `{}` listens on a port, not for its log line", draft.name, on.key);
            imported.note(on.line, text);
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
    draft.max_restarts = availability.number_of("max_restarts").filter(|n| *n > 0);
    draft.backoff_ms = availability.text_of("backoff_seconds").and_then(duration_ms);
    let known = ["restart", "max_restarts", "backoff_seconds"];
    let fields = availability.entries().iter().map(|e| (e.line, e.key.as_str()));
    imported.unknown(fields, &known, &draft.name.clone());
}

fn check_of(probe: &Node) -> Result<HealthArgs, String> {
    if let Some(exec) = probe.get("exec") {
        let line = shell::line(exec.text_of("command").unwrap_or_default(), |_| String::new())?;
        let words = hostler_model::words::split(&line.command).map_err(|why| why.to_string())?;
        return Ok(checks::of_command(&words));
    }
    let Some(get) = probe.get("http_get") else {
        return Err("it is neither `exec` nor `http_get`".to_owned());
    };
    let part = |name: &str, default: &str| literal(get.text_of(name).unwrap_or(default));
    let path = part("path", "/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let host = part("host", "localhost");
    let port = get.text_of("port").map(|port| format!(":{}", literal(port))).unwrap_or_default();
    let mut check = checks::http(&format!("{}://{host}{port}{slash}{path}", part("scheme", "http")));
    if let Some(status) = get.text_of("status_code") {
        check.config.insert("status".to_owned(), status.into());
    }
    Ok(check)
}

fn shutdown(node: &Node, draft: &mut Draft, imported: &mut Imported) {
    let Some(shutdown) = node.get("shutdown") else { return };
    draft.grace_ms = shutdown.text_of("timeout_seconds").and_then(duration_ms);
    if let Some(number) = shutdown.text_of("signal") {
        draft.stop_signal = Some(literal(number));
    }
    if shutdown.get("command").is_some() {
        let text =
            format!("the shutdown command of `{}` is not carried over: it is ended by a signal", draft.name);
        imported.note(shutdown.line, text);
    }
}
