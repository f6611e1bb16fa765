//! The options that declare health checks.

use clap::Args;
use hostler_api::process::{HealthArgs, OnUnhealthy};
use serde_json::{Map, Value, json};

/// Health checks of a process.
#[derive(Args)]
pub(super) struct HealthOptions {
    /// Check its health: http=URL, tcp=HOST:PORT, redis[=HOST:PORT], postgres[=HOST:PORT], command="PROGRAM ARGS",
    /// process, or PLUGIN='{"key": ...}'; may be repeated
    #[arg(long, value_name = "PLUGIN[=WHAT]", value_parser = check)]
    health: Vec<HealthArgs>,
    /// Restart it when a check calls it unhealthy
    #[arg(long, requires = "health")]
    restart_unhealthy: bool,
    /// Time between checks
    #[arg(long, value_name = "MS", requires = "health")]
    health_interval_ms: Option<u64>,
    /// Time one check may take
    #[arg(long, value_name = "MS", requires = "health")]
    health_timeout_ms: Option<u64>,
    /// Time after a start in which failures do not count, unless it passed before [default: 10000]
    #[arg(long, value_name = "MS", requires = "health")]
    health_start_period_ms: Option<u64>,
    /// Failures in a row until it is unhealthy
    #[arg(long, value_name = "N", requires = "health")]
    health_failures: Option<u32>,
}

impl HealthOptions {
    /// The checks; none when none were given.
    pub(super) fn checks(&self) -> Option<Vec<HealthArgs>> {
        let with_schedule = |check: &HealthArgs| HealthArgs {
            interval_ms: self.health_interval_ms,
            timeout_ms: self.health_timeout_ms,
            start_period_ms: self.health_start_period_ms,
            failure_threshold: self.health_failures,
            on_unhealthy: self.restart_unhealthy.then_some(OnUnhealthy::Restart),
            ..check.clone()
        };
        (!self.health.is_empty()).then(|| self.health.iter().map(with_schedule).collect())
    }
}

/// Reads `PLUGIN`, `PLUGIN=WHAT` or `PLUGIN={...}`.
fn check(text: &str) -> Result<HealthArgs, String> {
    let (plugin, what) = text.split_once('=').map_or((text, None), |(plugin, what)| (plugin, Some(what)));
    let config = match (plugin, what) {
        (_, Some(what)) if what.trim_start().starts_with('{') => serde_json::from_str(what)
            .map_err(|error| format!("its configuration is no JSON object: {error}"))?,
        (_, None) => Map::new(),
        ("http", Some(url)) => one("url", url.into()),
        ("tcp" | "redis" | "postgres", Some(address)) => one("address", address.into()),
        ("command", Some(line)) => {
            let words = hostler_model::words::split(line).map_err(|error| error.to_string())?;
            one("command", json!(words))
        }
        (plugin, Some(_)) => {
            return Err(format!(
                "write the configuration of `{plugin}` as JSON: {plugin}='{{\"key\": \"value\"}}'"
            ));
        }
    };
    Ok(HealthArgs { config, ..HealthArgs::of(plugin) })
}

fn one(key: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(key.to_owned(), value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_short_to_write() {
        for (text, plugin, config) in [
            ("http=http://localhost:80/?a=b", "http", json!({"url": "http://localhost:80/?a=b"})),
            ("redis", "redis", json!({})),
            ("tcp=localhost:1", "tcp", json!({"address": "localhost:1"})),
            ("command=pg_isready -q", "command", json!({"command": ["pg_isready", "-q"]})),
            (r#"mine={"depth": 2}"#, "mine", json!({"depth": 2})),
        ] {
            let read = check(text).unwrap();
            assert_eq!((read.plugin.as_str(), Value::Object(read.config)), (plugin, config));
        }
        assert!(check("mine=2").unwrap_err().contains("as JSON"));
        assert!(check("http={").unwrap_err().contains("no JSON"));
    }
}
