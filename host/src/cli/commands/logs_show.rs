//! How `hostler logs` prints lines: which of them, and each behind the name of its process where there are several.

use std::collections::HashMap;
use std::io::Write;

use hostler_api::logs::LogRecord;
use regex::Regex;

use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// Which lines are printed, and how.
pub(super) struct Show {
    pub(super) json: bool,
    pub(super) fields: bool,
    pub(super) grep: Option<Regex>,
    /// Lines of several processes come together.
    pub(super) several: bool,
    names: Vec<String>,
    /// The last line that was printed of each process: run and number.
    printed: HashMap<String, (u32, u64)>,
}

impl Show {
    pub(super) fn new(json: bool, fields: bool, grep: Option<Regex>, several: bool) -> Self {
        Self { json, fields, grep, several, names: Vec::new(), printed: HashMap::new() }
    }

    /// Prints those lines that are wanted and were not printed yet.
    pub(super) fn print(&mut self, lines: &[LogRecord]) -> Outcome {
        let lines: Vec<&LogRecord> = lines.iter().filter(|line| self.is_new(line)).collect();
        // All names of a page count before its first line, so that its lines are below each other.
        let numbers: Vec<usize> = lines.iter().map(|line| self.number(line)).collect();
        let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut out = std::io::stdout().lock();
        for (line, number) in lines.into_iter().zip(numbers) {
            if self.grep.as_ref().is_some_and(|grep| !grep.is_match(&line.message)) {
                continue;
            }
            let written = if self.json {
                serde_json::to_writer(&mut out, line)
                    .map_err(std::io::Error::from)
                    .and_then(|()| writeln!(out))
            } else if self.several {
                let name = render::log_name(&self.names[number], number, width);
                writeln!(out, "{name}{}", render::log_line_with(line, self.fields))
            } else {
                writeln!(out, "{}", render::log_line_with(line, self.fields))
            };
            written.map_err(|e| Failure::failed(e.to_string()))?;
        }
        out.flush().map_err(|e| Failure::failed(e.to_string()))
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
