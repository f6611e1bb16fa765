//! Starting and stopping a group, step by step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::standing::{Gate, gate, standings};
use super::{Group, StopStrategy};
use crate::health::Status;
use crate::ids::ProcessName;
use crate::lifecycle::{Desired, Failure, Lifecycle, State, Then};
use crate::time::Timestamp;

/// What health checks say of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// It has none.
    #[default]
    Unchecked,
    /// They have not said anything yet.
    Unknown,
    /// They pass.
    Healthy,
    /// They pass, with reservations.
    Degraded,
    /// They fail.
    Unhealthy,
}

impl From<Status> for Health {
    fn from(status: Status) -> Self {
        match status {
            Status::Healthy => Self::Healthy,
            Status::Unknown => Self::Unknown,
            Status::Degraded => Self::Degraded,
            Status::Unhealthy => Self::Unhealthy,
        }
    }
}

/// What a member does, as far as its group is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// There is no process of this name.
    Missing,
    /// At rest: never started, or stopped on purpose.
    Down,
    /// Being started.
    Starting,
    /// Running.
    Up {
        /// Since when.
        since: Timestamp,
        /// Whether something said that it is ready.
        ready: bool,
    },
    /// Being ended.
    Ending {
        /// Somebody asked for it; otherwise the main process ended, and what it left behind is being ended.
        on_request: bool,
    },
    /// Ended, and comes back by itself.
    Backoff(String),
    /// At rest until the next time of its schedule, with the end of its last run.
    Scheduled(Last),
    /// Ended with status 0.
    Completed,
    /// Ended otherwise, or could not be started.
    Failed(String),
}

/// How the last run of a member with a schedule ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Last {
    /// There was none since it is to run, or it was stopped.
    None,
    /// With status 0.
    Completed,
    /// Otherwise.
    Failed(String),
}

impl Phase {
    /// What a process does, which has a schedule or has none.
    #[must_use]
    pub fn of(life: &Lifecycle, has_schedule: bool) -> Self {
        match Self::from(life) {
            phase if !has_schedule || life.desired == Desired::Stopped => phase,
            Self::Down => Self::Scheduled(Last::None),
            Self::Completed => Self::Scheduled(Last::Completed),
            Self::Failed(why) => Self::Scheduled(Last::Failed(why)),
            phase => phase,
        }
    }

    /// Whether it stays as it is unless somebody asks for more.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self, Self::Missing | Self::Down | Self::Completed | Self::Failed(_))
    }
}

impl From<&Lifecycle> for Phase {
    fn from(life: &Lifecycle) -> Self {
        let told = |why: &Failure| match why {
            Failure::Launch(text) => text.clone(),
            Failure::Exit(exit) => exit.to_string(),
            Failure::Unhealthy { why, .. } => format!("unhealthy ({why})"),
        };
        match &life.state {
            State::Stopped { .. } => Self::Down,
            State::Starting { .. } => Self::Starting,
            State::Running { since, ready, .. } => Self::Up { since: *since, ready: ready.is_some() },
            State::Stopping { then, .. } => Self::Ending { on_request: !matches!(then, Then::Unhealthy(_)) },
            State::Ending { then, .. } => Self::Ending { on_request: *then != Then::Policy },
            State::Backoff { why, .. } => Self::Backoff(told(why)),
            State::Exited { exit } if exit.is_success() => Self::Completed,
            State::Exited { exit } => Self::Failed(exit.to_string()),
            State::Failed { why, retry_at: Some(_), .. } => Self::Backoff(told(why)),
            State::Failed { why, crash_loop: None, .. } => Self::Failed(told(why)),
            State::Failed { why, crash_loop: Some(_), .. } => {
                Self::Failed(format!("crash loop, last with {}", told(why)))
            }
        }
    }
}

/// What is known of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Counts the changes of its state.
    pub generation: u64,
    /// What it does.
    pub phase: Phase,
    /// What its checks say.
    pub health: Health,
}

impl Seen {
    /// There is no such process.
    #[must_use]
    pub fn missing() -> Self {
        Self { generation: 0, phase: Phase::Missing, health: Health::Unchecked }
    }
}

/// How far the group has come with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// The group wants nothing of it.
    #[default]
    Idle,
    /// To be started as soon as its dependencies allow it.
    Pending,
    /// They do; its delay runs.
    Delayed { until: Timestamp },
    /// Its start was asked for, at this generation of its state.
    Asked { after: u64 },
    /// It was started, or was found running.
    Begun,
    /// To be stopped as soon as the strategy allows it.
    ToStop,
    /// Its stop was asked for.
    StopAsked,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) step: Step,
    /// The newest observation; not stored, for a new daemon looks anew.
    #[serde(skip)]
    pub(super) seen: Option<Seen>,
}

/// What is wanted of the whole group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    Running,
    Stopped { strategy: StopStrategy, grace_ms: Option<u64> },
}

/// A group at work: what is wanted of it, and how far it is. Stored, so that the next daemon goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRun {
    pub(super) wanted: Wanted,
    pub(super) members: BTreeMap<ProcessName, Progress>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupInput {
    /// Somebody wants it to run.
    Start,
    /// Somebody wants it to end.
    Stop {
        /// In which order, when not as declared.
        strategy: Option<StopStrategy>,
        /// Time until SIGKILL, when not as declared.
        grace_ms: Option<u64>,
    },
    /// A member was looked at. After each action comes one of the member that it was about.
    Seen(ProcessName, Seen),
    /// A new daemon goes on, after it has looked at all members: what was asked for last may never have been done.
    Resume,
    /// The time has come that was asked for.
    Tick,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupAction {
    /// Start this member; one with a schedule is started at its times from now on.
    Start(ProcessName),
    /// Stop this member.
    Stop {
        /// Which one.
        member: ProcessName,
        /// Time until SIGKILL, when not as declared.
        grace_ms: Option<u64>,
    },
    /// Send [`GroupInput::Tick`] at this time; replaces an earlier wish. None: at no time.
    WakeAt(Option<Timestamp>),
}

impl Default for GroupRun {
    fn default() -> Self {
        let wanted = Wanted::Stopped { strategy: StopStrategy::Reverse, grace_ms: None };
        Self { wanted, members: BTreeMap::new() }
    }
}

impl GroupRun {
    /// Takes one input and answers what to do. Every input may be repeated.
    pub fn apply(&mut self, group: &Group, input: GroupInput, now: Timestamp) -> Vec<GroupAction> {
        self.align(group);
        match input {
            GroupInput::Start => self.want_running(),
            GroupInput::Stop { strategy, grace_ms } => {
                self.want_stopped(strategy.unwrap_or(group.declared().stop_strategy), grace_ms);
            }
            GroupInput::Seen(name, seen) => self.on_seen(&name, seen),
            GroupInput::Resume => self.resume(),
            GroupInput::Tick => {}
        }
        // A new daemon looks at one after the other, and who was not looked at yet may be in the way.
        if self.members.values().any(|progress| progress.seen.is_none()) {
            return Vec::new();
        }
        match self.wanted {
            Wanted::Running => self.advance_start(group, now),
            Wanted::Stopped { strategy, grace_ms } => self.advance_stop(group, strategy, grace_ms),
        }
    }

    /// Whether somebody wants it to run.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted == Wanted::Running
    }

    /// Whether there is more to record than there was: what is seen is not recorded.
    #[must_use]
    pub fn differs_on_record(&self, before: &Self) -> bool {
        let steps = |run: &Self| run.members.iter().map(|(n, p)| (n.clone(), p.step)).collect::<Vec<_>>();
        self.wanted != before.wanted || steps(self) != steps(before)
    }

    /// Keeps what is known of those that are still members.
    fn align(&mut self, group: &Group) {
        self.members.retain(|name, _| group.member(name.as_str()).is_some());
        for member in group.members() {
            if !self.members.contains_key(&member.process) {
                self.members.insert(member.process.clone(), Progress::default());
            }
        }
    }

    /// What runs stays, and a job that is done in this run of the group stays done; the rest is to be started.
    fn want_running(&mut self) {
        let fresh = !self.is_wanted();
        self.wanted = Wanted::Running;
        for progress in self.members.values_mut() {
            let phase = progress.seen.as_ref().map(|s| &s.phase);
            let rests = phase.is_none_or(|p| p.is_at_rest() || *p == Phase::Ending { on_request: true });
            let is_done = phase == Some(&Phase::Completed) && !fresh;
            progress.step = match progress.step {
                Step::Begun if rests && !is_done => Step::Pending,
                Step::Begun => Step::Begun,
                // It is on its way down: it is started again when it has ended.
                Step::Idle | Step::ToStop | Step::StopAsked => Step::Pending,
                waiting @ (Step::Pending | Step::Delayed { .. } | Step::Asked { .. }) => waiting,
            };
        }
    }

    fn want_stopped(&mut self, strategy: StopStrategy, grace_ms: Option<u64>) {
        self.wanted = Wanted::Stopped { strategy, grace_ms };
        for progress in self.members.values_mut() {
            let rests = progress.seen.as_ref().is_some_and(|s| s.phase.is_at_rest());
            progress.step = match progress.step {
                Step::Asked { .. } => Step::ToStop,
                Step::StopAsked if grace_ms.is_none() => Step::StopAsked,
                _ if rests => Step::Idle,
                _ => Step::ToStop,
            };
        }
    }

    fn on_seen(&mut self, name: &ProcessName, seen: Seen) {
        let Some(progress) = self.members.get_mut(name) else { return };
        if let Step::Asked { after } = progress.step
            && (seen.generation > after || !seen.phase.is_at_rest() || seen.phase == Phase::Missing)
        {
            progress.step = Step::Begun;
        }
        progress.seen = Some(seen);
    }

    /// Only what was carried out has left a trace in the member's generation.
    fn resume(&mut self) {
        for progress in self.members.values_mut() {
            progress.step = match progress.step {
                Step::Asked { .. } => Step::Pending,
                Step::StopAsked => Step::ToStop,
                step => step,
            };
        }
    }

    fn advance_start(&mut self, group: &Group, now: Timestamp) -> Vec<GroupAction> {
        let (mut actions, mut wake) = (Vec::new(), None);
        let mut sooner = |at: Timestamp| wake = Some(wake.map_or(at, |w: Timestamp| w.min(at)));
        for member in group.in_order() {
            let Some(progress) = self.members.get(&member.process) else { continue };
            let Some(seen) = &progress.seen else { continue };
            let generation = seen.generation;
            let step = match (progress.step, &seen.phase) {
                (Step::Pending | Step::Delayed { .. }, Phase::Ending { .. } | Phase::Missing) => {
                    Step::Pending
                }
                (Step::Pending | Step::Delayed { .. }, phase) if !phase.is_at_rest() => Step::Begun,
                (Step::Pending | Step::Delayed { .. }, _) => {
                    let standings = standings(group, self, now);
                    match (gate(member, &standings, self, now), progress.step) {
                        (Gate::Open, Step::Delayed { until }) if now < until => Step::Delayed { until },
                        (Gate::Open, Step::Pending) if member.delay_ms > 0 => {
                            Step::Delayed { until: now.plus_ms(member.delay_ms) }
                        }
                        (Gate::Open, _) => Step::Asked { after: generation },
                        (Gate::Waits { opens_at, .. }, _) => {
                            opens_at.into_iter().for_each(&mut sooner);
                            Step::Pending
                        }
                        (Gate::Shut { .. }, _) => Step::Pending,
                    }
                }
                (step, _) => step,
            };
            if let Step::Delayed { until } = step {
                sooner(until);
            }
            if let (Step::Asked { .. }, Step::Pending | Step::Delayed { .. }) = (step, progress.step) {
                actions.push(GroupAction::Start(member.process.clone()));
            }
            if let Some(progress) = self.members.get_mut(&member.process) {
                progress.step = step;
            }
        }
        actions.push(GroupAction::WakeAt(wake));
        actions
    }

    fn advance_stop(
        &mut self,
        group: &Group,
        strategy: StopStrategy,
        grace_ms: Option<u64>,
    ) -> Vec<GroupAction> {
        for progress in self.members.values_mut() {
            let rests = progress.seen.as_ref().is_some_and(|s| s.phase.is_at_rest());
            if rests && matches!(progress.step, Step::ToStop | Step::StopAsked) {
                progress.step = Step::Idle;
            }
        }
        let mut actions = Vec::new();
        for member in group.in_order().rev() {
            let name = &member.process;
            if self.step(name) != Step::ToStop || !self.may_stop(group, name, strategy) {
                continue;
            }
            if let Some(progress) = self.members.get_mut(name) {
                progress.step = Step::StopAsked;
            }
            actions.push(GroupAction::Stop { member: name.clone(), grace_ms });
        }
        actions.push(GroupAction::WakeAt(None));
        actions
    }

    fn may_stop(&self, group: &Group, name: &ProcessName, strategy: StopStrategy) -> bool {
        match strategy {
            StopStrategy::Parallel => true,
            StopStrategy::Reverse => group.dependents(name).iter().all(|m| self.step(m) == Step::Idle),
            StopStrategy::Sequential => {
                let is_ending =
                    |p: &Progress| p.seen.as_ref().is_some_and(|s| matches!(s.phase, Phase::Ending { .. }));
                let mut others = self.members.iter().filter(|(other, _)| *other != name);
                others.all(|(_, p)| p.step != Step::StopAsked && !is_ending(p))
            }
        }
    }

    pub(super) fn step(&self, name: &ProcessName) -> Step {
        self.members.get(name).map_or(Step::Idle, |p| p.step)
    }

    pub(super) fn seen(&self, name: &ProcessName) -> Option<&Seen> {
        self.members.get(name).and_then(|p| p.seen.as_ref())
    }
}
