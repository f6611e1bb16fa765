//! The task of one group: it gathers what happens, lets the pure run decide, and carries out what that says.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use hostler_model::groups::{
    Condition, GroupAction, GroupInput, Health, Phase, QUIET_MS, Seen, StopStrategy,
};
use hostler_model::spec::StopSpec;
use hostler_model::{Group, ProcessName, RunNo, Timestamp};
use hostler_store::{Store, StoreError};
use hostler_supervisor::Snapshot;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use super::Shown;
use crate::daemon::changes::Topic;
use crate::daemon::degraded::Degraded;
use crate::daemon::listening::watch_ports;
use crate::daemon::registry::{Entry, Registry};

/// What is asked of a group.
#[derive(Debug)]
pub(super) enum Command {
    Start { ready: bool, done: oneshot::Sender<()> },
    Stop { strategy: Option<StopStrategy>, grace_ms: Option<u64>, done: oneshot::Sender<()> },
    Declare { group: Box<Group>, done: oneshot::Sender<()> },
}

pub(super) struct Actor {
    pub(super) id: i64,
    pub(super) project_id: i64,
    pub(super) inbox: mpsc::UnboundedReceiver<Command>,
    pub(super) shown: watch::Sender<Shown>,
    pub(super) store: Store,
    pub(super) registry: Arc<Registry>,
    pub(super) degraded: Degraded,
    /// Who started it last waits for all members to be ready.
    pub(super) ready_wanted: bool,
}

/// A member that is watched.
struct Watched {
    name: ProcessName,
    process: Option<(Arc<Entry>, watch::Receiver<Snapshot>)>,
    /// Which of its runs is looked at for ports.
    listening: Option<(RunNo, AbortOnDropHandle<()>)>,
}

enum Happened {
    Command(Option<Command>),
    Changed(usize),
    /// Processes were declared or removed.
    Registry,
    Tick,
}

impl Actor {
    /// Until nobody can ask for anything any more.
    pub(super) async fn run(mut self) {
        let mut registry = self.registry.changes.subscribe(Topic::Processes);
        let mut members = self.look_for_members();
        let mut wake = None;
        for at in 0..members.len() {
            self.look(&mut members, at, &mut wake).await;
        }
        self.feed(GroupInput::Resume, &mut members, &mut wake).await;
        loop {
            self.listen(&mut members);
            let happened = tokio::select! {
                command = self.inbox.recv() => Happened::Command(command),
                at = changed(&mut members) => Happened::Changed(at),
                _ = registry.changed() => Happened::Registry,
                () = until(wake) => Happened::Tick,
            };
            match happened {
                Happened::Command(None) => return,
                Happened::Command(Some(command)) => {
                    let done = self.obey(command, &mut members, &mut wake).await;
                    // Who asked may have gone meanwhile.
                    let _ = done.send(());
                }
                Happened::Changed(at) => self.look(&mut members, at, &mut wake).await,
                Happened::Registry => self.look_anew(&mut members, &mut wake).await,
                Happened::Tick => {
                    wake = None;
                    self.feed(GroupInput::Tick, &mut members, &mut wake).await;
                }
            }
        }
    }

    async fn obey(
        &mut self,
        command: Command,
        members: &mut Vec<Watched>,
        wake: &mut Option<Timestamp>,
    ) -> oneshot::Sender<()> {
        match command {
            Command::Start { ready, done } => {
                self.ready_wanted = ready;
                self.feed(GroupInput::Start, members, wake).await;
                done
            }
            Command::Stop { strategy, grace_ms, done } => {
                self.feed(GroupInput::Stop { strategy, grace_ms }, members, wake).await;
                done
            }
            Command::Declare { group, done } => {
                self.shown.send_modify(|shown| shown.group = *group);
                self.look_anew(members, wake).await;
                done
            }
        }
    }

    fn look_for_members(&self) -> Vec<Watched> {
        let shown = self.shown.borrow();
        let members = shown.group.members().iter().map(|member| {
            let entry = self.registry.find(self.project_id, member.process.as_str());
            let process = entry.map(|e| (e.clone(), e.handle.watch()));
            Watched { name: member.process.clone(), process, listening: None }
        });
        members.collect()
    }

    async fn look_anew(&self, members: &mut Vec<Watched>, wake: &mut Option<Timestamp>) {
        *members = self.look_for_members();
        for at in 0..members.len() {
            self.look(members, at, wake).await;
        }
    }

    /// Looks at one member, and does what follows.
    async fn look(&self, members: &mut [Watched], at: usize, wake: &mut Option<Timestamp>) {
        let Some(member) = members.get_mut(at) else { return };
        let input = GroupInput::Seen(member.name.clone(), member.seen());
        self.feed(input, members, wake).await;
    }

    /// Looks for ports of the members that are waited for until they are ready.
    fn listen(&self, members: &mut [Watched]) {
        let shown = self.shown.borrow();
        let wanted = shown.run.is_wanted();
        for member in members {
            // Asked only of those that run and have said nothing: in a large group most have.
            member.listen(|name| {
                wanted && (self.ready_wanted || shown.group.waits_for(name, Condition::Ready))
            });
        }
    }

    /// Decides and acts, until there is nothing more to do.
    async fn feed(&self, input: GroupInput, members: &mut [Watched], wake: &mut Option<Timestamp>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let (actions, run) = self.decide(input);
            // What is wanted is on record before anything is done about it.
            if let Some(run) = run {
                match self.store.save_group_run(self.id, &run, crate::daemon::now()).await {
                    Err(StoreError::NotFound(_)) => {}
                    outcome => self.degraded.note("groups", &outcome),
                }
            }
            for action in actions {
                match action {
                    GroupAction::WakeAt(at) => *wake = at,
                    GroupAction::Start(name) => {
                        let Some(member) = members.iter_mut().find(|m| m.name == name) else { continue };
                        member.start().await;
                        inputs.push_back(GroupInput::Seen(name, member.seen()));
                    }
                    GroupAction::Stop { member: name, grace_ms } => {
                        let Some(member) = members.iter_mut().find(|m| m.name == name) else { continue };
                        member.stop(grace_ms).await;
                        inputs.push_back(GroupInput::Seen(name, member.seen()));
                    }
                }
            }
        }
    }

    /// Lets the run decide; what is to be recorded comes with it.
    fn decide(&self, input: GroupInput) -> (Vec<GroupAction>, Option<hostler_model::GroupRun>) {
        let mut actions = Vec::new();
        let mut record = None;
        self.shown.send_modify(|shown| {
            let before = shown.run.clone();
            actions = shown.run.apply(&shown.group, input, crate::daemon::now());
            record = shown.run.differs_on_record(&before).then(|| shown.run.clone());
        });
        (actions, record)
    }
}

impl Watched {
    /// What it does now; later changes wake the task.
    fn seen(&mut self) -> Seen {
        let Some((_, snapshots)) = &mut self.process else { return Seen::missing() };
        let snapshot = snapshots.borrow_and_update();
        Seen {
            generation: snapshot.lifecycle.generation.0,
            phase: Phase::of(&snapshot.lifecycle, snapshot.spec.schedule.is_some()),
            health: snapshot.health().map_or(Health::Unchecked, |health| health.status.into()),
        }
    }

    /// Looks for ports of the run that goes on, when it has not said yet that it is ready, for as long as that counts.
    fn listen(&mut self, is_awaited: impl FnOnce(&ProcessName) -> bool) {
        let silent = self.process.as_ref().and_then(|(entry, snapshots)| {
            let snapshot = snapshots.borrow();
            let run = snapshot.lifecycle.state.running()?;
            let said = snapshot.lifecycle.state.ready(run).is_some() || snapshot.health().is_some();
            (!said).then(|| (run, entry.clone()))
        });
        let Some((run, entry)) = silent.filter(|_| is_awaited(&self.name)) else {
            self.listening = None;
            return;
        };
        if self.listening.as_ref().is_none_or(|(of, _)| *of != run) {
            let look = async move {
                let _ = tokio::time::timeout(Duration::from_millis(QUIET_MS), watch_ports(&entry, run)).await;
            };
            self.listening = Some((run, AbortOnDropHandle::new(tokio::spawn(look))));
        }
    }

    /// A process that is no longer supervised is missing from the registry at the next look.
    async fn start(&self) {
        if let Some((entry, _)) = &self.process {
            let has_schedule = entry.handle.with(|snapshot| snapshot.spec.schedule.is_some());
            let _ = match has_schedule {
                true => entry.handle.arm().await,
                false => entry.handle.start(None, None).await,
            };
        }
    }

    async fn stop(&self, grace_ms: Option<u64>) {
        if let Some((entry, _)) = &self.process {
            let declared = entry.handle.snapshot().spec.stop;
            let stop = StopSpec { grace_ms: grace_ms.unwrap_or(declared.grace_ms), ..declared };
            let _ = entry.handle.stop(stop).await;
        }
    }
}

/// Waits for a member to change, and answers which one.
async fn changed(members: &mut [Watched]) -> usize {
    let waiting: Vec<_> = members
        .iter_mut()
        .enumerate()
        .filter_map(|(at, member)| member.process.as_mut().map(|(_, snapshots)| (at, snapshots)))
        .map(|(at, snapshots)| {
            let change = async move {
                if snapshots.changed().await.is_err() {
                    // Removed; the registry will say so.
                    std::future::pending::<()>().await;
                }
                at
            };
            Box::pin(change) as Pin<Box<dyn Future<Output = usize> + Send>>
        })
        .collect();
    if waiting.is_empty() {
        return std::future::pending().await;
    }
    select_all(waiting).await.0
}

async fn until(at: Option<Timestamp>) {
    match at {
        Some(at) => {
            tokio::time::sleep(Duration::from_millis(at.ms_since(crate::daemon::now()).saturating_add(1)))
                .await;
        }
        None => std::future::pending().await,
    }
}
