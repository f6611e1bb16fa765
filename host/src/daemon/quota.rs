//! How much clients may ask for: calls, starts, processes. The defaults are far beyond what anybody needs, so that only
//! a loop that went wild meets them. `[limits]` of `config.toml` changes them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hostler_api::{ErrorKind, ToolError};
use hostler_model::Timestamp;
use hostler_model::bucket::{Bucket, Rate};
use serde::Deserialize;

/// `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Calls of one client of one tool that only reads, a minute.
    pub(crate) reads_per_minute: u32,
    /// Calls of one client of one tool that changes something, a minute.
    pub(crate) changes_per_minute: u32,
    /// Starts of all clients together, a minute.
    pub(crate) starts_per_minute: u32,
    /// Declared processes of a project.
    pub(crate) processes_per_project: usize,
    /// Declared processes in all.
    pub(crate) processes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reads_per_minute: 12_000,
            changes_per_minute: 6_000,
            starts_per_minute: 6_000,
            processes_per_project: 2_000,
            processes: 5_000,
        }
    }
}

/// So many may come at once as in this part of a minute.
const BURST_OF_MINUTE: u32 = 4;

fn rate(per_minute: u32) -> Rate {
    Rate { per_minute, burst: (per_minute / BURST_OF_MINUTE).max(1) }
}

/// One bucket that fills at a rate which may change.
#[derive(Debug, Default)]
pub(crate) struct Quota(Mutex<Option<Bucket>>);

impl Quota {
    /// Takes one of so many a minute.
    ///
    /// # Errors
    /// When there is none left: when to try again.
    pub(crate) fn take(
        &self,
        what: &str,
        key: &str,
        per_minute: u32,
        now: Timestamp,
    ) -> Result<(), ToolError> {
        let rate = rate(per_minute);
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = bucket.get_or_insert_with(|| Bucket::full(rate, now));
        bucket.take(rate, now).map_err(|wait_ms| {
            ToolError::new(
                ErrorKind::Conflict,
                format!(
                    "too many {what}: {per_minute} a minute are allowed; try again in {wait_ms} ms \
                     (`limits.{key}` in config.toml changes this)"
                ),
            )
        })
    }
}

/// The calls of one client, by tool: a loop over one of them leaves the others to it.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<BTreeMap<String, Quota>>);

impl Calls {
    /// Counts a call of a tool that there is.
    ///
    /// # Errors
    /// When it was one too many.
    pub(crate) fn count(
        &self,
        tool: &str,
        reads: bool,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), ToolError> {
        let (key, per_minute) = match reads {
            true => ("reads_per_minute", limits.reads_per_minute),
            false => ("changes_per_minute", limits.changes_per_minute),
        };
        let mut tools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let quota = tools.entry(tool.to_owned()).or_default();
        quota.take(&format!("calls of {tool} by this client"), key, per_minute, now)
    }
}

impl Limits {
    /// Whether there is room for so many more processes.
    ///
    /// # Errors
    /// When there is not.
    pub(crate) fn room(&self, more: usize, of_project: usize, in_all: usize) -> Result<(), ToolError> {
        let caps = [
            ("the project", of_project, self.processes_per_project, "processes_per_project"),
            ("hostler", in_all, self.processes, "processes"),
        ];
        match caps.into_iter().find(|(_, number, most, _)| more > 0 && number + more > *most) {
            None => Ok(()),
            Some((what, number, most, key)) => Err(ToolError::new(
                ErrorKind::Conflict,
                format!(
                    "{what} has {number} processes, {more} more would be beyond the {most} allowed; stop_process with \
                     `remove` makes room, and `limits.{key}` in config.toml changes this"
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_is_told_when_to_come_back() {
        let limits = Limits { reads_per_minute: 8, changes_per_minute: 4, ..Limits::default() };
        let (calls, now) = (Calls::default(), Timestamp(0));
        let count = |tool, reads, now| calls.count(tool, reads, &limits, now);
        assert!(count("get_logs", true, now).is_ok() && count("get_logs", true, now).is_ok());
        let refused = count("get_logs", true, now).unwrap_err().message;
        assert!(
            refused.contains("calls of get_logs") && refused.contains("try again in 7500 ms"),
            "{refused}"
        );
        assert!(count("tail_logs", true, now).is_ok(), "each tool has its own");
        assert!(count("stop_process", false, now).is_ok());
        let refused = count("stop_process", false, now).unwrap_err().message;
        assert!(refused.contains("`limits.changes_per_minute`"), "{refused}");
        assert!(count("get_logs", true, now.plus_ms(7500)).is_ok());
    }

    #[test]
    fn the_readme_tells_the_defaults() {
        let readme = include_str!("../../../README.md");
        let limits = Limits::default();
        for (key, default) in [
            ("reads_per_minute", limits.reads_per_minute as usize),
            ("changes_per_minute", limits.changes_per_minute as usize),
            ("starts_per_minute", limits.starts_per_minute as usize),
            ("processes_per_project", limits.processes_per_project),
            ("processes", limits.processes),
        ] {
            let row = format!("\n| `{key}` | {default} | ");
            assert!(readme.contains(&row), "{row:?}");
        }
    }

    #[test]
    fn there_is_room_up_to_the_caps() {
        let limits = Limits { processes_per_project: 2, processes: 3, ..Limits::default() };
        assert!(limits.room(1, 1, 2).is_ok() && limits.room(2, 0, 1).is_ok() && limits.room(0, 5, 5).is_ok());
        let full = [
            (1, 2, 2, "`limits.processes_per_project`"),
            (2, 1, 1, "has 1 processes, 2 more would be beyond the 2 allowed"),
            (1, 0, 3, "`limits.processes`"),
        ];
        for (more, of_project, in_all, wanted) in full {
            let message = limits.room(more, of_project, in_all).unwrap_err().message;
            assert!(message.contains(wanted), "{message}");
        }
    }
}
