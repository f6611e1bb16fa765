//! Failures as tools answer them.

use serde::{Deserialize, Serialize};

/// What sort of failure it is: decides the exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// An argument is wrong; nothing was done.
    InvalidInput,
    /// No such process, run or tool.
    NotFound,
    /// The user's policy forbids it.
    Forbidden,
    /// It contradicts what is there, for example another process of the same name.
    Conflict,
    /// Not available in this configuration.
    NotConfigured,
    /// The daemon could not do it; the log of the daemon has more.
    Internal,
}

/// A failure whose text names the bad value, the valid choices and the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// What sort.
    pub kind: ErrorKind,
    /// The text, for the agent and for the person.
    pub message: String,
}

impl ToolError {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// An argument is wrong.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// The daemon could not do it.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
}
