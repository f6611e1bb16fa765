//! What the daemon tells and does for an instance: facts about the process, and commands. Implemented by the daemon.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A future in a box, so that [`Surroundings`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is known of a process. What cannot be known is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProcessFacts {
    /// Its name.
    pub name: String,
    /// Its main process, while it runs.
    pub pid: Option<u32>,
    /// How long it has been running, milliseconds; 0 when it does not.
    pub uptime_ms: u64,
    /// Automatic restarts since it was last started by hand.
    pub restarts: u32,
    /// CPU time of its tree, percent of one core.
    pub cpu_percent: Option<f64>,
    /// Memory of its tree, bytes.
    pub memory_bytes: Option<u64>,
    /// Open files of its main process.
    pub open_files: Option<u64>,
    /// Threads of its tree.
    pub threads: Option<u32>,
    /// TCP ports on which its tree listens.
    pub ports: Vec<u16>,
    /// Time since it last wrote a line, milliseconds, or since it started when it wrote none; `None` when it does not
    /// run.
    pub silent_ms: Option<u64>,
    /// Lines written within the last minute.
    pub lines_per_minute: u64,
}

/// A program that a granted plugin wants to run, without a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program as the plugin names it.
    pub program: String,
    /// Its arguments, the zeroth not included.
    pub arguments: Vec<String>,
    /// How long it may run, never longer than the rest of the call. When this is over, or the future is dropped, the
    /// command has to be killed.
    pub timeout: Duration,
}

/// What a command left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandOutput {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote. More than 64 KiB is cut before the plugin sees it.
    pub stdout: Vec<u8>,
    /// What it complained, likewise.
    pub stderr: Vec<u8>,
}

/// Why there is no output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// The policy does not allow it; the text says what would.
    Denied(String),
    /// It could not be executed.
    NotStarted(String),
    /// It did not end in time and was killed.
    Timeout,
    /// Anything else.
    Other(String),
}

/// The daemon, as an instance sees it. Each instance has its own, which knows for which process it works.
pub trait Surroundings: Send + Sync + 'static {
    /// The facts as they are now, at most a second old.
    fn facts(&self) -> BoxFuture<'_, ProcessFacts>;

    /// Runs a program that the plugin is granted, if the policy of the user allows it as well.
    fn run(&self, command: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>>;
}

/// Knows nothing and runs nothing: for plugins that parse or categorize, and for trying one out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Surroundings for Nowhere {
    fn facts(&self) -> BoxFuture<'_, ProcessFacts> {
        Box::pin(std::future::ready(ProcessFacts::default()))
    }

    fn run(&self, _command: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        Box::pin(std::future::ready(Err(CommandError::Denied("there is no process here".into()))))
    }
}
