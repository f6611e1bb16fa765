//! What an actor asks of the daemon around it.

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};

use hostler_model::{Exit, Lifecycle, Pid, ProcessId, ProcessSpec, RunNo, Timestamp};
use hostler_shim::launch::Rlimit;

/// The key of a run in the daemon's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey(pub i64);

/// A program that was found and may be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its path.
    pub exec: PathBuf,
    /// Its arguments, the zeroth included.
    pub argv: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its limits.
    pub rlimits: Vec<Rlimit>,
}

/// Why a program is not run. The text is for the agent and the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LaunchError(pub String);

/// Who began a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A request to start it.
    Start,
    /// A request to restart it.
    Restart,
    /// Its restart policy.
    Policy,
    /// Its restart policy, for its health checks failed.
    Unhealthy,
    /// Its schedule.
    Schedule,
    /// Files that it is restarted for; the text says which.
    Watch(String),
}

/// How a run ended, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// Which run.
    pub key: RunKey,
    /// How its main process ended.
    pub exit: Exit,
    /// Descendants that outlived it and were ended.
    pub descendants_ended: u32,
    /// A sentence about it. Without one that which was recorded before stands.
    pub note: Option<String>,
}

/// A run about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its number.
    pub run: RunNo,
    /// Its directory.
    pub dir: PathBuf,
    /// Who began it.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
}

/// The daemon, as an actor sees it. Records that cannot be written are the daemon's trouble: it says so and
/// catches up, and no process waits for it.
pub trait Host: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;

    /// How many processes of this machine the kernel killed for lack of memory, one of which may have been this end.
    fn oom_kills_around(&self, end: Timestamp) -> u64;

    /// Finds the program, checks the policy and assembles its environment.
    ///
    /// # Errors
    /// When it is not there, not executable or not allowed.
    fn resolve(&self, spec: &ProcessSpec) -> Result<Program, LaunchError>;

    /// The directory of a run.
    fn run_dir(&self, process: ProcessId, run: RunNo) -> PathBuf;

    /// What the directory of a run tells of its process, should the records be lost: the name of a file and its
    /// content, written there before the program is executed.
    fn declaration(&self, process: ProcessId, spec: &ProcessSpec) -> (&'static str, Vec<u8>);

    /// Records a run before it begins, and the end of the one before it if that is not on record yet, which is recorded
    /// in any case; `None` when a run cannot be recorded now.
    fn begin_run(
        &self,
        process: ProcessId,
        run: &NewRun,
        lifecycle: &Lifecycle,
        before: Option<RunEnd>,
    ) -> impl Future<Output = Option<RunKey>> + Send;

    /// Records that the program runs.
    fn run_started(
        &self,
        run: RunKey,
        pid: Pid,
        start_ticks: u64,
        at: Timestamp,
    ) -> impl Future<Output = ()> + Send;

    /// Records a sentence about a run, in place of an earlier one.
    fn run_noted(&self, run: RunKey, note: &str) -> impl Future<Output = ()> + Send;

    /// Records the end of a run.
    fn run_ended(&self, end: RunEnd) -> impl Future<Output = ()> + Send;

    /// Records the lifecycle.
    fn save(&self, process: ProcessId, lifecycle: &Lifecycle) -> impl Future<Output = ()> + Send;

    /// There is more in the journal of a run. Answered, once it is stored, with
    /// [`crate::ProcessHandle::consumed`].
    fn journal_grew(&self, process: ProcessId, run: RunKey, dir: &Path);

    /// The journal of a process cannot be written, and why, or can be written again. Until then its output waits in
    /// its pipes, and is counted in place of written when that takes too long.
    fn journal_refused(&self, process: ProcessId, why: Option<std::io::Error>);

    /// The journal of a run is complete, and nobody writes to it any more.
    fn journal_closed(&self, process: ProcessId, run: RunKey, dir: &Path);
}
