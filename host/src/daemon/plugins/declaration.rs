//! `[plugins.NAME]` in the user's configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hostler_model::nearest::nearest;
use hostler_plugin_host::{Digest, Grants, Limits, PeerPattern};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::plugins::builtin;
use crate::plugins::source::read_component;

const BUILTIN: &str = "builtin:";
const MAX_NAME: usize = 64;

/// A plugin as the user declares it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declaration {
    /// The component.
    pub(crate) source: Source,
    /// The digest of the file that has the grants.
    #[serde(default, deserialize_with = "digest")]
    pub(crate) sha256: Option<Digest>,
    /// What it may reach and run.
    #[serde(default)]
    pub(crate) grants: GrantLists,
    /// Its configuration.
    #[serde(default, deserialize_with = "config")]
    pub(crate) config: Map<String, Value>,
    /// What it may use.
    #[serde(default)]
    pub(crate) limits: LimitKeys,
    /// What is to be assumed when it fails.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
}

/// Where a component comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// One that hostler ships with, by its name.
    Builtin(&'static str),
    /// A file; a relative path is relative to the configuration.
    File(PathBuf),
}

/// What is to be assumed of a process when the plugin that judges it has no answer, because it fails or is in
/// quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFailure {
    /// Nothing: the process is taken to be well, and lines and errors go to the next plugin.
    #[default]
    Open,
    /// The worst: a check without an answer counts as one that failed.
    Closed,
}

/// `grants`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GrantLists {
    #[serde(deserialize_with = "patterns")]
    tcp: Vec<PeerPattern>,
    #[serde(deserialize_with = "patterns")]
    http: Vec<PeerPattern>,
    commands: Vec<String>,
}

/// `limits`: those that differ from the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitKeys {
    /// Linear memory of one instance.
    memory_bytes: Option<usize>,
    /// Time that one call may compute.
    cpu_ms: Option<u64>,
    /// Time that one call may last.
    timeout_ms: Option<u64>,
}

impl Declaration {
    /// A built-in plugin that nobody declared.
    pub(crate) fn of_builtin(name: &'static str) -> Self {
        Self {
            source: Source::Builtin(name),
            sha256: None,
            grants: GrantLists::default(),
            config: Map::new(),
            limits: LimitKeys::default(),
            on_failure: OnFailure::default(),
        }
    }

    /// Checks what no single key can say.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub(crate) fn check(&self, name: &str) -> Result<(), String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
            return Err(format!(
                "the name of a plugin has letters, digits, `-` and `_`, at most {MAX_NAME} of them"
            ));
        }
        let is_file = matches!(self.source, Source::File(_));
        if is_file && self.sha256.is_none() && !self.grants.to_grants().is_empty() {
            return Err(
                "`grants` are given to one file: add its `sha256`, as `hostler plugin check` prints it"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// The limits of its instances.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        let LimitKeys { memory_bytes, cpu_ms, timeout_ms } = self.limits;
        if let Some(bytes) = memory_bytes {
            limits.memory_bytes = bytes;
            limits.recycle_above_bytes = bytes / 4 * 3;
        }
        limits.cpu = cpu_ms.map_or(limits.cpu, Duration::from_millis);
        limits.call = timeout_ms.map_or(limits.call, Duration::from_millis);
        limits
    }

    /// Its configuration with the keys of a use of it in place of its own.
    pub(crate) fn config_with(&self, own: &Map<String, Value>) -> Map<String, Value> {
        let mut config = self.config.clone();
        config.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
        config
    }
}

impl LimitKeys {
    /// Takes back what is more than a plugin has without a word about it.
    pub(crate) fn keep_to_usual(&mut self) {
        fn most<T: Ord + TryFrom<u128>>(key: &mut Option<T>, usual: u128) {
            if let Ok(usual) = T::try_from(usual)
                && key.as_ref().is_some_and(|own| *own > usual)
            {
                *key = Some(usual);
            }
        }
        let usual = Limits::default();
        most(&mut self.memory_bytes, usual.memory_bytes as u128);
        most(&mut self.cpu_ms, usual.cpu.as_millis());
        most(&mut self.timeout_ms, usual.call.as_millis());
    }
}

impl Source {
    /// The same, with a relative path taken from `dir`.
    pub(crate) fn below(self, dir: &Path) -> Self {
        match self {
            Self::Builtin(name) => Self::Builtin(name),
            Self::File(path) => Self::File(dir.join(path)),
        }
    }

    /// The file, when it is one.
    pub(crate) fn file(&self, config_dir: &Path) -> Option<PathBuf> {
        match self {
            Self::Builtin(_) => None,
            Self::File(path) => Some(config_dir.join(path)),
        }
    }
}

impl Source {
    /// The component, or what is in its place. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self, config_dir: &Path) -> Result<Arc<[u8]>, String> {
        match self {
            Self::Builtin(name) => {
                builtin::find(name).map(|builtin| builtin.wasm.into()).ok_or_else(|| no_builtin(name))
            }
            Self::File(path) => {
                let path = config_dir.join(path);
                read_component(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
            }
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Builtin(name) => write!(out, "{BUILTIN}{name}"),
            Self::File(path) => write!(out, "{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(name) = text.strip_prefix(BUILTIN) {
            return match builtin::find(name) {
                Some(found) => Ok(Self::Builtin(found.name)),
                None => Err(D::Error::custom(no_builtin(name))),
            };
        }
        if text.is_empty() {
            return Err(D::Error::custom("`source` is empty: name a file, or `builtin:NAME`"));
        }
        Ok(Self::File(match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
            (Some(rest), Some(home)) => Path::new(&home).join(rest),
            _ => PathBuf::from(text),
        }))
    }
}

fn no_builtin(name: &str) -> String {
    let names = || builtin::ALL.iter().map(|builtin| builtin.name);
    let near = nearest(name, names()).map(|near| format!("; did you mean `{BUILTIN}{near}`?"));
    let all = names().collect::<Vec<_>>().join(", ");
    format!("there is no built-in plugin `{name}`{} There are: {all}", near.unwrap_or_else(|| ".".to_owned()))
}

impl GrantLists {
    /// As the host has them.
    pub(crate) fn to_grants(&self) -> Grants {
        let Self { tcp, http, commands } = self.clone();
        Grants { tcp, http, commands }
    }
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PeerPattern>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

/// JSON has no dates: they become texts.
fn config<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let table = toml::Table::deserialize(deserializer)?;
    Ok(table.into_iter().map(|(key, value)| (key, json(value))).collect())
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Declaration {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_declaration_has_all_that_the_host_needs() {
        let declared = read(
            "source = 'p.wasm'\nsha256 = '0000000000000000000000000000000000000000000000000000000000000000'\n\
             grants = { tcp = ['db.example.org:5432'], commands = ['pg_isready'] }\n\
             limits = { memory_bytes = 4000000, cpu_ms = 50 }\non_failure = 'closed'\n\
             config = { since = 2026-01-02, depth = [1, 2.5], nested = { on = true } }",
        );
        assert!(declared.check("p").is_ok());
        assert_eq!(declared.source.file(Path::new("/etc")), Some(PathBuf::from("/etc/p.wasm")));
        assert_eq!(declared.grants.to_grants().commands, ["pg_isready"]);
        assert_eq!((declared.limits().memory_bytes, declared.limits().cpu.as_millis()), (4_000_000, 50));
        assert_eq!(declared.on_failure, OnFailure::Closed);
        let expected = serde_json::json!({"since": "2026-01-02", "depth": [1, 2.5], "nested": {"on": true}});
        assert_eq!(Value::Object(declared.config), expected);
    }

    #[test]
    fn a_use_overrides_single_keys() {
        let declared = read("source = 'builtin:http'\nconfig = { url = 'http://a/', status = '200' }");
        let own = serde_json::json!({"url": "http://b/"});
        let merged = declared.config_with(own.as_object().unwrap());
        assert_eq!(Value::Object(merged), serde_json::json!({"url": "http://b/", "status": "200"}));
    }
}
