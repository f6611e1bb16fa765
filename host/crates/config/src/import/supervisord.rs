//! `supervisord.conf`: the sections `[program:NAME]`.

use std::collections::BTreeMap;

use super::{Imported, NotImported};
use crate::draft::{Draft, literal};

/// A section: its name, its line, and its fields with theirs.
struct Section {
    name: String,
    line: usize,
    fields: BTreeMap<String, (usize, String)>,
}

/// Sections that say nothing of processes.
const OTHERS: [&str; 5] =
    ["supervisord", "supervisorctl", "unix_http_server", "inet_http_server", "rpcinterface:supervisor"];

pub(super) fn read(text: &str) -> Result<Imported, NotImported> {
    let mut imported = Imported::default();
    let mut found = false;
    for section in sections(text) {
        if let Some(name) = section.name.strip_prefix("program:") {
            found = true;
            program(name, &section, &mut imported);
        } else if !OTHERS.contains(&section.name.as_str()) {
            imported.note(section.line, format!("the section [{}] is not carried over", section.name));
        }
    }
    if found { Ok(imported) } else { Err(NotImported("it has no section [program:NAME]".to_owned())) }
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut last: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let (line_number, content) = (at + 1, line.split(" ;").next().unwrap_or_default());
        let trimmed = content.trim();
        if trimmed.is_empty() || trimmed.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            sections.push(Section { name: name.to_owned(), line: line_number, fields: BTreeMap::new() });
            last = None;
            continue;
        }
        let Some(Section { fields, .. }) = sections.last_mut() else { continue };
        // A line that begins with a blank goes on with the value before it.
        match (content.starts_with([' ', '\t']), &last, trimmed.split_once('=')) {
            (true, Some(key), _) => {
                let (_, value) = fields.entry(key.clone()).or_insert((line_number, String::new()));
                value.push(' ');
                value.push_str(trimmed);
            }
            (_, _, Some((key, value))) => {
                let key = key.trim().to_owned();
                fields.insert(key.clone(), (line_number, value.trim().to_owned()));
                last = Some(key);
            }
            _ => {}
        }
    }
    sections
}

/// What is carried over, or has no meaning here: output is always kept.
const KNOWN: [&str; 14] = [
    "command",
    "directory",
    "environment",
    "autostart",
    "autorestart",
    "startretries",
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "stdout_logfile",
    "stderr_logfile",
    "redirect_stderr",
    "process_name",
];

fn program(name: &str, section: &Section, imported: &mut Imported) {
    let get = |key: &str| section.fields.get(key).map(|(_, value)| expanded(value, name));
    let Some(command) = get("command") else {
        return imported.left_out(section.line, name, "it has no command");
    };
    if let Err(why) = hostler_model::words::split(&command.replace('$', "")) {
        let line = section.fields.get("command").map(|(line, _)| *line);
        return imported.left_out(line, name, why);
    }
    let fields = section.fields.iter().map(|(key, (line, _))| (*line, key.as_str()));
    imported.unknown(fields, &KNOWN, name);
    let restart = match get("autorestart").as_deref() {
        Some("true") => "always",
        Some("false") => "never",
        _ => "on_failure",
    };
    let seconds = get("stopwaitsecs").and_then(|s| s.parse::<u64>().ok());
    imported.file.processes.push(Draft {
        name: name.to_owned(),
        command,
        cwd: get("directory"),
        env: environment(&get("environment").unwrap_or_default()),
        restart: Some(restart),
        max_restarts: get("startretries").and_then(|n| n.parse().ok()),
        stop_signal: get("stopsignal"),
        grace_ms: seconds.map(|s| s.saturating_mul(1000)),
        autostart: (get("autostart").as_deref() == Some("false")).then_some(false),
        ..Draft::default()
    });
}

/// With the expansions of supervisord: `%(ENV_NAME)s`, `%(program_name)s`, `%(here)s`, `%%`.
fn expanded(value: &str, program: &str) -> String {
    let (mut out, mut rest) = (String::new(), value);
    while let Some(at) = rest.find('%') {
        out.push_str(&literal(&rest[..at]));
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let Some((name, after)) = rest.strip_prefix('(').and_then(|inside| inside.split_once(")s")) else {
            out.push('%');
            continue;
        };
        match (name, name.strip_prefix("ENV_")) {
            (_, Some(variable)) => out.push_str(&format!("${{{variable}:-}}")),
            ("program_name", _) => out.push_str(&literal(program)),
            ("here", _) => out.push('.'),
            _ => out.push_str(&format!("%({name})s")),
        }
        rest = after;
    }
    out + &literal(rest)
}

/// `A="1",B=2`
fn environment(text: &str) -> BTreeMap<String, String> {
    let (mut all, mut item, mut quote) = (BTreeMap::new(), String::new(), None);
    for c in text.chars().chain([',']) {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (',', None) => {
                if let Some((name, value)) = item.split_once('=') {
                    all.insert(name.trim().to_owned(), value.trim().to_owned());
                }
                item.clear();
            }
            (c, _) => item.push(c),
        }
    }
    all
}
