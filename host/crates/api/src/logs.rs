//! The log tools.

use hostler_model::Stream;
use hostler_model::event::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which streams to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StreamFilter {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Both, in the order in which they were read.
    #[default]
    Both,
}

/// Severity, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Level {
    #[allow(missing_docs, reason = "the usual names")]
    Trace,
    #[allow(missing_docs, reason = "the usual names")]
    Debug,
    #[allow(missing_docs, reason = "the usual names")]
    Info,
    #[allow(missing_docs, reason = "the usual names")]
    Warn,
    #[allow(missing_docs, reason = "the usual names")]
    Error,
    #[allow(missing_docs, reason = "the usual names")]
    Fatal,
}

impl Level {
    /// The level of a severity number of OpenTelemetry; none when it is not known.
    #[must_use]
    pub fn of(severity: Severity) -> Option<Self> {
        Some(match severity.number() {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => return None,
        })
    }

    /// As it is written: `warn`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.severity().name()
    }

    /// The least severity of this level.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Trace => Severity::TRACE,
            Self::Debug => Severity::DEBUG,
            Self::Info => Severity::INFO,
            Self::Warn => Severity::WARN,
            Self::Error => Severity::ERROR,
            Self::Fatal => Severity::FATAL,
        }
    }
}

/// Which end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Order {
    /// Oldest first.
    #[default]
    Asc,
    /// Newest first.
    Desc,
}

/// How lines are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum LogFormat {
    /// One text: time, `E` for stderr, message.
    #[default]
    Text,
    /// One record per line.
    Records,
}

/// `get_logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GetLogs {
    /// Name, project/name or id; several with commas between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// A group, in place of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Which output (default both).
    pub stream: StreamFilter,
    /// Only lines of this level and above; needs a log parser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_level: Option<Level>,
    /// Not before this time (RFC 3339), or this long ago ("10m").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Not after this time, or this long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only this run (see get_process_info).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// At most this many lines (default 100, at most 1000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// next_cursor of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// asc: from the oldest; desc: from the newest. Without it: the newest lines, oldest of them first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Cut longer lines here (default 2000, at most 262144).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_line_chars: Option<u32>,
    /// text (default) or records.
    pub format: LogFormat,
    /// With records, what was written too (`raw`), where `message` is not that.
    pub raw: bool,
    /// Project, when not the one of the client's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `tail_logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TailLogs {
    /// Name, project/name or id; several with commas between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// A group, in place of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How many of the newest lines (default 50, at most 1000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u32>,
    /// With a cursor: wait for newer lines.
    pub follow: bool,
    /// cursor of the answer before: only what is newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Longest wait with follow (default 10000, at most 55000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// Wait until a line matches this regular expression; lines before it are answered too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_pattern: Option<String>,
    /// Only lines of this level and above; a new line is then answered when its parsers have read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_level: Option<Level>,
    /// Cut longer lines here (default 2000, at most 262144).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_line_chars: Option<u32>,
    /// text (default) or records.
    pub format: LogFormat,
    /// With records, what was written too (`raw`), where `message` is not that.
    pub raw: bool,
    /// Project, when not the one of the client's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogRecord {
    /// Its number in its run, from 1, without holes.
    pub seq: u64,
    /// Its run.
    pub run: u32,
    /// When it was read.
    pub time: String,
    /// When it happened, as the line says itself, where a parser found that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// project/name.
    pub process: String,
    /// Where it was written.
    pub stream: Stream,
    /// Its level, when a parser found one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// What it says: what a parser found that to be, or its text, terminal escapes removed.
    pub message: String,
    /// When asked for: what was written, where that is not `message`. Without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The same in Base64, in place of `raw`, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_base64: Option<String>,
    /// The line is longer than one record and goes on in the next of its stream.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
    /// Parsed fields.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

/// Answer of `get_logs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogPage {
    /// The lines, with format=records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LogRecord>>,
    /// The lines, with format=text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How many lines this answer has.
    pub count: u32,
    /// Where to go on in the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Whether lines that match were left out.
    pub truncated: bool,
    /// What was left out, and the next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Answer of `tail_logs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogTail {
    /// The lines, with format=records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LogRecord>>,
    /// The lines, with format=text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How many lines this answer has.
    pub count: u32,
    /// Behind the last line: what has no line end yet, such as a prompt. A line later on begins with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<String>,
    /// Pass it back to read on.
    pub cursor: String,
    /// False when a wait ended without what it waited for.
    pub done: bool,
    /// Whether the process can still write lines.
    pub live: bool,
    /// Whether older lines were left out.
    pub truncated: bool,
    /// What else to know, and the next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a query is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum SearchMode {
    /// As it stands.
    #[default]
    Text,
    /// As a regular expression.
    Regex,
}

/// `search_logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SearchLogs {
    /// What lines contain.
    pub query: String,
    /// text (default) or regex.
    pub mode: SearchMode,
    /// Default false.
    pub case_sensitive: bool,
    /// Name, project/name or id, several with commas between them; without it, all of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// A group, in place of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Which output (default both).
    pub stream: StreamFilter,
    /// Only lines of this level and above; needs a log parser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_level: Option<Level>,
    /// As in get_logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// As in get_logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// Parsed fields, such as {"status": ">=500"}: = != < <= > >=.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub field_filters: Map<String, Value>,
    /// Lines shown before and after each match (at most 20).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// Templates with counts in place of lines.
    pub summarize: bool,
    /// At most this many matches (default 50, at most 1000), newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// next_cursor of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Cut longer lines here (default 2000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_line_chars: Option<u32>,
    /// With records, what was written too (`raw`), where `message` is not that.
    pub raw: bool,
    /// Project, when not the one of the client's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogMatch {
    /// The line.
    #[serde(flatten)]
    pub line: LogRecord,
    /// Lines before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<LogRecord>,
    /// Lines behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<LogRecord>,
}

/// What many lines have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogTemplate {
    /// The lines, `<*>` where they differ.
    pub template: String,
    /// How many lines.
    pub count: u64,
    /// One of them.
    pub example: String,
}

/// Answer of `search_logs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LogSearch {
    /// The newest matches, newest first.
    pub matches: Vec<LogMatch>,
    /// With summarize: what they say, the most frequent first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<Vec<LogTemplate>>,
    /// How many lines match.
    pub total: u64,
    /// False: there are at least `total`, the rest was not looked at.
    pub total_exact: bool,
    /// Bytes of text that were looked at; what filters ruled out is not among them.
    pub scanned_bytes: u64,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Where to go on with older matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Whether matches were left out.
    pub truncated: bool,
    /// What was left out, and the next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `clear_logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClearLogs {
    /// Name, project/name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Those of all processes of the project, in place of `process`.
    pub all: bool,
    /// Only lines before this time (RFC 3339) or age ("7d").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Remove nothing, say what would go.
    pub dry_run: bool,
    /// Yes to what a person would be asked before `all`.
    pub confirm: bool,
    /// Project, when not the one of the client's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Answer of `clear_logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogsCleared {
    /// How many lines.
    pub removed_lines: u64,
    /// Bytes that the store can use for what comes next.
    pub freed_bytes: u64,
    /// Whether nothing was removed, only counted.
    pub dry_run: bool,
}
