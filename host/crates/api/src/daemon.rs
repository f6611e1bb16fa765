//! What `hostler daemon status --json` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The daemon about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonStatus {
    /// Its process id.
    pub pid: i32,
    /// Its version.
    pub version: String,
    /// Path of its socket.
    pub socket: String,
    /// Directory of all its state.
    pub home: String,
    /// Where MCP is served over HTTP, and the file of the token, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// Time since its start.
    pub uptime_ms: u64,
    /// Processes declared.
    pub processes: usize,
    /// Processes that run now.
    pub running: usize,
    /// What does not work as it should, in words; empty when all is well.
    pub degraded: Vec<String>,
}
