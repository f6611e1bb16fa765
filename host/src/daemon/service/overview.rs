//! Views over all processes of a project: what the resources show.

use hostler_api::ToolError;
use hostler_api::logs::{GetLogs, LogFormat};
use hostler_api::overview::{HealthLine, HealthOverview, MetricsSummary, RecentLogs, UsageLine};
use hostler_api::process::{Detail, ListProcesses, ProcessList};
use hostler_api::view::{ProcessView, Status};

use super::{Client, Service};

/// How many lines `logs://recent` has at most, and of how many processes.
const RECENT_LINES: usize = 100;
const RECENT_PROCESSES: usize = 50;
/// And how long it is at most.
const RECENT_CHARS: usize = 10_000;
/// The overviews show so many processes at most.
const PROCESSES: u32 = 500;

impl Service {
    /// `processes://list`: all processes of the client's project.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn overview(&self, client: &Client) -> Result<ProcessList, ToolError> {
        let request =
            ListProcesses { detail: Detail::Full, limit: Some(PROCESSES), ..ListProcesses::default() };
        self.list(client, request).await
    }

    /// `logs://recent`.
    ///
    /// # Errors
    /// When the logs cannot be read.
    pub(crate) async fn recent_logs(&self, client: &Client) -> Result<RecentLogs, ToolError> {
        let mut processes = self.overview(client).await?.processes;
        // Those at work first: it is their output that is recent.
        processes.sort_by_key(|p| p.pid.is_none());
        let mut recent =
            RecentLogs { truncated: processes.len() > RECENT_PROCESSES, ..RecentLogs::default() };
        for process in processes.iter().take(RECENT_PROCESSES) {
            let request = GetLogs {
                process: Some(process.id.clone()),
                limit: Some(RECENT_LINES as u32),
                format: LogFormat::Records,
                ..GetLogs::default()
            };
            match self.logs(client, request).await {
                Ok(page) => {
                    recent.truncated |= page.truncated;
                    recent.lines.extend(page.lines.unwrap_or_default());
                }
                // Removed this instant.
                Err(error) if error.kind == hostler_api::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        recent.lines.sort_by(|a, b| a.time.cmp(&b.time));
        let fitting = newest_fitting(&recent.lines);
        recent.truncated |= fitting < recent.lines.len();
        recent.lines.drain(..recent.lines.len() - fitting);
        Ok(recent)
    }

    /// `health://status`.
    ///
    /// # Errors
    /// When the processes cannot be read.
    pub(crate) async fn health_overview(&self, client: &Client) -> Result<HealthOverview, ToolError> {
        let processes = self.overview(client).await?.processes;
        let status = worst(&processes).to_owned();
        let line = |view: ProcessView| HealthLine {
            process: view.name,
            status: view.status,
            status_reason: view.status_reason,
            health: view.health,
        };
        Ok(HealthOverview { status, processes: processes.into_iter().map(line).collect() })
    }

    /// `metrics://summary`.
    ///
    /// # Errors
    /// When the processes cannot be read.
    pub(crate) async fn metrics_summary(&self, client: &Client) -> Result<MetricsSummary, ToolError> {
        let mut processes = self.overview(client).await?.processes;
        processes.sort_by_key(|p| std::cmp::Reverse(p.memory_bytes));
        let line = |view: &ProcessView| UsageLine {
            process: view.name.clone(),
            status: view.status,
            restarts: view.restarts,
            uptime_ms: view.uptime_ms,
            cpu_percent: view.cpu_percent,
            memory_bytes: view.memory_bytes,
        };
        Ok(MetricsSummary {
            cpu_percent: processes.iter().filter_map(|p| p.cpu_percent).sum(),
            memory_bytes: processes.iter().filter_map(|p| p.memory_bytes).sum(),
            processes: processes.iter().map(line).collect(),
            daemon: self.daemon_status(),
        })
    }
}

/// How many of the newest lines fit into an answer.
fn newest_fitting(lines: &[hostler_api::logs::LogRecord]) -> usize {
    let mut chars = 0;
    let fits = |line: &&hostler_api::logs::LogRecord| {
        chars += line.message.len() + 120 + line.event_time.as_ref().map_or(0, |_| 42);
        chars <= RECENT_CHARS
    };
    lines.iter().rev().take(RECENT_LINES).take_while(fits).count()
}

fn worst(processes: &[ProcessView]) -> &'static str {
    let says = |word: &str| processes.iter().any(|p| p.health.as_deref() == Some(word));
    let failed = processes.iter().any(|p| p.status == Status::Failed);
    match () {
        () if failed || says("unhealthy") => "unhealthy",
        () if says("degraded") => "degraded",
        () if says("healthy") => "healthy",
        () => "unknown",
    }
}
