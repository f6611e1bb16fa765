//! Input for processes.

use hostler_model::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::view::{ExitView, Status};

/// `send_input`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SendInput {
    /// Name, project/name or id.
    pub process: String,
    /// What to send, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Or bytes, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Or keys of a terminal: ["ctrl-c"], ["up", "enter"].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// End text with a line feed, or Enter on a terminal (default true).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newline: Option<bool>,
    /// End the input afterwards.
    #[serde(default)]
    pub eof: bool,
    /// Answer with output that follows: longest wait for it (default 0, at most 55000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// Wait until output matches this regular expression (default wait 10000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_pattern: Option<String>,
    /// How long to try when it does not read (default 5000, at most 55000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Answer of `send_input`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputResult {
    /// project/name.
    pub process: String,
    /// Bytes that are on their way to the process, from the beginning of what was to be sent.
    pub written_bytes: u64,
    /// Bytes that were to be sent.
    pub total_bytes: u64,
    /// How many bytes in its pipe the process has not read; absent for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread_bytes: Option<u64>,
    /// Whether the input was ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub eof: bool,
    /// Whether all was written, and what was waited for came.
    pub done: bool,
    /// Lines of output that followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The line that has no end yet, such as a prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<String>,
    /// For tail_logs: what comes behind this output.
    pub cursor: String,
    /// Whether the process runs on.
    pub live: bool,
    /// What else to know, and the next call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What the command line asks for when it attaches to a process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attach {
    /// Name, project/name or id.
    pub process: String,
    /// How many of the newest lines come first.
    pub lines: u32,
}

/// Output of a process that somebody is attached to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attached {
    /// The first: whether it runs on a terminal.
    Begun {
        /// So.
        pty: bool,
    },
    /// Bytes that it wrote.
    Output {
        /// Where.
        stream: Stream,
        /// In Base64.
        base64: String,
    },
    /// Output came faster than it was read, and some is left out here; it is in the logs.
    Skipped,
}

/// The end of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachEnd {
    /// The state of the process.
    pub status: Status,
    /// How its run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitView>,
}

/// The size of a terminal's window.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resize {
    /// Name, project/name or id.
    pub process: String,
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}
