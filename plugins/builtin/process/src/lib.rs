//! Looks at the process itself: whether it is there, and what it takes.

use hostler_plugin::{
    Error, Facts, HealthCheck, Plugin, Report, Status,
    health::{process_facts, unhealthy},
    invalid,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration: limits, none of them by default. Beyond the first the process is degraded, beyond the second
/// unhealthy.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// CPU of its whole tree, percent of one core.
    pub cpu_percent: Limits,
    /// Memory of its whole tree, MiB.
    pub memory_mib: Limits,
    /// Open files of its main process.
    pub open_files: Limits,
    /// Threads of its whole tree.
    pub threads: Limits,
    /// Time without a line, seconds. What never wrote one counts from its start.
    pub silent_seconds: Limits,
    /// Lines within the last minute.
    pub lines_per_minute: Limits,
    /// A TCP port on which its tree must listen.
    pub port: Option<u16>,
}

/// Two limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// More is degraded.
    pub degraded: Option<f64>,
    /// More is unhealthy.
    pub unhealthy: Option<f64>,
}

/// The check.
#[derive(Debug)]
pub struct Process {
    config: Config,
}

impl Plugin for Process {
    const NAME: &'static str = "process";
    const SUMMARY: &'static str =
        "Looks at the process: alive, CPU, memory, open files, threads, silence, port.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn extra() -> Vec<(&'static str, String)> {
        let sample =
            r#"{"memory_mib": {"degraded": 512, "unhealthy": 1024}, "silent_seconds": {"degraded": 300}}"#;
        vec![("sample-config", sample.to_owned())]
    }

    fn new(config: Config) -> Result<Self, Error> {
        for (name, limits) in config.limits() {
            if let Limits { degraded: Some(degraded), unhealthy: Some(unhealthy) } = limits
                && degraded > unhealthy
            {
                let value = format!("{degraded} and {unhealthy}");
                return Err(invalid(name, value, "degraded has to be less than unhealthy"));
            }
        }
        Ok(Self { config })
    }
}

impl Config {
    fn limits(&self) -> [(&'static str, Limits); 6] {
        [
            ("cpu_percent", self.cpu_percent),
            ("memory_mib", self.memory_mib),
            ("open_files", self.open_files),
            ("threads", self.threads),
            ("silent_seconds", self.silent_seconds),
            ("lines_per_minute", self.lines_per_minute),
        ]
    }
}

impl HealthCheck for Process {
    fn check(&mut self) -> Result<Report, Error> {
        Ok(judge(&self.config, &process_facts()))
    }
}

/// A measured number and how it is shown.
struct Reading {
    name: &'static str,
    value: f64,
    unit: &'static str,
    limits: Limits,
    text: String,
}

fn judge(config: &Config, facts: &Facts) -> Report {
    let Some(pid) = facts.pid else { return unhealthy(format!("{} does not run", facts.name)) };
    let readings = readings(config, facts);
    let mut report = Report { status: Status::Healthy, message: String::new(), metrics: Vec::new() };
    let mut faults = Vec::new();
    if let Some(port) = config.port.filter(|port| !facts.ports.contains(port)) {
        report.status = Status::Unhealthy;
        faults.push(format!("it does not listen on port {port}"));
    }
    for reading in readings {
        let exceeds = |limit: Option<f64>| limit.filter(|limit| reading.value > *limit);
        let (worse, limit) = match (exceeds(reading.limits.unhealthy), exceeds(reading.limits.degraded)) {
            (Some(limit), _) => (Status::Unhealthy, Some(limit)),
            (None, Some(limit)) => (Status::Degraded, Some(limit)),
            (None, None) => (Status::Healthy, None),
        };
        if let Some(limit) = limit {
            report.status = if report.status == Status::Unhealthy { Status::Unhealthy } else { worse };
            faults.push(format!("{}, limit {limit}", reading.text));
        }
        report = report.metric(reading.name, reading.value, reading.unit);
    }
    report.message = match faults.is_empty() {
        true => format!("runs as {pid} since {}", duration(facts.uptime_ms)),
        false => faults.join("; "),
    };
    report
}

fn readings(config: &Config, facts: &Facts) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut read = |name, value: Option<f64>, unit, limits, text: &dyn Fn(f64) -> String| {
        readings.extend(value.map(|value| Reading { name, value, unit, limits, text: text(value) }));
    };
    let memory = facts.memory_bytes.map(|bytes| bytes as f64 / f64::from(1 << 20));
    let silent = facts.silent_ms.unwrap_or(facts.uptime_ms) as f64 / 1e3;
    read("cpu_percent", facts.cpu_percent, "%", config.cpu_percent, &|v| format!("CPU {v:.0} %"));
    read("memory_mib", memory, "MiBy", config.memory_mib, &|v| format!("memory {v:.0} MiB"));
    read("open_files", facts.open_files.map(|n| n as f64), "", config.open_files, &|v| {
        format!("{v:.0} open files")
    });
    read("threads", facts.threads.map(f64::from), "", config.threads, &|v| format!("{v:.0} threads"));
    read("silent_seconds", Some(silent), "s", config.silent_seconds, &|v| format!("silent for {v:.0} s"));
    read("lines_per_minute", Some(facts.lines_per_minute as f64), "", config.lines_per_minute, &|v| {
        format!("{v:.0} lines within a minute")
    });
    readings
}

fn duration(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

hostler_plugin::export!(health_check: Process);

#[cfg(test)]
mod tests;
