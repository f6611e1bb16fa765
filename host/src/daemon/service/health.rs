//! `check_process_health`: the checks of a process, made now.

use std::sync::Arc;

use hostler_api::ToolError;
use hostler_api::health::{CheckProcessHealth, CheckView, HealthReport, MetricView, ResultView};
use hostler_api::time::rfc3339;
use hostler_model::health::{Breaker, OnUnhealthy, Status};
use hostler_model::text::clip;

use super::waiting::LONGEST;
use super::{Client, Patience, Service, store_error, views};
use crate::daemon::health::{Means, Report, Request};
use crate::daemon::registry::Entry;

/// Longest message of a check in an answer.
const MESSAGE_CHARS: usize = 500;
/// Most earlier results of a check in an answer.
const MAX_HISTORY: u32 = 50;

impl Service {
    /// Sees to it that the checks of a process are made.
    pub(super) fn follow_health(&self, entry: &Arc<Entry>) {
        self.checkers.follow(entry, || Means {
            store: self.store.clone(),
            plugins: self.plugins.of(entry.project.id),
            errors: self.errors.clone(),
            surroundings: self.surroundings(entry),
        });
    }

    /// `check_process_health`.
    ///
    /// # Errors
    /// When there is no such process or check.
    pub(crate) async fn check_health(
        &self,
        client: &Client,
        request: CheckProcessHealth,
        patience: &Patience,
    ) -> Result<HealthReport, ToolError> {
        let entry = self.entry(client, request.project.as_deref(), &request.process).await?;
        let specs = entry.handle.snapshot().spec.health;
        let plugins: Vec<&str> = specs.iter().map(|spec| spec.plugin.as_str()).collect();
        let which = chosen(request.check.as_deref(), &plugins)?;
        if which.is_empty() {
            return Ok(without_checks(&entry));
        }
        let asked = self.checkers.ask(entry.id, |reply| match request.pause {
            Some(paused) => Request::Pause(which.clone(), paused, reply),
            None => Request::Check(which.clone(), reply),
        });
        let made = tokio::select! {
            made = tokio::time::timeout(LONGEST, asked) => made.ok().flatten(),
            () = patience.cut_short.cancelled() => None,
        };
        // What is still being made when time is up is told as it was known before.
        let reports = match made {
            Some(reports) => reports,
            None => self.health_reports(&entry).await,
        };
        let reports: Vec<Report> = reports.into_iter().filter(|r| which.contains(&r.position)).collect();
        self.report(&entry, reports, request.history.unwrap_or(0).min(MAX_HISTORY)).await
    }

    /// What is known of the checks of a process.
    pub(super) async fn health_reports(&self, entry: &Entry) -> Vec<Report> {
        self.checkers.ask(entry.id, Request::Look).await.unwrap_or_default()
    }

    async fn report(
        &self,
        entry: &Entry,
        reports: Vec<Report>,
        history: u32,
    ) -> Result<HealthReport, ToolError> {
        let runs = entry.handle.snapshot().lifecycle.state.running().is_some();
        let health = entry.handle.snapshot().health().unwrap_or_default().status;
        let mut checks: Vec<CheckView> = reports.iter().map(|report| check_view(report, runs)).collect();
        if history > 0 {
            for (view, report) in checks.iter_mut().zip(&reports) {
                let results =
                    self.store.check_results(entry.id, report.position, false, history as usize).await;
                view.history = results.map_err(store_error)?.rows.iter().map(result_view).collect();
            }
        }
        let status = checks.iter().map(|check| check.status).max().unwrap_or_default();
        let next = next_step(entry, runs, status, &checks);
        Ok(HealthReport { process: entry.name.to_string(), status, health, checks, next })
    }
}

/// The places of the checks that are meant: all, those of a plugin, or one by its number.
fn chosen(check: Option<&str>, plugins: &[&str]) -> Result<Vec<usize>, ToolError> {
    let Some(wanted) = check else { return Ok((0..plugins.len()).collect()) };
    let by_number = wanted.parse::<usize>().ok().filter(|n| (1..=plugins.len()).contains(n));
    let by_name: Vec<usize> = (0..plugins.len()).filter(|at| plugins[*at] == wanted).collect();
    match (by_name.is_empty(), by_number) {
        (false, _) => Ok(by_name),
        (true, Some(number)) => Ok(vec![number - 1]),
        (true, None) => {
            let there = match plugins {
                [] => "it has none; declare some with restart_process and `health`".to_owned(),
                _ => format!("it has: {} (or their numbers from 1)", super::list(plugins)),
            };
            Err(ToolError::invalid(format!("`check`: no check {wanted:?}; {there}")))
        }
    }
}

fn without_checks(entry: &Entry) -> HealthReport {
    let next = format!(
        "`{}` has no health checks; declare some: restart_process {{\"process\": \"{}\", \"health\": [{{\"plugin\": \"http\", \
         \"config\": {{\"url\": \"http://localhost:PORT/\"}}}}]}} (or tcp, command, process, redis, postgres)",
        entry.name, entry.name
    );
    HealthReport {
        process: entry.name.to_string(),
        status: Status::Unknown,
        health: Status::Unknown,
        checks: Vec::new(),
        next: Some(next),
    }
}

/// A check as it is shown. What the last run was found to be says nothing of a process that does not run.
pub(super) fn check_view(report: &Report, runs: bool) -> CheckView {
    let Report { spec, state, metrics, .. } = report;
    let last = state.last.as_ref().filter(|_| runs);
    let message = match last {
        Some(last) => clip(last.message.clone(), MESSAGE_CHARS),
        None if runs => "not checked yet".to_owned(),
        None => "the process does not run".to_owned(),
    };
    CheckView {
        plugin: spec.plugin.clone(),
        status: last.map_or(Status::Unknown, |last| last.outcome.status()),
        health: if runs { state.status } else { Status::Unknown },
        message,
        latency_ms: last.map(|last| milliseconds(last.latency_us)),
        checked_at: last.map(|last| rfc3339(last.at)),
        since: rfc3339(state.since),
        consecutive_failures: state.failures,
        failure_threshold: spec.schedule.failure_threshold,
        breaker: state.breaker().as_str().to_owned(),
        paused: state.paused,
        on_unhealthy: spec.on_unhealthy,
        metrics: metrics.iter().filter(|_| last.is_some()).map(metric_view).collect(),
        history: Vec::new(),
    }
}

fn metric_view(metric: &hostler_plugin_host::Metric) -> MetricView {
    MetricView { name: metric.name.clone(), value: metric.value, unit: metric.unit.clone() }
}

fn result_view(result: &hostler_store::CheckResult) -> ResultView {
    ResultView {
        at: rfc3339(result.time),
        run: result.run.0,
        status: result.found,
        changed_to: result.changed_to,
        message: clip(result.message.clone(), MESSAGE_CHARS),
        latency_ms: milliseconds(result.latency_us),
    }
}

fn milliseconds(us: u64) -> f64 {
    us as f64 / 1_000.0
}

/// What to look at next, where there is something.
fn next_step(entry: &Entry, runs: bool, status: Status, checks: &[CheckView]) -> Option<String> {
    let name = &entry.name;
    if !runs {
        let state = views::status(&entry.handle.snapshot().lifecycle.state).as_str();
        return Some(format!(
            "it is {state}, so nothing can be checked; start_process {{\"name\": \"{name}\"}} starts it"
        ));
    }
    let worst = checks.iter().find(|check| check.status == status)?;
    let plugin = &worst.plugin;
    match status {
        Status::Healthy => None,
        Status::Degraded => Some(format!(
            "it works, but `{plugin}` complains; get_process_info {{\"process\": \"{name}\"}} shows what it uses"
        )),
        Status::Unhealthy => {
            let count =
                format!("{} of {} failures in a row", worst.consecutive_failures, worst.failure_threshold);
            let then = match worst.on_unhealthy {
                OnUnhealthy::Restart => "; then it is restarted",
                OnUnhealthy::None => "",
            };
            Some(format!(
                "look at what it wrote: tail_logs {{\"process\": \"{name}\"}}, and at get_process_info; {count}{then}"
            ))
        }
        Status::Unknown => {
            let broken = if worst.breaker == Breaker::Open.as_str() {
                "; it is tried rarely until it works"
            } else {
                ""
            };
            Some(format!(
                "`{plugin}` gave no verdict, which says nothing about the process: `hostler plugin list` shows what became of \
                 the plugin{broken}. Whether the process works, tail_logs {{\"process\": \"{name}\"}} may tell"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_named_by_plugin_or_number() {
        let plugins = ["http", "tcp", "http"];
        assert_eq!(chosen(None, &plugins).unwrap(), [0, 1, 2]);
        assert_eq!(chosen(Some("http"), &plugins).unwrap(), [0, 2]);
        assert_eq!(chosen(Some("2"), &plugins).unwrap(), [1]);
        for wrong in ["4", "0", "redis"] {
            let message = chosen(Some(wrong), &plugins).unwrap_err().message;
            assert!(message.contains("http, tcp"), "{message}");
        }
        assert!(chosen(Some("http"), &[]).unwrap_err().message.contains("restart_process"));
    }
}
