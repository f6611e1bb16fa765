//! `supervisord.conf`: the sections `[program:NAME]`.

use std::collections::BTreeMap;

use super::{Found, Imported, NotImported};

pub(super) fn read(text: &str) -> Result<Imported, NotImported> {
    let mut imported = Imported::default();
    let mut section = None;
    let mut programs: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let mut last: Option<String> = None;
    for line in text.lines() {
        let content = line.split(" ;").next().unwrap_or_default();
        let trimmed = content.trim();
        if trimmed.is_empty() || trimmed.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            section = name.strip_prefix("program:").map(str::to_owned);
            match &section {
                Some(program) => programs.push((program.clone(), BTreeMap::new())),
                None if matches!(name, "supervisord" | "supervisorctl" | "unix_http_server") => {}
                None => imported.left_out.push(format!("the section [{name}]")),
            }
            last = None;
        } else if let (Some(_), Some((_, fields))) = (&section, programs.last_mut()) {
            // A line that begins with a blank goes on with the value before it.
            match (content.starts_with([' ', '\t']), &last, trimmed.split_once('=')) {
                (true, Some(key), _) => {
                    let value = fields.entry(key.clone()).or_default();
                    value.push(' ');
                    value.push_str(trimmed);
                }
                (_, _, Some((key, value))) => {
                    let key = key.trim().to_owned();
                    fields.insert(key.clone(), value.trim().to_owned());
                    last = Some(key);
                }
                _ => {}
            }
        }
    }
    if programs.is_empty() {
        return Err(NotImported("it has no section [program:NAME]".to_owned()));
    }
    for (name, fields) in programs {
        program(&name, &fields, &mut imported);
    }
    Ok(imported)
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

fn program(name: &str, fields: &BTreeMap<String, String>, imported: &mut Imported) {
    let get = |key: &str| fields.get(key).cloned();
    let Some(command) = get("command") else {
        imported.left_out.push(format!("`{name}`, which has no command"));
        return;
    };
    if let Err(why) = hostler_model::words::split(&command) {
        imported.left_out.push(format!("`{name}`: {why}"));
        return;
    }
    for unknown in fields.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        imported.left_out.push(format!("`{unknown}` of `{name}`"));
    }
    let restart = match get("autorestart").as_deref() {
        Some("true") => "always",
        Some("false") => "never",
        _ => "on_failure",
    };
    let seconds = get("stopwaitsecs").and_then(|s| s.parse::<u64>().ok());
    imported.processes.push(Found {
        name: name.to_owned(),
        command,
        cwd: get("directory"),
        env: environment(&get("environment").unwrap_or_default()),
        restart: Some(restart),
        max_restarts: get("startretries").and_then(|n| n.parse().ok()),
        stop_signal: get("stopsignal"),
        grace_ms: seconds.map(|s| s.saturating_mul(1000)),
        autostart: (get("autostart").as_deref() == Some("false")).then_some(false),
        ..Found::default()
    });
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
