//! How lines are shown.

use hostler_api::logs::{Level, LogFormat, LogRecord};
use hostler_api::time::{rfc3339, time_of_day};
use hostler_model::Stream;
use hostler_model::text::{clip, readable};
use hostler_store::LogRow;

use crate::daemon::registry::Entry;

/// One line is cut here, unless the call says otherwise.
const LINE_CHARS: u32 = 2_000;
const MAX_LINE_CHARS: u32 = 256 * 1024;

/// How lines are shown.
#[derive(Clone, Copy)]
pub(super) struct Form {
    format: LogFormat,
    line_chars: usize,
}

impl Form {
    pub(super) fn of(format: LogFormat, line_chars: Option<u32>) -> Self {
        let line_chars = line_chars.unwrap_or(LINE_CHARS).clamp(1, MAX_LINE_CHARS);
        Self { format, line_chars: line_chars as usize }
    }

    /// About how many characters of an answer a line takes: its text, and time and mark or the keys of a record.
    pub(super) fn cost(self, row: &LogRow) -> usize {
        let overhead = if self.format == LogFormat::Text { 16 } else { 120 };
        row.raw.len().min(self.line_chars) + overhead
    }

    fn message(self, row: &LogRow) -> String {
        clip(readable(&row.raw), self.line_chars)
    }

    /// What a parser found the line to say; the text of each line where an event has many.
    fn parsed(self, row: &LogRow) -> String {
        match &row.event {
            Some(event) if event.last_seq == row.seq => {
                clip(readable(event.message.as_bytes()), self.line_chars)
            }
            Some(_) | None => self.message(row),
        }
    }
}

/// The rows as they are asked for; `named`: as text, each with its process.
pub(super) fn render(
    rows: &[(&Entry, &LogRow)],
    form: Form,
    named: bool,
) -> (Option<Vec<LogRecord>>, Option<String>) {
    match form.format {
        LogFormat::Records => {
            let records = rows.iter().map(|(entry, row)| record(&entry.full_name(), row, form));
            (Some(records.collect()), None)
        }
        LogFormat::Text => {
            let line = |(entry, row): &(&Entry, &LogRow)| {
                if named { format!("{} {}", entry.name, text_line(row, form)) } else { text_line(row, form) }
            };
            (None, Some(rows.iter().map(line).collect::<Vec<_>>().join("\n")))
        }
    }
}

pub(super) fn record(process: &str, row: &LogRow, form: Form) -> LogRecord {
    LogRecord {
        seq: row.seq,
        run: row.run.0,
        time: rfc3339(row.time),
        process: process.to_owned(),
        stream: row.stream,
        level: Level::of(row.level),
        message: form.parsed(row),
        continued: row.flags.is_continued(),
        fields: row
            .event
            .iter()
            .flat_map(|e| &e.fields)
            .map(|(k, v)| (k.clone(), v.clone().into()))
            .collect(),
    }
}

fn text_line(row: &LogRow, form: Form) -> String {
    let mark = if row.stream == Stream::Stderr { 'E' } else { ' ' };
    format!("{} {mark} {}", time_of_day(row.time), form.message(row))
}
