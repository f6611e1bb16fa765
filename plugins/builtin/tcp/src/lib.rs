//! Connects to a port, and tells what it says if it is asked to.

use hostler_plugin::{
    Error, HealthCheck, Plugin, Report,
    health::{degraded, healthy, unhealthy},
    invalid,
    net::{Connection, Failure, split_address},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to connect, such as `localhost:5432`.
    pub address: String,
    /// What to send.
    #[serde(default)]
    pub send: Option<String>,
    /// Text that must come, within the first 4 KiB.
    #[serde(default)]
    pub expect: Option<String>,
    /// A connection slower than this is degraded, milliseconds.
    #[serde(default)]
    pub degraded_ms: Option<u32>,
    /// The longest wait for each step of it, milliseconds.
    #[serde(default = "usual_timeout")]
    #[schemars(range(min = 1))]
    pub timeout_ms: u32,
}

fn usual_timeout() -> u32 {
    5_000
}

/// The check.
#[derive(Debug)]
pub struct Tcp {
    config: Config,
    host: String,
    port: u16,
}

impl Plugin for Tcp {
    const NAME: &'static str = "tcp";
    const SUMMARY: &'static str = "Connects to a port, and expects a text from it if asked to.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn extra() -> Vec<(&'static str, String)> {
        let sample = r#"{"address": "localhost:8080"}"#;
        vec![("sample-config", sample.to_owned()), ("tcp", "localhost:*".to_owned())]
    }

    fn new(config: Config) -> Result<Self, Error> {
        let (host, port) =
            split_address(&config.address, None).map_err(|why| invalid("address", &config.address, &why))?;
        Ok(Self { config, host, port })
    }
}

impl HealthCheck for Tcp {
    fn check(&mut self) -> Result<Report, Error> {
        let began = Instant::now();
        let connected =
            Connection::open(&self.host, self.port, Duration::from_millis(self.config.timeout_ms.into()));
        let elapsed_ms = began.elapsed().as_secs_f64() * 1e3;
        let talked = connected.and_then(|mut connection| self.talk(&mut connection));
        match talked {
            Ok(report) => Ok(self.with_time(report, elapsed_ms)),
            Err(Failure::Failed(why)) => Ok(unhealthy(format!("{}: {why}", self.config.address))),
            Err(failure) => failure.into_report(),
        }
    }
}

impl Tcp {
    fn talk(&self, connection: &mut Connection) -> Result<Report, Failure> {
        if let Some(text) = &self.config.send {
            connection.send(text.as_bytes())?;
        }
        let address = &self.config.address;
        let Some(expected) = &self.config.expect else {
            return Ok(healthy(format!("{address} takes connections")));
        };
        let mut answer = Vec::new();
        while answer.len() < 4096 {
            let more = connection.receive(4096 - answer.len())?;
            if more.is_empty() {
                break;
            }
            answer.extend(more);
            if String::from_utf8_lossy(&answer).contains(expected) {
                return Ok(healthy(format!("{address} answered {expected:?}")));
            }
        }
        let beginning: String = String::from_utf8_lossy(&answer).chars().take(80).collect();
        Ok(unhealthy(format!("{address} answered {beginning:?}: no {expected:?} in it")))
    }

    fn with_time(&self, report: Report, elapsed_ms: f64) -> Report {
        let slow = self.config.degraded_ms.is_some_and(|limit| elapsed_ms > f64::from(limit));
        let report = match report.status {
            hostler_plugin::Status::Healthy if slow => {
                degraded(format!("{}, but only after {elapsed_ms:.0} ms", report.message))
            }
            _ => report,
        };
        report.metric("connect_time", elapsed_ms, "ms")
    }
}

hostler_plugin::export!(health_check: Tcp);

#[cfg(test)]
mod tests;
