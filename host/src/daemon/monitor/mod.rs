//! What processes and the machine use. Every look at a tree, whoever asked for it, becomes a part of its history: a
//! tick each ten seconds makes sure that there is one, each second while somebody watches.

mod guard;
mod oom;
mod system;
mod ticks;
mod tracked;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostler_model::usage::{Point, Resolution, Series};
use hostler_model::{ProcessId, RunNo};
use hostler_supervisor::Snapshot;
use hostler_supervisor::group_limits::Held;
use hostler_supervisor::proc::{self, Listeners, Roots};

pub(crate) use guard::guard;
pub(crate) use oom::OomKills;
pub(crate) use system::Machine;
pub(crate) use ticks::watch;
use tracked::Tracked;
pub(crate) use tracked::Usage;

use super::home::Home;

/// How long an answer stands. Also long enough for a percentage: clock ticks are 10 ms.
const FRESH: Duration = Duration::from_secs(1);

/// How long after a question the trees are looked at each second, in case of another one.
const WATCHED: Duration = Duration::from_secs(15);

/// A run whose tree is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) id: ProcessId,
    run: RunNo,
    roots: Roots,
}

impl Target {
    /// The run of a process, if it has a tree.
    pub(crate) fn of(id: ProcessId, snapshot: &Snapshot) -> Option<Self> {
        Some(Self { id, run: snapshot.run.run, roots: snapshot.roots()? })
    }

    /// Resident memory, bytes, and processes and threads of the tree now.
    fn size(&self) -> (u64, u64) {
        let tree = self.roots.tree();
        (tree.iter().map(|p| p.rss_bytes).sum(), tree.iter().map(|p| p.threads).sum())
    }

    /// Memory of the tree by pages.
    fn proportional_memory(&self) -> Option<u64> {
        self.roots.tree().iter().map(|p| proc::proportional_memory(p.pid)).sum()
    }
}

/// Remembers the last looks at each process, and at the machine.
pub(crate) struct Monitor {
    home: Home,
    tracked: Mutex<HashMap<ProcessId, Arc<Mutex<Tracked>>>>,
    watched_until: Mutex<Option<Instant>>,
    woken: tokio::sync::Notify,
    machine: Mutex<Machine>,
    pub(crate) oom_kills: OomKills,
}

impl Monitor {
    pub(crate) fn new(home: Home) -> Self {
        Self {
            home,
            tracked: Mutex::default(),
            watched_until: Mutex::default(),
            woken: tokio::sync::Notify::new(),
            machine: Mutex::new(Machine::new()),
            oom_kills: OomKills::new(),
        }
    }

    /// Looks at trees, for a view of them. Blocks for some 50 to 200 µs for each.
    pub(crate) fn measure(&self, targets: &[Target]) -> HashMap<ProcessId, Usage> {
        let mut listeners = None;
        let looked = targets.iter().map(|target| {
            let tracked = self.tracked(target);
            let mut tracked = lock(&tracked);
            let usage = tracked.look(FRESH);
            let usage = usage.with_ports(listeners.get_or_insert_with(Listeners::read));
            tracked.latest = Some(usage.clone());
            (target.id, usage)
        });
        looked.collect()
    }

    /// Looks at trees for their history only.
    fn look(&self, targets: &[Target], fresh: Duration) {
        for target in targets {
            let tracked = self.tracked(target);
            lock(&tracked).look(fresh);
        }
    }

    fn tracked(&self, target: &Target) -> Arc<Mutex<Tracked>> {
        let run_dir = || self.run_dir(target);
        let mut all = lock(&self.tracked);
        let tracked =
            all.entry(target.id).or_insert_with(|| Arc::new(Mutex::new(Tracked::new(target, &run_dir()))));
        let tracked = tracked.clone();
        drop(all);
        lock(&tracked).follow(target, run_dir);
        tracked
    }

    /// What the kernel holds the control group of a run to.
    pub(crate) fn held(&self, target: &Target) -> Held {
        lock(&self.tracked(target)).held
    }

    fn run_dir(&self, target: &Target) -> PathBuf {
        self.home.runs().join(Home::run_dir_name(target.id, target.run))
    }

    /// Somebody wants to know more than one look tells: looks come each second for a while.
    pub(crate) fn watch_closely(&self) {
        let before = lock(&self.watched_until).replace(Instant::now() + WATCHED);
        if before.is_none_or(|until| until < Instant::now()) {
            self.woken.notify_one();
        }
    }

    fn is_watched(&self) -> bool {
        lock(&self.watched_until).is_some_and(|until| until > Instant::now())
    }

    /// The looks at a process of the last minute, by the second of their middle.
    pub(crate) fn recent(&self, id: ProcessId) -> Series {
        let tracked = lock(&self.tracked).get(&id).cloned();
        tracked.map(|tracked| lock(&tracked).recent()).unwrap_or_default()
    }

    /// What all processes used in the ten seconds from `start` on.
    fn points_of(&self, start: i64) -> Vec<(ProcessId, Point)> {
        let all: Vec<_> = lock(&self.tracked).iter().map(|(id, t)| (*id, t.clone())).collect();
        let end = start + Resolution::TenSeconds.seconds();
        let point =
            |t: &Mutex<Tracked>| lock(t).recent().range(start..end).map(|(_, p)| *p).reduce(Point::merge);
        all.into_iter().filter_map(|(id, t)| Some((id, point(&t)?))).collect()
    }

    /// Forgets a process.
    pub(crate) fn forget(&self, id: ProcessId) {
        lock(&self.tracked).remove(&id);
    }

    /// Looks at the machine and at the daemon itself. Blocks for a millisecond or so.
    pub(crate) fn machine<T>(&self, look: impl FnOnce(&mut Machine) -> T) -> T {
        look(&mut lock(&self.machine))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
