//! What the health checks of other tools have in common.

use std::fmt::Display;
use std::ops::RangeInclusive;

use hostler_api::process::HealthArgs;
use hostler_model::health::bounds;

use super::Imported;
use super::yaml::Node;
use crate::units::duration_ms;

/// By which names a tool says how often and how patiently a check is made.
pub(super) struct Timing {
    interval: &'static str,
    timeout: &'static str,
    start_period: &'static str,
    failures: &'static str,
    successes: Option<&'static str>,
}

/// The names of docker compose.
pub(super) const OF_COMPOSE: Timing = Timing {
    interval: "interval",
    timeout: "timeout",
    start_period: "start_period",
    failures: "retries",
    successes: None,
};

/// The names of process-compose, which are those of Kubernetes.
pub(super) const OF_PROCESS_COMPOSE: Timing = Timing {
    interval: "period_seconds",
    timeout: "timeout_seconds",
    start_period: "initial_delay_seconds",
    failures: "failure_threshold",
    successes: Some("success_threshold"),
};

impl Timing {
    /// The check of process `of` with the timing that stands in `node`.
    pub(super) fn with(
        &self,
        check: HealthArgs,
        node: &Node,
        of: &str,
        imported: &mut Imported,
    ) -> HealthArgs {
        let mut fields = Fields { node, of, imported };
        HealthArgs {
            interval_ms: fields.ms(self.interval, &bounds::INTERVAL_MS),
            timeout_ms: fields.ms(self.timeout, &bounds::TIMEOUT_MS),
            start_period_ms: fields.ms(self.start_period, &bounds::START_PERIOD_MS),
            failure_threshold: fields.count(self.failures, &bounds::THRESHOLD),
            success_threshold: self.successes.and_then(|name| fields.count(name, &bounds::THRESHOLD)),
            ..check
        }
    }
}

struct Fields<'a> {
    node: &'a Node,
    of: &'a str,
    imported: &'a mut Imported,
}

impl Fields<'_> {
    fn ms(&mut self, name: &str, bounds: &RangeInclusive<u64>) -> Option<u64> {
        let ms = duration_ms(self.node.text_of(name)?);
        self.within(name, ms, bounds, " ms")
    }

    fn count(&mut self, name: &str, bounds: &RangeInclusive<u32>) -> Option<u32> {
        let count = self.node.text_of(name)?.parse::<u64>().ok();
        let count = count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        self.within(name, count, bounds, "")
    }

    /// A value as a check can have it. Nothing, as in those tools, is the usual.
    fn within<T>(&mut self, name: &str, value: Option<T>, bounds: &RangeInclusive<T>, unit: &str) -> Option<T>
    where
        T: Ord + Copy + Default + Display,
    {
        let (node, of) = (self.node, self.of);
        let given = node.get(name)?;
        let text = given.text().unwrap_or_default();
        let Some(value) = value else {
            let text =
                format!("`{name}` of the health check of `{of}` is not understood: {text:?}; it is as usual");
            self.imported.note(given.line, text);
            return None;
        };
        let kept = value.clamp(*bounds.start(), *bounds.end());
        if value == T::default() {
            return None;
        }
        if kept != value {
            let (least, most) = (bounds.start(), bounds.end());
            let text = format!(
                "`{name}: {text}` of the health check of `{of}` became {kept}{unit}: it can be {least} to {most}"
            );
            self.imported.note(given.line, text);
        }
        Some(kept)
    }
}
