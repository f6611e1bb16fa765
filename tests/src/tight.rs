//! A control group with little memory that is none of hostler's, so that the kernel kills who is in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::wait_until;

/// The group; removed at its end, when nobody is in it any more.
#[derive(Debug)]
pub struct TightGroup(PathBuf);

/// The files that limit memory, and memory with swap, in cgroup v2 and v1.
const LIMITS: [[&str; 2]; 2] =
    [["memory.max", "memory.swap.max"], ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]];

impl TightGroup {
    /// One with so many bytes; `None`, and a note that is seen, where none can be made.
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        let made = own_groups().iter().find_map(|own| Self::make(own, bytes));
        if made.is_none() {
            // Past the test's captured output, so that it is seen.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED, for no control group with a limit of memory can be made here"
            );
        }
        made
    }

    fn make(own: &Path, bytes: u64) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // In cgroup v2 a group has the controllers that the one above it passes on.
        let _ = fs::write(own.join("cgroup.subtree_control"), "+memory");
        let name = format!("e2e-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let group = Self(own.join(name));
        fs::create_dir(&group.0).ok()?;
        let limited = LIMITS.iter().any(|[memory, swap]| {
            let swap_bytes = if *swap == "memory.swap.max" { 0 } else { bytes };
            let limited = fs::write(group.0.join(memory), bytes.to_string()).is_ok();
            // Not there where swap is not counted.
            let _ = fs::write(group.0.join(swap), swap_bytes.to_string());
            limited
        });
        limited.then_some(group)
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for TightGroup {
    fn drop(&mut self) {
        let gone = || fs::remove_dir(&self.0).is_ok() || !self.0.exists();
        if !gone() && !std::thread::panicking() {
            wait_until("nobody is in the group any more", gone);
        }
    }
}

/// Where the groups of this process for memory are to be seen: that of cgroup v1, and that of v2.
fn own_groups() -> Vec<PathBuf> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let line = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(":/")?;
        let place = match controllers {
            "" => "/sys/fs/cgroup",
            names if names.split(',').any(|name| name == "memory") => "/sys/fs/cgroup/memory",
            _ => return None,
        };
        Some(Path::new(place).join(group)).filter(|own| own.join("cgroup.procs").exists())
    };
    cgroups.lines().filter_map(line).collect()
}
