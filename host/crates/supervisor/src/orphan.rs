//! A run whose shim was killed: which is its main process, and what of its streams can still be had.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use hostler_shim::adopt::MARK;
use hostler_shim::cgroup::Cgroup;
use hostler_shim::descriptors::Descriptor;
use hostler_shim::pid_file::PidFile;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::{cgroup, proc};

/// The main process of a run: its number, and its start time in clock ticks since boot, which tells it from a later
/// one of that number. It may have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Main {
    pub pid: i32,
    pub start_ticks: u64,
}

/// The main process, if the program was executed: as its shim noted, or, when that was killed before, the leader
/// among the processes that carry the mark of the run.
pub(crate) fn main_process(run_dir: &Path) -> Option<Main> {
    let noted = PidFile::read(run_dir).map(|file| Main { pid: file.pid, start_ticks: file.start_ticks });
    noted.or_else(|| {
        let leaders = marked(run_dir).into_iter().filter(|p| p.session == p.pid);
        leaders.min_by_key(|p| p.start_ticks).map(|p| Main { pid: p.pid, start_ticks: p.start_ticks })
    })
}

/// The living processes that carry the mark of a run.
fn marked(run_dir: &Path) -> Vec<proc::Process> {
    let mark = [MARK.as_bytes(), b"=", run_dir.as_os_str().as_encoded_bytes()].concat();
    proc::all().filter(|pid| proc::has_variable(*pid, &mark)).filter_map(proc::read).collect()
}

/// A stable handle on the main process, if it lives. One that has ended and was not reaped counts: it still knows how.
pub(crate) fn pidfd(main: Main) -> Option<OwnedFd> {
    let pidfd = pidfd_open(Pid::from_raw(main.pid)?, PidfdFlags::empty()).ok()?;
    (proc::start_ticks_even_of_zombie(main.pid) == Some(main.start_ticks)).then_some(pidfd)
}

/// Everything by which the process can be held, for a daemon that holds nothing of it: its pidfd, and new ends of
/// its pipes, which the kernel opens for those who may look into a process. A terminal cannot be had again.
pub(crate) fn descriptors(run_dir: &Path, main: Main) -> Vec<(Descriptor, OwnedFd)> {
    let mut found: Vec<_> = pidfd(main).map(|fd| (Descriptor::Main, fd)).into_iter().collect();
    let pipes = PidFile::read(run_dir).map_or([0; 3], |file| file.pipes);
    let mut members = vec![main.pid];
    members.extend(proc::descendants(main.pid).iter().map(|p| p.pid));
    members.extend(marked(run_dir).iter().map(|p| p.pid));
    members.extend(cgroup(run_dir, main).map_or_else(Vec::new, |path| Cgroup::at(path).pids()));
    let wanted = [
        (Descriptor::Stdout, pipes[1], OFlags::RDONLY),
        (Descriptor::Stderr, pipes[2], OFlags::RDONLY),
        (Descriptor::Stdin, pipes[0], OFlags::WRONLY),
    ];
    for (descriptor, inode, mode) in wanted.into_iter().filter(|(_, inode, _)| *inode != 0) {
        let end = members.iter().find_map(|pid| other_end(*pid, inode, mode));
        found.extend(end.map(|fd| (descriptor, fd)));
    }
    found
}

/// The control group of a run: as its shim noted, or, when that was killed before, as the main process has it.
pub(crate) fn cgroup(run_dir: &Path, main: Main) -> Option<PathBuf> {
    match PidFile::read(run_dir) {
        // Whoever is in it may be killed: a file that was tampered with must not name any other.
        Some(file) => file.cgroup.filter(|path| cgroup::is_of_run(path)),
        None => cgroup::of_run(run_dir, main.pid),
    }
}

/// Ends the tree of a run that no shim can look after; how many descendants there were.
pub(crate) fn end_tree(run_dir: &Path, main: Main) -> u32 {
    let Some(group) = cgroup(run_dir, main).map(Cgroup::at) else {
        return proc::kill_tree(main.pid, main.start_ticks, Vec::new);
    };
    let ended = proc::kill_tree(main.pid, main.start_ticks, || group.pids());
    let removed = group.kill().and_then(|()| group.remove());
    if let Err(error) = removed {
        tracing::warn!(%error, group = %group.path().display(), "cannot remove a control group");
    }
    ended
}

/// Opens our end of a pipe that a process has open.
fn other_end(pid: i32, inode: u64, mode: OFlags) -> Option<OwnedFd> {
    let link = format!("pipe:[{inode}]");
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let mut entries = entries.flatten();
    let entry =
        entries.find(|e| std::fs::read_link(e.path()).is_ok_and(|to| to.as_os_str() == link.as_str()))?;
    let flags = mode | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(entry.path(), flags, Mode::empty()).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;

    use super::*;
    use crate::cgroup::{Finding, find};

    /// Waits for what no descriptor tells.
    fn eventually(condition: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !condition() {
            assert!(std::time::Instant::now() < deadline, "not in time");
            std::thread::park_timeout(std::time::Duration::from_millis(2));
        }
    }

    #[test]
    fn without_a_shim_the_group_tells_who_belongs_to_a_run() {
        let finding = find();
        let Finding::In(own) = finding else {
            // Past the test's captured output, so that it is seen.
            let _ = writeln!(std::io::stderr(), "SKIPPED, for {finding}");
            return;
        };
        let part = Cgroup::make(own.join(format!("hostler-orphan-{}", std::process::id()))).unwrap();
        let run = tempfile::tempdir().unwrap();
        let group = Cgroup::make(Finding::In(part.path().to_owned()).for_run(run.path()).unwrap()).unwrap();
        // It goes into the group, hides a daemon there, and says so.
        let script = format!(
            "echo 0 > {}/cgroup.procs; (setsid env -i /bin/sleep 1000 &); echo done > up; exec sleep 1000",
            group.path().display()
        );
        let mut child = Command::new("sh").args(["-c", &script]).current_dir(run.path()).spawn().unwrap();
        eventually(|| run.path().join("up").exists() && group.pids().len() == 2);
        let pid = child.id() as i32;
        let main = Main { pid, start_ticks: proc::start_ticks(pid).unwrap() };
        assert_eq!(cgroup(run.path(), main).as_deref(), Some(group.path()), "as the main process has it");
        let noted = |cgroup: &str| {
            let file = PidFile {
                pid,
                start_ticks: main.start_ticks,
                shim_pid: 0,
                boot_id: String::new(),
                pipes: [0; 3],
                cgroup: Some(cgroup.into()),
            };
            file.write(run.path()).unwrap();
        };
        noted("/sys/fs/cgroup/system.slice");
        assert_eq!(cgroup(run.path(), main), None, "somebody else's");
        noted(group.path().to_str().unwrap());
        assert_eq!(end_tree(run.path(), main), 1);
        assert!(!child.wait().unwrap().success());
        assert!(!group.path().exists());
        part.remove().unwrap();
    }
}
