//! What parsers made of lines, as the API shows it.

use hostler_api::logs::Level;
use hostler_model::Severity;
use hostler_model::text::{clip, readable};
use hostler_store::LogRow;
use serde_json::{Map, Value};

/// The level of a line by its name.
pub(super) fn level(row: &LogRow) -> Option<Level> {
    Some(match row.level.name() {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        "fatal" => Level::Fatal,
        _ => return None,
    })
}

/// The least severity of a level; of none, all.
pub(super) fn severity(level: Option<Level>) -> Severity {
    level.map_or(Severity::UNKNOWN, |level| match level {
        Level::Trace => Severity::TRACE,
        Level::Debug => Severity::DEBUG,
        Level::Info => Severity::INFO,
        Level::Warn => Severity::WARN,
        Level::Error => Severity::ERROR,
        Level::Fatal => Severity::FATAL,
    })
}

/// What a line of structured output says, where a parser found fields in it. Others are shown as they were written:
/// that is short, and nothing of it is lost.
pub(super) fn message(row: &LogRow) -> Option<String> {
    let event = row.event.as_ref()?;
    let is_one_line = event.last_seq == row.seq;
    (is_one_line && is_structured(row)).then(|| readable(event.message.as_bytes()))
}

/// Whether a parser took the line apart, and not only its beginning off.
fn is_structured(row: &LogRow) -> bool {
    let Some(event) = &row.event else { return false };
    !event.fields.is_empty() || matches!(row.raw.trim_ascii_start().first(), Some(b'{'))
}

/// The fields of a line; one that is there several times has a list.
pub(super) fn fields(row: &LogRow, longest: usize) -> Map<String, Value> {
    let mut fields = Map::new();
    for (key, value) in row.event.iter().flat_map(|event| &event.fields) {
        let value = Value::from(clip(readable(value.as_bytes()), longest));
        match fields.get_mut(key) {
            None => drop(fields.insert(key.clone(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(other) => *other = Value::Array(vec![other.take(), value]),
        }
    }
    fields
}
