//! The lifecycle tools: start, stop, restart, kill, list, and the details of one process.

use std::collections::BTreeMap;

use hostler_model::Stream;
pub use hostler_model::health::OnUnhealthy;
use hostler_model::restart::RestartWhen;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::errors::ErrorInShort;
use crate::groups::MemberView;
use crate::health::CheckView;
use crate::view::{ExitView, ProcessView, RunView, Status};

/// What a start waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum WaitFor {
    /// The program was executed.
    Started,
    /// It serves: its health checks passed, or else it listens on a port, or sent READY=1.
    Ready,
    /// Its health checks pass.
    Healthy,
    /// It ended: for one-off jobs.
    Exited,
}

/// How long a process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum LifetimeKind {
    /// Until it is stopped.
    Persistent,
    /// Until the client that started it disconnects.
    Session,
    /// Until it was not used for `lease_ms`.
    Lease,
}

/// Automatic restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RestartArgs {
    /// When to restart after it ended by itself (default never).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<RestartWhen>,
    /// Restarts within the window before it counts as a crash loop (default 5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_restarts: Option<u32>,
    /// Length of the window (default 60000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// First delay, doubled each time (default 500; 0 restarts at once).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_initial_ms: Option<u64>,
    /// Longest delay (default 30000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_max_ms: Option<u64>,
    /// Time after a crash loop until it is tried again (default: never; 0 means never).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_ms: Option<u64>,
}

/// A health check by a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthArgs {
    /// http, tcp, command, process, redis, postgres, or a plugin of config.toml.
    pub plugin: String,
    /// Its configuration: {"url": "http://localhost:80/"} for http, {"address": "localhost:80"} for tcp.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// Time between checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// Time one check may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Time after a start in which failures do not count, unless it passed before (default 10000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_period_ms: Option<u64>,
    /// Failures in a row until unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<u32>,
    /// Successes in a row until healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<u32>,
    /// What to do then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_unhealthy: Option<OnUnhealthy>,
}

impl HealthArgs {
    /// A check by this plugin, everything else as usual.
    #[must_use]
    pub fn of(plugin: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
            config: Map::new(),
            interval_ms: None,
            timeout_ms: None,
            start_period_ms: None,
            failure_threshold: None,
            success_threshold: None,
            on_unhealthy: None,
        }
    }
}

/// What is done with its output.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogArgs {
    /// json, logfmt, access-log, syslog, regex, or plugins of config.toml, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parsers: Vec<String>,
}

/// What it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitArgs {
    /// Memory of the whole tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// CPU of the whole tree, percent of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// Open files of one process (RLIMIT_NOFILE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Processes and threads of the whole tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

/// How it is ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StopArgs {
    /// First signal (default TERM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Time until SIGKILL to the whole tree (default 10000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
}

/// The parts of a declaration that `start_process` sets and `restart_process` can change.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpecArgs {
    /// Executable, or a command line without shell operators: "npm run dev".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Arguments, added after those in `command`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Working directory (default: the project's directory).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment variables to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Files of NAME=value lines, relative to cwd; later ones win, `env` wins over all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_files: Option<Vec<String>>,
    /// Adds .env, .env.local, .env.PROFILE and .env.PROFILE.local of cwd, where they exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_profile: Option<String>,
    /// Group to belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Automatic restarts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<RestartArgs>,
    /// Health checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Vec<HealthArgs>>,
    /// Log parsing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogArgs>,
    /// Resource limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitArgs>,
    /// How stop_process ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopArgs>,
    /// How long it lives (default persistent: it outlives this session).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<LifetimeKind>,
    /// Time to live of a lease, renewed by each call about the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// Run on a pseudo terminal (stdout and stderr become one stream).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pty: Option<bool>,
    /// Set no_new_privs: no rights through setuid programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privs: Option<bool>,
}

/// What to wait for, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WaitArgs {
    /// Return when it is started, ready, healthy or exited. Without it: as soon as it ended, or ran 500 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<WaitFor>,
    /// Return when a line of its output matches this regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_for_log: Option<String>,
    /// Longest wait (default 30000, at most 55000); then done is false and the process runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// `start_process`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StartProcess {
    /// Name in the project. Alone, it starts the stopped process of that name again.
    pub name: String,
    #[serde(flatten)]
    #[allow(missing_docs, reason = "described by its type")]
    pub spec: SpecArgs,
    #[serde(flatten)]
    #[allow(missing_docs, reason = "described by its type")]
    pub wait: WaitArgs,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `restart_process`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RestartProcess {
    /// Name, project/name or id.
    pub process: String,
    #[serde(flatten)]
    #[allow(missing_docs, reason = "described by its type")]
    pub spec: SpecArgs,
    #[serde(flatten)]
    #[allow(missing_docs, reason = "described by its type")]
    pub wait: WaitArgs,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `stop_process`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StopProcess {
    /// Name, project/name or id.
    pub process: String,
    /// Time until SIGKILL to the whole tree; default is what it was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
    /// Forget it afterwards, its runs and logs included.
    #[serde(default)]
    pub remove: bool,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `kill_process`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KillProcess {
    /// Name, project/name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// All members of a group, in place of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Default KILL. KILL, TERM, INT, QUIT and ABRT end the whole tree; STOP and CONT reach all of it; others only the main process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Yes to what a person would be asked before a `group` is ended.
    pub confirm: bool,
    /// Project, when not the one of the client's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// How much of each process a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Detail {
    /// State only.
    #[default]
    Concise,
    /// With ports, CPU and memory.
    Full,
}

/// `list_processes`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ListProcesses {
    /// Only those in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Only those of this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only names that match this glob: "web*".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Those of every project.
    pub all_projects: bool,
    /// How much of each (default concise).
    pub detail: Detail,
    /// At most this many, up to 500 (default: what fits into 10000 characters).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// next_cursor of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Project, when not the one of the client's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `get_process_info`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GetProcessInfo {
    /// Name, project/name or id.
    pub process: String,
    /// How many past runs to show (default 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<u32>,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// A line of output, as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceLine {
    /// Where it was written.
    pub stream: Stream,
    /// The line.
    pub message: String,
}

/// Who holds a TCP port that the process wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortHolder {
    /// The port.
    pub port: u16,
    /// The holder's main or worker process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Its command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// project/name, when hostler runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

/// Why a start failed: all that is known, in one place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitView>,
    /// The last lines it wrote.
    pub last_lines: Vec<EvidenceLine>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The group of errors that explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_group: Option<ErrorInShort>,
    /// Who holds the port that it could not bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_holder: Option<PortHolder>,
}

/// Answer of `start_process` and `restart_process`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StartResult {
    /// The process now.
    pub process: ProcessView,
    /// Whether what was waited for came true.
    pub done: bool,
    /// What happened, in words, where it is not what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// Answer of `stop_process`, and of `kill_process` for one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StopResult {
    /// The process now.
    pub process: ProcessView,
    /// Descendants that outlived the main process, or were ended with it.
    pub descendants_ended: u32,
    /// How many of them SIGKILL had to end.
    pub descendants_killed: u32,
    /// Whether it is at rest; false when the wait was cut short and it is still being ended.
    pub done: bool,
    /// Whether it was forgotten, as asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// Answer of `kill_process`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KillResult {
    /// The process now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessView>,
    /// With a group: its members now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberView>,
    /// Descendants that outlived a main process, or were ended with it.
    pub descendants_ended: u32,
    /// How many of them SIGKILL had to end.
    pub descendants_killed: u32,
    /// Whether all is at rest, or the signal was sent; false when the wait was cut short.
    pub done: bool,
}

impl From<StopResult> for KillResult {
    fn from(ended: StopResult) -> Self {
        let StopResult { process, descendants_ended, descendants_killed, done, .. } = ended;
        Self { process: Some(process), members: Vec::new(), descendants_ended, descendants_killed, done }
    }
}

/// Answer of `list_processes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessList {
    /// The processes, by project and name.
    pub processes: Vec<ProcessView>,
    /// Where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// What to know about an empty or shortened list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One process of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeProcess {
    /// Process id.
    pub pid: i32,
    /// Its parent.
    pub ppid: i32,
    /// Its command line, shortened.
    pub command: String,
    /// Resident memory, with what it shares with others.
    pub memory_bytes: u64,
}

/// A limit that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitInForce {
    /// `memory_bytes`, `cpu_percent`, `open_files` or `processes`.
    pub limit: String,
    /// Its value.
    pub value: u64,
    /// What enforces it.
    pub enforced_by: String,
}

/// Answer of `get_process_info`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessInfo {
    /// The process now.
    pub process: ProcessView,
    /// Its declaration, values of its environment redacted.
    pub specification: Map<String, Value>,
    /// Its newest runs, newest first.
    pub runs: Vec<RunView>,
    /// The living processes of its tree.
    pub tree: Vec<TreeProcess>,
    /// Open files of the whole tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Limits in force.
    pub limits: Vec<LimitInForce>,
    /// Plugins in use.
    pub plugins: Vec<String>,
    /// Its health checks as they were made last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<CheckView>,
    /// Whether the files that it is restarted for are watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watching: Option<String>,
    /// Why it failed, when it is failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Lines kept of its output.
    pub log_lines: u64,
    /// What else to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
