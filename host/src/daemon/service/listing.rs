//! Lists of processes, and all about one of them.

use std::collections::HashMap;
use std::sync::Arc;

use globset::{Glob, GlobMatcher};
use hostler_api::ToolError;
use hostler_api::process::{
    Detail, GetProcessInfo, LimitInForce, ListProcesses, ProcessInfo, ProcessList, TreeProcess,
};
use hostler_api::view::ProcessView;
use hostler_model::lifecycle::State;
use hostler_model::spec::Limits;
use hostler_model::{ProcessId, ProcessSpec};
use hostler_supervisor::group_limits::Held;
use hostler_supervisor::{Snapshot, proc};

use super::{Client, Service, store_error, views};
use crate::daemon::monitor::{Target, Usage};
use crate::daemon::registry::Entry;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 500;
/// A list whose length nobody asked for is cut here; its cursor leads on.
const ANSWER_CHARS: usize = 9_500;
const DEFAULT_RUNS: u32 = 5;
const MAX_RUNS: u32 = 50;
const COMMAND_CHARS: usize = 200;

impl Service {
    /// `list_processes`.
    ///
    /// # Errors
    /// When an argument is wrong.
    pub(crate) async fn list(
        &self,
        client: &Client,
        request: ListProcesses,
    ) -> Result<ProcessList, ToolError> {
        let project = self.project(client, request.project.as_deref()).await?;
        let group = match &request.group {
            Some(name) => Some(self.group(client, request.project.as_deref(), name).await?.shown().group),
            None => None,
        };
        let glob = request.name.as_deref().map(glob).transpose()?;
        let start = offset(request.cursor.as_deref())?;
        let mut found: Vec<(Arc<Entry>, Snapshot)> = self
            .registry
            .all()
            .into_iter()
            .filter(|e| request.all_projects || e.project.id == project.id)
            .filter(|e| group.as_ref().is_none_or(|g| g.member(e.name.as_str()).is_some()))
            .filter(|e| glob.as_ref().is_none_or(|g| g.is_match(e.name.as_str())))
            .map(|e| (e.handle.snapshot(), e))
            .map(|(s, e)| (e, s))
            .filter(|(_, s)| request.status.is_none_or(|wanted| views::status(&s.lifecycle.state) == wanted))
            .collect();
        found.sort_by(|(a, _), (b, _)| (&a.project.name, &a.name).cmp(&(&b.project.name, &b.name)));
        let limit = request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT) as usize;
        let total = found.len();
        let page: Vec<_> = found.into_iter().skip(start).take(limit).collect();
        let usage = match request.detail {
            Detail::Concise => HashMap::new(),
            Detail::Full => self.usage(&page).await,
        };
        let mut processes =
            page.iter().map(|(e, s)| views::process_view(e, s, usage.get(&e.id))).collect::<Vec<_>>();
        if request.limit.is_none() {
            processes.truncate(fitting(&processes));
        }
        let end = start + processes.len();
        let next_cursor = (end < total).then(|| format!("o{end}"));
        let note = note(client, &processes, &request, &project.name, total, end);
        let note = self.degraded.with_note(note);
        Ok(ProcessList { processes, next_cursor, note })
    }

    pub(super) async fn usage(&self, page: &[(Arc<Entry>, Snapshot)]) -> HashMap<ProcessId, Usage> {
        let targets: Vec<_> = page.iter().filter_map(|(e, s)| Target::of(e.id, s)).collect();
        let monitor = self.monitor.clone();
        tokio::task::spawn_blocking(move || monitor.measure(&targets)).await.unwrap_or_default()
    }

    /// `get_process_info`.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) async fn info(
        &self,
        client: &Client,
        request: GetProcessInfo,
    ) -> Result<ProcessInfo, ToolError> {
        let entry = self.entry(client, request.project.as_deref(), &request.process).await?;
        entry.caught_up().await;
        let limit = request.runs.unwrap_or(DEFAULT_RUNS).min(MAX_RUNS) as usize;
        let runs = self.store.runs(entry.id, limit).await.map_err(store_error)?;
        let log_lines = self.store.count_rows(entry.id).await.map_err(store_error)?;
        let snapshot = entry.handle.snapshot();
        let runs_now = snapshot.lifecycle.state.running().is_some();
        let reports = self.health_reports(&entry).await;
        let health = reports.iter().map(|report| super::health::check_view(report, runs_now)).collect();
        let failed = matches!(snapshot.lifecycle.state, State::Failed { .. });
        let evidence = if failed { Some(self.evidence(&entry, snapshot.run.run).await) } else { None };
        let page = [(entry.clone(), snapshot.clone())];
        let usage = self.usage(&page).await.remove(&entry.id);
        let details = tokio::task::spawn_blocking(move || (tree_view(usage.as_ref()), usage)).await;
        let held =
            Target::of(entry.id, &snapshot).map(|target| self.monitor.held(&target)).unwrap_or_default();
        let (tree, usage) = details.map_err(|e| ToolError::internal(e.to_string()))?;
        Ok(ProcessInfo {
            process: views::process_view(&entry, &snapshot, usage.as_ref()),
            specification: views::specification(&snapshot.spec),
            runs: runs.rows.iter().map(views::run_view).collect(),
            tree,
            open_files: usage.as_ref().map(|u| u.open_files),
            limits: limits_in_force(&snapshot.spec.limits, held),
            plugins: plugins_in_use(&snapshot.spec),
            health,
            watching: views::watching(&entry),
            evidence,
            log_lines,
            note: self.degraded.with_note(None),
        })
    }
}

/// How many of them fit into an answer; one at least.
fn fitting(processes: &[ProcessView]) -> usize {
    let mut chars = 0;
    let fits = |view: &&ProcessView| {
        chars += serde_json::to_string(view).map_or(0, |text| text.len() + 1);
        chars <= ANSWER_CHARS
    };
    processes.iter().take_while(fits).count().max(1)
}

fn glob(pattern: &str) -> Result<GlobMatcher, ToolError> {
    Glob::new(pattern)
        .map(|g| g.compile_matcher())
        .map_err(|e| ToolError::invalid(format!("`name`: {e}; use a glob such as \"web*\"")))
}

fn offset(cursor: Option<&str>) -> Result<usize, ToolError> {
    match cursor {
        None => Ok(0),
        Some(text) => text.strip_prefix('o').and_then(|n| n.parse().ok()).ok_or_else(|| {
            ToolError::invalid(format!(
                "`cursor`: {text:?} is not a cursor of list_processes; leave it out to begin"
            ))
        }),
    }
}

fn note(
    client: &Client,
    processes: &[ProcessView],
    request: &ListProcesses,
    project: &str,
    total: usize,
    end: usize,
) -> Option<String> {
    if end < total {
        return Some(format!("{} more; call again with cursor \"o{end}\"", total - end));
    }
    if !processes.is_empty() || total > 0 {
        return None;
    }
    let filtered = request.status.is_some() || request.name.is_some();
    let make =
        client.words("start_process with a `command` makes one", "`hostler start NAME -- COMMAND` makes one");
    let advice = if filtered { "none match the filters" } else { make };
    let scope = if request.all_projects { "no project".to_owned() } else { format!("project {project}") };
    let all = client.words("`all_projects`", "`--all-projects`");
    let elsewhere = format!("; {all} shows those of other projects");
    let elsewhere = if request.all_projects { "" } else { elsewhere.as_str() };
    Some(format!("no processes in {scope}: {advice}{elsewhere}"))
}

/// Names of the plugins that work for a process.
fn plugins_in_use(spec: &ProcessSpec) -> Vec<String> {
    let checks = spec.health.iter().map(|check| &check.plugin);
    let mut names: Vec<String> = checks.chain(&spec.parsers).cloned().collect();
    names.sort();
    names.dedup();
    names
}

/// The tree as shown.
fn tree_view(usage: Option<&Usage>) -> Vec<TreeProcess> {
    let tree = usage.into_iter().flat_map(|usage| &usage.tree);
    tree.map(|p| TreeProcess {
        pid: p.pid,
        ppid: p.ppid,
        command: hostler_model::text::clip(proc::command_line(p.pid).unwrap_or_default(), COMMAND_CHARS),
        memory_bytes: p.rss_bytes,
    })
    .collect()
}

fn limits_in_force(limits: &Limits, held: Held) -> Vec<LimitInForce> {
    let limit = |name: &str, value: Option<u64>, by: &str| {
        value.map(|value| LimitInForce { limit: name.to_owned(), value, enforced_by: by.to_owned() })
    };
    let by = |is_held: bool, kernel: &'static str, otherwise: &'static str| {
        if is_held { kernel } else { otherwise }
    };
    let memory = by(
        held.memory,
        "memory.max of its control group: the kernel kills the whole tree beyond it",
        "a look at the tree four times a second: ended beyond it; RLIMIT_DATA of twice as much for each process",
    );
    let cpu = by(
        held.cpu,
        "cpu.max of its control group: the kernel throttles it",
        "a look at the tree each second: ended when above it on average over 10 s",
    );
    let processes = by(
        held.processes,
        "pids.max of its control group: a fork beyond it fails",
        "a look at the tree four times a second: ended beyond it",
    );
    [
        limit("memory_bytes", limits.memory_bytes, memory),
        limit("cpu_percent", limits.cpu_percent.map(u64::from), cpu),
        limit("open_files", limits.open_files, "RLIMIT_NOFILE, for each process of the tree"),
        limit("processes", limits.processes, processes),
    ]
    .into_iter()
    .flatten()
    .collect()
}
