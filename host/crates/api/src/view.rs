//! How processes and their runs are shown.

use hostler_model::{Exit, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::rfc3339;

/// The states of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Status {
    /// At rest: never started, or stopped on purpose.
    Stopped,
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Being ended.
    Stopping,
    /// Ended, and waiting for its next automatic start.
    Backoff,
    /// Ended by itself; no restart follows.
    Exited,
    /// Could not be started, or crashed too often.
    Failed,
}

impl Status {
    /// All of them, as clients write them.
    pub const NAMES: [&'static str; 7] =
        ["stopped", "starting", "running", "stopping", "backoff", "exited", "failed"];

    /// As clients write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitView {
    /// Exit status, when it called exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Name of the signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Whether a core was dumped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub core_dumped: bool,
    /// The status is lost: nobody was there to read it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// What ended it, where code and signal do not say it: a limit, a lack of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: String,
    /// CPU time used, milliseconds.
    pub cpu_ms: u64,
    /// Largest resident memory.
    pub max_rss_bytes: u64,
}

impl From<&Exit> for ExitView {
    fn from(exit: &Exit) -> Self {
        let (code, signal, core_dumped) = match exit.outcome {
            Outcome::Code(code) => (Some(code), None, false),
            Outcome::Signal { signal, core_dumped } => (None, Some(signal.to_string()), core_dumped),
            Outcome::Unknown => (None, None, false),
        };
        Self {
            code,
            signal,
            core_dumped,
            unknown: exit.outcome == Outcome::Unknown,
            reason: exit.cause.map(|cause| cause.to_string()),
            at: rfc3339(exit.at),
            cpu_ms: (exit.user_us + exit.system_us) / 1000,
            max_rss_bytes: exit.max_rss_bytes,
        }
    }
}

/// A process as lists and answers show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessView {
    /// Unique id, such as `p12`.
    pub id: String,
    /// Its name in its project.
    pub name: String,
    /// Name of its project.
    pub project: String,
    /// What it does now.
    pub status: Status,
    /// Why, in words, where the status alone does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// Main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// When the current run started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// How long it has been running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_ms: Option<u64>,
    /// When its schedule starts it next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<String>,
    /// The end of the last run, while none is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitView>,
    /// Automatic restarts since it was last started by hand.
    pub restarts: u32,
    /// `healthy`, `degraded`, `unhealthy` or `unknown`; absent without health checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// Whether something said in this run that it serves: its checks, a port, itself, or a line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ready: bool,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Executable.
    pub command: String,
    /// Arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// TCP ports its tree listens on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// CPU of the whole tree, percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Memory of the whole tree: what its control group counts, else by pages (PSS), where what is shared counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Counts the changes of its state.
    pub generation: u64,
}

/// One run of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunView {
    /// Its number, from 1.
    pub run: u32,
    /// Main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitView>,
    /// Why it was started, and what else is to say of its end.
    pub reason: String,
}
