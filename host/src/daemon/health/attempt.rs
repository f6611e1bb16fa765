//! One check: the plugin is found, called within its time, and its answer put into words.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostler_model::health::{CheckSpec, Last, Outcome, Verdict};
use hostler_plugin_host::{CallError, Health, Instance, Kind, Metric};
use serde_json::Value;

use super::Means;
use crate::daemon::plugins::Loaded;
use crate::daemon::plugins::declaration::OnFailure;

/// The key by which plugins are told how long they may wait for an answer.
const TIMEOUT: &str = "timeout_ms";
/// A plugin that waits as long as it may has this long to say so. One that does not is at fault itself.
const TO_SAY_SO: Duration = Duration::from_millis(500);

/// An instance of the plugin, kept warm between checks.
pub(super) struct Bench {
    /// Kept for as long as the instance, so that reloads reach it.
    loaded: Arc<Loaded>,
    instance: Instance,
}

/// A check that was made, or could not be.
pub(super) struct Attempt {
    pub(super) last: Last,
    pub(super) metrics: Vec<Metric>,
    /// For the next time.
    pub(super) bench: Option<Bench>,
}

/// Makes a check.
pub(super) async fn attempt(means: Means, spec: CheckSpec, bench: Option<Bench>) -> Attempt {
    let began = Instant::now();
    let (outcome, message, metrics, bench) = match ready_bench(&means, &spec, bench).await {
        Ok(mut bench) => {
            let limit = Duration::from_millis(spec.schedule.timeout_ms) + TO_SAY_SO;
            let (outcome, message, metrics) = match bench.instance.check(limit).await {
                Ok(report) => (Outcome::Found(verdict(report.health)), report.message, report.metrics),
                Err(error) => no_verdict(&whose_fault(&spec.plugin, &error), bench.loaded.on_failure()),
            };
            (outcome, message, metrics, Some(bench))
        }
        Err(why) => {
            // There is no plugin to ask what its failure means, but its declaration says so.
            let (outcome, message, metrics) = no_verdict(&why, means.plugins.on_failure(&spec.plugin));
            (outcome, message, metrics, None)
        }
    };
    let latency_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let last = Last { at: crate::daemon::now(), outcome, message, latency_us };
    Attempt { last, metrics, bench }
}

async fn ready_bench(means: &Means, spec: &CheckSpec, bench: Option<Bench>) -> Result<Bench, String> {
    if let Some(bench) = bench {
        means.plugins.keep_current().await;
        return Ok(bench);
    }
    let loaded = find(means, spec).await?;
    let instance = loaded.instance(means.surroundings.clone());
    Ok(Bench { loaded, instance })
}

/// The plugin, told how long the check may take, where it wants to be told and nobody has said otherwise.
async fn find(means: &Means, spec: &CheckSpec) -> Result<Arc<Loaded>, String> {
    let find = |config| async move {
        means.plugins.find(&spec.plugin, config, Kind::HealthCheck).await.map_err(|error| error.message)
    };
    let loaded = find(&spec.config).await?;
    if loaded.plugin.config().contains_key(TIMEOUT) || !knows_timeout(&loaded) {
        return Ok(loaded);
    }
    let mut told = spec.config.clone();
    told.insert(TIMEOUT.to_owned(), spec.schedule.timeout_ms.into());
    find(&told).await
}

fn knows_timeout(loaded: &Loaded) -> bool {
    let schema = loaded.plugin.component().info().config_schema.clone();
    let schema: Option<Value> = schema.and_then(|text| serde_json::from_str(&text).ok());
    schema.is_some_and(|schema| schema["properties"].get(TIMEOUT).is_some())
}

fn verdict(health: Health) -> Verdict {
    match health {
        Health::Healthy => Verdict::Healthy,
        Health::Degraded => Verdict::Degraded,
        Health::Unhealthy => Verdict::Unhealthy,
    }
}

/// Whose fault it is that there is no verdict.
fn whose_fault(plugin: &str, error: &CallError) -> String {
    let at_fault = error.is_fault() || matches!(error, CallError::Quarantined { .. });
    let whose =
        if at_fault { "the plugin's fault, not the process's" } else { "the check could not be made" };
    format!("{whose}: the plugin `{plugin}` {error}")
}

/// A check without an answer is a verdict all the same for a plugin whose user wants the worst to be assumed.
fn no_verdict(why: &str, on_failure: OnFailure) -> (Outcome, String, Vec<Metric>) {
    let (outcome, message) = match on_failure {
        OnFailure::Open => (Outcome::NotMade, format!("no verdict: {why}")),
        OnFailure::Closed => (
            Outcome::Found(Verdict::Unhealthy),
            format!("taken for unhealthy, as `on_failure = \"closed\"` says: {why}"),
        ),
    };
    (outcome, message, Vec::new())
}
