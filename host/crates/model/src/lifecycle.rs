//! The lifecycle of one process as a pure state machine.
//!
//! [`Lifecycle::apply`] takes what happened and answers what to do. It never acts: the supervisor's actor
//! carries the actions out. Each state has exactly its data, so "running without a pid" cannot be written.
//!
//! ```text
//!            Start                Launched
//!  stopped ─────────► starting ─────────────► running ──── MainExited ───► ending ─── Closed ──┐
//!     ▲                  │ LaunchFailed          │ Stop, Kill, Restart                         │
//!     │                  ▼                       ▼                                             ▼
//!     │               failed ◄── crash loop   stopping ── Closed ──► stopped | starting   policy decides:
//!     │                                                                             exited | backoff | failed
//!     └───────────────────────────── Stop, from any state ──────────────────────────────────────
//! ```

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::ids::{Generation, Pid, RunNo};
use crate::restart::{Jitter, RestartHistory, RestartPolicy, Verdict};
use crate::signal::Signal;
use crate::spec::StopSpec;
use crate::time::Timestamp;

/// What somebody wants. Kept apart from what is: after a crash or a reboot the two are reconciled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It should run, as far as its restart policy says.
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
    /// It could not be started, or crashed too often; only a person or an agent starts it again.
    Failed {
        /// Why.
        why: Failure,
        /// Automatic restarts in the window, when it is a crash loop.
        crash_loop: Option<u32>,
    },
}

/// Why a run did not last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The program could not be executed; the text says what and why.
    Launch(String),
    /// The run ended.
    Exit(Exit),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// What the restart policy says.
    Policy,
    /// Nothing.
    Rest,
    /// The next run.
    Start,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants it to run.
    Start,
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

/// One process: what is wanted, what is, and what is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// What somebody wants.
    pub desired: Desired,
    /// What is.
    pub state: State,
    /// The number of the newest run; 0 before the first.
    pub last_run: RunNo,
    /// Automatic restarts since it was last started by hand.
    pub restarts: u32,
    /// What the restart policy remembers.
    pub history: RestartHistory,
    /// Counts the changes of `state`.
    pub generation: Generation,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            desired: Desired::Stopped,
            state: State::Stopped { last: None },
            last_run: RunNo(0),
            restarts: 0,
            history: RestartHistory::default(),
            generation: Generation(0),
        }
    }
}

impl Lifecycle {
    /// Takes one input and answers the actions it asks for, in order. An input that does not fit the state
    /// (a late answer, a repeated request) changes nothing: every request may be repeated.
    pub fn apply(&mut self, input: Input, policy: &RestartPolicy, ctx: Context) -> Vec<Action> {
        let before = self.state.clone();
        let actions = match input {
            Input::Start => self.on_start(ctx),
            Input::Stop(stop) => self.on_end(Ending::Stop(stop), Then::Rest, ctx),
            Input::Restart(stop) => self.on_end(Ending::Stop(stop), Then::Start, ctx),
            Input::Kill(signal) => self.on_end(Ending::Kill(signal), Then::Rest, ctx),
            Input::Launched(pid) => self.on_launched(pid, ctx),
            Input::LaunchFailed(why) => self.on_launch_failed(why, policy, ctx),
            Input::NotBegun(why) => self.on_not_begun(why, ctx),
            Input::MainExited(exit) => self.on_main_exited(exit),
            Input::Closed => self.on_closed(policy, ctx),
            Input::TimerElapsed => self.on_timer(ctx),
        };
        if self.state != before {
            self.generation.0 += 1;
        }
        actions
    }

    fn on_start(&mut self, ctx: Context) -> Vec<Action> {
        self.desired = Desired::Running;
        match &mut self.state {
            State::Starting { .. } | State::Running { .. } => Vec::new(),
            State::Stopping { then, .. } | State::Ending { then, .. } => {
                *then = Then::Start;
                Vec::new()
            }
            State::Stopped { .. } | State::Backoff { .. } | State::Exited { .. } | State::Failed { .. } => {
                self.launch_by_hand(ctx)
            }
        }
    }

    fn on_end(&mut self, how: Ending, next: Then, ctx: Context) -> Vec<Action> {
        self.desired = if next == Then::Start { Desired::Running } else { Desired::Stopped };
        match &mut self.state {
            State::Starting { run, since } => {
                let (run, since) = (*run, *since);
                self.state = stopping(run, None, since, how, next, ctx);
                Vec::new()
            }
            State::Running { run, pid, since } => {
                let (run, pid, since) = (*run, Some(*pid), *since);
                self.state = stopping(run, pid, since, how, next, ctx);
                vec![Action::End(how)]
            }
            State::Stopping { then, how: sent, deadline, pid, .. } => {
                *then = next;
                let new_deadline = deadline_of(how, ctx);
                let is_kill = matches!(how, Ending::Kill(_));
                if new_deadline >= *deadline && !is_kill {
                    return Vec::new();
                }
                // Only ever sooner: a second, more patient stop does not give a first one more time.
                *deadline = new_deadline.min(*deadline);
                *sent = how;
                if pid.is_some() { vec![Action::End(how)] } else { Vec::new() }
            }
            State::Ending { then, .. } => {
                *then = next;
                vec![Action::End(how)]
            }
            State::Stopped { .. } | State::Backoff { .. } | State::Exited { .. } | State::Failed { .. } => {
                if next == Then::Start {
                    self.launch_by_hand(ctx)
                } else {
                    self.rest()
                }
            }
        }
    }

    fn on_launched(&mut self, pid: Pid, ctx: Context) -> Vec<Action> {
        match &mut self.state {
            State::Starting { run, .. } => {
                self.state = State::Running { run: *run, pid, since: ctx.now };
                Vec::new()
            }
            State::Stopping { pid: slot @ None, how, since, deadline, .. } => {
                *slot = Some(pid);
                *since = ctx.now;
                *deadline = deadline_of(*how, ctx);
                vec![Action::End(*how)]
            }
            _ => Vec::new(),
        }
    }

    fn on_launch_failed(&mut self, why: String, policy: &RestartPolicy, ctx: Context) -> Vec<Action> {
        match self.state {
            State::Stopping { pid: None, then: Then::Start, .. } => self.launch_by_hand(ctx),
            State::Stopping { pid: None, .. } => {
                self.state = State::Stopped { last: None };
                vec![Action::ClearTimer]
            }
            // A program that cannot be executed is a mistake to be told at once; but one that ran before may
            // just be being rebuilt, so its automatic restarts go on within their budget.
            State::Starting { .. } if self.restarts > 0 => {
                let exit = Exit::unknown(ctx.now);
                self.follow_policy(Failure::Launch(why), &exit, 0, policy, ctx)
            }
            State::Starting { .. } => {
                self.state = State::Failed { why: Failure::Launch(why), crash_loop: None };
                vec![Action::ClearTimer]
            }
            _ => Vec::new(),
        }
    }

    /// Whoever asked for the run is told at once. One that the policy asked for is tried again until it can be begun:
    /// that nothing can be recorded now is no failure of the process, and does not count as one.
    fn on_not_begun(&mut self, why: String, ctx: Context) -> Vec<Action> {
        match self.state {
            State::Starting { run, .. } if self.restarts > 0 => {
                self.last_run = RunNo(run.0 - 1);
                let until = ctx.now.plus_ms(NOT_BEGUN_RETRY_MS);
                self.state =
                    State::Backoff { until, attempt: self.history.attempt, why: Failure::Launch(why) };
                vec![Action::SetTimer(until)]
            }
            State::Starting { run, .. } => {
                self.last_run = RunNo(run.0 - 1);
                self.state = State::Failed { why: Failure::Launch(why), crash_loop: None };
                vec![Action::ClearTimer]
            }
            _ => Vec::new(),
        }
    }

    fn on_main_exited(&mut self, exit: Exit) -> Vec<Action> {
        match &mut self.state {
            State::Running { run, since, .. } => {
                self.state = State::Ending { run: *run, since: *since, exit, then: Then::Policy };
            }
            State::Stopping { exit: slot @ None, .. } => *slot = Some(exit),
            _ => {}
        }
        Vec::new()
    }

    fn on_closed(&mut self, policy: &RestartPolicy, ctx: Context) -> Vec<Action> {
        match &self.state {
            State::Stopping { then: Then::Start, .. } | State::Ending { then: Then::Start, .. } => {
                self.launch_by_hand(ctx)
            }
            State::Stopping { exit, .. } => {
                let last = Some(exit.unwrap_or_else(|| Exit::unknown(ctx.now)));
                self.state = State::Stopped { last };
                vec![Action::ClearTimer]
            }
            State::Ending { exit, then: Then::Rest, .. } => {
                self.state = State::Stopped { last: Some(*exit) };
                vec![Action::ClearTimer]
            }
            State::Ending { exit, since, .. } => {
                let (exit, ran_ms) = (*exit, exit.at.ms_since(*since));
                self.follow_policy(Failure::Exit(exit), &exit, ran_ms, policy, ctx)
            }
            // The shim is gone without a word about the main process.
            State::Running { since, .. } => {
                let (exit, ran_ms) = (Exit::unknown(ctx.now), ctx.now.ms_since(*since));
                self.follow_policy(Failure::Exit(exit), &exit, ran_ms, policy, ctx)
            }
            _ => Vec::new(),
        }
    }

    fn on_timer(&mut self, ctx: Context) -> Vec<Action> {
        match self.state {
            State::Backoff { until, .. } if ctx.now >= until => self.launch(ctx),
            State::Backoff { until, .. } => vec![Action::SetTimer(until)],
            _ => Vec::new(),
        }
    }

    fn follow_policy(
        &mut self,
        why: Failure,
        exit: &Exit,
        ran_ms: u64,
        policy: &RestartPolicy,
        ctx: Context,
    ) -> Vec<Action> {
        match policy.decide(exit, ran_ms, &mut self.history, ctx.now, ctx.jitter) {
            Verdict::Rest => {
                self.state = match why {
                    Failure::Exit(exit) => State::Exited { exit },
                    Failure::Launch(_) => State::Failed { why, crash_loop: None },
                };
                vec![Action::ClearTimer]
            }
            Verdict::CrashLoop { restarts } => {
                self.state = State::Failed { why, crash_loop: Some(restarts) };
                vec![Action::ClearTimer]
            }
            Verdict::RestartAfter { delay_ms } => {
                self.restarts = self.restarts.saturating_add(1);
                if delay_ms == 0 {
                    return self.launch(ctx);
                }
                let until = ctx.now.plus_ms(delay_ms);
                self.state = State::Backoff { until, attempt: self.history.attempt, why };
                vec![Action::SetTimer(until)]
            }
        }
    }

    fn rest(&mut self) -> Vec<Action> {
        let last = self.last_exit();
        self.state = State::Stopped { last };
        vec![Action::ClearTimer]
    }

    /// A start that somebody asked for: the budget of automatic restarts begins anew.
    fn launch_by_hand(&mut self, ctx: Context) -> Vec<Action> {
        self.history = RestartHistory::default();
        self.restarts = 0;
        self.launch(ctx)
    }

    fn launch(&mut self, ctx: Context) -> Vec<Action> {
        self.last_run = self.last_run.next();
        self.state = State::Starting { run: self.last_run, since: ctx.now };
        vec![Action::ClearTimer, Action::Launch(self.last_run)]
    }

    /// The end of the last run, as far as the state still knows it.
    #[must_use]
    pub fn last_exit(&self) -> Option<Exit> {
        match &self.state {
            State::Stopped { last } => *last,
            State::Stopping { exit, .. } => *exit,
            State::Ending { exit, .. } | State::Exited { exit } => Some(*exit),
            State::Backoff { why: Failure::Exit(exit), .. }
            | State::Failed { why: Failure::Exit(exit), .. } => Some(*exit),
            State::Starting { .. } | State::Running { .. } | State::Backoff { .. } | State::Failed { .. } => {
                None
            }
        }
    }
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
        matches!(self, Self::Stopped { .. } | Self::Exited { .. } | Self::Failed { .. })
    }
}

fn stopping(run: RunNo, pid: Option<Pid>, since: Timestamp, how: Ending, then: Then, ctx: Context) -> State {
    State::Stopping { run, pid, since, deadline: deadline_of(how, ctx), how, then, exit: None }
}

fn deadline_of(how: Ending, ctx: Context) -> Timestamp {
    ctx.now.plus_ms(how.grace_ms())
}

#[cfg(test)]
mod tests;
