//! Time, processes and files, seen past the shim.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Nothing here takes this long, even on a loaded machine; only a failure waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition that no descriptor announces.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Waits for a time in which nothing should happen.
pub(crate) fn pass(time: Duration) {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        std::thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Whether a descriptor becomes readable in time.
pub(crate) fn readable(fd: &impl AsFd, patience: Duration) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let timeout = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
    poll(&mut fds, Some(&timeout)).unwrap() > 0
}

/// Whether a process exists and is more than a zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// The letter of a process's state.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Sends a signal past the shim.
pub(crate) fn signal(pid: i32, signal: i32) {
    let (Some(pid), Some(signal)) =
        (rustix::process::Pid::from_raw(pid), rustix::process::Signal::from_named_raw(signal))
    else {
        panic!("no such signal");
    };
    let _ = rustix::process::kill_process(pid, signal);
}

/// Writes a script that can be executed.
pub(crate) fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("script");
    let file = File::create(&path).unwrap();
    file.write_all_at(text.as_bytes(), 0).unwrap();
    rustix::fs::fchmod(&file, rustix::fs::Mode::RWXU).unwrap();
    path
}

/// A file with this content, whose offset is at its end or its beginning.
pub(crate) fn memfd(bytes: &[u8], rewind: bool) -> OwnedFd {
    let fd = rustix::fs::memfd_create("launch", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let mut file = File::from(fd);
    file.write_all(bytes).unwrap();
    if rewind {
        file.rewind().unwrap();
    }
    OwnedFd::from(file)
}
