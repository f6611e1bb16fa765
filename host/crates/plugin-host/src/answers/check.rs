//! The answer of a health check.

use super::Broken;
use crate::bindings::health_checking as raw;
use crate::text::{is_snake, one_line};

const MAX_MESSAGE: usize = 2_000;
const MAX_METRICS: usize = 32;
const MAX_NAME: usize = 64;
const MAX_UNIT: usize = 16;

/// The verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Healthy,
    /// It works, but somebody should look. Counts as success.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// The answer of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The verdict.
    pub health: Health,
    /// One line that says what was seen.
    pub message: String,
    /// Numbers worth keeping, at most 32.
    pub metrics: Vec<Metric>,
    /// Metrics left out: more than 32, or no finite number.
    pub cut_metrics: u32,
}

/// A number that was measured on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Name in snake_case.
    pub name: String,
    /// Value, finite.
    pub value: f64,
    /// Unit as UCUM has it; may be empty.
    pub unit: String,
}

/// Checks an answer.
///
/// # Errors
/// The first thing in it that breaks the contract.
pub(crate) fn accept(answer: raw::Report) -> Result<Report, Broken> {
    let mut report = Report {
        health: match answer.status {
            raw::Status::Healthy => Health::Healthy,
            raw::Status::Degraded => Health::Degraded,
            raw::Status::Unhealthy => Health::Unhealthy,
        },
        message: one_line(&answer.message, MAX_MESSAGE),
        metrics: Vec::new(),
        cut_metrics: 0,
    };
    for metric in answer.metrics {
        if metric.name.len() > MAX_NAME || !is_snake(&metric.name) {
            return Err(format!("the metric `{}` is not named in snake_case", one_line(&metric.name, 80)));
        }
        if metric.unit.len() > MAX_UNIT || metric.unit.chars().any(char::is_control) {
            return Err(format!(
                "the unit of `{}` is no unit: `{}`",
                metric.name,
                one_line(&metric.unit, 80)
            ));
        }
        if report.metrics.len() == MAX_METRICS || !metric.value.is_finite() {
            report.cut_metrics = report.cut_metrics.saturating_add(1);
            continue;
        }
        report.metrics.push(Metric { name: metric.name, value: metric.value, unit: metric.unit });
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, value: f64, unit: &str) -> raw::Metric {
        raw::Metric { name: name.into(), value, unit: unit.into() }
    }

    fn report(metrics: Vec<raw::Metric>) -> raw::Report {
        raw::Report { status: raw::Status::Degraded, message: "slow\nbut there".into(), metrics }
    }

    #[test]
    fn a_report_is_one_line_and_its_numbers_are_numbers() {
        let accepted =
            accept(report(vec![metric("latency", 1.5, "ms"), metric("odd", f64::NAN, "")])).unwrap();
        assert_eq!(accepted.message, "slow but there");
        assert_eq!((accepted.metrics.len(), accepted.cut_metrics), (1, 1));
    }

    #[test]
    fn names_and_units_are_checked_and_the_number_of_metrics_is_bounded() {
        assert!(accept(report(vec![metric("Latency ms", 1.0, "ms")])).is_err());
        assert!(accept(report(vec![metric("latency", 1.0, "a unit that is a sentence")])).is_err());
        let many = accept(report((0..100).map(|_| metric("latency", 1.0, "ms")).collect())).unwrap();
        assert_eq!((many.metrics.len(), many.cut_metrics), (32, 68));
    }
}
