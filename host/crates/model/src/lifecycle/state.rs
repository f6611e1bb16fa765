//! What a process can be, what can happen to it, and what can be done about it.

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::ids::{Pid, RunNo};
use crate::restart::Jitter;
use crate::signal::Signal;
use crate::spec::StopSpec;
use crate::time::Timestamp;

/// What somebody wants. Kept apart from what is: after a crash or a reboot the two are reconciled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It should run, as far as its restart policy says; at the times of its schedule, where it has one.
    Running,
    /// It was stopped on purpose, and stays so.
    Stopped,
}

/// What is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum State {
    /// At rest: never started, or stopped on purpose.
    Stopped {
        /// The end of the last run, if there was one.
        last: Option<Exit>,
    },
    /// Its shim was asked to start it and has not answered yet.
    Starting {
        /// The run being started.
        run: RunNo,
        /// Since when.
        since: Timestamp,
    },
    /// It runs.
    Running {
        /// The run.
        run: RunNo,
        /// The main process.
        pid: Pid,
        /// When it started.
        since: Timestamp,
        /// What said first that it serves; none before that.
        #[serde(default)]
        ready: Option<Ready>,
    },
    /// It was asked to end.
    Stopping {
        /// The run being ended.
        run: RunNo,
        /// The main process; none while the start is still under way.
        pid: Option<Pid>,
        /// When the run started.
        since: Timestamp,
        /// When SIGKILL follows.
        deadline: Timestamp,
        /// What was sent, or will be as soon as there is a process to send it to.
        how: Ending,
        /// What follows.
        then: Then,
        /// The end of the main process, once known; others of its tree may still live.
        exit: Option<Exit>,
    },
    /// The main process ended by itself; what it left behind is being ended.
    Ending {
        /// The run.
        run: RunNo,
        /// When the run started.
        since: Timestamp,
        /// Its end.
        exit: Exit,
        /// What follows: the restart policy, or a start that was asked for meanwhile.
        then: Then,
    },
    /// It ended, and waits for its next start.
    Backoff {
        /// When that will be.
        until: Timestamp,
        /// Which automatic start in a row it is, from 1.
        attempt: u32,
        /// Why it ended.
        why: Failure,
    },
    /// It ended by itself and its policy asks for no restart.
    Exited {
        /// How.
        exit: Exit,
    },
    /// It could not be started, or crashed too often; a person or an agent starts it again, or its policy does
    /// after a time to cool down.
    Failed {
        /// Why.
        why: Failure,
        /// Automatic restarts in the window, when it is a crash loop.
        crash_loop: Option<u32>,
        /// When its policy tries again.
        #[serde(default)]
        retry_at: Option<Timestamp>,
    },
}

/// What said that a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// All its checks passed.
    Checks,
    /// Its tree listens on this TCP port.
    Port(u16),
    /// It said so itself: `READY=1` on its notification socket.
    Notified,
    /// It wrote the line that was waited for.
    Line,
}

/// Why a run did not last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The program could not be executed; the text says what and why.
    Launch(String),
    /// The run ended.
    Exit(Exit),
    /// It was ended because its health checks failed.
    Unhealthy {
        /// What they saw.
        why: String,
        /// How it ended then.
        exit: Exit,
    },
}

/// How a run is ended on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A polite signal, and SIGKILL after the grace.
    Stop(StopSpec),
    /// This signal to the whole tree at once, and SIGKILL after [`KILL_GRACE_MS`] should it be another.
    Kill(Signal),
}

/// Time until a run that could not be recorded is tried again, milliseconds.
pub const NOT_BEGUN_RETRY_MS: u64 = 1_000;

/// Time until SIGKILL after a terminating signal that was sent to a whole tree, milliseconds.
pub const KILL_GRACE_MS: u64 = 10_000;

impl Ending {
    /// Time until SIGKILL, milliseconds.
    #[must_use]
    pub fn grace_ms(self) -> u64 {
        match self {
            Self::Stop(stop) => stop.grace_ms,
            Self::Kill(Signal::KILL) => 0,
            Self::Kill(_) => KILL_GRACE_MS,
        }
    }
}

/// What follows when a tree is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// What the restart policy says.
    Policy,
    /// Nothing.
    Rest,
    /// The next run.
    Start,
    /// What the restart policy says to an unhealthy process; the text says what its checks saw.
    Unhealthy(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants it to run.
    Start,
    /// Somebody wants it to run, at the times of its schedule.
    Arm,
    /// Somebody wants it to end.
    Stop(StopSpec),
    /// Somebody wants it to end and to start again.
    Restart(StopSpec),
    /// Somebody sends a terminating signal to the whole tree.
    Kill(Signal),
    /// The shim started the program.
    Launched(Pid),
    /// The program could not be started.
    LaunchFailed(String),
    /// The run could not even be recorded, so it was not begun: the disk is full, or the like.
    NotBegun(String),
    /// Something says that this run serves.
    Ready(RunNo, Ready),
    /// The health checks of this run failed, and it is to be restarted for it.
    Unhealthy {
        /// The run that they looked at.
        run: RunNo,
        /// What they saw.
        why: String,
        /// How it is ended.
        stop: StopSpec,
    },
    /// The main process ended.
    MainExited(Exit),
    /// No process of the tree is left and all its output is in the journal.
    Closed,
    /// The time of the timer that was asked for has come.
    TimerElapsed,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start this run.
    Launch(RunNo),
    /// End the tree.
    End(Ending),
    /// Wake up at this time; replaces an earlier timer.
    SetTimer(Timestamp),
    /// Forget the timer.
    ClearTimer,
}

/// Time and chance, handed in.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Now.
    pub now: Timestamp,
    /// The draw for a backoff, should there be one.
    pub jitter: Jitter,
}

impl State {
    /// The run that has, or is about to have, living processes.
    #[must_use]
    pub fn live_run(&self) -> Option<RunNo> {
        match self {
            Self::Starting { run, .. }
            | Self::Running { run, .. }
            | Self::Stopping { run, .. }
            | Self::Ending { run, .. } => Some(*run),
            Self::Stopped { .. } | Self::Backoff { .. } | Self::Exited { .. } | Self::Failed { .. } => None,
        }
    }

    /// The main process, while it lives.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match self {
            Self::Running { pid, .. } => Some(*pid),
            Self::Stopping { pid, exit: None, .. } => *pid,
            _ => None,
        }
    }

    /// Whether nothing will change without somebody's request: stopped, exited or failed.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self, Self::Stopped { .. } | Self::Exited { .. } | Self::Failed { retry_at: None, .. })
    }

    /// The run that runs, and is not being ended.
    #[must_use]
    pub fn running(&self) -> Option<RunNo> {
        match self {
            Self::Running { run, .. } => Some(*run),
            _ => None,
        }
    }

    /// Whether this run serves, and what said so.
    #[must_use]
    pub fn ready(&self, of: RunNo) -> Option<Ready> {
        match self {
            Self::Running { run, ready, .. } if *run == of => *ready,
            _ => None,
        }
    }
}
