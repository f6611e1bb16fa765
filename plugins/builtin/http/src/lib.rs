//! Asks a web server and judges its answer.

mod expect;

use expect::{Statuses, judge};
use hostler_plugin::{Error, HealthCheck, Plugin, Report, invalid};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What to ask, such as `http://localhost:8080/health`. There is no TLS in this version: `https` is refused.
    pub url: String,
    /// Method.
    #[serde(default = "get")]
    pub method: String,
    /// Headers of the request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body of the request.
    #[serde(default)]
    pub body: String,
    /// Statuses that are healthy: numbers and ranges, such as `200`, `200-299` or `200,204,301-302`.
    #[serde(default = "usual_statuses")]
    pub status: String,
    /// Text that the first 64 KiB of the body must contain.
    #[serde(default)]
    pub body_contains: Option<String>,
    /// Text that they must not contain.
    #[serde(default)]
    pub body_lacks: Option<String>,
    /// Headers that the answer must have, with text that they must contain.
    #[serde(default)]
    pub expect_headers: BTreeMap<String, String>,
    /// An answer slower than this is degraded, milliseconds.
    #[serde(default)]
    pub degraded_ms: Option<u32>,
    /// The longest wait for each step of it, milliseconds.
    #[serde(default = "usual_timeout")]
    #[schemars(range(min = 1))]
    pub timeout_ms: u32,
}

fn get() -> String {
    "GET".to_owned()
}

fn usual_statuses() -> String {
    "200-399".to_owned()
}

fn usual_timeout() -> u32 {
    5_000
}

/// The check.
#[derive(Debug)]
pub struct Http {
    config: Config,
    /// Host and port.
    authority: String,
    /// Path and query.
    path: String,
    statuses: Statuses,
}

impl Plugin for Http {
    const NAME: &'static str = "http";
    const SUMMARY: &'static str =
        "Asks a web server and judges status, headers, body and time of its answer.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn extra() -> Vec<(&'static str, String)> {
        let sample = r#"{"url": "http://localhost:8080/health"}"#;
        vec![("sample-config", sample.to_owned()), ("http", "localhost:*".to_owned())]
    }

    fn new(config: Config) -> Result<Self, Error> {
        let (authority, path) = split_url(&config.url).map_err(|why| invalid("url", &config.url, &why))?;
        let statuses =
            Statuses::read(&config.status).map_err(|why| invalid("status", &config.status, &why))?;
        Ok(Self { config, authority, path, statuses })
    }
}

impl HealthCheck for Http {
    #[cfg(target_arch = "wasm32")]
    fn check(&mut self) -> Result<Report, Error> {
        use hostler_plugin::http::{Request, send};
        use std::time::{Duration, Instant};

        let headers: Vec<_> = self.config.headers.clone().into_iter().collect();
        let began = Instant::now();
        let answer = send(&Request {
            method: &self.config.method,
            authority: &self.authority,
            path: &self.path,
            headers: &headers,
            body: self.config.body.as_bytes(),
            timeout: Duration::from_millis(self.config.timeout_ms.into()),
            most: 64 << 10,
        });
        let elapsed_ms = began.elapsed().as_secs_f64() * 1e3;
        match answer {
            Ok(answer) => {
                let seen = expect::Seen {
                    status: answer.status,
                    headers: &answer.headers,
                    body: &answer.body,
                    elapsed_ms,
                };
                Ok(self.report(&seen))
            }
            Err(failure) => failure.into_report(),
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn check(&mut self) -> Result<Report, Error> {
        Err(Error::Unavailable(format!("{}{} is asked through the host only", self.authority, self.path)))
    }
}

impl Http {
    /// Judges an answer.
    pub fn report(&self, seen: &expect::Seen<'_>) -> Report {
        judge(&self.config, &self.statuses, &self.path, seen)
    }
}

/// Host with port, and path with query.
fn split_url(url: &str) -> Result<(String, String), String> {
    let Some(rest) = url.strip_prefix("http://") else {
        return Err(if url.starts_with("https://") {
            "there is no TLS in this version; ask a port without it".to_owned()
        } else {
            "it has to begin with http://".to_owned()
        });
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err("a name and a password belong into headers, as Authorization".to_owned());
    }
    hostler_plugin::net::split_address(authority, Some(80))?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok((authority.to_owned(), format!("{slash}{path}")))
}

hostler_plugin::export!(health_check: Http);

#[cfg(test)]
mod tests;
