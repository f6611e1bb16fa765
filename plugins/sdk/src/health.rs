//! Health checks.

use crate::plugin::{Error, Plugin};

pub use crate::bindings::health_check::{
    exports::hostler::plugin::health_checking::{Metric, Report, Status},
    hostler::plugin::commands::{Output, RunError},
    hostler::plugin::process::Facts,
};

/// Judges whether a process does its work.
pub trait HealthCheck: Plugin {
    /// Checks once. The host measures how long it takes and ends it at the check's timeout. An error means that the
    /// check itself could not be made; a process that does not work is a [`Report`] that says so.
    fn check(&mut self) -> Result<Report, Error>;
}

/// What the host knows of the process now. Only in a component: keep the judgement in a function of [`Facts`], which
/// a native test can call.
#[must_use]
pub fn process_facts() -> Facts {
    crate::bindings::health_check::hostler::plugin::process::get_facts()
}

/// Runs a program without a shell, in the process's directory and environment. Only in a component: keep the judgement
/// in a function of [`Output`].
pub fn run_command(program: &str, arguments: &[String], timeout_ms: u32) -> Result<Output, RunError> {
    crate::bindings::health_check::hostler::plugin::commands::run(program, arguments, timeout_ms)
}

/// A report that it works.
#[must_use]
pub fn healthy(message: impl Into<String>) -> Report {
    Report { status: Status::Healthy, message: message.into(), metrics: Vec::new() }
}

/// A report that it works, but somebody should look.
#[must_use]
pub fn degraded(message: impl Into<String>) -> Report {
    Report { status: Status::Degraded, message: message.into(), metrics: Vec::new() }
}

/// A report that it does not work.
#[must_use]
pub fn unhealthy(message: impl Into<String>) -> Report {
    Report { status: Status::Unhealthy, message: message.into(), metrics: Vec::new() }
}

impl Report {
    /// Adds a number that was measured on the way. The unit is as UCUM has it (`ms`, `By`, `%`), or empty.
    #[must_use]
    pub fn metric(mut self, name: &str, value: f64, unit: &str) -> Self {
        self.metrics.push(Metric { name: name.to_owned(), value, unit: unit.to_owned() });
        self
    }
}
