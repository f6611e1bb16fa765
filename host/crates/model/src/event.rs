//! Events: what parsers make of lines.
//!
//! A line is stored as it was written, whatever becomes of it here. Most events are one line; a stack trace is one
//! event of many lines. Events of one stream do not overlap, but lines of the other stream may stand between theirs.

use serde::{Deserialize, Serialize};

use crate::lines::Stream;
use crate::time::Timestamp;

/// What parsers found in one line, or in several of one stream that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Number of its first line in the run.
    pub first_seq: u64,
    /// Number of its last line; the same for an event of one line.
    pub last_seq: u64,
    /// Where it was written.
    pub stream: Stream,
    /// When its first line came.
    pub time: Timestamp,
    /// When it happened, as it says itself.
    pub event_time: Option<Timestamp>,
    /// Its level.
    pub severity: Severity,
    /// What it says, without level, time and fields.
    pub message: String,
    /// Its fields, in the order in which they were found.
    pub fields: Vec<(String, String)>,
}

/// How grave something is, by the severity numbers of OpenTelemetry: 1 to 24, 0 when it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub struct Severity(u8);

impl Severity {
    /// Not known.
    pub const UNKNOWN: Self = Self(0);
    /// The least of "trace".
    pub const TRACE: Self = Self(1);
    /// The least of "debug".
    pub const DEBUG: Self = Self(5);
    /// The least of "info".
    pub const INFO: Self = Self(9);
    /// The least of "warn".
    pub const WARN: Self = Self(13);
    /// The least of "error".
    pub const ERROR: Self = Self(17);
    /// The least of "fatal".
    pub const FATAL: Self = Self(21);

    /// The number; one that OpenTelemetry does not know is unknown.
    #[must_use]
    pub fn new(number: u8) -> Self {
        if number <= 24 { Self(number) } else { Self::UNKNOWN }
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name of its range, in lower case; empty when it is not known.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            1..=4 => "trace",
            5..=8 => "debug",
            9..=12 => "info",
            13..=16 => "warn",
            17..=20 => "error",
            21..=24 => "fatal",
            _ => "",
        }
    }
}

impl From<u8> for Severity {
    fn from(number: u8) -> Self {
        Self::new(number)
    }
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> Self {
        severity.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_name_of_its_range() {
        for named in [
            Severity::TRACE,
            Severity::DEBUG,
            Severity::INFO,
            Severity::WARN,
            Severity::ERROR,
            Severity::FATAL,
        ] {
            assert_eq!(Severity::new(named.number() + 3).name(), named.name());
            assert_ne!(Severity::new(named.number() - 1).name(), named.name());
        }
        assert_eq!(Severity::new(25), Severity::UNKNOWN);
    }
}
