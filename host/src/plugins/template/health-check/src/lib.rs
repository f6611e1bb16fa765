//! A process that has been silent for too long needs a look.

use hostler_plugin::{
    Error, Facts, HealthCheck, Plugin, Report,
    health::{degraded, healthy, process_facts, unhealthy},
    invalid,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration. Its documentation comments are what people read about it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Silence longer than this is degraded, seconds.
    #[serde(default = "usual_silence")]
    pub silent_seconds: u64,
}

fn usual_silence() -> u64 {
    60
}

/// The check.
#[derive(Debug)]
pub struct Check {
    config: Config,
}

impl Plugin for Check {
    const NAME: &'static str = "my-plugin";
    const SUMMARY: &'static str = "Looks for processes that have been silent for too long.";
    type Config = Config;

    fn new(config: Config) -> Result<Self, Error> {
        if config.silent_seconds == 0 {
            return Err(invalid("silent_seconds", 0, "must be at least 1"));
        }
        Ok(Self { config })
    }

    fn extra() -> Vec<(&'static str, String)> {
        // What it wants to reach or to run is said here, such as `("tcp", "localhost:6379".to_owned())`.
        vec![("sample-config", r#"{"silent_seconds": 60}"#.to_owned())]
    }
}

impl HealthCheck for Check {
    fn check(&mut self) -> Result<Report, Error> {
        Ok(self.judge(&process_facts()))
    }
}

impl Check {
    /// The judgement, apart from how its facts are had, so that a native test can call it.
    fn judge(&self, facts: &Facts) -> Report {
        if facts.pid.is_none() {
            return unhealthy("it does not run");
        }
        // What never wrote a line has been silent since it began.
        let silent = facts.silent_ms.unwrap_or(facts.uptime_ms) / 1000;
        let report = match silent > self.config.silent_seconds {
            true => degraded(format!(
                "silent for {silent} s, more than {}",
                self.config.silent_seconds
            )),
            false => healthy(format!("wrote a line {silent} s ago")),
        };
        report.metric("silence", silent as f64, "s")
    }
}

hostler_plugin::export!(health_check: Check);

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_plugin::{Status, plugin::configure};

    /// The facts of `sample.json`.
    fn facts() -> Facts {
        Facts {
            name: "web".to_owned(),
            pid: Some(4711),
            uptime_ms: 3_600_000,
            restarts: 0,
            cpu_percent: Some(1.5),
            memory_bytes: Some(52_428_800),
            open_files: Some(24),
            threads: Some(8),
            ports: vec![8080],
            silent_ms: Some(90_000),
            lines_per_minute: 0,
        }
    }

    fn judge(config: &str, facts: &Facts) -> Report {
        configure::<Check>(config).unwrap().judge(facts)
    }

    #[test]
    fn silence_is_degraded() {
        let report = judge("{}", &facts());
        assert_eq!(
            (report.status, &*report.message),
            (Status::Degraded, "silent for 90 s, more than 60")
        );
        assert_eq!(report.metrics[0].value, 90.0);
        assert_eq!(
            judge(r#"{"silent_seconds": 120}"#, &facts()).status,
            Status::Healthy
        );
    }

    #[test]
    fn what_does_not_run_is_unhealthy() {
        assert_eq!(
            judge(
                "{}",
                &Facts {
                    pid: None,
                    ..facts()
                }
            )
            .status,
            Status::Unhealthy
        );
    }

    #[test]
    fn the_configuration_is_checked() {
        assert!(configure::<Check>(r#"{"silent_seconds": 0}"#).is_err());
        assert!(configure::<Check>(r#"{"silent": 5}"#).is_err());
    }
}
