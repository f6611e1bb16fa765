//! Places in the output of several processes at once: what a cursor says.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostler_api::ToolError;
use hostler_model::{ProcessId, RunNo};
use hostler_store::LogPoint;

use crate::daemon::registry::Entry;

/// Where to go on in each process: `ID:RUN.SEQ`, with commas between; `RUN.SEQ` when there is but one. Of a process
/// that is not among them there is nothing further.
#[derive(Debug, Default)]
pub(super) struct Places(pub(super) BTreeMap<ProcessId, LogPoint>);

impl Places {
    /// Reads a cursor of these processes. Places in others are those of members that left their group: what they wrote
    /// is not asked for any more.
    ///
    /// # Errors
    /// When it has no place in any of these processes.
    pub(super) fn read(text: Option<&str>, entries: &[Arc<Entry>]) -> Result<Self, ToolError> {
        let Some(text) = text else { return Ok(Self::default()) };
        let mut places = BTreeMap::new();
        for part in text.split(',') {
            let (entry, place) = match part.split_once(':') {
                Some((id, place)) => (entries.iter().find(|e| e.id.to_string() == id), place),
                None => (entries.first().filter(|_| entries.len() == 1), part),
            };
            let place = parse_cursor(place)?;
            places.extend(entry.map(|entry| (entry.id, place)));
        }
        if places.is_empty() { Err(not_a_cursor(text)) } else { Ok(Self(places)) }
    }

    /// The cursor; none when there is nothing further. `alone`: there is but one process.
    pub(super) fn text(&self, alone: bool) -> Option<String> {
        let parts = self
            .0
            .iter()
            .map(|(id, point)| if alone { cursor(*point) } else { format!("{id}:{}", cursor(*point)) });
        (!self.0.is_empty()).then(|| parts.collect::<Vec<_>>().join(","))
    }
}

/// A place in the output of one process: `RUN.SEQ`.
pub(super) fn cursor(point: LogPoint) -> String {
    format!("{}.{}", point.run, point.seq)
}

/// Reads a place in the output of one process.
///
/// # Errors
/// When it is none.
fn parse_cursor(text: &str) -> Result<LogPoint, ToolError> {
    let parts = text.split_once('.').and_then(|(run, seq)| Some((run.parse().ok()?, seq.parse().ok()?)));
    parts.map(|(run, seq)| LogPoint { run: RunNo(run), seq }).ok_or_else(|| not_a_cursor(text))
}

fn not_a_cursor(text: &str) -> ToolError {
    ToolError::invalid(format!(
        "`cursor`: {text:?} is not a cursor of get_logs, tail_logs or search_logs for these processes; leave it out to begin with the newest lines"
    ))
}
