//! What a command of the command line answered.

use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use serde_json::Value;

use crate::DEADLINE;

/// The answer of one command.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Output {
    /// Asserts that it succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Its stdout as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is not JSON ({e}): {self:#?}"))
    }
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Output {
    let shown = format!("{command:?}");
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let _ = sender.send(command.stdin(Stdio::null()).output());
    });
    let output = receiver.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("does not end: {shown}"));
    let output = output.unwrap_or_else(|e| panic!("{shown}: {e}"));
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
