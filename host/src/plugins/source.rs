//! Which plugin is meant, and how it is to be configured: the arguments of the author's commands.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_api::ToolError;
use hostler_model::nearest::nearest;
use hostler_plugin_host::{EngineOptions, Kind};
use serde_json::{Map, Value};

use super::builtin;

const BUILTIN: &str = "builtin:";
/// What a sample may have, bytes.
const MAX_INPUT: usize = 64 * 1024 * 1024;
/// What a configuration may have, bytes; the host takes less.
const MAX_CONFIG: usize = 1024 * 1024;

/// A component, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// As a configuration names it: an absolute path, or `builtin:NAME`.
    pub(crate) name: String,
    /// Whether it is one that hostler ships with.
    pub(crate) is_builtin: bool,
    /// Its bytes, whatever they are.
    pub(crate) wasm: Arc<[u8]>,
}

impl Source {
    /// Reads a file, or takes `builtin:NAME`.
    ///
    /// # Errors
    /// When there is nothing of this name.
    pub(crate) fn open(text: &str) -> Result<Self, ToolError> {
        if let Some(name) = text.strip_prefix(BUILTIN) {
            let builtin = builtin::find(name).ok_or_else(|| ToolError::invalid(unknown(name)))?;
            return Ok(Self { name: text.to_owned(), is_builtin: true, wasm: builtin.wasm.into() });
        }
        let hint = match builtin::find(text) {
            Some(_) => format!("; the built-in plugin is `{BUILTIN}{text}`"),
            None => String::new(),
        };
        let path = std::path::absolute(text)
            .map_err(|error| ToolError::invalid(format!("`{text}` is no path: {error}{hint}")))?;
        let wasm = read_component(&path).map_err(|error| {
            ToolError::invalid(format!("cannot read `{}`: {error}{hint}", path.display()))
        })?;
        let name = without_detours(&path).display().to_string();
        Ok(Self { name, is_builtin: false, wasm })
    }
}

/// Reads a component, or what is named in its place.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_component(path: &Path) -> std::io::Result<Arc<[u8]>> {
    // One byte more than an engine takes: it then says itself that it is too much.
    read_at_most(path, EngineOptions::default().max_component_bytes + 1).map(Into::into)
}

/// The path without `..` and linked directories. A link to the file itself stays: it may be exchanged on purpose.
fn without_detours(path: &Path) -> PathBuf {
    match (path.parent().and_then(|parent| parent.canonicalize().ok()), path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

/// Says which built-in plugins there are.
fn unknown(name: &str) -> String {
    let near = nearest(name, builtin::ALL.iter().map(|builtin| builtin.name));
    let near =
        near.map(|near| format!("; did you mean `{BUILTIN}{near}`?")).unwrap_or_else(|| ".".to_owned());
    let of = |kind: Kind| {
        let names = builtin::ALL.iter().filter(|builtin| builtin.kind() == Some(kind));
        names.map(|builtin| builtin.name).collect::<Vec<_>>().join(", ")
    };
    let (parsers, checks, categorizers) =
        (of(Kind::LogParser), of(Kind::HealthCheck), of(Kind::ErrorCategorizer));
    format!(
        "there is no built-in plugin `{name}`{near} There are the parsers {parsers}; the checks {checks}; the \
         categorizers {categorizers}"
    )
}

fn read_at_most(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads what stands in `--input`: a file, or `-` for standard input.
///
/// # Errors
/// When it cannot be read or is too large.
pub(crate) fn read_input(text: &str) -> Result<Vec<u8>, ToolError> {
    let read = match text {
        "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().take(MAX_INPUT as u64 + 1).read_to_end(&mut bytes).map(|_| bytes)
        }
        path => read_at_most(Path::new(path), MAX_INPUT + 1),
    };
    let bytes =
        read.map_err(|error| ToolError::invalid(format!("cannot read the input `{text}`: {error}")))?;
    if bytes.len() > MAX_INPUT {
        let message = format!("the input `{text}` has more than {} MiB; take a piece of it", MAX_INPUT >> 20);
        return Err(ToolError::invalid(message));
    }
    Ok(bytes)
}

/// Reads what stands in `--config`: a JSON object, or `@` and a file that has one.
///
/// # Errors
/// When it is none.
pub(crate) fn read_config(text: &str) -> Result<Map<String, Value>, ToolError> {
    let (json, place) = match text.strip_prefix('@') {
        None => (text.as_bytes().to_vec(), "--config".to_owned()),
        Some(path) => {
            let bytes = read_at_most(Path::new(path), MAX_CONFIG).map_err(|error| {
                ToolError::invalid(format!("cannot read the configuration `{path}`: {error}"))
            })?;
            (bytes, format!("the configuration `{path}`"))
        }
    };
    let example = r#"such as '{"key": "value"}', or @ and a file"#;
    match serde_json::from_slice(&json) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(ToolError::invalid(format!(
            "{place} is {}, expected a JSON object {example}",
            kind_of(&other)
        ))),
        Err(error) => {
            Err(ToolError::invalid(format!("{place} is not JSON: {error}; expected an object {example}")))
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_plugins_have_names() {
        assert!(Source::open("builtin:json").unwrap().is_builtin);
        let message = Source::open("builtin:jsno").unwrap_err().message;
        assert!(
            message.contains("did you mean `builtin:json`? There are the parsers access-log, json,"),
            "{message}"
        );
        let message = Source::open("builtin:zzzzzz").unwrap_err().message;
        assert!(message.contains("plugin `zzzzzz`. There are"), "{message}");
        assert!(Source::open("json").unwrap_err().message.contains("is `builtin:json`"));
    }

    #[test]
    fn a_configuration_is_an_object() {
        assert_eq!(read_config(r#"{"a": 1}"#).unwrap()["a"], 1);
        assert!(read_config("[1]").unwrap_err().message.contains("is an array, expected a JSON object"));
        assert!(read_config("{a: 1}").unwrap_err().message.contains("--config is not JSON"));
        assert!(read_config("@/nonexistent").unwrap_err().message.contains("cannot read the configuration"));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.json");
        std::fs::write(&file, r#"{"b": true}"#).unwrap();
        assert_eq!(read_config(&format!("@{}", file.display())).unwrap()["b"], true);
    }

    #[test]
    fn a_file_has_an_absolute_name() {
        let source = Source::open("src/../Cargo.toml").unwrap();
        assert_eq!(Path::new(&source.name), Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        assert!(!source.is_builtin);
    }
}
