//! How a tree is ended: politely, then by force, and nobody is left.

use std::time::{Duration, Instant};

use hostler_shim::control::Scope;

use crate::tree::{Member, Tree};

/// How often a sweep by force is repeated, at first and at most.
const SWEEP: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// How often one sweep looks for whoever was born while it paused the others.
const LOOKS: usize = 16;

/// A stop that is under way, and the account of whom it ended.
#[derive(Default)]
pub(crate) struct Ending {
    plan: Option<Plan>,
    /// Descendants other than the main process that got a signal, and those of them that got SIGKILL.
    ended: Vec<i32>,
    killed: Vec<i32>,
}

struct Plan {
    signal: i32,
    deadline: Instant,
    /// The next sweep by force and the pause after it; none before the deadline.
    sweep: Option<(Instant, Duration)>,
}

impl Ending {
    /// Whether a stop is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.plan.is_some()
    }

    /// How many descendants were ended so far.
    pub(crate) fn ended(&self) -> u32 {
        self.ended.len() as u32
    }

    /// How many of them had to be killed.
    pub(crate) fn killed(&self) -> u32 {
        self.killed.len() as u32
    }

    /// When [`Self::on_time`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.plan.as_ref().map(|p| p.sweep.map_or(p.deadline, |(at, _)| at))
    }

    /// Begins a stop, or makes one that is under way come sooner. `main` is the main process, if it lives.
    pub(crate) fn stop(
        &mut self,
        tree: &Tree,
        signal: i32,
        grace: Duration,
        scope: Scope,
        main: Option<i32>,
    ) {
        let deadline = Instant::now() + grace;
        match &mut self.plan {
            Some(plan) => {
                plan.deadline = plan.deadline.min(deadline);
                plan.signal = signal;
            }
            None => self.plan = Some(Plan { signal, deadline, sweep: None }),
        }
        if grace.is_zero() {
            return self.on_time(tree, main);
        }
        match (scope, main) {
            (Scope::Main, Some(main)) => Member::look(main).iter().for_each(|m| polite(m, signal)),
            _ => self.signal_all(&tree.members(), signal, main),
        }
    }

    /// The main process is gone: whoever it left behind gets the same signal and what is left of the grace,
    /// or, when it ended by itself, a grace of its own.
    pub(crate) fn main_gone(&mut self, tree: &Tree, leftover_grace: Duration) {
        let signal = match &self.plan {
            Some(plan) => plan.signal,
            None => libc::SIGTERM,
        };
        // Even if nobody is seen: who is born between two looks must not live on without a deadline.
        if self.plan.is_none() {
            self.plan = Some(Plan { signal, deadline: Instant::now() + leftover_grace, sweep: None });
        }
        self.signal_all(&tree.members(), signal, None);
    }

    /// Past the deadline: everyone who is left is killed.
    pub(crate) fn on_time(&mut self, tree: &Tree, main: Option<i32>) {
        let now = Instant::now();
        let Some(plan) = &mut self.plan else { return };
        if plan.sweep.map_or(plan.deadline, |(at, _)| at) > now {
            return;
        }
        let pause = plan.sweep.map_or(SWEEP.0, |(_, pause)| (pause * 2).min(SWEEP.1));
        plan.sweep = Some((now + pause, pause));
        for member in pause_all(tree) {
            if member.signal(libc::SIGKILL).is_ok() {
                self.note(member.pid, libc::SIGKILL, main);
            }
        }
        // Whoever was born meanwhile, or belongs to another user, ends here. Not first, for then nobody could be
        // counted.
        if let Some(cgroup) = tree.cgroup() {
            let _ = cgroup.kill();
        }
    }

    fn signal_all(&mut self, members: &[Member], signal: i32, main: Option<i32>) {
        for member in members {
            // A main process that still lives may yet take its descendants along by itself, but not an orphan, and not
            // when all are killed at once.
            if main.is_none() || signal == libc::SIGKILL || member.is_orphan(members) {
                self.note(member.pid, signal, main);
            }
            polite(member, signal);
        }
    }

    fn note(&mut self, pid: i32, signal: i32, main: Option<i32>) {
        if Some(pid) == main {
            return;
        }
        if !self.ended.contains(&pid) {
            self.ended.push(pid);
        }
        if signal == libc::SIGKILL && !self.killed.contains(&pid) {
            self.killed.push(pid);
        }
    }
}

/// Pauses all of them, so that none can give birth any more, and looks again until nobody new is there.
fn pause_all(tree: &Tree) -> Vec<Member> {
    let mut paused: Vec<Member> = Vec::new();
    for _ in 0..LOOKS {
        let mut fresh = tree.members();
        fresh.retain(|new| !paused.iter().any(|old| old.pid == new.pid));
        if fresh.is_empty() {
            break;
        }
        for member in &fresh {
            let _ = member.signal(libc::SIGSTOP);
        }
        paused.append(&mut fresh);
    }
    paused
}

/// Sends a signal, and wakes the process if it is paused so that it can act on it.
fn polite(member: &Member, signal: i32) {
    if member.signal(signal).is_ok() && signal != libc::SIGKILL {
        let _ = member.signal(libc::SIGCONT);
    }
}
