//! Joins the lines of a stack trace into one event, and knows the lines with which programs crash.
//!
//! A trace begins where a line, or a line and the one behind it, say so ([`start`]). From there a [`Trace`] takes line
//! after line until one does not belong to it. When a batch ends before that, the lines are asked for again.

mod crash;
mod start;
mod trace;
mod words;

use hostler_plugin::{Batch, BatchParser, Error, Events, NoConfig, Plugin, Row, prefix, severity};
use start::Start;
use trace::{Kind, Step, Trace};

/// The parser.
#[derive(Debug)]
pub struct Multiline;

impl Plugin for Multiline {
    const NAME: &'static str = "multiline";
    const SUMMARY: &'static str = "Joins stack traces of Python, Java, Node.js, Go, Ruby, Rust, .NET, PHP, Perl and sanitizers into one event each.";
    type Config = NoConfig;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn new(_: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }
}

impl BatchParser for Multiline {
    fn parse_batch(&mut self, batch: &Batch<'_>, ended: bool, events: &mut Events<'_>) -> Result<(), Error> {
        let mut line = 0;
        while line < batch.len() {
            let next = (line + 1 < batch.len()).then(|| batch.line(line + 1));
            let kind = match start::of(batch.line(line), next, ended) {
                Start::Trace(kind) => kind,
                Start::Perhaps => {
                    events.pending_from(line);
                    break;
                }
                Start::No => {
                    line += 1;
                    continue;
                }
            };
            let found = follow(batch, line, kind);
            if found.open && !ended {
                events.pending_from(line);
                break;
            }
            // One line alone is no trace, whatever it looks like.
            if found.last > line || kind.is_event_alone() {
                let _: Option<()> =
                    events.event(line, found.last, |row| fill(row, batch, line, kind, found.message));
            }
            line = found.last + 1;
        }
        Ok(())
    }
}

/// Where a trace ends.
struct Found {
    last: usize,
    /// The line that says what happened.
    message: usize,
    /// Whether the batch ended before the trace did.
    open: bool,
}

fn follow(batch: &Batch<'_>, first: usize, kind: Kind) -> Found {
    let mut trace = Trace::new(kind, batch.line(first));
    let mut found = Found { last: first, message: first, open: true };
    for line in first + 1..batch.len() {
        match trace.step(batch.line(line)) {
            Step::Take => found.last = line,
            Step::Message => (found.last, found.message) = (line, line),
            Step::Perhaps => {}
            Step::End => {
                found.open = false;
                break;
            }
        }
    }
    found
}

fn fill(row: &mut Row<'_, '_>, batch: &Batch<'_>, first: usize, kind: Kind, message: usize) -> Option<()> {
    let head = prefix::read(batch.line(first));
    let found = head.and_then(|head| head.severity);
    row.level(match kind {
        Kind::Go
        | Kind::RustAbort
        | Kind::PythonFatal
        | Kind::JavaFatal
        | Kind::Sanitizer
        | Kind::Terminate => severity::FATAL,
        Kind::DotnetLog => found.unwrap_or(severity::INFO),
        _ => found.filter(|level| *level >= severity::WARN).unwrap_or(severity::ERROR),
    });
    if let Some(nanos) = head.and_then(|head| head.time).and_then(|time| time.unix_nanos(None)) {
        row.time(nanos);
    }
    let message = batch.line(message);
    // What a runtime writes itself has no prefix to cut off, but for a time or a level of a logger.
    let cut = match kind {
        Kind::Logged => prefix::read(message).map_or(0, |p| p.message),
        Kind::Frames | Kind::Php | Kind::Ruby => {
            prefix::read(message).filter(|p| p.time.is_some()).map_or(0, |p| p.message)
        }
        _ => 0,
    };
    row.message(message[cut..].trim_ascii());
    Some(())
}

hostler_plugin::export!(log_parser: Multiline);

#[cfg(test)]
mod tests;
