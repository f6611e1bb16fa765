//! How a tree is ended: politely, then by force, and nobody is left.

use std::time::{Duration, Instant};

use hostler_shim::control::Scope;

use crate::tree;

/// How often a sweep by force is repeated, at first and at most.
const SWEEP: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// How often one sweep looks for whoever was born while it paused the others.
const LOOKS: usize = 16;

/// A stop that is under way, and the account of whom it ended.
#[derive(Default)]
pub(crate) struct Ending {
    plan: Option<Plan>,
    /// Descendants other than the main process that got a signal.
    ended: Vec<i32>,
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
    pub(crate) fn count(&self) -> u32 {
        self.ended.len() as u32
    }

    /// When [`Self::on_time`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.plan.as_ref().map(|p| p.sweep.map_or(p.deadline, |(at, _)| at))
    }

    /// Begins a stop, or makes one that is under way come sooner. `main` is the main process, if it lives.
    pub(crate) fn stop(&mut self, signal: i32, grace: Duration, scope: Scope, main: Option<i32>) {
        let deadline = Instant::now() + grace;
        match &mut self.plan {
            Some(plan) => {
                plan.deadline = plan.deadline.min(deadline);
                plan.signal = signal;
            }
            None => self.plan = Some(Plan { signal, deadline, sweep: None }),
        }
        if grace.is_zero() {
            return self.on_time(main);
        }
        match (scope, main) {
            (Scope::Main, Some(main)) => polite(main, signal),
            _ => self.signal_all(signal, main),
        }
    }

    /// The main process is gone: whoever it left behind gets the same signal and what is left of the grace,
    /// or, when it ended by itself, a grace of its own.
    pub(crate) fn main_gone(&mut self, leftover_grace: Duration) {
        let signal = match &self.plan {
            Some(plan) => plan.signal,
            None => libc::SIGTERM,
        };
        // Even if nobody is seen: who is born between two looks must not live on without a deadline.
        if self.plan.is_none() {
            self.plan = Some(Plan { signal, deadline: Instant::now() + leftover_grace, sweep: None });
        }
        self.signal_all(signal, None);
    }

    /// Past the deadline: everyone who is left is killed.
    pub(crate) fn on_time(&mut self, main: Option<i32>) {
        let now = Instant::now();
        let Some(plan) = &mut self.plan else { return };
        if plan.sweep.map_or(plan.deadline, |(at, _)| at) > now {
            return;
        }
        let pause = plan.sweep.map_or(SWEEP.0, |(_, pause)| (pause * 2).min(SWEEP.1));
        plan.sweep = Some((now + pause, pause));
        for pid in pause_all() {
            if tree::signal(pid, libc::SIGKILL).is_ok() {
                self.note(pid, main);
            }
        }
    }

    fn signal_all(&mut self, signal: i32, main: Option<i32>) {
        for pid in tree::descendants() {
            // A main process that still lives may yet take its descendants along by itself, but not an orphan.
            if main.is_none() || tree::is_orphan(pid) {
                self.note(pid, main);
            }
            polite(pid, signal);
        }
    }

    fn note(&mut self, pid: i32, main: Option<i32>) {
        if Some(pid) != main && !self.ended.contains(&pid) {
            self.ended.push(pid);
        }
    }
}

/// Pauses all descendants, so that none can give birth any more, and looks again until nobody new is there.
fn pause_all() -> Vec<i32> {
    let mut paused = Vec::new();
    for _ in 0..LOOKS {
        let mut fresh = tree::descendants();
        fresh.retain(|pid| !paused.contains(pid));
        if fresh.is_empty() {
            break;
        }
        for pid in &fresh {
            let _ = tree::signal(*pid, libc::SIGSTOP);
        }
        paused.append(&mut fresh);
    }
    paused
}

/// Sends a signal, and wakes the process if it is paused so that it can act on it.
fn polite(pid: i32, signal: i32) {
    if tree::signal(pid, signal).is_ok() && signal != libc::SIGKILL {
        let _ = tree::signal(pid, libc::SIGCONT);
    }
}
