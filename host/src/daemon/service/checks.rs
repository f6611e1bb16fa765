//! From the arguments of a start to declared health checks.

use std::ops::RangeInclusive;

use hostler_api::ToolError;
use hostler_api::process::HealthArgs;
use hostler_model::health::bounds::{INTERVAL_MS, START_PERIOD_MS, THRESHOLD, TIMEOUT_MS};
use hostler_model::health::{CheckSpec, Schedule};

/// Checks of one process.
const MAX_CHECKS: usize = 16;

/// The checks as they are declared, every default filled in.
///
/// # Errors
/// Names the argument that is out of bounds.
pub(super) fn declared(args: &[HealthArgs]) -> Result<Vec<CheckSpec>, ToolError> {
    if args.len() > MAX_CHECKS {
        return Err(ToolError::invalid(format!(
            "`health` has {} checks, and a process can have {MAX_CHECKS} at most",
            args.len()
        )));
    }
    args.iter().enumerate().map(|(at, check)| one(at, check)).collect()
}

fn one(at: usize, args: &HealthArgs) -> Result<CheckSpec, ToolError> {
    let usual = Schedule::default();
    let bounds = Bounds { at };
    let interval_ms = bounds.of("interval_ms", args.interval_ms, usual.interval_ms, &INTERVAL_MS)?;
    Ok(CheckSpec {
        plugin: args.plugin.clone(),
        config: args.config.clone(),
        schedule: Schedule {
            interval_ms,
            timeout_ms: bounds.of("timeout_ms", args.timeout_ms, usual.timeout_ms, &TIMEOUT_MS)?,
            start_period_ms: bounds.of(
                "start_period_ms",
                args.start_period_ms,
                usual.start_period_ms,
                &START_PERIOD_MS,
            )?,
            failure_threshold: bounds.of(
                "failure_threshold",
                args.failure_threshold,
                usual.failure_threshold,
                &THRESHOLD,
            )?,
            success_threshold: bounds.of(
                "success_threshold",
                args.success_threshold,
                usual.success_threshold,
                &THRESHOLD,
            )?,
        },
        on_unhealthy: args.on_unhealthy.unwrap_or_default(),
    })
}

/// Tells of which check a number is.
struct Bounds {
    at: usize,
}

impl Bounds {
    fn of<T: PartialOrd + Copy + std::fmt::Display>(
        &self,
        key: &str,
        given: Option<T>,
        usual: T,
        allowed: &RangeInclusive<T>,
    ) -> Result<T, ToolError> {
        let value = given.unwrap_or(usual);
        if allowed.contains(&value) {
            return Ok(value);
        }
        let (at, least, most) = (self.at, allowed.start(), allowed.end());
        Err(ToolError::invalid(format!("`health[{at}].{key}` is {value}; use {least} to {most}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> HealthArgs {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn defaults_are_filled_in_and_bounds_are_named() {
        let specs = declared(&[check(r#"{"plugin": "http", "interval_ms": 500}"#)]).unwrap();
        assert_eq!(specs[0].schedule, Schedule { interval_ms: 500, ..Schedule::default() });
        for (key, value) in [("interval_ms", 5), ("timeout_ms", 0), ("failure_threshold", 0)] {
            let text = format!(r#"{{"plugin": "http", "{key}": {value}}}"#);
            let message = declared(&[check(r#"{"plugin": "tcp"}"#), check(&text)]).unwrap_err().message;
            assert!(message.starts_with(&format!("`health[1].{key}` is {value}; use ")), "{message}");
        }
        let many = vec![check(r#"{"plugin": "tcp"}"#); 17];
        assert!(declared(&many).unwrap_err().message.contains("16 at most"));
    }
}
