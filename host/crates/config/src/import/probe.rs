//! What the health checks of other tools have in common.

use hostler_api::process::HealthArgs;

use super::yaml::Node;
use crate::units::duration_ms;

/// How often and how patiently a check is made.
pub(super) struct Timing<'a> {
    pub(super) interval: Option<&'a str>,
    pub(super) timeout: Option<&'a str>,
    pub(super) start_period: Option<&'a str>,
    pub(super) failures: Option<u64>,
    pub(super) successes: Option<u64>,
}

impl<'a> Timing<'a> {
    /// By the names of docker compose.
    pub(super) fn of_compose(check: &'a Node) -> Self {
        Self {
            interval: check.text_of("interval"),
            timeout: check.text_of("timeout"),
            start_period: check.text_of("start_period"),
            failures: check.number_of("retries"),
            successes: None,
        }
    }

    /// By the names of process-compose, which are those of Kubernetes.
    pub(super) fn of_process_compose(check: &'a Node) -> Self {
        Self {
            interval: check.text_of("period_seconds"),
            timeout: check.text_of("timeout_seconds"),
            start_period: check.text_of("initial_delay_seconds"),
            failures: check.number_of("failure_threshold"),
            successes: check.number_of("success_threshold"),
        }
    }

    /// The check with this timing.
    pub(super) fn with(&self, check: HealthArgs) -> HealthArgs {
        let ms = |text: Option<&str>| text.and_then(duration_ms).filter(|ms| *ms > 0);
        let count = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        HealthArgs {
            interval_ms: ms(self.interval),
            timeout_ms: ms(self.timeout),
            start_period_ms: ms(self.start_period),
            failure_threshold: count(self.failures),
            success_threshold: count(self.successes),
            ..check
        }
    }
}
