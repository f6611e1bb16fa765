//! Coming from elsewhere: other tools' files as a `hostler.toml`, and what could not be carried over.

mod pm2;
mod procfile;
mod supervisord;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write;

use hostler_model::ProcessName;

/// What was read from another tool's file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    processes: Vec<Found>,
    /// What could not be carried over, and what to do instead.
    pub left_out: Vec<String>,
}

/// A process of another tool's file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    name: String,
    command: String,
    args: Vec<String>,
    cwd: Option<String>,
    env: BTreeMap<String, String>,
    restart: Option<&'static str>,
    max_restarts: Option<u64>,
    stop_signal: Option<String>,
    grace_ms: Option<u64>,
    memory_bytes: Option<u64>,
    autostart: Option<bool>,
}

/// A file that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotImported(String);

/// Reads a file by its name: a Procfile, package.json, a pm2 ecosystem file in JSON or supervisord.conf.
///
/// # Errors
/// When nothing is known of files of that name, or it is not what its name says.
pub fn import(file_name: &str, text: &str) -> Result<Imported, NotImported> {
    let name = file_name.to_ascii_lowercase();
    let mut imported = match name.as_str() {
        _ if name.starts_with("procfile") => procfile::read(text),
        "package.json" => pm2::package_json(text)?,
        _ if name.ends_with(".json") => pm2::ecosystem(text)?,
        _ if name.ends_with(".conf") || name.ends_with(".ini") => supervisord::read(text)?,
        _ => {
            return Err(NotImported(format!(
                "nothing is known of {file_name}: there are Procfile, package.json, pm2's ecosystem in JSON and supervisord.conf"
            )));
        }
    };
    imported.make_names_valid();
    Ok(imported)
}

impl Imported {
    fn make_names_valid(&mut self) {
        for found in &mut self.processes {
            let Some(valid) = ProcessName::suggest(&found.name) else { continue };
            if valid.as_str() != found.name {
                self.left_out.push(format!("the name `{}` became `{valid}`", found.name));
                found.name = valid.to_string();
            }
        }
    }

    /// The `hostler.toml`.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        for line in &self.left_out {
            let _ = writeln!(out, "# Not carried over: {line}");
        }
        for found in &self.processes {
            found.write(&mut out);
        }
        out.trim_start().to_owned()
    }

    /// How many processes were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// Whether none was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }
}

impl Found {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "\n[processes.{}]", key(&self.name));
        let _ = writeln!(out, "command = {}", string(&self.command));
        if !self.args.is_empty() {
            let args: Vec<String> = self.args.iter().map(|a| string(a)).collect();
            let _ = writeln!(out, "args = [{}]", args.join(", "));
        }
        if let Some(cwd) = &self.cwd {
            let _ = writeln!(out, "cwd = {}", string(cwd));
        }
        if !self.env.is_empty() {
            let env: Vec<String> =
                self.env.iter().map(|(n, v)| format!("{} = {}", key(n), string(v))).collect();
            let _ = writeln!(out, "env = {{ {} }}", env.join(", "));
        }
        let number = |n: Option<u64>| n.map(|n| n.to_string());
        table(
            out,
            "restart",
            &[("policy", self.restart.map(string)), ("max_restarts", number(self.max_restarts))],
        );
        let signal = self.stop_signal.as_deref().map(string);
        table(out, "stop", &[("signal", signal), ("grace_ms", number(self.grace_ms))]);
        table(out, "limits", &[("memory_bytes", number(self.memory_bytes))]);
        if let Some(autostart) = self.autostart {
            let _ = writeln!(out, "autostart = {autostart}");
        }
    }
}

fn table(out: &mut String, name: &str, fields: &[(&str, Option<String>)]) {
    let given: Vec<String> =
        fields.iter().filter_map(|(n, v)| v.as_ref().map(|v| format!("{n} = {v}"))).collect();
    if !given.is_empty() {
        let _ = writeln!(out, "{name} = {{ {} }}", given.join(", "));
    }
}

fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if bare { text.to_owned() } else { basic(text) }
}

/// A dollar sign means a variable only where it did: `$$` keeps others as they are.
fn string(text: &str) -> String {
    basic(&text.replace('$', "$$").replace("$${", "${"))
}

/// A basic string of TOML; JSON's escapes are among its own.
fn basic(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
