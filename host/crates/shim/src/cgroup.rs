//! The control group of a run (cgroup v2): a directory of the kernel's. Whoever descends from a process stays in the
//! group of that process, whatever becomes of its parents, its session and its environment, and one write ends all of
//! them at once, however fast they fork.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How the names of all these groups begin.
pub const PREFIX: &str = "hostler-";

/// How often the removal of one that is still busy is tried again, at first and at most.
const BUSY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(128));

/// The group of one run, which may be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// The one of this path.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Makes it. Its name belongs to one run: whoever is in one of that name was started by a shim of the same run
    /// that was killed before it could say so, and is ended first.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn make(path: PathBuf) -> io::Result<Self> {
        let cgroup = Self(path);
        match cgroup.create() {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                cgroup.kill()?;
                cgroup.remove()?;
                cgroup.create()?;
            }
            other => other?,
        }
        Ok(cgroup)
    }

    fn create(&self) -> io::Result<()> {
        DirBuilder::new().mode(0o755).create(&self.0)
    }

    /// Sets one of its limits, such as `memory.max`. Whether it holds, the file tells.
    pub fn limit(&self, file: &str, value: &str) {
        // Without creating: where the kernel has no such file there is no such limit.
        let written = File::options().write(true).open(self.0.join(file));
        let _ = written.and_then(|file| io::Write::write_all(&mut &file, value.as_bytes()));
    }

    /// How many of its processes the kernel killed because it was at its limit of memory.
    #[must_use]
    pub fn oom_kills(&self) -> u32 {
        let events = std::fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        let count = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A descriptor of it, by which a process is started in it.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(&self) -> io::Result<OwnedFd> {
        Ok(OwnedFd::from(File::open(&self.0)?))
    }

    /// The processes in it and in the groups below it.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        let mut found = Vec::new();
        if self.is_empty() {
            return found;
        }
        let mut groups = vec![self.0.clone()];
        while let Some(group) = groups.pop() {
            let list = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            // 0 stands for a process that this one's pid namespace does not know.
            found.extend(list.lines().filter_map(|n| n.parse::<i32>().ok()).filter(|pid| *pid > 0));
            groups.extend(below(&group));
        }
        found
    }

    /// Whether the kernel says that nobody is in it or in the groups below it. One look instead of a walk, for the way
    /// from an end to the next start.
    fn is_empty(&self) -> bool {
        std::fs::read_to_string(self.0.join("cgroup.events"))
            .is_ok_and(|events| events.lines().any(|line| line == "populated 0"))
    }

    /// Ends everybody in it and in the groups below it, those included who are just being born.
    ///
    /// # Errors
    /// When it is not there, or the kernel is older than Linux 5.14.
    pub fn kill(&self) -> io::Result<()> {
        // Without creating: a file that is not the kernel's would end nobody.
        let file = File::options().write(true).open(self.0.join("cgroup.kill"))?;
        io::Write::write_all(&mut &file, b"1")
    }

    /// Removes it and the groups below it. Who was killed leaves it a moment later, so one that is busy is tried again
    /// for a short time.
    ///
    /// # Errors
    /// When somebody is still in it.
    pub fn remove(&self) -> io::Result<()> {
        let mut pause = BUSY.0;
        loop {
            match remove_with_those_below(&self.0) {
                Err(e) if e.kind() == ErrorKind::ResourceBusy && pause <= BUSY.1 => pass(pause),
                other => return other,
            }
            pause *= 2;
        }
    }
}

/// One that somebody is in cannot be removed, so nobody loses anything by the attempt.
fn remove_with_those_below(group: &Path) -> io::Result<()> {
    match std::fs::remove_dir(group) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        // There is somebody in it, or a group below it.
        Err(e) if matches!(e.kind(), ErrorKind::ResourceBusy | ErrorKind::DirectoryNotEmpty) => {}
        other => return other,
    }
    for inner in below(group) {
        remove_with_those_below(&inner)?;
    }
    match std::fs::remove_dir(group) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The groups directly below one.
fn below(group: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// Lets time pass: no descriptor tells when a group can be removed.
fn pass(time: Duration) {
    let deadline = Instant::now() + time;
    while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}
