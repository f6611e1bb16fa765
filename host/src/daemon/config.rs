//! The user's configuration: `config.toml`. Each section has an owner, which defines its type; here it is only read.
//!
//! A file that is broken does not stop the daemon: it is degraded and says so, and what was valid before applies, at
//! first the defaults. The file is looked at again whenever somebody asks, so that a change needs no restart.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hostler_model::nearest::nearest;
use serde::Deserialize;

use super::degraded::Degraded;
use super::errors::ErrorsConfig;
use super::export::ExportConfig;
use super::plugins::declaration::Declaration;
use super::quota::Limits;
use super::upkeep::LogsConfig;
use crate::mcp::http::HttpConfig;

/// What may stand in `config.toml`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// `[plugins.NAME]`.
    pub(crate) plugins: BTreeMap<String, Declaration>,
    /// `[errors]`.
    pub(crate) errors: ErrorsConfig,
    /// `[export]`.
    pub(crate) export: ExportConfig,
    /// `[http]`.
    pub(crate) http: HttpConfig,
    /// `[logs]`.
    pub(crate) logs: LogsConfig,
    /// `[limits]`.
    pub(crate) limits: Limits,
}

impl Config {
    /// Reads the text of a configuration.
    ///
    /// # Errors
    /// What is wrong with it and where; for a key that is not known, the nearest one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let hint = did_you_mean(error.message());
            format!("{}{hint}", error.to_string().trim_end())
        })?;
        for (name, declaration) in &config.plugins {
            declaration.check(name).map_err(|why| format!("[plugins.{name}]: {why}"))?;
        }
        config.errors.check().map_err(|why| format!("[errors]: {why}"))?;
        config.export.check().map_err(|why| format!("[export.otlp]: {why}"))?;
        Ok(config)
    }

    /// Reads a file; one that is not there has the defaults.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and when it cannot be read.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|why| format!("{} is not valid:\n{why}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

/// For "unknown field `a`, expected one of `b`, `c`": the one that was probably meant.
pub(super) fn did_you_mean(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(wrong), true) = (quoted.next(), message.starts_with("unknown field")) else {
        return String::new();
    };
    nearest(wrong, quoted).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// By what a change of a file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

impl Stamp {
    /// That of a file; `None` when there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Self { modified: (meta.mtime(), meta.mtime_nsec()), size: meta.len(), inode: meta.ino() })
    }
}

const PART: &str = "the configuration does not apply as it is written";

/// The configuration of a running daemon. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    degraded: Degraded,
    read: Mutex<Read>,
}

#[derive(Debug)]
struct Read {
    stamp: Option<Stamp>,
    config: Arc<Config>,
}

impl ConfigFile {
    /// Reads it for the first time.
    pub(crate) fn open(path: PathBuf, degraded: Degraded) -> Self {
        let stamp = Stamp::of(&path);
        let outcome = Config::load(&path);
        degraded.note(PART, &outcome);
        let read = Read { stamp, config: Arc::new(outcome.unwrap_or_default()) };
        Self(Arc::new(Inner { path, degraded, read: Mutex::new(read) }))
    }

    /// What applies now; the same `Arc` as long as the file does not change.
    pub(crate) fn current(&self) -> Arc<Config> {
        let Inner { path, degraded, read } = &*self.0;
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(path);
        if stamp != read.stamp {
            read.stamp = stamp;
            let outcome = Config::load(path);
            degraded.note(PART, &outcome);
            if let Ok(config) = outcome
                && config != *read.config
            {
                read.config = Arc::new(config);
            }
        }
        Arc::clone(&read.config)
    }

    /// Where it stands.
    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_is_named_with_its_place_and_the_nearest_one() {
        for (text, wanted) in [
            ("[plugin.x]", "did you mean `plugins`?"),
            ("[plugins.x]\nsorce = \"builtin:json\"", "line 2, column 1"),
            ("[plugins.x]\nsorce = \"builtin:json\"", "did you mean `source`?"),
            ("[plugins.x]\nsource = \"builtin:jsno\"", "did you mean `builtin:json`?"),
            ("[plugins.x]\nsource = \"/x\"\nsha256 = \"12\"", "line 3"),
            ("[plugins.x]\nsource = \"/x\"\ngrants = {tcp = [\"localhost:*\"]}", "name the port"),
            ("[plugins.x]\nsource = \"/x\"\ngrants = {tcp = [\"a:1\"]}", "sha256"),
            ("[plugins.x]\nsource = \"/x\"\non_failure = \"opne\"", "`open`"),
            ("[plugins.x]\nsource = \"/x\"\nlimits = {memory = 1}", "`memory_bytes`"),
            ("[plugins.\"a b\"]\nsource = \"/x\"", "letters, digits"),
            ("[plugins", "line 1"),
            ("[export.otlp]\nendpoint = \"https://otel\"", "https is not spoken"),
            ("[export.otlp]\nendpoint = \"http://otel\"\nheaders = {\"a b\" = \"\"}", "\"a b\""),
            ("[limits]\nread_per_minute = 1", "did you mean `reads_per_minute`?"),
        ] {
            let message = Config::parse(text).unwrap_err();
            assert!(message.contains(wanted), "{text}: {message}");
        }
    }

    /// The README shows sections of this file and lists their keys.
    #[test]
    fn the_readme_is_right_about_the_configuration() {
        let readme = include_str!("../../../README.md");
        let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let own =
            |block: &&str| ["[http]", "[logs]", "[export.otlp]"].iter().any(|head| block.starts_with(head));
        let shown: Vec<&str> = blocks.filter(own).collect();
        assert_eq!(shown.len(), 3);
        shown.iter().for_each(|block| drop(Config::parse(block).unwrap()));
        let listed = |section: &str, head: &str| {
            let (_, rest) = readme.split_once(head).unwrap();
            let rows = rest.lines().take_while(|line| !line.starts_with("## "));
            let cells = rows.filter_map(|row| row.strip_prefix("| `")?.split_once("` | "));
            let keys = cells.map(|(key, rest)| format!("{key} = {}\n", rest.split(' ').next().unwrap()));
            Config::parse(&format!("[{section}]\n{}", keys.collect::<String>())).unwrap()
        };
        // As they are listed they are the defaults; and no key is left out, for then another one would not be known.
        assert_eq!(listed("logs", "## How much output is kept").logs, LogsConfig::default());
        assert_eq!(listed("limits", "## How much clients may ask for").limits, Limits::default());
        for section in ["logs", "limits"] {
            let message = Config::parse(&format!("[{section}]\nx = 1")).unwrap_err();
            let keys = message.split('`').skip(3).step_by(2);
            keys.for_each(|key| {
                assert!(readme.contains(&format!("| `{key}` |")), "[{section}] {key} is not listed")
            });
        }
    }

    #[test]
    fn a_change_applies_when_it_is_valid_and_is_told_when_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let degraded = Degraded::default();
        let file = ConfigFile::open(path.clone(), degraded.clone());
        assert_eq!(*file.current(), Config::default());
        std::fs::write(&path, "[plugins.a]\nsource = \"builtin:json\"\n").unwrap();
        let first = file.current();
        assert!(first.plugins.contains_key("a"));
        assert!(Arc::ptr_eq(&first, &file.current()));
        std::fs::write(&path, "[plugins.a]\nsource = 7\n").unwrap();
        assert!(file.current().plugins.contains_key("a"), "what was valid applies");
        assert!(degraded.list().iter().any(|line| line.contains("line 2")), "{:?}", degraded.list());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*file.current(), Config::default());
        assert!(degraded.list().is_empty());
    }

    const README: &str = include_str!("../../../README.md");

    #[test]
    fn what_the_readme_shows_is_valid() {
        let blocks = README.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let sections = ["[plugins.", "[errors]", "[http]", "[export.", "[limits]", "[logs]"];
        let ours: Vec<&str> =
            blocks.filter(|text| sections.iter().any(|section| text.starts_with(section))).collect();
        assert!(ours.len() >= 4, "{ours:?}");
        for text in ours {
            Config::parse(text).unwrap_or_else(|why| panic!("{why}"));
        }
    }

    #[test]
    fn the_readme_names_every_key() {
        let plugin = "[plugins.x]\nsource = \"builtin:json\"\n";
        for (text, inside) in [
            (format!("{plugin}no-key = 1"), ""),
            (format!("{plugin}grants = {{ no-key = 1 }}"), "grants."),
            (format!("{plugin}limits = {{ no-key = 1 }}"), "limits."),
            ("[errors]\nno-key = 1".to_owned(), ""),
            ("[limits]\nno-key = 1".to_owned(), ""),
        ] {
            let message = toml::from_str::<Config>(&text).unwrap_err().message().to_owned();
            let keys: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
            assert!(!keys.is_empty(), "{message}");
            for key in keys {
                let named = [format!("`{inside}{key}`"), format!("`{key}.")];
                assert!(named.iter().any(|key| README.contains(key)), "{text}: {key}");
            }
        }
    }
}
