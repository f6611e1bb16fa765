//! Which events may be errors, and what of them is text. Pure.

use hostler_model::errors::Redactor;
use hostler_model::text::{clip, readable};
use hostler_model::{Event, Severity};
use hostler_store::{RowRef, Sample, Stretch};

/// Longest text of an error, lines; of a longer one the beginning and the end are read.
const MAX_LINES: usize = 400;
/// Longest line of it, characters.
const MAX_LINE: usize = 4_000;
/// Lines before an error that are shown with it.
const CONTEXT: usize = 5;
/// Lines of a sample that are kept.
const SAMPLE_LINES: usize = 100;
/// Characters of each.
const SAMPLE_WIDTH: usize = 500;
/// Fields in which loggers put a stack trace.
const STACKS: [&str; 12] = [
    "stack",
    "stacktrace",
    "stack_trace",
    "err.stack",
    "error.stack",
    "error.stack_trace",
    "exception.stacktrace",
    "exception",
    "exc_info",
    "traceback",
    "backtrace",
    "error.stacktrace",
];

/// Fields in which loggers put the error itself, beside what they say of it.
const CAUSES: [&str; 8] =
    ["err", "error", "exception.message", "error.message", "err.message", "cause", "reason", "exc"];

/// An event that may be an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate<'e> {
    /// The event.
    pub(super) event: &'e Event,
    /// All it says.
    pub(super) text: String,
    /// It is one only if there is a stack trace in it: its level does not say so.
    pub(super) needs_stack: bool,
}

/// The event as a candidate; `None` for what is surely no error.
pub(super) fn of<'e>(event: &'e Event, rows: &Stretch) -> Option<Candidate<'e>> {
    let many = event.last_seq > event.first_seq;
    let field = |names: &[&str], least: usize| {
        let wanted = |key: &str| names.iter().any(|name| key.eq_ignore_ascii_case(name));
        event.fields.iter().find(|(key, value)| wanted(key) && value.len() > least).map(|(_, value)| value)
    };
    let stack = field(&STACKS, 20);
    let grave = event.severity >= Severity::ERROR;
    if !grave && !many && stack.is_none() {
        return None;
    }
    // What has fields was JSON or the like.
    let said = || if event.fields.is_empty() { event.message.clone() } else { unescaped(&event.message) };
    let cause = || field(&CAUSES, 5).map(|cause| format!(": {}", unescaped(cause))).unwrap_or_default();
    let text = match stack {
        Some(stack) => format!("{}{}\n{}", said(), cause(), unescaped(stack)),
        None if many || event.message.trim().is_empty() => text_of(event, rows),
        None => clip(readable((said() + &cause()).as_bytes()), MAX_LINE),
    };
    Some(Candidate { event, text, needs_stack: !grave })
}

/// The lines of an event, the others of its stream that stand between them left out.
fn lines<'r>(event: &Event, rows: &'r Stretch) -> impl DoubleEndedIterator<Item = RowRef<'r>> + use<'r> {
    let stream = event.stream;
    rows.range(event.first_seq..=event.last_seq)
        .filter(move |row| row.stream == stream && !row.flags.is_gap())
}

fn text_of(event: &Event, rows: &Stretch) -> String {
    let all: Vec<RowRef<'_>> = lines(event, rows).collect();
    let line = |row: &RowRef<'_>| clip(readable(row.raw), MAX_LINE);
    let texts: Vec<String> = if all.len() <= MAX_LINES {
        all.iter().map(line).collect()
    } else {
        let half = MAX_LINES / 2;
        all[..half].iter().chain(&all[all.len() - half..]).map(line).collect()
    };
    texts.join("\n")
}

/// A value as it stood in JSON: line ends and quotes may still be escaped.
fn unescaped(value: &str) -> String {
    if value.contains('\n') {
        return value.to_owned();
    }
    value
        .replace("\\r", "")
        .replace("\\n", "\n")
        .replace("\\t", "\t")
        .replace("\\\"", "\"")
        .replace("\\\\", "\\")
}

/// What is kept to be shown, without secrets.
pub(super) fn sample(event: &Event, rows: &Stretch, redactor: &Redactor) -> Sample {
    let earlier = rows.range(0..=event.first_seq.saturating_sub(1)).rev();
    let before: Vec<RowRef<'_>> = earlier.filter(|row| row.stream == event.stream).take(CONTEXT).collect();
    let own: Vec<RowRef<'_>> = lines(event, rows).collect();
    let context = before.len();
    let head = own.iter().take(SAMPLE_LINES * 2 / 3);
    let tail = own.iter().skip(own.len().saturating_sub(SAMPLE_LINES / 3).max(SAMPLE_LINES * 2 / 3));
    let shown = before.iter().rev().chain(head).chain(tail);
    // As one text, since a secret may have several lines.
    let text: Vec<String> =
        shown.map(|row| clip(readable(row.raw), SAMPLE_WIDTH).replace('\n', " ")).collect();
    let lines = redactor.redact(&text.join("\n")).split('\n').map(str::to_owned).collect();
    Sample { lines, context: context as u32 }
}

/// Two texts with the same key are read the same way: they differ in numbers only, that are no part of a name.
pub(super) fn key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    let (mut in_word, mut in_number) = (false, false);
    for c in text.chars() {
        let digit = c.is_ascii_digit();
        if digit && !in_word {
            if !in_number {
                key.push('#');
            }
            in_number = true;
            continue;
        }
        // The digits of a number may be hexadecimal.
        if in_number && (c.is_ascii_hexdigit() || c == 'x') {
            continue;
        }
        in_number = false;
        in_word = c.is_alphanumeric() || c == '_' || c == '$';
        key.push(c);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_no_part_of_a_key_and_names_are() {
        assert_eq!(key("job 12 failed at 0x7ffe12ab:9"), key("job 9 failed at 0x55d0:12345"));
        assert_ne!(key("step1 failed"), key("step2 failed"));
    }

    #[test]
    fn an_escaped_stack_is_a_stack() {
        assert_eq!(unescaped("Error: x\\n    at f (a.js:1:2)"), "Error: x\n    at f (a.js:1:2)");
    }
}
