//! How everybody else talks to the actor of a process.

use std::time::Duration;

use hostler_model::health::Health;
use hostler_model::lifecycle::Ready;
use hostler_model::spec::StopSpec;
use hostler_model::{Cause as EndCause, Exit, Lifecycle, ProcessId, ProcessSpec, RunNo, Signal};
use hostler_shim::journal::Position;
use tokio::sync::{mpsc, oneshot, watch};

use crate::host::{Cause, Program, RunKey};
use crate::proc::Roots;

/// What an actor publishes after each change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The lifecycle.
    pub lifecycle: Lifecycle,
    /// The declaration.
    pub spec: ProcessSpec,
    /// The shim of the living run.
    pub shim_pid: Option<i32>,
    /// What is known of the newest run. Its facts only grow, so whoever waits cannot miss one.
    pub run: RunFacts,
    /// What its health checks said last, and of which run.
    pub checked: Option<(RunNo, Health)>,
}

impl Snapshot {
    /// Where its tree begins, while it has a shim.
    #[must_use]
    pub fn roots(&self) -> Option<Roots> {
        let main = self.lifecycle.state.pid().map(|pid| pid.0);
        self.shim_pid.map(|shim| Roots { shim, main })
    }

    /// What its health checks say; `None` when it has none.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        if self.spec.health.is_empty() {
            return None;
        }
        let Some(running) = self.lifecycle.state.running() else { return Some(Health::at_rest()) };
        let said = self.checked.as_ref().filter(|(run, _)| *run == running);
        Some(said.map(|(_, health)| health.clone()).unwrap_or_default())
    }

    /// Whether this run serves.
    #[must_use]
    pub fn is_ready(&self, run: RunNo) -> bool {
        self.lifecycle.state.ready(run).is_some()
    }

    /// Whether the checks of this run say that it works, well or not so well.
    #[must_use]
    pub fn is_healthy(&self, run: RunNo) -> bool {
        self.lifecycle.state.running() == Some(run) && self.health().is_some_and(|h| h.status.is_success())
    }
}

/// The newest run so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFacts {
    /// Its number; 0 before the first.
    pub run: RunNo,
    /// Its key in the records, once it has one.
    pub key: Option<RunKey>,
    /// The program was executed.
    pub launched: bool,
    /// The program could not be executed.
    pub launch_error: Option<String>,
    /// The limit that the tree exceeded, for which it is ended.
    pub breach: Option<EndCause>,
    /// The main process ended.
    pub exit: Option<Exit>,
    /// No process of its tree is left.
    pub closed: bool,
    /// Descendants that outlived the main process and were ended.
    pub descendants_ended: u32,
    /// How many of them had to be killed.
    pub descendants_killed: u32,
    /// How often this daemon saw another shim take over from one that was killed.
    pub successions: u32,
}

impl RunFacts {
    /// Whether nothing more will happen in this run.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.closed || self.launch_error.is_some()
    }
}

#[derive(Debug)]
pub(crate) enum Request {
    Start { spec: Option<Box<ProcessSpec>>, program: Option<Box<Program>>, reply: oneshot::Sender<Accepted> },
    Arm { reply: oneshot::Sender<Accepted> },
    Stop { stop: StopSpec, reply: oneshot::Sender<Accepted> },
    Restart { spec: Option<Box<ProcessSpec>>, stop: StopSpec, reply: oneshot::Sender<Accepted> },
    StartFor { cause: Cause },
    RestartFor { cause: Cause },
    Kill { signal: Signal, reply: oneshot::Sender<Accepted> },
    Signal { signal: Signal, reply: oneshot::Sender<Accepted> },
    Breach { run: RunNo, cause: EndCause },
    Write { data: Input, reply: oneshot::Sender<Written> },
    CloseInput { reply: oneshot::Sender<Written> },
    Resize { rows: u16, cols: u16 },
    Declare { spec: Box<ProcessSpec>, reply: oneshot::Sender<Accepted> },
    Consumed { run: RunKey, position: Position },
    Ready { run: RunNo, by: Ready },
    Checked { run: RunNo, health: Health },
    Unhealthy { run: RunNo, why: String },
    Detach,
}

/// Input for a process. It may be a password: it is never shown.
pub(crate) struct Input(pub(crate) Vec<u8>);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What became of a piece of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// So many bytes of it, from its beginning, are on their way. Fewer than were given when the process does not read.
    Taken {
        /// How many.
        bytes: usize,
        /// How many bytes in the pipe the process has not read; of a terminal nobody knows.
        unread: Option<u64>,
    },
    /// None of it: the input of the process was closed, by itself or by whoever gave it input.
    Closed,
    /// None of it: the terminal reads lines, and would lose the end of one that is longer than
    /// [`hostler_shim::streams::MAX_TERMINAL_LINE`].
    TooLong,
    /// None of it: no process runs.
    NotRunning,
    /// The run or its shim ended meanwhile. Whether the process got it is not known.
    Unknown,
}

/// A request was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The run that was the newest before the request.
    pub before: RunNo,
    /// Whether the process was at rest before it.
    pub was_at_rest: bool,
    /// Whether that run was starting or running, so that a start had nothing to do.
    pub was_up: bool,
    /// Whether a process was alive to get the signal.
    pub delivered: bool,
}

/// A handle on a process; clones mean the same process.
#[derive(Debug, Clone)]
pub struct ProcessHandle {
    pub(crate) id: ProcessId,
    pub(crate) requests: mpsc::UnboundedSender<Request>,
    pub(crate) snapshots: watch::Receiver<Snapshot>,
}

/// The actor has ended: the daemon is shutting down, or the process was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the process is no longer supervised: the daemon is shutting down or it was removed")]
pub struct Gone;

impl ProcessHandle {
    /// Which process.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// What is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Wants it to run; with a new declaration for runs from now on. A program that was resolved to see whether
    /// it can run is executed as it is, if it is executed at once.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn start(&self, spec: Option<ProcessSpec>, program: Option<Program>) -> Result<Accepted, Gone> {
        let (spec, program) = (spec.map(Box::new), program.map(Box::new));
        self.ask(|reply| Request::Start { spec, program, reply }).await
    }

    /// Wants it to run at the times of its schedule.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn arm(&self) -> Result<Accepted, Gone> {
        self.ask(|reply| Request::Arm { reply }).await
    }

    /// Starts it for another reason than a request.
    pub fn start_for(&self, cause: Cause) {
        self.tell(Request::StartFor { cause });
    }

    /// Ends it as it was declared and starts it anew, for another reason than a request.
    pub fn restart_for(&self, cause: Cause) {
        self.tell(Request::RestartFor { cause });
    }

    /// Has another declaration for runs from now on; what runs goes on.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn declare(&self, spec: ProcessSpec) -> Result<Accepted, Gone> {
        self.ask(|reply| Request::Declare { spec: Box::new(spec), reply }).await
    }

    /// Wants it to end.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn stop(&self, stop: StopSpec) -> Result<Accepted, Gone> {
        self.ask(|reply| Request::Stop { stop, reply }).await
    }

    /// Wants it to end and to start anew.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn restart(&self, spec: Option<ProcessSpec>, stop: StopSpec) -> Result<Accepted, Gone> {
        self.ask(|reply| Request::Restart { spec: spec.map(Box::new), stop, reply }).await
    }

    /// Ends the whole tree with this signal.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn kill(&self, signal: Signal) -> Result<Accepted, Gone> {
        self.ask(|reply| Request::Kill { signal, reply }).await
    }

    /// Sends a signal that is not meant to end it.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn signal(&self, signal: Signal) -> Result<Accepted, Gone> {
        self.ask(|reply| Request::Signal { signal, reply }).await
    }

    /// Ends the tree of a run because it exceeded a limit. What follows is for its restart policy.
    pub fn breach(&self, run: RunNo, cause: EndCause) {
        self.tell(Request::Breach { run, cause });
    }

    /// Gives it input, at most [`hostler_shim::control::MAX_WRITE`] bytes, and answers when its shim took them. It waits
    /// for nobody to read them.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn write(&self, data: Vec<u8>) -> Result<Written, Gone> {
        self.ask(|reply| Request::Write { data: Input(data), reply }).await
    }

    /// Closes its input behind what was written. Not for a terminal, whose input has no end.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn close_input(&self) -> Result<Written, Gone> {
        self.ask(|reply| Request::CloseInput { reply }).await
    }

    /// Sets the size of its terminal's window, where it has one.
    pub fn resize(&self, rows: u16, cols: u16) {
        self.tell(Request::Resize { rows, cols });
    }

    /// What is now, without a copy of it.
    pub fn with<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.snapshots.borrow())
    }

    /// Tells its shim that the journal is stored up to a position.
    pub fn consumed(&self, run: RunKey, position: Position) {
        self.tell(Request::Consumed { run, position });
    }

    /// Says that a run serves.
    pub fn ready(&self, run: RunNo, by: Ready) {
        self.tell(Request::Ready { run, by });
    }

    /// Says what the health checks of a run say together.
    pub fn checked(&self, run: RunNo, health: Health) {
        self.tell(Request::Checked { run, health });
    }

    /// Wants a run to be ended and started again for its health checks failed, as far as its restart policy has budget
    /// for it.
    pub fn unhealthy(&self, run: RunNo, why: String) {
        self.tell(Request::Unhealthy { run, why });
    }

    /// Ends the actor and leaves the process running.
    pub fn detach(&self) {
        self.tell(Request::Detach);
    }

    /// Waits until a snapshot fulfils a condition; `None` after the timeout.
    ///
    /// # Errors
    /// When it is no longer supervised.
    pub async fn wait(
        &self,
        timeout: Duration,
        mut condition: impl FnMut(&Snapshot) -> bool,
    ) -> Result<Option<Snapshot>, Gone> {
        let mut snapshots = self.snapshots.clone();
        let waiting = snapshots.wait_for(|snapshot| condition(snapshot));
        match tokio::time::timeout(timeout, waiting).await {
            Ok(Ok(snapshot)) => Ok(Some(snapshot.clone())),
            Ok(Err(_)) => Err(Gone),
            Err(_elapsed) => Ok(None),
        }
    }

    /// A receiver of its snapshots.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.clone()
    }

    /// An actor that is gone needs to know nothing.
    fn tell(&self, request: Request) {
        let _ = self.requests.send(request);
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}
