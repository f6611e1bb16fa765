//! Where runs get control groups of their own: decided once for each daemon. In its group the whole tree of a run is
//! found, and ended by one write; without one that is done by descent and takes longer.

use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use hostler_shim::cgroup::{Cgroup, PREFIX};
use rustix::fs::{Access, access, getxattr};

use crate::group_limits::Controllers;
use crate::proc::field;

/// With the value `off`, this environment variable of the daemon keeps it from making control groups.
pub const SWITCH: &str = "HOSTLER_CGROUP";

/// Whether runs get control groups of their own, and otherwise why not. Its text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// In this one, the daemon's.
    In(PathBuf),
    /// Somebody switched it off.
    Off,
    /// No cgroup v2 is mounted, or the daemon's group lies outside of what is.
    NotMounted,
    /// The daemon's group belongs to systemd.
    NotDelegated(PathBuf),
    /// The daemon's group has this limit, of which programs in a part of it would not learn.
    Limited(PathBuf, &'static str),
    /// No group can be made in the daemon's, or cannot be ended.
    Unusable(PathBuf, String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(own) => write!(f, "each run has a control group of its own in {}", own.display()),
            Self::Off => write!(f, "no control groups: {SWITCH}=off; trees are found by descent"),
            Self::NotMounted => write!(f, "no control groups: no cgroup v2 here; trees are found by descent"),
            Self::NotDelegated(own) => write!(
                f,
                "no control groups: {} belongs to systemd (a unit with Delegate=yes would not); trees are found \
                 by descent",
                own.display()
            ),
            Self::Limited(own, limit) => write!(
                f,
                "no control groups: programs would not see the {limit} of {} in a part of it; trees are found by \
                 descent",
                own.display()
            ),
            Self::Unusable(own, why) => {
                write!(f, "no control groups in {}: {why}; trees are found by descent", own.display())
            }
        }
    }
}

impl Finding {
    /// The control group for a run whose directory is there.
    pub(crate) fn for_run(&self, run_dir: &Path) -> Option<PathBuf> {
        match self {
            Self::In(own) => Some(own.join(name(run_dir))),
            _ => None,
        }
    }

    /// What the groups of runs can be held to, having asked the kernel to let them be.
    pub(crate) fn controllers(&self) -> Controllers {
        match self {
            Self::In(own) => Controllers::of(own),
            _ => Controllers::default(),
        }
    }

    /// Removes the groups that shims left which were killed. Only empty ones can be removed; should one be of a run
    /// that just begins, that run does without.
    pub(crate) fn tidy(&self) {
        let Self::In(own) = self else { return };
        let entries = fs::read_dir(own).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| is_name(&entry.file_name())) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Looks at the group that this process is in, and makes one in it to try.
#[must_use]
pub fn find() -> Finding {
    if std::env::var_os(SWITCH).is_some_and(|value| value == "off") {
        return Finding::Off;
    }
    let Some(own) = of_process("self") else { return Finding::NotMounted };
    let own = beside_daemon(own);
    // The rule of systemd is one writer: what lies below a unit's group belongs to systemd as well, unless the unit has
    // Delegate=yes, which systemd writes on its group. It would remove, count and kill what others make elsewhere.
    if Path::new("/run/systemd/system").exists() && !is_delegated(&own) {
        return Finding::NotDelegated(own);
    }
    if let Some(limit) = limit(&own) {
        return Finding::Limited(own, limit);
    }
    match try_out(&own) {
        Ok(()) => Finding::In(own),
        Err(why) => Finding::Unusable(own, why),
    }
}

/// What a run's group knows of its whole tree, those included who have ended: exact, and one or two reads. What its
/// controllers do not count is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupUsage {
    /// CPU time, microseconds.
    pub cpu_us: Option<u64>,
    /// Memory without what the kernel can drop at once (file contents that were not used for a while), bytes.
    pub memory_bytes: Option<u64>,
}

/// Reads what a group has used.
#[must_use]
pub fn usage(group: &Path) -> GroupUsage {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let droppable = || read("memory.stat").and_then(|stat| field(&stat, "inactive_file ")).unwrap_or(0);
    let memory = read("memory.current").and_then(|text| text.trim().parse::<u64>().ok());
    GroupUsage {
        cpu_us: read("cpu.stat").and_then(|stat| field(&stat, "usage_usec ")),
        memory_bytes: memory.map(|bytes| bytes.saturating_sub(droppable())),
    }
}

/// The control group that a process was started in for the sake of this run. It may be elsewhere than in this daemon's.
#[must_use]
pub fn of_run(run_dir: &Path, main: i32) -> Option<PathBuf> {
    let name = name(run_dir);
    of_process(&main.to_string())?
        .ancestors()
        .find(|a| a.file_name().is_some_and(|n| *n == *name))
        .map(Path::to_owned)
}

/// Whether a path is that of a run's control group.
pub(crate) fn is_of_run(path: &Path) -> bool {
    path.is_absolute() && path.file_name().is_some_and(is_name)
}

fn is_name(name: &std::ffi::OsStr) -> bool {
    let hash = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A name for a run that no other run has, nor one of the same path in another container.
fn name(run_dir: &Path) -> String {
    let (device, inode) = fs::metadata(run_dir).map_or((0, 0), |m| (m.dev(), m.ino()));
    let bytes = [run_dir.as_os_str().as_bytes(), &device.to_le_bytes(), &inode.to_le_bytes()].concat();
    format!("{PREFIX}{:016x}", fnv(&bytes))
}

/// FNV-1a: the next daemon may be another build, so it cannot be the standard library's hash.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// With `DelegateSubgroup=` systemd starts the daemon in a group of this name within the delegated one, because a group
/// whose parts have limits may have no processes itself.
pub const SUBGROUP: &str = "daemon";

/// Where the groups of runs belong: beside the daemon's own, if that is such a one.
fn beside_daemon(own: PathBuf) -> PathBuf {
    let is_subgroup = own.file_name().is_some_and(|name| name == SUBGROUP);
    match own.parent() {
        Some(unit) if is_subgroup && is_delegated(unit) => unit.to_owned(),
        _ => own,
    }
}

fn is_delegated(group: &Path) -> bool {
    // The first needs no privilege to read, and older ones of systemd write only the second.
    ["user.delegate", "trusted.delegate"].iter().any(|attribute| {
        let mut value = [0_u8; 8];
        getxattr(group, *attribute, &mut value).is_ok_and(|length| &value[..length] == b"1")
    })
}

/// A limit of this group. Programs that size themselves by it, such as those of Java, Go and .NET, look for it in
/// their own group, many of them nowhere else, and would take the whole machine for theirs in a group below.
fn limit(group: &Path) -> Option<&'static str> {
    ["memory.max", "memory.high", "cpu.max"]
        .into_iter()
        .find(|limit| fs::read_to_string(group.join(limit)).is_ok_and(|value| !value.starts_with("max")))
}

/// Numbers the attempts of this process, so that two at once do not meet.
static TRIES: AtomicU32 = AtomicU32::new(0);

/// Makes a group as for a run, and removes it.
fn try_out(own: &Path) -> Result<(), String> {
    // Who is born in another group leaves this one: that is one right more than to make it.
    access(own.join("cgroup.procs"), Access::WRITE_OK).map_err(|e| e.to_string())?;
    let name = format!("{PREFIX}try-{}-{}", std::process::id(), TRIES.fetch_add(1, Ordering::Relaxed));
    let group = Cgroup::make(own.join(name)).map_err(|e| e.to_string())?;
    let is_threaded =
        fs::read_to_string(group.path().join("cgroup.type")).is_ok_and(|kind| kind != "domain\n");
    let can_kill = access(group.path().join("cgroup.kill"), Access::WRITE_OK);
    let _ = group.remove();
    match can_kill {
        Ok(()) if is_threaded => Err("it is for threads only".to_owned()),
        Ok(()) => Ok(()),
        Err(_) => Err("the kernel has no cgroup.kill".to_owned()),
    }
}

/// Where the control group of a process is to be seen.
fn of_process(pid: &str) -> Option<PathBuf> {
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    locate(&cgroups, &mounts)
}

/// The directory of the group that `/proc/PID/cgroup` names, by what `/proc/self/mountinfo` says of mounts.
fn locate(cgroups: &str, mounts: &str) -> Option<PathBuf> {
    let group = Path::new(cgroups.lines().find_map(|line| line.strip_prefix("0::"))?);
    // Outside of this process's cgroup namespace, or removed while it was in it.
    if group.components().any(|c| c == Component::ParentDir) || group.to_str()?.ends_with(" (deleted)") {
        return None;
    }
    // A later mount hides an earlier one of the same place.
    mounts.lines().rev().filter_map(cgroup2).find_map(|(root, place)| {
        let inside = group.strip_prefix(root).ok()?;
        Some(if inside.as_os_str().is_empty() { place } else { place.join(inside) })
    })
}

/// Of a line of mountinfo that is of cgroup v2, which of its groups is mounted, and where:
/// `id parent device root place options [tags…] - type source options`.
fn cgroup2(line: &str) -> Option<(PathBuf, PathBuf)> {
    let (mount, kind) = line.split_once(" - ")?;
    if !kind.starts_with("cgroup2 ") {
        return None;
    }
    let mut words = mount.split(' ').skip(3);
    Some((unescape(words.next()?), unescape(words.next()?)))
}

/// The kernel writes blanks, line ends and backslashes in paths as `\` and three octal digits.
fn unescape(word: &str) -> PathBuf {
    let mut parts = word.split('\\');
    let mut path = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_at_checked(3).map(|(digits, rest)| (u8::from_str_radix(digits, 8), rest)) {
            Some((Ok(byte), rest)) if byte.is_ascii() => {
                path.push(char::from(byte));
                path.push_str(rest);
            }
            _ => {
                path.push('\\');
                path.push_str(part);
            }
        }
    }
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "\
        22 1 0:20 / /proc rw - proc proc rw\n\
        30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const HYBRID: &str = "\
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        34 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 master:3 - cgroup2 cgroup2 rw\n";

    fn at(cgroups: &str, mounts: &str) -> Option<String> {
        locate(cgroups, mounts).map(|path| path.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_own_group_is_found() {
        assert_eq!(at("0::/user.slice/a b.scope\n", UNIFIED).unwrap(), "/sys/fs/cgroup/user.slice/a b.scope");
        assert_eq!(at("4:memory:/x\n1:cpu:/\n0::/\n", HYBRID).unwrap(), "/sys/fs/cgroup/unified");
        assert_eq!(at("0::/a\n", HYBRID).unwrap(), "/sys/fs/cgroup/unified/a");
    }

    #[test]
    fn a_part_of_the_tree_may_be_mounted_and_under_any_name() {
        let part = "9 1 0:26 /docker/1\\0402 /my\\040groups\\134x rw - cgroup2 cgroup rw\n";
        assert_eq!(at("0::/docker/1 2/y\n", part).unwrap(), "/my groups\\x/y");
        assert_eq!(at("0::/docker/1 2\n", part).unwrap(), "/my groups\\x");
        assert_eq!(at("0::/docker/3\n", part), None);
        // The later one that shows the group counts.
        assert_eq!(at("0::/docker/1 2\n", &format!("{UNIFIED}{part}")).unwrap(), "/my groups\\x");
        assert_eq!(at("0::/b\n", &format!("{UNIFIED}{part}")).unwrap(), "/sys/fs/cgroup/b");
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert_eq!(at("4:memory:/x\n", HYBRID), None, "v1 only");
        assert_eq!(at("0::/\n", "22 1 0:20 / /proc rw - proc proc rw\n"), None, "not mounted");
        assert_eq!(at("0::/../other\n", UNIFIED), None, "outside of the namespace");
        assert_eq!(at("0::/gone (deleted)\n", UNIFIED), None);
        assert_eq!(at("", "garbage\n - cgroup2 \n"), None);
    }

    #[test]
    fn names_are_stable_and_of_one_directory() {
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(name(one.path()), name(one.path()));
        assert_ne!(name(one.path()), name(two.path()));
        let group = Finding::In("/g".into()).for_run(one.path()).unwrap();
        assert!(is_of_run(&group) && group.parent() == Some(Path::new("/g")), "{group:?}");
        for other in ["/g/hostler-try-1", "/g", "hostler-0123456789abcdef", "/g/hostler-0123456789abcdeg"] {
            assert!(!is_of_run(Path::new(other)), "{other}");
        }
        assert_eq!(Finding::Off.for_run(one.path()), None);
    }

    #[test]
    fn what_a_group_counts_is_read_and_the_rest_is_left_out() {
        let group = tempfile::tempdir().unwrap();
        assert_eq!(usage(group.path()), GroupUsage::default());
        fs::write(group.path().join("cpu.stat"), "usage_usec 1234\nuser_usec 1000\n").unwrap();
        assert_eq!(usage(group.path()), GroupUsage { cpu_us: Some(1234), memory_bytes: None });
        fs::write(group.path().join("memory.current"), "5000\n").unwrap();
        assert_eq!(usage(group.path()).memory_bytes, Some(5000));
        fs::write(group.path().join("memory.stat"), "anon 1\ninactive_file 2000\n").unwrap();
        assert_eq!(usage(group.path()).memory_bytes, Some(3000));
    }

    #[test]
    fn limits_are_seen() {
        let group = tempfile::tempdir().unwrap();
        assert_eq!(limit(group.path()), None);
        fs::write(group.path().join("memory.max"), "max\n").unwrap();
        fs::write(group.path().join("cpu.max"), "max 100000\n").unwrap();
        assert_eq!(limit(group.path()), None);
        fs::write(group.path().join("cpu.max"), "200000 100000\n").unwrap();
        assert_eq!(limit(group.path()), Some("cpu.max"));
    }

    #[test]
    fn the_machine_has_an_answer() {
        assert!(!find().to_string().is_empty());
    }

    #[test]
    fn groups_of_nobody_are_removed_and_others_are_not() {
        let Finding::In(own) = find() else { return };
        // Not in the daemon's own group, where somebody may just begin a run.
        let part = Cgroup::make(own.join(format!("{PREFIX}tidy-{}", std::process::id()))).unwrap();
        let finding = Finding::In(part.path().to_owned());
        let run = tempfile::tempdir().unwrap();
        let group = Cgroup::make(finding.for_run(run.path()).unwrap()).unwrap();
        let other = Cgroup::make(part.path().join("other")).unwrap();
        finding.tidy();
        assert!(!group.path().exists() && other.path().exists());
        part.remove().unwrap();
    }
}
