//! Looking at processes from outside, as an operator would.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

/// Whether a process runs. A zombie does not: in some containers nobody reaps it.
#[must_use]
pub fn alive(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Whether nothing is left of a process, descriptors included: its last thread has ended.
pub(crate) fn gone(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else { return true };
    let mut fields = rest.split_whitespace();
    let is_zombie = fields.next() == Some("Z");
    // The 20th field of all: how many threads it has.
    is_zombie && fields.nth(16).is_some_and(|threads| threads.parse().is_ok_and(|n: u32| n <= 1))
}

/// Kills a process at once, as a crash or the kernel would.
///
/// # Panics
/// When the pid is none.
pub fn kill(pid: i64) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    let _ = kill_process(pid, Signal::KILL);
}

/// Makes this process the parent of those that lose theirs, as the first process of a machine is, so that it can reap
/// them.
///
/// # Panics
/// When the kernel does not let it.
pub fn adopt_orphans() {
    set_child_subreaper(Some(getpid())).expect("a subreaper");
}

/// Waits for the end of a process that this one adopted, and reaps it: afterwards nobody can learn how it ended.
///
/// # Panics
/// When the pid is none, or it does not end.
pub fn reap(pid: i64) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    // It becomes a child of this process when its parent ends.
    crate::wait_until("it is reaped", || {
        waitpid(Some(pid), WaitOptions::NOHANG).is_ok_and(|reaped| reaped.is_some())
    });
}

/// Processes that carry a mark in their environment, or live or were started below a directory.
pub(crate) fn of(mark: &str, dir: &Path) -> Vec<(i64, String)> {
    let own = i64::from(std::process::id());
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|e| e.file_name().to_str()?.parse::<i64>().ok())
        .filter(|pid| *pid != own && alive(*pid))
        .filter_map(|pid| Some((pid, described(pid, mark, dir)?)))
        .collect()
}

fn described(pid: i64, mark: &str, dir: &Path) -> Option<String> {
    let proc = Path::new("/proc").join(pid.to_string());
    let environment = std::fs::read(proc.join("environ")).unwrap_or_default();
    let command = std::fs::read(proc.join("cmdline")).unwrap_or_default();
    let marked = contains(&environment, mark.as_bytes()) || contains(&command, dir.as_os_str().as_bytes());
    let inside = std::fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    (marked || inside).then(|| String::from_utf8_lossy(&command).replace('\0', " "))
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|w| w == wanted)
}
