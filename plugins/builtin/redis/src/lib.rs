//! Asks a Redis server: `PING`.

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
    /// Where it listens.
    #[serde(default = "usual_address")]
    pub address: String,
    /// The longest wait for each step of it, milliseconds.
    #[serde(default = "usual_timeout")]
    #[schemars(range(min = 1))]
    pub timeout_ms: u32,
}

fn usual_address() -> String {
    "localhost:6379".to_owned()
}

fn usual_timeout() -> u32 {
    5_000
}

/// The check.
#[derive(Debug)]
pub struct Redis {
    config: Config,
    host: String,
    port: u16,
}

impl Plugin for Redis {
    const NAME: &'static str = "redis";
    const SUMMARY: &'static str = "Sends PING to a Redis server (or Valkey, KeyDB, Dragonfly).";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn extra() -> Vec<(&'static str, String)> {
        vec![("sample-config", format!(r#"{{"address": "{}"}}"#, usual_address())), ("tcp", usual_address())]
    }

    fn new(config: Config) -> Result<Self, Error> {
        let (host, port) = split_address(&config.address, Some(6379))
            .map_err(|why| invalid("address", &config.address, &why))?;
        Ok(Self { config, host, port })
    }
}

impl HealthCheck for Redis {
    fn check(&mut self) -> Result<Report, Error> {
        let began = Instant::now();
        match self.ping() {
            Ok(answer) => Ok(judge(&answer).metric("latency", began.elapsed().as_secs_f64() * 1e3, "ms")),
            Err(Failure::Failed(why)) => Ok(unhealthy(format!("{}: {why}", self.config.address))),
            Err(failure) => failure.into_report(),
        }
    }
}

impl Redis {
    /// The first line of the answer.
    fn ping(&self) -> Result<String, Failure> {
        let timeout = Duration::from_millis(self.config.timeout_ms.into());
        let mut connection = Connection::open(&self.host, self.port, timeout)?;
        connection.send(b"PING\r\n")?;
        let mut answer = Vec::new();
        while answer.len() < 512 && !answer.contains(&b'\n') {
            let more = connection.receive(512)?;
            if more.is_empty() {
                break;
            }
            answer.extend(more);
        }
        let text = String::from_utf8_lossy(&answer);
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }
}

fn judge(answer: &str) -> Report {
    match answer.split(' ').next().unwrap_or_default() {
        "+PONG" => healthy("PING answered PONG"),
        // It works; whether the password is right is not what was asked.
        "-NOAUTH" => healthy("PING answered that it wants a password"),
        "-LOADING" => unhealthy("it is loading its data"),
        "-MASTERDOWN" | "-BUSY" => degraded(format!("PING answered {}", &answer[1..])),
        _ => unhealthy(format!("PING answered {answer:?}")),
    }
}

hostler_plugin::export!(health_check: Redis);

#[cfg(test)]
mod tests;
