//! The processes of a run.

use std::io;
use std::os::fd::AsFd;

use hostler_shim::adopt::MARK;
use hostler_shim::cgroup::Cgroup;

use crate::sys::{self, Stat};

/// How the processes of a run are found: by their kin, and by the control group that they are born in. Either knows
/// some that the other does not: who was moved to another group is still of the kin, and who is of nobody's kin any
/// more is still in the group.
pub(crate) struct Tree {
    kin: Kin,
    cgroup: Option<Cgroup>,
}

/// How the processes of a run are found without a control group.
pub(crate) enum Kin {
    /// By descent. Being their subreaper, every one of them, however it was forked and into whatever session it
    /// went, is a descendant of this process until it is reaped.
    Own,
    /// By what they have in common, since they were another shim's, and those whose parent ended are now children
    /// of whoever adopts orphans on this system.
    Adopted(Common),
}

/// What the processes of an adopted run have in common.
pub(crate) struct Common {
    main: i32,
    start_ticks: u64,
    /// `NAME=value`, as it is in their environment unless they removed it.
    mark: Vec<u8>,
}

/// A living process of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub pid: i32,
    ppid: i32,
    start_ticks: u64,
}

impl Kin {
    /// Those of a run whose shim was killed.
    pub(crate) fn adopted(main: i32, start_ticks: u64, run_dir: &std::path::Path) -> Self {
        let mark = [MARK.as_bytes(), b"=", run_dir.as_os_str().as_encoded_bytes()].concat();
        Self::Adopted(Common { main, start_ticks, mark })
    }

    fn pids(&self) -> Vec<i32> {
        match self {
            Self::Own => below(own_children()),
            Self::Adopted(common) => below(common.roots()),
        }
    }
}

impl Tree {
    pub(crate) fn new(kin: Kin, cgroup: Option<Cgroup>) -> Self {
        Self { kin, cgroup }
    }

    /// Whether this process is the parent of the tree.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.kin, Kin::Own)
    }

    /// The control group, if there is one.
    pub(crate) fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// All that live, zombies left out.
    pub(crate) fn members(&self) -> Vec<Member> {
        let mut found = self.kin.pids();
        let others = self.cgroup.as_ref().map_or_else(Vec::new, Cgroup::pids);
        if others.iter().any(|pid| !found.contains(pid)) {
            found.extend(others);
            found = below(found);
        }
        found.retain(|pid| *pid != std::process::id() as i32);
        found.into_iter().filter_map(Member::look).collect()
    }
}

impl Common {
    /// The main process, those of its session, and those that carry the mark.
    fn roots(&self) -> Vec<i32> {
        // While its number belongs to somebody else, so may the session of that number.
        let is_reused = Stat::of(self.main).is_some_and(|s| s.start_ticks != self.start_ticks);
        numbers()
            .filter(|pid| {
                Stat::of(*pid).is_some_and(|s| {
                    s.start_ticks >= self.start_ticks
                        && ((!is_reused && (s.session == self.main || *pid == self.main)) || self.marks(*pid))
                })
            })
            .collect()
    }

    fn marks(&self, pid: i32) -> bool {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.split(|b| *b == 0).any(|variable| variable == self.mark))
    }
}

impl Member {
    /// The process of this number, if it lives.
    pub(crate) fn look(pid: i32) -> Option<Self> {
        let stat = Stat::of(pid).filter(|s| !s.is_zombie())?;
        Some(Self { pid, ppid: stat.ppid, start_ticks: stat.start_ticks })
    }

    /// Whether its parent is not among these: it is the main process, or its own parent ended.
    pub(crate) fn is_orphan(&self, members: &[Self]) -> bool {
        !members.iter().any(|m| m.pid == self.ppid)
    }

    /// Sends it a signal. Between looking and sending its number might have been reused, so it is first pinned by
    /// a pidfd and then looked at again.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let pidfd = match sys::pidfd(self.pid) {
            Ok(pidfd) => pidfd,
            // Only a kernel or a sandbox that has no pidfds: a child of our own is pinned by not being reaped.
            Err(e) if e.raw_os_error() != Some(libc::ESRCH) && self.ppid == std::process::id() as i32 => {
                return sys::kill(self.pid, signal);
            }
            Err(e) => return Err(e),
        };
        if Stat::of(self.pid).is_none_or(|now| now.start_ticks != self.start_ticks) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        sys::send_signal(pidfd.as_fd(), signal)
    }
}

/// These and all their descendants, each once.
fn below(roots: Vec<i32>) -> Vec<i32> {
    let mut found: Vec<i32> = Vec::with_capacity(roots.len());
    for pid in roots {
        if !found.contains(&pid) {
            found.push(pid);
        }
    }
    let mut next = 0;
    while next < found.len() {
        for pid in children(found[next]) {
            // The lists are read one after the other, while their subjects move.
            if !found.contains(&pid) {
                found.push(pid);
            }
        }
        next += 1;
    }
    found
}

/// Those of this process, which has one thread.
fn own_children() -> Vec<i32> {
    let own = std::process::id() as i32;
    match std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")) {
        Ok(list) => numbers_in(&list).collect(),
        Err(_) => children(own),
    }
}

fn numbers_in(list: &str) -> impl Iterator<Item = i32> {
    list.split_ascii_whitespace().filter_map(|n| n.parse().ok())
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for task in tasks.flatten() {
        match std::fs::read_to_string(task.path().join("children")) {
            Ok(list) => found.extend(numbers_in(&list)),
            // A kernel built without CONFIG_PROC_CHILDREN.
            Err(e) if e.kind() == io::ErrorKind::NotFound && task.path().exists() => {
                return numbers().filter(|child| Stat::of(*child).is_some_and(|s| s.ppid == pid)).collect();
            }
            Err(_) => {}
        }
    }
    found
}

/// Of all processes.
fn numbers() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
