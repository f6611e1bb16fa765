//! JSON of the Node world: pm2's ecosystem files, and the scripts of package.json.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Found, Imported, NotImported};

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
        imported.left_out.push(format!("`{name}`, which has no script"));
        return;
    }
    for unknown in fields.keys().filter(|key| !KNOWN.contains(&key.as_str())) {
        imported.left_out.push(format!("`{unknown}` of `{name}`"));
    }
    if number("instances").is_some_and(|n| n > 1) || fields.get("exec_mode").is_some_and(|m| m == "cluster") {
        imported
            .left_out
            .push(format!("the cluster of `{name}`: one process is started; declare others beside it"));
    }
    let interpreter = text("interpreter").or_else(|| by_extension(&script).map(str::to_owned));
    let mut args: Vec<String> = match fields.get("args") {
        Some(Value::String(line)) => line.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let command = match interpreter.filter(|i| i != "none") {
        Some(interpreter) => {
            args.insert(0, script);
            interpreter
        }
        None => script,
    };
    let restarts = fields.get("autorestart").and_then(Value::as_bool).unwrap_or(true);
    imported.processes.push(Found {
        name,
        command,
        args,
        cwd: text("cwd"),
        env: environment(fields.get("env")),
        restart: Some(if restarts { "always" } else { "never" }),
        max_restarts: number("max_restarts"),
        grace_ms: number("kill_timeout"),
        memory_bytes: text("max_memory_restart").and_then(|size| bytes(&size)),
        ..Found::default()
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
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect()
}

/// `300M` and its like.
fn bytes(size: &str) -> Option<u64> {
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match size[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" | "KB" => 10,
        "M" | "MB" => 20,
        "G" | "GB" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << unit)
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
            let command = format!("{manager} run {name}");
            imported.processes.push(Found { name: name.clone(), command, ..Found::default() });
        } else {
            imported.left_out.push(format!("the script `{name}`, which does not look like a service"));
        }
    }
    Ok(imported)
}
