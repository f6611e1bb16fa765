//! How `hostler logs` prints lines: which of them, and each behind the name of its process where there are several.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};

use hostler_api::logs::LogRecord;
use hostler_model::text::readable;
use regex::Regex;

use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// In which form lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Time and text, the name of the process before them where there are several.
    Text,
    /// The same with what parsers found in place of the text.
    Fields,
    /// The bytes that were written and nothing else.
    Raw,
    /// Records, one on each line; with what was written, when that is wanted.
    Json { raw: bool },
}

/// Which lines are printed, and how.
pub(super) struct Show {
    look: Look,
    /// Lines of several processes come together.
    pub(super) several: bool,
    names: Vec<String>,
    /// The last line that was printed of each process: run and number.
    printed: HashMap<String, (u32, u64)>,
}

impl Show {
    pub(super) fn new(look: Look, several: bool) -> Self {
        Self { look, several, names: Vec::new(), printed: HashMap::new() }
    }

    /// Prints those lines that match and were not printed yet. Lines that a search found need no `grep`.
    pub(super) fn print(&mut self, lines: &[LogRecord], grep: Option<&Regex>) -> Outcome {
        let lines: Vec<&LogRecord> = lines.iter().filter(|line| self.is_new(line)).collect();
        // All names of a page count before its first line, so that its lines are below each other.
        let numbers: Vec<usize> = lines.iter().map(|line| self.number(line)).collect();
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut out = io::stdout().lock();
        for (line, number) in lines.into_iter().zip(numbers) {
            if grep.is_none_or(|grep| matches(grep, line)) {
                self.write(&mut out, line, number, width).map_err(|e| Failure::failed(e.to_string()))?;
            }
        }
        out.flush().map_err(|e| Failure::failed(e.to_string()))
    }

    fn write(&self, out: &mut impl Write, line: &LogRecord, number: usize, width: usize) -> io::Result<()> {
        match self.look {
            Look::Json { raw } => {
                serde_json::to_writer(&mut *out, &*wanted(line, raw))?;
                writeln!(out)
            }
            Look::Raw => {
                out.write_all(&render::written(line))?;
                // The next piece of a line that is too long for one belongs to the same line.
                if line.continued { Ok(()) } else { writeln!(out) }
            }
            Look::Text | Look::Fields => {
                if self.several {
                    write!(out, "{}", render::log_name(&self.names[number], number, width))?;
                }
                writeln!(out, "{}", render::log_line(line, self.look == Look::Fields))
            }
        }
    }

    /// Notes a line as seen; false when it was seen before.
    fn is_new(&mut self, line: &LogRecord) -> bool {
        let place = (line.run, line.seq);
        match self.printed.get_mut(&line.process) {
            Some(last) if *last >= place => false,
            Some(last) => {
                *last = place;
                true
            }
            None => {
                self.printed.insert(line.process.clone(), place);
                true
            }
        }
    }

    /// Which of the processes wrote the line, in the order in which they came.
    fn number(&mut self, line: &LogRecord) -> usize {
        let name = line.process.rsplit('/').next().unwrap_or(&line.process);
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }
}

/// Whether a line matches as a search finds it: by all of its text, whatever a parser took for its message.
fn matches(grep: &Regex, line: &LogRecord) -> bool {
    grep.is_match(&readable(&render::written(line)))
}

/// The record without what was written, unless that is wanted: a filter needs it.
fn wanted(line: &LogRecord, raw: bool) -> Cow<'_, LogRecord> {
    if raw || (line.raw.is_none() && line.raw_base64.is_none()) {
        return Cow::Borrowed(line);
    }
    Cow::Owned(LogRecord { raw: None, raw_base64: None, ..line.clone() })
}
