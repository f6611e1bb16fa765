//! What starts a process besides somebody who asks: `schedule` and `watch`, each as a short form or as a table.

use std::fmt;
use std::path::Path;

use hostler_model::schedule::{CronExpr, Overlap, Schedule};
use hostler_model::watch::{DEBOUNCE_MS, Patterns, WatchSpec};
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// `schedule = "*/5 * * * *"`, or a table with `cron`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSetting(pub Schedule);

/// `watch = ["src/**"]`, or a table with `paths`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchSetting {
    paths: Vec<String>,
    debounce_ms: u64,
}

impl WatchSetting {
    /// As a declaration has it, relative to this directory.
    pub(crate) fn in_dir(self, dir: &str) -> WatchSpec {
        WatchSpec { base: dir.to_owned(), patterns: self.paths, debounce_ms: self.debounce_ms }
    }
}

/// At which times it is started, in place of at once.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleTable {
    /// Minute, hour, day, month and weekday by the clock of this machine; a sixth field in front is the second.
    cron: String,
    /// What becomes of a start whose time comes while it still runs (default skip).
    #[serde(default)]
    overlap: Overlap,
    /// Make up for a start that was missed, once (default false).
    #[serde(default)]
    catch_up: bool,
}

/// For which files it is restarted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatchTable {
    /// Globs, relative to the file; those with a ! in front take out.
    paths: Vec<String>,
    /// How long nothing may change before it is restarted (default 300).
    #[serde(default = "default_debounce")]
    debounce_ms: u64,
}

fn default_debounce() -> u64 {
    DEBOUNCE_MS
}

/// For the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it only has a schema")]
pub(crate) enum ScheduleShape {
    /// A cron expression.
    Cron(String),
    /// With what else is to say.
    Table(ScheduleTable),
}

/// For the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it only has a schema")]
pub(crate) enum WatchShape {
    /// A glob.
    Path(String),
    /// Globs.
    Paths(Vec<String>),
    /// With what else is to say.
    Table(WatchTable),
}

impl<'de> Deserialize<'de> for ScheduleSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CronOrTable)
    }
}

struct CronOrTable;

impl CronOrTable {
    fn setting<E: Error>(table: ScheduleTable) -> Result<ScheduleSetting, E> {
        let ScheduleTable { cron, overlap, catch_up } = table;
        let cron = CronExpr::try_from(cron).map_err(E::custom)?;
        Ok(ScheduleSetting(Schedule { cron, overlap, catch_up }))
    }
}

impl<'de> Visitor<'de> for CronOrTable {
    type Value = ScheduleSetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a cron expression such as \"*/5 * * * *\", or a table such as { cron = \"*/5 * * * *\" }",
        )
    }

    fn visit_str<E: Error>(self, cron: &str) -> Result<ScheduleSetting, E> {
        Self::setting(ScheduleTable { cron: cron.to_owned(), overlap: Overlap::default(), catch_up: false })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScheduleSetting, A::Error> {
        Self::setting(ScheduleTable::deserialize(MapAccessDeserializer::new(map))?)
    }
}

impl<'de> Deserialize<'de> for WatchSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathsOrTable)
    }
}

struct PathsOrTable;

impl PathsOrTable {
    fn setting<E: Error>(paths: Vec<String>, debounce_ms: u64) -> Result<WatchSetting, E> {
        // What a pattern is does not depend on where it stands.
        Patterns::new(Path::new("/"), &paths).map_err(E::custom)?;
        Ok(WatchSetting { paths, debounce_ms })
    }
}

impl<'de> Visitor<'de> for PathsOrTable {
    type Value = WatchSetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("patterns such as [\"src/**\", \"!src/generated/**\"], or a table with `paths`")
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<WatchSetting, E> {
        Self::setting(vec![path.to_owned()], DEBOUNCE_MS)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, paths: A) -> Result<WatchSetting, A::Error> {
        Self::setting(Vec::deserialize(SeqAccessDeserializer::new(paths))?, DEBOUNCE_MS)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WatchSetting, A::Error> {
        let WatchTable { paths, debounce_ms } = WatchTable::deserialize(MapAccessDeserializer::new(map))?;
        Self::setting(paths, debounce_ms)
    }
}
