//! JSON of the Node world: pm2's ecosystem files, and the scripts of package.json.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Imported, NotImported};
use crate::draft::{Draft, literal};
use crate::units;

/// What pm2 knows and is carried over.
const KNOWN: [&str; 12] = [
    "name",
    "script",
    "args",
    "cwd",
    "env",
    "interpreter",
    "autorestart",
    "max_restarts",
    "kill_timeout",
    "max_memory_restart",
    "instances",
    "exec_mode",
];

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
    for (at, fields) in apps.iter().filter_map(Value::as_object).enumerate() {
        app(fields, at, &mut imported);
    }
    Ok(imported)
}

fn app(fields: &Map<String, Value>, at: usize, imported: &mut Imported) {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    let script = text("script").unwrap_or_default();
    let name = text("name").unwrap_or_else(|| format!("app-{at}"));
    if script.is_empty() {
        return imported.left_out(None, &name, "it has no script");
    }
    for unknown in fields.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        imported.note(None, format!("`{unknown}` of `{name}` is not carried over"));
    }
    if number("instances").is_some_and(|n| n > 1) || fields.get("exec_mode").is_some_and(|m| m == "cluster") {
        let text = format!("of the cluster of `{name}` one process is started; declare others beside it");
        imported.note(None, text);
    }
    let interpreter = text("interpreter").or_else(|| by_extension(&script).map(str::to_owned));
    let mut args: Vec<String> = match fields.get("args") {
        Some(Value::String(line)) => line.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    args.iter_mut().for_each(|arg| *arg = literal(arg));
    let script = literal(&script);
    let command = match interpreter.filter(|i| i != "none") {
        Some(interpreter) => {
            args.insert(0, script);
            literal(&interpreter)
        }
        None => script,
    };
    let restarts = fields.get("autorestart").and_then(Value::as_bool).unwrap_or(true);
    imported.file.processes.push(Draft {
        name,
        command: path(command),
        args,
        cwd: text("cwd").map(|cwd| literal(&cwd)),
        env: environment(fields.get("env")),
        restart: Some(if restarts { "always" } else { "never" }),
        max_restarts: number("max_restarts"),
        grace_ms: number("kill_timeout"),
        memory_bytes: text("max_memory_restart").and_then(|size| units::bytes(&size)),
        ..Draft::default()
    });
}

fn by_extension(script: &str) -> Option<&'static str> {
    match script.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "cjs" | "mjs") => Some("node"),
        Some("py") => Some("python3"),
        Some("rb") => Some("ruby"),
        _ => None,
    }
}

fn environment(env: Option<&Value>) -> BTreeMap<String, String> {
    let fields = env.and_then(Value::as_object).into_iter().flatten();
    fields
        .map(|(name, value)| {
            (name.clone(), literal(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        })
        .collect()
}

/// pm2 finds a script beside the file; here a name alone is looked for on PATH.
fn path(command: String) -> String {
    let is_file =
        command.rsplit_once('.').is_some_and(|(_, end)| !end.contains('/')) && !command.contains('/');
    if is_file { format!("./{command}") } else { command }
}

/// Scripts that run until they are stopped; the others are jobs that nobody wants at each start.
const SERVICES: [&str; 6] = ["dev", "start", "serve", "watch", "worker", "server"];

pub(super) fn package_json(text: &str) -> Result<Imported, NotImported> {
    let value: Value = serde_json::from_str(text).map_err(|e| NotImported(format!("it is not JSON: {e}")))?;
    let scripts =
        value["scripts"].as_object().ok_or_else(|| NotImported("it has no `scripts`".to_owned()))?;
    let manager = match value["packageManager"].as_str().unwrap_or_default() {
        m if m.starts_with("pnpm") => "pnpm",
        m if m.starts_with("yarn") => "yarn",
        _ => "npm",
    };
    let mut imported = Imported::default();
    let has_dev = scripts.contains_key("dev");
    for name in scripts.keys() {
        let kind = name.split(':').next().unwrap_or_default();
        if SERVICES.contains(&kind) && !(name == "start" && has_dev) {
            let command = format!("{manager} run {}", literal(name));
            imported.file.processes.push(Draft { name: name.clone(), command, ..Draft::default() });
        } else {
            imported.left_out(None, name, "the script does not look like a service");
        }
    }
    Ok(imported)
}
