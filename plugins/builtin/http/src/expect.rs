//! What an answer should be like.

use crate::Config;
use hostler_plugin::{
    Report,
    health::{degraded, healthy, unhealthy},
};

/// An answer.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// The beginning of the body.
    pub body: &'a [u8],
    /// How long it took, milliseconds.
    pub elapsed_ms: f64,
}

/// Ranges of status codes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Statuses(Vec<(u16, u16)>);

impl Statuses {
    /// Reads `200`, `200-299` or `200,204,301-302`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (range.0 <= range.1).then_some(range)
        };
        let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
        ranges.map(Self).ok_or_else(|| "it should be like 200, 200-299 or 200,204,301-302".to_owned())
    }

    fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

pub(crate) fn judge(config: &Config, statuses: &Statuses, path: &str, seen: &Seen<'_>) -> Report {
    let answered = format!("{} {path} answered {} in {:.0} ms", config.method, seen.status, seen.elapsed_ms);
    let fault = fault(config, statuses, seen);
    let slow = config.degraded_ms.is_some_and(|limit| seen.elapsed_ms > f64::from(limit));
    let report = match fault {
        Some(fault) => unhealthy(format!("{answered}: {fault}")),
        None if slow => degraded(format!("{answered}, which is slow")),
        None => healthy(answered),
    };
    report.metric("latency", seen.elapsed_ms, "ms").metric("status", f64::from(seen.status), "")
}

fn fault(config: &Config, statuses: &Statuses, seen: &Seen<'_>) -> Option<String> {
    if !statuses.contain(seen.status) {
        return Some(format!("expected {}", config.status));
    }
    for (name, part) in &config.expect_headers {
        let fits = |(n, value): &(String, String)| n.eq_ignore_ascii_case(name) && value.contains(part);
        if !seen.headers.iter().any(fits) {
            return Some(format!("no header {name} with {part:?}"));
        }
    }
    let body = String::from_utf8_lossy(seen.body);
    let missing = config.body_contains.as_deref().filter(|text| !body.contains(text));
    let unwanted = config.body_lacks.as_deref().filter(|text| body.contains(text));
    missing
        .map(|text| format!("no {text:?} in it"))
        .or_else(|| unwanted.map(|text| format!("{text:?} in it")))
}
