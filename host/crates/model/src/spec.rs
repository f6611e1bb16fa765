//! What is asked for: the declaration of a process, complete and with every default filled in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::health::CheckSpec;
use crate::restart::RestartPolicy;
use crate::schedule::Schedule;
use crate::signal::Signal;
use crate::watch::WatchSpec;

/// All that is needed to start a process again at any later time, on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The executable as it was given: a name to find on `search_path`, or a path.
    pub command: String,
    /// Its arguments, without the command itself.
    pub args: Vec<String>,
    /// Absolute working directory.
    pub cwd: String,
    /// `PATH` of whoever declared the process: where a bare command name is looked up.
    pub search_path: String,
    /// Variables set on top of the daemon's own environment and of `env_files`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files of `NAME=value` lines, absolute, read at each start, later ones win.
    #[serde(default)]
    pub env_files: Vec<String>,
    /// Adds `.env`, `.env.local`, `.env.PROFILE` and `.env.PROFILE.local` of `cwd`, before `env_files`.
    #[serde(default)]
    pub env_profile: Option<String>,
    /// A digest of what those files said when it was declared by a `hostler.toml`: they may change, and the declaration
    /// does not. Absent where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_digest: Option<String>,
    /// When to start it again by itself.
    pub restart: RestartPolicy,
    /// When to start it, in place of at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// For which files to restart it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchSpec>,
    /// Its health checks.
    #[serde(default)]
    pub health: Vec<CheckSpec>,
    /// How to end it.
    pub stop: StopSpec,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// How long it should live.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// Names of the plugins that parse its lines, in order, between those that every process has.
    #[serde(default)]
    pub parsers: Vec<String>,
    /// Run on a pseudo terminal in place of pipes.
    #[serde(default)]
    pub pty: bool,
    /// Set `no_new_privs`: neither it nor its children can gain rights through setuid programs.
    #[serde(default)]
    pub no_new_privs: bool,
}

/// How a process is asked to end, and how long it has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSpec {
    /// The first, polite signal.
    pub signal: Signal,
    /// Time until SIGKILL, milliseconds.
    pub grace_ms: u64,
}

impl Default for StopSpec {
    fn default() -> Self {
        Self { signal: Signal::TERM, grace_ms: 10_000 }
    }
}

/// What a process may use. The kernel holds it to them in its control group or by `setrlimit`; otherwise its tree is
/// looked at, and ended when it is beyond one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of the whole tree, bytes.
    pub memory_bytes: Option<u64>,
    /// CPU of the whole tree, percent of one core.
    #[serde(default)]
    pub cpu_percent: Option<u32>,
    /// `RLIMIT_NOFILE`: open files of one process.
    pub open_files: Option<u64>,
    /// Processes and threads of the whole tree.
    pub processes: Option<u64>,
}

/// How long a process should live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// Until it is stopped; it outlives clients and the daemon.
    #[default]
    Persistent,
    /// Until the client that started it disconnects.
    Session,
    /// Until nobody has asked about it for this many milliseconds.
    Lease {
        /// The time to live, renewed by each use.
        ttl_ms: u64,
    },
}
