//! The lifecycle of one process as a pure state machine.
//!
//! [`Lifecycle::apply`] takes what happened and answers what to do. It never acts: the supervisor's actor
//! carries the actions out. Each state has exactly its data, so "running without a pid" cannot be written.
//!
//! ```text
//!            Start                Launched
//!  stopped ─────────► starting ─────────────► running ──── MainExited ───► ending ─── Closed ──┐
//!     ▲                  │ LaunchFailed          │ Stop, Kill, Restart, Unhealthy              │
//!     │                  ▼                       ▼                                             ▼
//!     │               failed ◄── crash loop   stopping ── Closed ──► stopped | starting   policy decides:
//!     │                  │ cool-down             └─ Closed, when it was unhealthy ──► exited | backoff | failed
//!     │                  ▼ starting
//!     └───────────────────────────── Stop, from any state ──────────────────────────────────────
//! ```

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::ids::{Generation, Pid, RunNo};
use crate::restart::{RestartHistory, RestartPolicy, Verdict};
use crate::spec::StopSpec;
use crate::time::Timestamp;

mod state;

pub use state::{
    Action, Context, Desired, Ending, Failure, Input, KILL_GRACE_MS, NOT_BEGUN_RETRY_MS, Ready, State, Then,
};

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
            Input::Arm => self.on_arm(),
            Input::Stop(stop) => self.on_end(Ending::Stop(stop), Then::Rest, ctx),
            Input::Restart(stop) => self.on_end(Ending::Stop(stop), Then::Start, ctx),
            Input::Kill(signal) => self.on_end(Ending::Kill(signal), Then::Rest, ctx),
            Input::Launched(pid) => self.on_launched(pid, ctx),
            Input::LaunchFailed(why) => self.on_launch_failed(why, policy, ctx),
            Input::NotBegun(why) => self.on_not_begun(why, ctx),
            Input::Ready(run, by) => self.on_ready(run, by),
            Input::Unhealthy { run, why, stop } => self.on_unhealthy(run, why, stop, ctx),
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

    /// What it does now it goes on doing.
    fn on_arm(&mut self) -> Vec<Action> {
        self.desired = Desired::Running;
        Vec::new()
    }

    fn on_end(&mut self, how: Ending, next: Then, ctx: Context) -> Vec<Action> {
        self.desired = if next == Then::Start { Desired::Running } else { Desired::Stopped };
        match &mut self.state {
            State::Starting { run, since } => {
                let (run, since) = (*run, *since);
                self.state = stopping(run, None, since, how, next, ctx);
                Vec::new()
            }
            State::Running { run, pid, since, .. } => {
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
                self.state = State::Running { run: *run, pid, since: ctx.now, ready: None };
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

    fn on_ready(&mut self, of: RunNo, by: Ready) -> Vec<Action> {
        if let State::Running { run, ready: ready @ None, .. } = &mut self.state
            && *run == of
        {
            *ready = Some(by);
        }
        Vec::new()
    }

    /// What is said of another run, or comes while somebody else's wish is being carried out, changes nothing.
    fn on_unhealthy(&mut self, of: RunNo, why: String, stop: StopSpec, ctx: Context) -> Vec<Action> {
        match self.state {
            State::Running { run, pid, since, .. } if run == of => {
                let how = Ending::Stop(stop);
                self.state = stopping(run, Some(pid), since, how, Then::Unhealthy(why), ctx);
                vec![Action::End(how)]
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
                let verdict =
                    policy.decide(&Exit::unknown(ctx.now), 0, &mut self.history, ctx.now, ctx.jitter);
                self.follow(verdict, Failure::Launch(why), policy, ctx)
            }
            State::Starting { .. } => {
                self.state = State::Failed { why: Failure::Launch(why), crash_loop: None, retry_at: None };
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
                self.state = State::Failed { why: Failure::Launch(why), crash_loop: None, retry_at: None };
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
            State::Stopping { exit, since, then: Then::Unhealthy(why), .. } => {
                let exit = exit.unwrap_or_else(|| Exit::unknown(ctx.now));
                let (why, ran_ms) = (why.clone(), exit.at.ms_since(*since));
                // That it is to be restarted when it is unhealthy is a wish of its own, whatever its policy says to ends.
                let verdict = policy.grant(ran_ms, &mut self.history, ctx.now, ctx.jitter);
                self.follow(verdict, Failure::Unhealthy { why, exit }, policy, ctx)
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
                self.follow_policy(exit, ran_ms, policy, ctx)
            }
            // The shim is gone without a word about the main process.
            State::Running { since, .. } => {
                let (exit, ran_ms) = (Exit::unknown(ctx.now), ctx.now.ms_since(*since));
                self.follow_policy(exit, ran_ms, policy, ctx)
            }
            _ => Vec::new(),
        }
    }

    fn on_timer(&mut self, ctx: Context) -> Vec<Action> {
        match self.state {
            State::Backoff { until, .. } if ctx.now >= until => self.launch(ctx),
            State::Failed { retry_at: Some(at), .. } if ctx.now >= at => {
                // It has cooled down: a new budget, and one more automatic restart.
                self.history = RestartHistory::default();
                self.restarts = self.restarts.saturating_add(1);
                self.launch(ctx)
            }
            State::Backoff { until: at, .. } | State::Failed { retry_at: Some(at), .. } => {
                vec![Action::SetTimer(at)]
            }
            _ => Vec::new(),
        }
    }

    fn follow_policy(
        &mut self,
        exit: Exit,
        ran_ms: u64,
        policy: &RestartPolicy,
        ctx: Context,
    ) -> Vec<Action> {
        let verdict = policy.decide(&exit, ran_ms, &mut self.history, ctx.now, ctx.jitter);
        self.follow(verdict, Failure::Exit(exit), policy, ctx)
    }

    fn follow(
        &mut self,
        verdict: Verdict,
        why: Failure,
        policy: &RestartPolicy,
        ctx: Context,
    ) -> Vec<Action> {
        match verdict {
            Verdict::Rest => {
                self.state = match why {
                    Failure::Exit(exit) => State::Exited { exit },
                    Failure::Launch(_) | Failure::Unhealthy { .. } => {
                        State::Failed { why, crash_loop: None, retry_at: None }
                    }
                };
                vec![Action::ClearTimer]
            }
            Verdict::CrashLoop { restarts } => {
                let retry_at = policy.cooldown_ms.map(|ms| ctx.now.plus_ms(ms));
                self.state = State::Failed { why, crash_loop: Some(restarts), retry_at };
                vec![retry_at.map_or(Action::ClearTimer, Action::SetTimer)]
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
            State::Backoff { why: Failure::Exit(exit) | Failure::Unhealthy { exit, .. }, .. }
            | State::Failed { why: Failure::Exit(exit) | Failure::Unhealthy { exit, .. }, .. } => Some(*exit),
            State::Starting { .. } | State::Running { .. } | State::Backoff { .. } | State::Failed { .. } => {
                None
            }
        }
    }

    /// What its health checks saw, when that is why it is being ended, or waits for its next start.
    #[must_use]
    pub fn unhealthy(&self) -> Option<&str> {
        match &self.state {
            State::Stopping { then: Then::Unhealthy(why), .. }
            | State::Backoff { why: Failure::Unhealthy { why, .. }, .. } => Some(why),
            _ => None,
        }
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
