//! Exit codes and failures of the command line.

use hostler_api::{ErrorKind, ToolError};

/// Shown below the help.
pub(super) const HELP: &str = "\
Exit codes: 0 done; 1 it failed (for example the process did not start); 2 wrong usage or a bad argument;
3 no such process; 4 forbidden by the policy; 5 the daemon cannot be reached or started.
HOSTLER_HOME moves all state, the policy included.";

/// The exit code of who names a process that is not there.
pub(super) const NO_PROCESS: u8 = 3;
/// The exit code of who does not reach the daemon.
pub(super) const UNREACHABLE: u8 = 5;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// For the person; empty when the output has said it already.
    pub(super) message: String,
    /// The exit code.
    pub(super) code: u8,
}

impl Failure {
    /// The operation failed.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// The daemon cannot be reached or started.
    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: UNREACHABLE }
    }
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        let code = match error.kind {
            ErrorKind::InvalidInput => 2,
            ErrorKind::NotFound => NO_PROCESS,
            ErrorKind::Forbidden => 4,
            ErrorKind::Conflict | ErrorKind::NotConfigured | ErrorKind::Internal => 1,
        };
        Self { message: error.message, code }
    }
}

/// What every command answers.
pub(super) type Outcome = Result<(), Failure>;
