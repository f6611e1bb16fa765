//! The error tools.

use std::borrow::Cow;

use hostler_model::Stream;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// In which order groups are listed; the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ErrorSort {
    /// By when they were last seen.
    #[default]
    LastSeen,
    /// By when they were first seen.
    FirstSeen,
    /// By how often.
    Count,
}

/// `get_errors`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GetErrors {
    /// One group in full, with its occurrences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_id: Option<String>,
    /// Name, project/name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Such as network, database, timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Only resolved ones, or only unresolved ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<bool>,
    /// Only those seen since this time (RFC 3339), or within this long ("10m").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only those first seen since this time, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_since: Option<String>,
    /// Highest first (default last_seen).
    pub sort: ErrorSort,
    /// At most this many (default 10 groups, 20 occurrences; at most 100, 1000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// next_cursor of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Project, when not the one of the client's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `get_latest_errors`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GetLatestErrors {
    /// At most this many groups (default 5, at most 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Name, project/name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Only those seen in the newest run of a process.
    pub since_restart: bool,
    /// Project, when not the one of the client's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `mark_error_resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MarkErrorResolved {
    /// Id of the group, or several.
    pub error_id: OneOrMany,
    /// What was done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<&str> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"type": "string"}, "x-or-one": true})
    }
}

/// One frame of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorFrame {
    /// Function.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub function: String,
    /// Source file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// Line in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Of the program itself, not of a library.
    pub in_app: bool,
}

/// One occurrence in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorSample {
    /// Its lines, secrets redacted, a few lines before it included.
    pub lines: Vec<String>,
    /// How many of the lines stood before it.
    pub context_lines: u32,
    /// Its frames, the innermost first.
    pub frames: Vec<ErrorFrame>,
    /// Where it is in the log.
    pub place: ErrorOccurrence,
    /// Lines and frames that were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// One occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorOccurrence {
    /// project/name.
    pub process: String,
    /// Its run.
    pub run: u32,
    /// Its stream.
    pub stream: Stream,
    /// Its first line, by its seq in the log; 0 when no line tells of it.
    pub first_seq: u64,
    /// Its last line.
    pub last_seq: u64,
    /// When.
    pub time: String,
}

/// That a group is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolutionView {
    /// What was done.
    pub text: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: String,
}

/// A group of errors that are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// Unique id, such as `e12`.
    pub id: String,
    /// What happened.
    pub title: String,
    /// Such as network, database, timeout; unknown when it is not known.
    pub category: String,
    /// How often.
    pub count: u64,
    /// When first.
    pub first_seen: String,
    /// When last.
    pub last_seen: String,
    /// In which processes, the latest first.
    pub processes: Vec<String>,
    /// In how many of their runs.
    pub runs: u64,
    /// How many runs ended with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ended_runs: u64,
    /// Whether somebody resolved it, and it was not seen since.
    pub resolved: bool,
    /// Who resolved it and how; of a regression, the resolution that did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<ResolutionView>,
    /// Whether it came back after it had been resolved.
    pub regression: bool,
    /// Whether it was never seen before the newest run of its process.
    pub new_since_restart: bool,
    /// The innermost function of the program itself: `function (file:line)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<String>,
    /// What to try next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// How often in each of the last 24 hours, the current one last.
    pub trend: Vec<u32>,
    /// That it comes far more often now than usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly: Option<String>,
    /// Groups with the same stack and other words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<String>,
    /// Why it is grouped less well than it could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The newest occurrence that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<ErrorSample>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Answer of `get_errors` and `mark_error_resolved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorList {
    /// The groups.
    pub errors: Vec<ErrorView>,
    /// With error_id: its newest occurrences, newest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrences: Option<Vec<ErrorOccurrence>>,
    /// Where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// What else to know, and the next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How many groups there are of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CategoryCount {
    /// The category.
    pub category: String,
    /// Its unresolved groups.
    pub groups: u64,
}

/// Answer of `get_latest_errors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LatestErrors {
    /// The newest unresolved groups.
    pub errors: Vec<ErrorView>,
    /// All unresolved groups by category.
    pub summary: Vec<CategoryCount>,
    /// What else to know, and the next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The group that explains a failure, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorInShort {
    /// Its id, for get_errors.
    pub id: String,
    /// What happened.
    pub title: String,
    /// Its category.
    pub category: String,
    /// How often it was seen.
    pub count: u64,
    /// The innermost function of the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<String>,
    /// What to try next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}
