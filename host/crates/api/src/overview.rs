//! What resources show beyond the answers of tools.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::daemon::DaemonStatus;
use crate::logs::LogRecord;
use crate::view::Status;

/// `logs://recent`: the newest lines of all processes of a project.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RecentLogs {
    /// Oldest first.
    pub lines: Vec<LogRecord>,
    /// Whether there are older ones, or processes that were not looked at.
    pub truncated: bool,
}

/// The health of one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthLine {
    /// Its name.
    pub process: String,
    /// What it does now.
    pub status: Status,
    /// Why, where the status alone does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// `healthy`, `degraded`, `unhealthy` or `unknown`; absent without health checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
}

/// `health://status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthOverview {
    /// The worst of all: `unhealthy`, `degraded`, `healthy`, or `unknown` when nothing is checked. A process that failed
    /// is unhealthy, whether it is checked or not.
    pub status: String,
    /// One for each process.
    pub processes: Vec<HealthLine>,
}

/// What one process uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageLine {
    /// Its name.
    pub process: String,
    /// What it does now.
    pub status: Status,
    /// Automatic restarts since it was last started by hand.
    pub restarts: u32,
    /// How long it has been running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_ms: Option<u64>,
    /// CPU of the whole tree, percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Memory of the whole tree: what its control group counts, else by pages (PSS), where what is shared counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// `metrics://summary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricsSummary {
    /// CPU of all of them, percent of one core.
    pub cpu_percent: f64,
    /// Memory of all of them.
    pub memory_bytes: u64,
    /// One for each process, the hungriest first.
    pub processes: Vec<UsageLine>,
    /// The daemon about itself.
    pub daemon: DaemonStatus,
}
