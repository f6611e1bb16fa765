//! What happens when a shim is killed: another one takes over what it left, and the process notices nothing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use hostler_model::Exit;
use hostler_shim::adopt::AdoptSpec;
use hostler_shim::descriptors::{Descriptor, Descriptors};
use hostler_shim::exit_record;
use hostler_shim::launch::JournalLimits;

use super::{Actor, grace};
use crate::host::Host;
use crate::orphan::{self, Main};
use crate::{adopt, run_lock};

/// How often in a row a successor may end before it has taken over. Then something is wrong with shims here.
const ATTEMPTS: u32 = 5;

/// How long the kernel may take to close everything of a process that was killed.
const CLOSING: Duration = Duration::from_secs(2);

impl<H: Host> Actor<H> {
    /// The connection closed. After `Event::Closed` that is as it should be; otherwise the shim was killed.
    pub(super) async fn on_shim_gone(&mut self) {
        self.shim = None;
        self.forget_writes();
        if self.facts.is_over() {
            return;
        }
        let dir = self.host.run_dir(self.id, self.facts.run);
        if let Ok(Some(record)) = exit_record::read(&dir)
            && record.closed
        {
            // It may have ended before a daemon that came later could ask it.
            self.recall_start(orphan::main_process(&dir)).await;
            return self.on_closed(&record, None).await;
        }
        self.attempts += 1;
        let lock = if self.attempts <= ATTEMPTS { free_lock(&dir).await } else { None };
        let outcome = match (lock, self.main(&dir)) {
            (None, _) => Err("shims do not last here".to_owned()),
            (Some(lock), Some(main)) => self.adopt(&dir, main, lock),
            // It was killed before the program was executed.
            (Some(lock), None) => {
                drop(lock);
                self.prepare(dir).and_then(|prepared| self.ask_shim(prepared))
            }
        };
        if let Err(why) = outcome {
            tracing::error!(process = %self.id, %why, "no shim can take over");
            self.give_up(why).await;
        }
    }

    /// Lets a new shim take over. Answers as soon as it was asked; it answers with its status.
    pub(super) fn adopt(&mut self, dir: &Path, main: Main, lock: OwnedFd) -> Result<(), String> {
        if self.held.is_empty() {
            self.held = orphan::descriptors(dir, main);
        } else if self.held.iter().all(|(descriptor, _)| *descriptor != Descriptor::Main) {
            // Its shim was killed before it could hand over the pidfd; the streams were ours from the beginning.
            self.held.splice(0..0, orphan::pidfd(main).map(|fd| (Descriptor::Main, fd)));
        }
        let descriptors: Descriptors = self.held.iter().map(|(descriptor, _)| *descriptor).collect();
        let fds: Vec<BorrowedFd<'_>> = self.held.iter().map(|(_, fd)| fd.as_fd()).collect();
        let spec = AdoptSpec {
            run_dir: dir.to_owned(),
            pid: main.pid,
            start_ticks: main.start_ticks,
            started_unix_nanos: self.started_at().0,
            descriptors,
            leftover_grace_ms: grace(self.spec.stop.grace_ms),
            journal: JournalLimits::default(),
            cgroup: orphan::cgroup(dir, main),
        };
        let shim = self.pool.take().map_err(|e| format!("cannot start a shim: {e}"))?;
        shim.adopt(&spec, &lock, &fds).map_err(|e| format!("cannot reach the shim: {e}"))?;
        tracing::warn!(process = %self.id, pid = main.pid, "its shim was killed; another one takes over");
        self.shim = Some(shim);
        self.adopting = true;
        Ok(())
    }

    /// Notes that a successor is at work.
    pub(super) async fn on_adopted(&mut self) {
        self.facts.successions += 1;
        if let Some(key) = self.facts.key {
            let times = match self.facts.successions {
                1 => String::new(),
                n => format!(" {n} times"),
            };
            let note = format!("its shim was killed{times}, and another one took over");
            self.host.run_noted(key, &note).await;
        }
        let pool = self.pool.clone();
        tokio::spawn(async move { pool.replenish() });
    }

    /// The main process as it is known, or else as it can be found.
    fn main(&self, dir: &Path) -> Option<Main> {
        let known = self.life.state.pid().filter(|_| self.start_ticks > 0);
        known
            .map(|pid| Main { pid: pid.0, start_ticks: self.start_ticks })
            .or_else(|| orphan::main_process(dir))
    }

    /// Without a shim nobody can look after the tree: it is ended, and what is known of its end recorded.
    pub(super) async fn give_up(&mut self, why: String) {
        let dir = self.host.run_dir(self.id, self.facts.run);
        let Some(main) = self.main(&dir) else {
            return self.on_launch_failed(why).await;
        };
        let known = exit_record::read(&dir).ok().flatten().map(|record| adopt::exit_of(&record));
        let ended = tokio::task::spawn_blocking(move || orphan::end_tree(&dir, main)).await;
        let exit = known.or(self.facts.exit).unwrap_or_else(|| Exit::unknown(self.host.now()));
        let note = format!("its shim was killed, and none could take over ({why}): hostler ended its tree");
        self.facts.descendants_killed = ended.unwrap_or(0);
        self.finish_run(exit, self.facts.descendants_killed, Some(note)).await;
    }

    pub(super) fn hold(&mut self, descriptors: Descriptors, fds: Vec<OwnedFd>) {
        self.held = descriptors.iter().zip(fds).collect::<Vec<(Descriptor, OwnedFd)>>();
    }
}

/// The lock of a run whose shim has just closed its connection.
async fn free_lock(dir: &Path) -> Option<OwnedFd> {
    let deadline = tokio::time::Instant::now() + CLOSING;
    loop {
        match run_lock::take(dir) {
            Ok(Some(lock)) => return Some(lock),
            Ok(None) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(None) | Err(_) => return None,
        }
    }
}
