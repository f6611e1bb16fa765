//! The processes below this one. Being their subreaper, every one of them, however it was forked and into
//! whatever session it went, is a descendant until it is reaped.

use std::io;
use std::os::fd::AsFd;

use crate::sys;

/// All living descendants of this process, zombies left out.
pub(crate) fn descendants() -> Vec<i32> {
    let me = std::process::id() as i32;
    let mut found = children(me);
    let mut next = 0;
    while next < found.len() {
        let below = children(found[next]);
        for pid in below {
            // The lists are read one after the other, while their subjects move.
            if pid != me && !found.contains(&pid) {
                found.push(pid);
            }
        }
        next += 1;
    }
    found.retain(|pid| stat(*pid).is_some_and(|s| s.state != b'Z'));
    found
}

/// Sends a signal to one of them. Between looking and sending its number might have been reused, so it is
/// first pinned by a pidfd and then checked to be a descendant.
pub(crate) fn signal(pid: i32, signal: i32) -> io::Result<()> {
    let pidfd = match sys::pidfd(pid) {
        Ok(pidfd) => pidfd,
        // Only a kernel or a sandbox that has no pidfds: a child of our own is pinned by not being reaped.
        Err(e) if e.raw_os_error() != Some(libc::ESRCH) && is_orphan(pid) => return sys::kill(pid, signal),
        Err(e) => return Err(e),
    };
    if !is_descendant(pid) {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    sys::send_signal(pidfd.as_fd(), signal)
}

fn is_descendant(pid: i32) -> bool {
    let me = std::process::id() as i32;
    let mut at = pid;
    // A chain of parents is finite, but it is read while it changes.
    for _ in 0..4096 {
        match stat(at) {
            Some(s) if s.ppid == me => return true,
            Some(s) if s.ppid > 1 => at = s.ppid,
            _ => return false,
        }
    }
    false
}

/// Whether it is a child of this process: the main process, or one whose own parent is gone.
pub(crate) fn is_orphan(pid: i32) -> bool {
    stat(pid).is_some_and(|s| s.ppid == std::process::id() as i32)
}

struct Stat {
    state: u8,
    ppid: i32,
}

fn stat(pid: i32) -> Option<Stat> {
    let mut buffer = [0; sys::STAT];
    let text = sys::read_stat(pid, &mut buffer)?;
    let after = text.get(text.iter().rposition(|b| *b == b')')? + 2..)?;
    let mut fields = after.split(|b| *b == b' ');
    let state = *fields.next()?.first()?;
    let ppid = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    Some(Stat { state, ppid })
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for task in tasks.flatten() {
        match std::fs::read_to_string(task.path().join("children")) {
            Ok(list) => found.extend(list.split_ascii_whitespace().filter_map(|n| n.parse::<i32>().ok())),
            // A kernel built without CONFIG_PROC_CHILDREN.
            Err(e) if e.kind() == io::ErrorKind::NotFound && task.path().exists() => {
                return children_by_scan(pid);
            }
            Err(_) => {}
        }
    }
    found
}

fn children_by_scan(parent: i32) -> Vec<i32> {
    let Ok(all) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    all.flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| stat(*pid).is_some_and(|s| s.ppid == parent))
        .collect()
}
