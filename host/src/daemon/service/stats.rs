//! What processes used, and what the machine has left.

use std::sync::Arc;

use hostler_api::ToolError;
use hostler_api::monitoring::{
    DaemonStats, GetProcessStats, GetSystemStats, ProcessStats, SystemStats, TopProcess, UsageSeries,
    UsageSummaries, UsageSummary,
};
use hostler_api::time::rfc3339;
use hostler_model::Timestamp;
use hostler_model::usage::{Quantity, Resolution, Series, roll_up, summary};
use hostler_store::ErrorCounts;
use hostler_supervisor::{Snapshot, proc};

use super::{Client, Service, store_error, views};
use crate::daemon::metrics::{self, ProcessMetrics, UsageMetrics};
use crate::daemon::monitor::{Machine, Target, Usage};
use crate::daemon::registry::Entry;

const DEFAULT_WINDOW_MS: u64 = 600_000;
const DEFAULT_POINTS: u32 = 30;
const MAX_POINTS: u32 = 500;
const DEFAULT_TOP: u32 = 5;
const MAX_TOP: u32 = 50;

impl Service {
    /// `get_process_stats`.
    ///
    /// # Errors
    /// When there is no such process, or an argument is wrong.
    pub(crate) async fn process_stats(
        &self,
        client: &Client,
        request: GetProcessStats,
    ) -> Result<ProcessStats, ToolError> {
        let longest_ms = Resolution::Quarter.kept_seconds().unsigned_abs() * 1000;
        let window_ms = request.window_ms.unwrap_or(DEFAULT_WINDOW_MS);
        if !(1000..=longest_ms).contains(&window_ms) {
            let range = format!("`window_ms`: {window_ms}; use 1000 to {longest_ms} (30 days)");
            return Err(ToolError::invalid(range));
        }
        let points = request.points.unwrap_or(DEFAULT_POINTS).clamp(1, MAX_POINTS);
        let entry = self.entry(client, request.project.as_deref(), &request.process).await?;
        self.monitor.watch_closely();
        let snapshot = entry.handle.snapshot();
        self.usage(&[(entry.clone(), snapshot)]).await;
        let now = crate::daemon::now().0.div_euclid(1_000_000_000);
        let window = i64::try_from(window_ms / 1000).unwrap_or(1);
        let series = self.history(&entry, window, now - window).await?;
        let step = (window + i64::from(points) - 1) / i64::from(points);
        let shown = roll_up(series.clone(), step);
        let note = shown.is_empty().then(|| "it did not run in this time, or has just started".to_owned());
        Ok(ProcessStats {
            process: entry.full_name(),
            window_ms,
            step_ms: step.unsigned_abs() * 1000,
            note: self.degraded.with_note(note),
            series: in_columns(&shown),
            summary: summaries(&series),
        })
    }

    /// What was kept, and what was seen since.
    async fn history(&self, entry: &Entry, window: i64, from: i64) -> Result<Series, ToolError> {
        let resolution = Resolution::covering(window);
        let kept = self.store.usage(entry.id, resolution, resolution.start_of(from)).await;
        let mut series = kept.map_err(store_error)?;
        let recent = self.monitor.recent(entry.id);
        if let Some((first, _)) = recent.first_key_value() {
            series.split_off(&Resolution::TenSeconds.start_of(*first));
            series.extend(recent.range(from..));
        }
        Ok(series)
    }

    /// `get_system_stats`.
    ///
    /// # Errors
    /// When the database cannot be looked at.
    pub(crate) async fn system_stats(
        self: Arc<Self>,
        request: GetSystemStats,
    ) -> Result<SystemStats, ToolError> {
        let top = request.top.unwrap_or(DEFAULT_TOP).min(MAX_TOP) as usize;
        let store_bytes = self.store.store_size_bytes().await.map_err(store_error)?;
        let service = self.clone();
        let looked = tokio::task::spawn_blocking(move || service.look_at_machine(top)).await;
        let stats = looked.map_err(|e| ToolError::internal(e.to_string()))?;
        Ok(SystemStats { store_bytes, ..stats })
    }

    fn look_at_machine(&self, top: usize) -> SystemStats {
        let all: Vec<(Arc<Entry>, Snapshot)> =
            self.registry.all().into_iter().map(|e| (e.clone(), e.handle.snapshot())).collect();
        let targets: Vec<Target> = all.iter().filter_map(|(e, s)| Target::of(e.id, s)).collect();
        let usage = self.monitor.measure(&targets);
        let mut busy: Vec<TopProcess> =
            all.iter().filter_map(|(e, s)| Some(top_process(e, s, usage.get(&e.id)?))).collect();
        busy.sort_by(|a, b| {
            b.cpu_percent.total_cmp(&a.cpu_percent).then(b.memory_bytes.cmp(&a.memory_bytes))
        });
        busy.truncate(top);
        let (cpu, (memory, swap)) = self.monitor.machine(|m| (m.cpu(), m.memory()));
        SystemStats {
            cpu,
            memory,
            swap,
            load: Machine::load(),
            disks: Machine::disks(),
            pressure: Machine::pressure(),
            daemon: self.daemon_stats(),
            store_bytes: 0,
            processes: all.len(),
            running: targets.len(),
            top: busy,
            plugins: self.plugins.in_use(),
            note: self.degraded.with_note(None),
        }
    }

    /// What hostler itself uses.
    pub(crate) fn daemon_stats(&self) -> DaemonStats {
        let own = self.monitor.machine(Machine::own);
        let pid = std::process::id() as i32;
        let all = self.registry.all();
        let shims: Vec<proc::Process> =
            all.iter().filter_map(|e| e.handle.snapshot().shim_pid).filter_map(proc::read).collect();
        let memory = |p: &proc::Process| proc::proportional_memory(p.pid).unwrap_or(p.rss_bytes);
        DaemonStats {
            pid,
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            cpu_percent: own.cpu_percent,
            memory_bytes: own.memory_bytes,
            threads: own.threads,
            open_files: own.open_files,
            shims: shims.len(),
            shims_memory_bytes: shims.iter().map(memory).sum(),
        }
    }
}

impl Service {
    /// All that Prometheus reads, as its text.
    pub(crate) async fn prometheus(&self) -> String {
        let all: Vec<(Arc<Entry>, Snapshot)> =
            self.registry.all().into_iter().map(|e| (e.clone(), e.handle.snapshot())).collect();
        let usage = self.usage(&all).await;
        let errors = self.store.error_counts().await.ok();
        let of = |(entry, snapshot): &(Arc<Entry>, Snapshot)| {
            let errors = errors.as_ref().map(|all| all.get(&entry.id).copied().unwrap_or_default());
            process_metrics(entry, snapshot, usage.get(&entry.id), errors)
        };
        let snapshot = metrics::Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            processes: all.iter().map(of).collect(),
            plugins: self.plugins.costs().into_iter().collect(),
            daemon: tokio::task::block_in_place(|| self.daemon_stats()),
            store_bytes: self.store.store_size_bytes().await.unwrap_or_default(),
            oom_kills: proc::oom_kills(),
            degraded: self.degraded.list().len(),
        };
        metrics::render(&snapshot)
    }
}

fn process_metrics(
    entry: &Entry,
    snapshot: &Snapshot,
    usage: Option<&Usage>,
    errors: Option<ErrorCounts>,
) -> ProcessMetrics {
    let view = views::process_view(entry, snapshot, None);
    ProcessMetrics {
        project: view.project,
        name: view.name,
        status: view.status,
        health: view.health,
        restarts: view.restarts,
        output: entry.activity.total(),
        errors,
        usage: usage.map(|u| UsageMetrics {
            cpu_percent: u.cpu_percent,
            memory_bytes: u.memory_bytes,
            threads: u.threads,
            open_files: u.open_files,
        }),
    }
}

fn top_process(entry: &Entry, snapshot: &Snapshot, usage: &Usage) -> TopProcess {
    TopProcess {
        process: entry.full_name(),
        id: entry.id.to_string(),
        pid: snapshot.lifecycle.state.pid().map(|pid| pid.0),
        cpu_percent: usage.cpu_percent,
        memory_bytes: usage.memory_bytes,
        threads: usage.threads,
        open_files: usage.open_files,
    }
}

fn in_columns(series: &Series) -> UsageSeries {
    let means = |what| series.values().map(move |p| p.value(what).mean);
    let whole = |what| means(what).map(|n| n.round() as u64).collect();
    UsageSeries {
        times: series.keys().map(|second| rfc3339(Timestamp(second * 1_000_000_000))).collect(),
        cpu_percent: means(Quantity::CpuPercent).map(tenths).collect(),
        memory_bytes: whole(Quantity::MemoryBytes),
        threads: whole(Quantity::Threads),
        open_files: whole(Quantity::OpenFiles),
        read_bytes: whole(Quantity::ReadBytes),
        written_bytes: whole(Quantity::WrittenBytes),
    }
}

fn summaries(series: &Series) -> Option<UsageSummaries> {
    let of = |what| {
        let s = summary(series, what)?;
        Some(UsageSummary {
            min: tenths(s.min),
            max: tenths(s.max),
            mean: tenths(s.mean),
            p95: tenths(s.p95),
        })
    };
    Some(UsageSummaries {
        cpu_percent: of(Quantity::CpuPercent)?,
        memory_bytes: of(Quantity::MemoryBytes)?,
        threads: of(Quantity::Threads)?,
        open_files: of(Quantity::OpenFiles)?,
        read_bytes: of(Quantity::ReadBytes)?,
        written_bytes: of(Quantity::WrittenBytes)?,
    })
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
