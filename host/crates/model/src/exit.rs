//! How a run ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::signal::Signal;
use crate::time::Timestamp;

/// How the main process of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It called exit with this status, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// Which one.
        signal: Signal,
        /// Whether the kernel wrote a core file.
        core_dumped: bool,
    },
    /// It is gone and nobody was there to read its status: shim and daemon were killed together, or the
    /// machine was reset.
    Unknown,
}

/// The end of a run: how, when, and what it had used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// CPU time in user mode, microseconds.
    pub user_us: u64,
    /// CPU time in the kernel, microseconds.
    pub system_us: u64,
    /// Largest resident set, bytes.
    pub max_rss_bytes: u64,
}

impl Exit {
    /// An end of which only the time it was noticed is known.
    #[must_use]
    pub fn unknown(at: Timestamp) -> Self {
        Self { outcome: Outcome::Unknown, at, user_us: 0, system_us: 0, max_rss_bytes: 0 }
    }

    /// Whether the process ended as it should: with status 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.outcome == Outcome::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            Outcome::Code(code) => write!(f, "exit code {code}"),
            Outcome::Signal { signal, core_dumped: false } => write!(f, "ended by {signal}"),
            Outcome::Signal { signal, core_dumped: true } => write!(f, "ended by {signal}, core dumped"),
            Outcome::Unknown => write!(f, "ended while neither daemon nor shim was there to read its status"),
        }
    }
}
