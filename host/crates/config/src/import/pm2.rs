//! pm2's ecosystem files, in JSON.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_model::watch::Patterns;
use serde_json::{Map, Value};

use super::{Imported, NotImported};
use crate::draft::{Draft, Watch, literal};
use crate::{shell, units};

/// What pm2 knows and is carried over, or has no meaning here: output is always kept.
const KNOWN: &[&str] = &[
    "append_env_to_name",
    "args",
    "automation",
    "autorestart",
    "autostart",
    "combine_logs",
    "cron",
    "cron_restart",
    "cwd",
    "disable_logs",
    "env",
    "err_file",
    "error",
    "error_file",
    "exec",
    "exec_interpreter",
    "exec_mode",
    "exp_backoff_restart_delay",
    "ignore_watch",
    "instances",
    "interpreter",
    "interpreter_args",
    "kill_timeout",
    "log",
    "log_date_format",
    "log_file",
    "log_type",
    "max_memory_restart",
    "max_restarts",
    "merge_logs",
    "name",
    "namespace",
    "node_args",
    "out_file",
    "output",
    "pid_file",
    "pmx",
    "restart_delay",
    "script",
    "time",
    "vizion",
    "watch",
    "watch_delay",
];

/// The longest delay to which `exp_backoff_restart_delay` grows.
const LONGEST_BACKOFF_MS: u64 = 15_000;

pub(super) fn ecosystem(text: &str) -> Result<Imported, NotImported> {
    let value: Value = serde_json::from_str(text).map_err(|e| NotImported(format!("it is not JSON: {e}")))?;
    let apps = match &value {
        Value::Object(fields) => fields.get("apps").and_then(Value::as_array),
        Value::Array(apps) => Some(apps),
        _ => None,
    };
    let apps =
        apps.ok_or_else(|| NotImported("it has no list `apps`, as pm2's ecosystem files have".to_owned()))?;
    let mut imported = Imported::default();
    for unknown in value.as_object().into_iter().flat_map(Map::keys).filter(|key| *key != "apps") {
        imported.note(None, format!("`{unknown}` of the file is not carried over"));
    }
    for (at, fields) in apps.iter().filter_map(Value::as_object).enumerate() {
        let name = fields.get("name").and_then(Value::as_str);
        let name = name.map_or_else(|| format!("app-{at}"), str::to_owned);
        App { name: &name, fields }.read(&mut imported);
    }
    Ok(imported)
}

struct App<'a> {
    name: &'a str,
    fields: &'a Map<String, Value>,
}

impl App<'_> {
    /// The text of the first of these fields that has one.
    fn text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.fields.get(*name)?.as_str()).filter(|text| !text.is_empty())
    }

    /// A field as a number: pm2 takes both numbers and texts. `read` understands the latter.
    fn number(&self, name: &str, read: impl Fn(&str) -> Option<u64>, imported: &mut Imported) -> Option<u64> {
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        let number = value.as_u64().or_else(|| value.as_str().and_then(&read));
        if number.is_none() {
            imported.note(None, format!("`{name}` of `{}` is not understood: {value}", self.name));
        }
        number
    }

    /// A field that is a list of words, or a line of them.
    fn words(&self, names: &[&str], imported: &mut Imported) -> Vec<String> {
        let words = match names.iter().find_map(|name| self.fields.get(*name)) {
            // pm2 gives no line to a shell.
            Some(Value::String(line)) => shell::plain_words(line).unwrap_or_else(|why| {
                imported.note(None, format!("`{}` of `{}`: {why}", names[0], self.name));
                line.split_whitespace().map(str::to_owned).collect()
            }),
            Some(Value::Array(words)) => words.iter().map(text_of).collect(),
            _ => Vec::new(),
        };
        words.iter().map(|word| literal(word)).collect()
    }

    fn read(&self, imported: &mut Imported) {
        let (name, fields) = (self.name, self.fields);
        let Some(script) = self.text(&["script", "exec"]) else {
            return imported.left_out(None, name, "it has no script");
        };
        for unknown in fields.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
            imported.note(None, format!("`{unknown}` of `{name}` is not carried over"));
        }
        self.note_instances(imported);
        let mut draft = self.program(script, imported);
        name.clone_into(&mut draft.name);
        draft.cwd = self.text(&["cwd"]).map(literal);
        draft.env = environment(fields.get("env"));
        let is = |name: &str, usual: bool| fields.get(name).and_then(Value::as_bool).unwrap_or(usual);
        let restarts = is("autorestart", true);
        draft.restart = Some(if restarts { "always" } else { "never" });
        draft.autostart = (!is("autostart", true)).then_some(false);
        let most = self.number("max_restarts", |text| text.trim().parse().ok(), imported);
        draft.max_restarts = most.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
        draft.grace_ms = self.number("kill_timeout", milliseconds, imported);
        let bytes = self.number("max_memory_restart", units::bytes, imported);
        draft.memory_bytes = bytes.filter(|bytes| *bytes > 0);
        self.delays(&mut draft, imported);
        self.cron(&mut draft, restarts, imported);
        self.watch(&mut draft, imported);
        draft.groups.extend(self.text(&["namespace"]).filter(|name| *name != "default").map(str::to_owned));
        imported.file.processes.push(draft);
    }

    fn program(&self, script: &str, imported: &mut Imported) -> Draft {
        let own = self.text(&["interpreter", "exec_interpreter"]);
        let interpreter = own.or_else(|| by_extension(script)).filter(|interpreter| *interpreter != "none");
        let mut args = self.words(&["args"], imported);
        let options = self.words(&["node_args", "interpreter_args"], imported);
        let Some(interpreter) = interpreter else {
            if !options.is_empty() {
                let text =
                    format!("`node_args` of `{}` is not carried over: it has no interpreter", self.name);
                imported.note(None, text);
            }
            return Draft { command: path(literal(script)), args, ..Draft::default() };
        };
        args = options.into_iter().chain([literal(script)]).chain(args).collect();
        let command = match interpreter.split_once('@') {
            Some((program, version)) if !program.contains('/') => {
                let text = format!(
                    "`{}` runs the {program} of PATH: pm2 would look for {version} among those that nvm installed",
                    self.name
                );
                imported.note(None, text);
                program
            }
            _ => interpreter,
        };
        Draft { command: literal(command), args, ..Draft::default() }
    }

    fn note_instances(&self, imported: &mut Imported) {
        let instances = self.fields.get("instances").filter(|value| !value.is_null()).map(text_of);
        let is_one = instances.as_deref().is_none_or(|instances| instances == "1");
        let is_cluster = self.text(&["exec_mode"]).is_some_and(|mode| mode.starts_with("cluster"));
        if is_one && !is_cluster {
            return;
        }
        let number = instances.map(|n| format!(" (`instances: {n}`)")).unwrap_or_default();
        let text =
            format!("of the instances of `{}`{number} one is started; declare others beside it", self.name);
        imported.note(None, text);
    }

    /// Between restarts.
    fn delays(&self, draft: &mut Draft, imported: &mut Imported) {
        let pause = self.number("restart_delay", milliseconds, imported).map(|ms| (ms, ms));
        let growing = self.number("exp_backoff_restart_delay", milliseconds, imported);
        draft.backoff_ms =
            growing.map(|ms| (ms, ms.max(LONGEST_BACKOFF_MS))).or(pause).filter(|(ms, _)| *ms > 0);
    }

    /// Restarts at certain times; `0` is none.
    fn cron(&self, draft: &mut Draft, restarts: bool, imported: &mut Imported) {
        let Some(cron) = self.text(&["cron_restart", "cron"]).filter(|cron| *cron != "0") else { return };
        draft.schedule = imported.cron(None, self.name, cron, restarts);
        if draft.schedule.is_some() {
            let text = format!(
                "`{0}` is started at the times of `{cron}` only, and restarted then when it runs: `hostler start {0}` starts \
                 it before",
                self.name
            );
            imported.note(None, text);
        }
    }

    /// Restarts when files change: those of its directory, or those that are named.
    fn watch(&self, draft: &mut Draft, imported: &mut Imported) {
        let wanted = match self.fields.get("watch") {
            Some(Value::Bool(true)) => vec![".".to_owned()],
            Some(Value::String(path)) if path == "true" => vec![".".to_owned()],
            Some(Value::String(path)) if path != "false" => vec![path.clone()],
            Some(Value::Array(paths)) => paths.iter().map(text_of).collect(),
            _ => Vec::new(),
        };
        let unwanted = match self.fields.get("ignore_watch") {
            Some(Value::String(path)) => vec![path.clone()],
            Some(Value::Array(paths)) => paths.iter().map(text_of).collect(),
            _ => Vec::new(),
        };
        let mut paths: Vec<String> =
            wanted.iter().filter_map(|path| self.pattern(path, draft.cwd.as_deref(), imported)).collect();
        if paths.is_empty() {
            return;
        }
        let unwanted = unwanted.iter().filter_map(|path| self.pattern(path, draft.cwd.as_deref(), imported));
        paths.extend(unwanted.map(|path| format!("!{path}")));
        let debounce_ms = self.number("watch_delay", milliseconds, imported);
        draft.watch = Some(Watch { paths, debounce_ms });
    }

    /// A path that is watched, as a pattern relative to the file.
    fn pattern(&self, path: &str, cwd: Option<&str>, imported: &mut Imported) -> Option<String> {
        let plain = path.trim_start_matches("./").trim_end_matches('/');
        let plain = if plain == "." { "" } else { plain };
        // pm2 takes regular expressions as well, of which only a dot of its own is common: `\.git`.
        let is_expression = plain.replace(r"\.", ".").contains(['\\', '(', '^', '$', '|', '+']);
        let plain = literal(&plain.replace(r"\.", "."));
        let within = match cwd.map(|cwd| cwd.trim_end_matches('/')).filter(|cwd| *cwd != ".") {
            Some(cwd) if plain.is_empty() => cwd.to_owned(),
            Some(cwd) if !plain.starts_with('/') => format!("{cwd}/{plain}"),
            _ => plain,
        };
        let pattern = if within.is_empty() { "**".to_owned() } else { within };
        if is_expression || Patterns::new(Path::new("/"), std::slice::from_ref(&pattern)).is_err() {
            imported.note(
                None,
                format!("`{path}` among the files that `{}` watches is no pattern here", self.name),
            );
            return None;
        }
        Some(pattern)
    }
}

/// A scalar as a text.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Milliseconds; with a unit, what that says.
fn milliseconds(text: &str) -> Option<u64> {
    text.trim().parse().ok().or_else(|| units::duration_ms(text))
}

fn by_extension(script: &str) -> Option<&'static str> {
    match script.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "cjs" | "mjs") => Some("node"),
        Some("py") => Some("python3"),
        Some("rb") => Some("ruby"),
        Some("php") => Some("php"),
        Some("pl") => Some("perl"),
        _ => None,
    }
}

fn environment(env: Option<&Value>) -> BTreeMap<String, String> {
    let fields = env.and_then(Value::as_object).into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), literal(&text_of(value)))).collect()
}

/// pm2 finds a script beside the file; here a name alone is looked for on PATH.
fn path(command: String) -> String {
    let is_file =
        command.rsplit_once('.').is_some_and(|(_, end)| !end.contains('/')) && !command.contains('/');
    if is_file { format!("./{command}") } else { command }
}
