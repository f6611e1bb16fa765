//! The monitoring tools: what processes and the machine use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plugin::{PluginState, PluginView};

/// `get_process_stats`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GetProcessStats {
    /// Name, project/name or id.
    pub process: String,
    /// How far to look back (default 600000, at most 30 days).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// At most this many points (default 30, at most 500).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// The quantities of a series, each with a value for each point.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UsageSeries {
    /// When each point begins.
    pub times: Vec<String>,
    /// Percent of one core, mean.
    pub cpu_percent: Vec<f64>,
    /// Mean.
    pub memory_bytes: Vec<u64>,
    /// Mean.
    pub threads: Vec<u64>,
    /// Mean.
    pub open_files: Vec<u64>,
    /// Read from storage within the point.
    pub read_bytes: Vec<u64>,
    /// Written to storage within the point.
    pub written_bytes: Vec<u64>,
}

/// One quantity over the whole window.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct UsageSummary {
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    pub p95: f64,
}

/// All quantities over the whole window.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "as in UsageSeries")]
pub struct UsageSummaries {
    pub cpu_percent: UsageSummary,
    pub memory_bytes: UsageSummary,
    pub threads: UsageSummary,
    pub open_files: UsageSummary,
    pub read_bytes: UsageSummary,
    pub written_bytes: UsageSummary,
}

/// Answer of `get_process_stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessStats {
    /// project/name.
    pub process: String,
    /// The window that was looked at.
    pub window_ms: u64,
    /// Length of a point.
    pub step_ms: u64,
    /// The points, oldest first, of the whole tree; times in which it did not run have none.
    pub series: UsageSeries,
    /// Smallest, largest, mean and 95th percentile; absent without points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<UsageSummaries>,
    /// What else to know, such as why there are no points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `get_system_stats`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GetSystemStats {
    /// How many of the processes that use most CPU to show (default 5, at most 50).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<u32>,
    /// Changes nothing: the answer is about the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// The machine's processors.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CpuStats {
    /// Of all cores together, at most 100.
    pub percent: f64,
    /// How many there are.
    pub cores: usize,
}

/// Memory or swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct MemoryStats {
    pub total_bytes: u64,
    pub used_bytes: u64,
    /// What programs can still get.
    pub available_bytes: u64,
}

/// Tasks that wanted to run, on average over minutes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LoadStats {
    /// Over one minute.
    pub one: f64,
    /// Over five.
    pub five: f64,
    /// Over fifteen.
    pub fifteen: f64,
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DiskStats {
    pub mount: String,
    pub file_system: String,
    pub total_bytes: u64,
    pub available_bytes: u64,
}

/// Percent of the time in which some (or all) tasks waited, over ten seconds, one and five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the kernel's names")]
pub struct Stall {
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
}

/// Pressure on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PressureStats {
    /// At least one task waited.
    pub some: Stall,
    /// All of them waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<Stall>,
}

/// The kernel's pressure stall information.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Pressure {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<PressureStats>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<PressureStats>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io: Option<PressureStats>,
}

/// What hostler itself uses.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DaemonStats {
    /// The daemon's process.
    pub pid: i32,
    /// Since when.
    pub uptime_ms: u64,
    /// Percent of one core since the look before.
    pub cpu_percent: f64,
    /// Its memory.
    pub memory_bytes: u64,
    /// Its threads.
    pub threads: u64,
    /// Its open files.
    pub open_files: u64,
    /// Its helpers, one for each process that runs.
    pub shims: usize,
    /// Their memory.
    pub shims_memory_bytes: u64,
}

/// A process that uses much.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "as in a process's view")]
pub struct TopProcess {
    /// project/name.
    pub process: String,
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    pub cpu_percent: f64,
    pub memory_bytes: u64,
    pub threads: u64,
    pub open_files: u64,
}

/// A plugin in use, over all its uses. `hostler plugin list` tells more, and of all plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginUse {
    /// Its name.
    pub plugin: String,
    /// How it is.
    pub status: PluginState,
    /// Why it is in quarantine, or what its last fault was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Calls that reached it since the daemon began.
    pub calls: u64,
    /// Those that ended in a trap, out of time, or with an answer that broke the contract.
    pub faults: u64,
    /// Lines parsed, checks made or errors categorized.
    pub items: u64,
    /// Time for each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_per_item: Option<u64>,
    /// Time for all of them, what was waited for the network included.
    pub busy_ms: u64,
    /// The most memory that one instance had.
    pub memory_peak_bytes: u64,
}

impl From<PluginView> for PluginUse {
    fn from(view: PluginView) -> Self {
        Self {
            faults: view.faults(),
            plugin: view.name,
            status: view.status,
            reason: view.reason,
            calls: view.calls,
            items: view.items,
            ns_per_item: view.ns_per_item,
            busy_ms: view.ns_per_item.unwrap_or(0).saturating_mul(view.items) / 1_000_000,
            memory_peak_bytes: view.memory_peak_bytes,
        }
    }
}

/// Answer of `get_system_stats`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SystemStats {
    /// Processors.
    pub cpu: CpuStats,
    /// Memory.
    pub memory: MemoryStats,
    /// Swap.
    pub swap: MemoryStats,
    /// Load.
    pub load: LoadStats,
    /// File systems.
    pub disks: Vec<DiskStats>,
    /// Pressure, where the kernel tells it.
    pub pressure: Pressure,
    /// hostler itself.
    pub daemon: DaemonStats,
    /// Bytes of the database on disk.
    pub store_bytes: u64,
    /// Processes that are declared.
    pub processes: usize,
    /// Those that run.
    pub running: usize,
    /// Those that use most CPU, of all projects.
    pub top: Vec<TopProcess>,
    /// Plugins in use, the busiest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<PluginUse>,
    /// What else to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
