//! How lines are shown.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostler_api::logs::{Level, LogFormat, LogRecord};
use hostler_api::time::{rfc3339, time_of_day};
use hostler_model::Stream;
use hostler_model::errors::Redactor;
use hostler_model::text::{clip, is_readable, lossy, readable};
use hostler_store::LogRow;

use crate::daemon::registry::Entry;

/// One line is cut here, unless the call says otherwise.
const LINE_CHARS: u32 = 2_000;
const MAX_LINE_CHARS: u32 = 256 * 1024;

/// How lines are shown.
#[derive(Clone)]
pub(super) struct Form {
    format: LogFormat,
    line_chars: usize,
    /// What was written is wanted, too; without secrets.
    raw: Option<Arc<Redactor>>,
}

impl Form {
    pub(super) fn of(format: LogFormat, line_chars: Option<u32>) -> Self {
        let line_chars = line_chars.unwrap_or(LINE_CHARS).clamp(1, MAX_LINE_CHARS);
        Self { format, line_chars: line_chars as usize, raw: None }
    }

    /// The same with what was written, where that is asked for.
    pub(super) fn with_raw(self, asked: bool, redactor: Arc<Redactor>) -> Self {
        Self { raw: asked.then_some(redactor), ..self }
    }

    /// About how many characters of an answer a line takes: its text, and time and mark or the keys of a record.
    pub(super) fn cost(&self, row: &LogRow) -> usize {
        let text = row.raw.len().min(self.line_chars);
        if self.format == LogFormat::Text {
            return text + 16;
        }
        let event_time = row.event.as_ref().and_then(|event| event.event_time).map_or(0, |_| 42);
        let twice = self.raw.is_some() && (row.event.is_some() || !is_readable(&row.raw));
        text + 120 + event_time + if twice { 10 + as_json(&row.raw).min(self.line_chars) } else { 0 }
    }

    /// What was written, as `raw` and as `raw_base64`: neither where it is the message.
    fn written(&self, row: &LogRow, message: &str) -> (Option<String>, Option<String>) {
        let Some(redactor) = self.raw.as_ref().filter(|_| row.raw != message.as_bytes()) else {
            return (None, None);
        };
        let text = lossy(&row.raw);
        let kept = without_secrets(redactor, &text);
        let is_text = std::str::from_utf8(&row.raw).is_ok();
        // Nobody finds a secret in Base64, so it is given where there is none only.
        if !is_text && kept == text && row.raw.len() <= self.line_chars {
            return (None, Some(STANDARD.encode(&row.raw)));
        }
        (Some(clip(kept, self.line_chars)), None)
    }
}

/// About how long these bytes are in JSON: what is escaped there is longer.
fn as_json(raw: &[u8]) -> usize {
    let length = |byte: &u8| match byte {
        b'"' | b'\\' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    raw.iter().map(length).sum()
}

/// Text as it was written, without secrets. Where terminal escapes stand in the middle of one, no rule finds it in what was
/// written; then that part is given as it is shown.
fn without_secrets(redactor: &Redactor, text: &str) -> String {
    let part = |part: &str| {
        let shown = readable(part.as_bytes());
        let safe = redactor.redact(&shown);
        if safe == shown {
            return part.to_owned();
        }
        let redacted = redactor.redact(part);
        if readable(redacted.as_bytes()) == safe { redacted } else { safe }
    };
    text.split('\r').map(part).collect::<Vec<_>>().join("\r")
}

/// What a parser found the line to say; the text of each line where an event has many.
fn message(row: &LogRow) -> String {
    match &row.event {
        Some(event) if event.last_seq == row.seq => readable(event.message.as_bytes()),
        Some(_) | None => readable(&row.raw),
    }
}

/// The rows as they are asked for; `named`: as text, each with its process.
pub(super) fn render(
    rows: &[(&Entry, &LogRow)],
    form: &Form,
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

pub(super) fn record(process: &str, row: &LogRow, form: &Form) -> LogRecord {
    let message = message(row);
    let (raw, raw_base64) = form.written(row, &message);
    let time = rfc3339(row.time);
    let event_time = row.event.as_ref().and_then(|event| event.event_time).map(rfc3339);
    LogRecord {
        seq: row.seq,
        run: row.run.0,
        event_time: event_time.filter(|event_time| *event_time != time),
        time,
        process: process.to_owned(),
        stream: row.stream,
        level: Level::of(row.level),
        message: clip(message, form.line_chars),
        raw,
        raw_base64,
        continued: row.flags.is_continued(),
        fields: row
            .event
            .iter()
            .flat_map(|e| &e.fields)
            .map(|(k, v)| (k.clone(), v.clone().into()))
            .collect(),
    }
}

fn text_line(row: &LogRow, form: &Form) -> String {
    let mark = if row.stream == Stream::Stderr { 'E' } else { ' ' };
    format!("{} {mark} {}", time_of_day(row.time), clip(readable(&row.raw), form.line_chars))
}

#[cfg(test)]
mod tests {
    use hostler_model::event::Severity;
    use hostler_model::{RunNo, Timestamp};
    use hostler_store::{LogEvent, RowFlags, RunKey};

    use super::*;

    fn row(raw: &[u8], message: Option<&str>) -> LogRow {
        LogRow {
            run: RunNo(1),
            run_key: RunKey(1),
            seq: 1,
            time: Timestamp(1_000_000),
            stream: Stream::Stdout,
            level: Severity::UNKNOWN,
            flags: RowFlags::NONE,
            raw: raw.to_vec(),
            event: message.map(|message| LogEvent {
                last_seq: 1,
                event_time: None,
                message: message.to_owned(),
                fields: Vec::new(),
            }),
        }
    }

    fn written(raw: &[u8], message: Option<&str>) -> (String, Option<String>, Option<String>) {
        let form = Form::of(LogFormat::Records, Some(100)).with_raw(true, Arc::default());
        let record = record("shop/web", &row(raw, message), &form);
        (record.message, record.raw, record.raw_base64)
    }

    #[test]
    fn what_was_written_is_given_where_the_message_is_not_that() {
        let same = |text: &str| (text.to_owned(), None, None);
        assert_eq!(written(b"plain", None), same("plain"));
        assert_eq!(written(b"plain", Some("plain")), same("plain"));
        let raw = |message: &str, raw: &str| (message.to_owned(), Some(raw.to_owned()), None);
        assert_eq!(written(b"WARN slow", Some("slow")), raw("slow", "WARN slow"));
        assert_eq!(written(b"\x1b[31mred\x1b[0m", None), raw("red", "\x1b[31mred\x1b[0m"));
        assert_eq!(written(b"10%\r20%", None), raw("20%", "10%\r20%"));
        let (message, text, base64) = written(b"a\xff", None);
        assert_eq!((message.as_str(), text), ("a\u{fffd}", None));
        assert_eq!(STANDARD.decode(base64.unwrap()).unwrap(), b"a\xff");
        let form = Form::of(LogFormat::Records, None);
        assert_eq!(record("web", &row(b"\x1b[1mx", None), &form).raw, None, "not asked for");
    }

    #[test]
    fn a_line_that_is_cut_is_cut_in_both_forms() {
        let long = [&b"\xff"[..], &[b'x'; 300]].concat();
        let (message, raw, base64) = written(&long, None);
        assert_eq!((message.as_str(), base64), (raw.as_deref().unwrap(), None));
        assert!(message.ends_with("(+201 characters)"), "{message}");
    }

    #[test]
    fn no_secret_is_given_as_it_was_written() {
        const SECRET: &str = "hunter2hunter2XYZ";
        for line in [
            format!("{{\"msg\":\"hello\",\"password\":\"{SECRET}\"}}"),
            format!("\x1b[36mtoken\x1b[0m=\x1b[35m{SECRET}\x1b[0m"),
            format!("\x1b[36mtoken\x1b[0m=\x1b[35m{SECRET}\x1b[0m\rdone"),
        ] {
            for raw in [line.clone().into_bytes(), [line.as_bytes(), b"\xff"].concat()] {
                let (_, raw, base64) = written(&raw, Some("hello"));
                assert_eq!(base64, None);
                let raw = raw.unwrap();
                assert!(!raw.contains(SECRET) && raw.contains("[redacted]"), "{line:?} -> {raw:?}");
            }
        }
        let (_, raw, _) = written(format!("\x1b[1mlogin\x1b[0m password={SECRET}").as_bytes(), None);
        assert_eq!(raw.unwrap(), "\x1b[1mlogin\x1b[0m password=[redacted]", "the rest is as it was");
    }

    #[test]
    fn the_time_of_an_event_is_given_where_it_is_another() {
        let form = Form::of(LogFormat::Records, None);
        let at = |nanos| {
            let mut row = row(b"x", Some("x"));
            row.event.as_mut().unwrap().event_time = Some(Timestamp(nanos));
            record("web", &row, &form).event_time
        };
        assert_eq!(at(1_000_999), None, "the same millisecond");
        assert_eq!(at(2_000_000).as_deref(), Some("1970-01-01T00:00:00.002Z"));
    }
}
