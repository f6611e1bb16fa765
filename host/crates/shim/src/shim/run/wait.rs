//! What a shim waits for.

use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{LOOK, Shim};

/// Names of the descriptors that are waited for; smaller numbers are outputs.
const SIGNALS: usize = 2;
const DAEMON: usize = 3;
const LISTENER: usize = 4;
const STDIN: usize = 5;
const MAIN: usize = 6;

/// What a look at the descriptors found.
#[derive(Default)]
pub(super) struct Ready {
    pub daemon: bool,
    pub listener: bool,
    pub signals: bool,
    pub stdin: bool,
    pub main: bool,
    pub sources: [bool; 2],
}

impl Shim {
    /// Waits until there is something to do, and says where.
    pub(super) fn wait(&self) -> Ready {
        let mut wanted: Vec<(usize, PollFd<'_>)> = Vec::with_capacity(7);
        wanted.push((SIGNALS, PollFd::new(&self.signals, PollFlags::IN)));
        wanted.extend(self.daemon.iter().map(|d| (DAEMON, PollFd::new(d, PollFlags::IN))));
        wanted.extend(self.listener.iter().map(|l| (LISTENER, PollFd::new(l, PollFlags::IN))));
        wanted.extend(self.stdin.waiting().map(|s| (STDIN, PollFd::from_borrowed_fd(s, PollFlags::OUT))));
        wanted.extend(self.stranger().map(|p| (MAIN, PollFd::from_borrowed_fd(p, PollFlags::IN))));
        let sources = self.output.wanted(self.daemon.is_some());
        wanted.extend(sources.map(|(at, fd)| (at, PollFd::from_borrowed_fd(fd, PollFlags::IN))));
        let (names, mut fds): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
        let _ = poll(&mut fds, self.timeout().as_ref());
        let mut ready = Ready::default();
        for (name, fd) in names.into_iter().zip(&fds) {
            if fd.revents().is_empty() {
                continue;
            }
            match name {
                SIGNALS => ready.signals = true,
                DAEMON => ready.daemon = true,
                LISTENER => ready.listener = true,
                STDIN => ready.stdin = true,
                MAIN => ready.main = true,
                source => ready.sources[source] = true,
            }
        }
        ready
    }

    fn timeout(&self) -> Option<Timespec> {
        let now = Instant::now();
        let look = self.only_strangers_are_left().then(|| now + LOOK);
        let due = [self.ending.due(), self.output.due(), self.settle, look].into_iter().flatten().min()?;
        let left = due.saturating_duration_since(now);
        Some(Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) })
    }
}
