//! The tool `check_process_health`.

use hostler_model::health::{OnUnhealthy, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `check_process_health`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CheckProcessHealth {
    /// Name, project/name or id.
    pub process: String,
    /// Only this check: its plugin, or its number from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// true: make no scheduled checks until further notice; false: make them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<bool>,
    /// How many earlier results of each check to show (at most 50).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<u32>,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Answer of `check_process_health`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthReport {
    /// Its name.
    pub process: String,
    /// The worst of what the checks found just now.
    pub status: Status,
    /// What the checks say by their thresholds: the `health` of the process in lists.
    pub health: Status,
    /// The checks.
    pub checks: Vec<CheckView>,
    /// What to look at next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckView {
    /// Its plugin.
    pub plugin: String,
    /// What it found last.
    pub status: Status,
    /// What it says by its thresholds.
    pub health: Status,
    /// What was seen; when there is no verdict, whose fault that is.
    pub message: String,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<String>,
    /// Since when it says what it says.
    pub since: String,
    /// Failures in a row that count.
    pub consecutive_failures: u32,
    /// So many make it unhealthy.
    pub failure_threshold: u32,
    /// `closed`; `open` when it could not be made several times in a row, and is tried rarely.
    pub breaker: String,
    /// Whether its schedule is paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// What follows when it is unhealthy.
    pub on_unhealthy: OnUnhealthy,
    /// Numbers that it measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricView>,
    /// Earlier results, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<ResultView>,
}

/// A number that a check measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricView {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// An earlier result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResultView {
    /// When.
    pub at: String,
    /// The run of the process.
    pub run: u32,
    /// What it found.
    pub status: Status,
    /// What the check says since then, when this changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_to: Option<Status>,
    /// What was seen.
    pub message: String,
    /// How long it took.
    pub latency_ms: f64,
}
