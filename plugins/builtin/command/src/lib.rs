//! Runs a command and understands its exit code as Nagios plugins mean it: 0 healthy, 1 degraded, 2 unhealthy, 3 not
//! known. Numbers behind a bar in what it wrote become metrics.

mod perfdata;

use hostler_plugin::{
    Error, HealthCheck, Plugin, Report, Status,
    health::{Output, RunError, run_command, unhealthy},
    invalid,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The program and its arguments. There is no shell.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// What exit codes mean: `nagios` (1 is degraded, 3 is not known) or `plain` (everything but 0 is unhealthy).
    #[serde(default)]
    pub codes: Codes,
    /// The longest time it may take, milliseconds.
    #[serde(default = "usual_timeout")]
    #[schemars(range(min = 1))]
    pub timeout_ms: u32,
}

/// What exit codes mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Codes {
    /// 0 healthy, 1 degraded, 2 unhealthy, 3 not known.
    #[default]
    Nagios,
    /// 0 healthy, everything else unhealthy.
    Plain,
}

fn usual_timeout() -> u32 {
    10_000
}

/// The check.
#[derive(Debug)]
pub struct Command {
    program: String,
    arguments: Vec<String>,
    codes: Codes,
    timeout_ms: u32,
}

impl Plugin for Command {
    const NAME: &'static str = "command";
    const SUMMARY: &'static str =
        "Runs a command and understands its exit code and performance data as Nagios does.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn extra() -> Vec<(&'static str, String)> {
        let sample = r#"{"command": ["pg_isready", "--quiet"]}"#;
        // Which program it wants to run is up to the configuration.
        vec![("sample-config", sample.to_owned())]
    }

    fn new(config: Config) -> Result<Self, Error> {
        let mut words = config.command.into_iter();
        let Some(program) = words.next().filter(|program| !program.is_empty()) else {
            return Err(invalid("command", "[]", "it needs a program and its arguments"));
        };
        Ok(Self { program, arguments: words.collect(), codes: config.codes, timeout_ms: config.timeout_ms })
    }
}

impl HealthCheck for Command {
    fn check(&mut self) -> Result<Report, Error> {
        match run_command(&self.program, &self.arguments, self.timeout_ms) {
            Ok(output) => judge(&self.program, self.codes, &output),
            Err(error) => self.not_run(error),
        }
    }
}

impl Command {
    fn not_run(&self, error: RunError) -> Result<Report, Error> {
        let program = &self.program;
        match error {
            RunError::Timeout => {
                Ok(unhealthy(format!("{program} did not end within {} ms", self.timeout_ms)))
            }
            RunError::Denied(why) => Err(Error::Unavailable(why)),
            RunError::NotStarted(why) => {
                Err(Error::Unavailable(format!("{program} could not be started: {why}")))
            }
            RunError::Other(why) => Err(Error::Other(format!("{program}: {why}"))),
        }
    }
}

fn judge(program: &str, codes: Codes, output: &Output) -> Result<Report, Error> {
    let (text, data) = perfdata::split(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = [text.trim(), errors.trim().lines().next().unwrap_or_default()]
        .into_iter()
        .find(|text| !text.is_empty());
    let message = |ended: String| said.map_or(ended, str::to_owned);
    let status = match (output.code, codes) {
        (Some(0), _) => Status::Healthy,
        (Some(1), Codes::Nagios) => Status::Degraded,
        (Some(3), Codes::Nagios) => {
            return Err(Error::Unavailable(message(format!("{program} does not know"))));
        }
        _ => Status::Unhealthy,
    };
    let ended = match output.code {
        Some(code) => format!("{program} ended with {code}"),
        None => format!("{program} was ended by a signal"),
    };
    Ok(Report { status, message: message(ended), metrics: perfdata::metrics(&data) })
}

hostler_plugin::export!(health_check: Command);

#[cfg(test)]
mod tests;
