//! What the kernel tells of processes in `/proc`: trees, their use of memory and CPU, their ports.
//! Everything here may vanish while it is looked at; what vanished is left out.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;

use hostler_model::Timestamp;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub ppid: i32,
    /// Its session: the number of the process that leads it.
    pub session: i32,
    /// CPU time used so far, clock ticks.
    pub cpu_ticks: u64,
    /// CPU time of the children that it waited for, and of those that they waited for, clock ticks.
    pub reaped_ticks: u64,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
    /// Start time, clock ticks since boot.
    pub start_ticks: u64,
    /// Its threads: each has children of its own.
    pub threads: u64,
}

/// Clock ticks of a second.
#[must_use]
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// Start time of a process, clock ticks since boot; `None` when there is none of this number.
#[must_use]
pub fn start_ticks(pid: i32) -> Option<u64> {
    read(pid).map(|p| p.start_ticks)
}

/// Time since the machine's boot, clock ticks.
#[must_use]
pub fn uptime_ticks() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let hz = ticks_per_second();
    now.tv_sec as u64 * hz + now.tv_nsec as u64 * hz / 1_000_000_000
}

/// When a process started, from its start time in clock ticks since boot.
#[must_use]
pub fn started_at(start_ticks: u64, now: Timestamp) -> Timestamp {
    let age = uptime_ticks().saturating_sub(start_ticks);
    Timestamp(now.0 - (age * 1_000_000_000 / ticks_per_second()) as i64)
}

/// Reads one process; zombies count as gone.
#[must_use]
pub fn read(pid: i32) -> Option<Process> {
    // Of one whose first thread ended and whose others go on, the kernel says Z as well.
    read_even_zombie(pid).filter(|(state, p)| *state != b'Z' || p.threads > 1).map(|(_, process)| process)
}

/// Start time of a process, clock ticks since boot, also of one that has ended and was not reaped.
pub(crate) fn start_ticks_even_of_zombie(pid: i32) -> Option<u64> {
    read_even_zombie(pid).map(|(_, process)| process.start_ticks)
}

fn read_even_zombie(pid: i32) -> Option<(u8, Process)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything, so the fields are counted from its end.
    let after = stat.get(stat.iter().rposition(|b| *b == b')')? + 2..)?;
    let fields: Vec<&str> = std::str::from_utf8(after).ok()?.split_ascii_whitespace().collect();
    // proc(5) numbers the state as field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let process = Process {
        pid,
        ppid: i32::try_from(number(4)?).ok()?,
        session: i32::try_from(number(6)?).ok()?,
        cpu_ticks: number(14)? + number(15)?,
        reaped_ticks: number(16)? + number(17)?,
        threads: number(20)?,
        start_ticks: number(22)?,
        rss_bytes: number(24)? * rustix::param::page_size() as u64,
    };
    Some((*fields.first()?.as_bytes().first()?, process))
}

/// Waits until a process has ended; at once when there is none of this number and start time.
pub async fn ended(pid: i32, start_ticks: u64) {
    let Some(pidfd) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return;
    };
    if read(pid).is_none_or(|p| p.start_ticks != start_ticks) {
        return;
    }
    if let Ok(waiting) = crate::wait_fd::readable(pidfd) {
        let _ = waiting.readable().await;
    }
}

/// The numbers of all processes.
pub(crate) fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a process was started with this `NAME=value` in its environment.
pub(crate) fn has_variable(pid: i32, variable: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|e| e.split(|b| *b == 0).any(|v| v == variable))
}

/// Where the tree of a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roots {
    /// Its shim, which is not part of it.
    pub shim: i32,
    /// The main process, while it lives. Not a child of its shim, when that took over from one that was killed.
    pub main: Option<i32>,
}

impl Roots {
    /// The living processes of the tree.
    #[must_use]
    pub fn tree(self) -> Vec<Process> {
        let mut tree = descendants(self.shim);
        if let Some(main) = self.main.and_then(read).filter(|main| tree.iter().all(|p| p.pid != main.pid)) {
            tree.extend(descendants(main.pid));
            tree.insert(0, main);
        }
        tree
    }
}

/// All living descendants of a process, itself left out.
#[must_use]
pub fn descendants(root: i32) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    // A shim has one thread, and so has a zombie, whose children are read under its number all the same.
    let mut parents = vec![(root, read(root).map_or(1, |p| p.threads))];
    while let Some((parent, threads)) = parents.pop() {
        for pid in children(parent, threads) {
            let process = read(pid);
            parents.push((pid, process.as_ref().map_or(1, |p| p.threads)));
            found.extend(process);
        }
    }
    found
}

fn children(pid: i32, threads: u64) -> Vec<i32> {
    let parse =
        |list: String| list.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<i32>>();
    if threads == 1 {
        // Most processes: without a look into the folder, this costs a third.
        return fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).map(parse).unwrap_or_default();
    }
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
    lists.flat_map(parse).collect()
}

/// Command line of a process, words separated by blanks.
#[must_use]
pub fn command_line(pid: i32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<_> =
        bytes.split(|b| *b == 0).filter(|w| !w.is_empty()).map(String::from_utf8_lossy).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// How many files a process has open; `None` when that may not be seen.
#[must_use]
pub fn open_files(pid: i32) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    // From Linux 6.2 on its size is their number.
    match fs::metadata(&folder).ok()?.len() {
        0 => Some(fs::read_dir(folder).ok()?.count() as u64),
        number => Some(number),
    }
}

/// Bytes read from and written to storage by a process and the children that it waited for; `None` when that may not
/// be seen.
#[must_use]
pub fn storage_bytes(pid: i32) -> Option<(u64, u64)> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    Some((field(&io, "read_bytes:")?, field(&io, "write_bytes:")?))
}

/// Memory of a process, bytes, where what it shares with others counts by its part (PSS). The kernel walks all its
/// pages for that, which takes the longer the larger it is. `None` when it may not be seen.
#[must_use]
pub fn proportional_memory(pid: i32) -> Option<u64> {
    Some(field(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:")? * 1024)
}

/// How often the kernel has killed a process for lack of memory since the machine started, in groups and as a whole.
#[must_use]
pub fn oom_kills() -> Option<u64> {
    // For each read the kernel counts everything anew: one buffer holds it all.
    let mut text = String::with_capacity(16 * 1024);
    fs::File::open("/proc/vmstat").ok()?.read_to_string(&mut text).ok()?;
    field(&text, "oom_kill ")
}

/// The number behind a name at the beginning of a line.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// TCP sockets that listen: inode to port, of this network namespace.
#[derive(Debug, Default)]
pub struct Listeners(HashMap<u64, u16>);

impl Listeners {
    /// Reads them all.
    #[must_use]
    pub fn read() -> Self {
        crate::sock_diag::listeners().map_or_else(|_| Self::read_tables(), Self)
    }

    /// The slow way, for kernels without sock_diag and sandboxes that forbid it.
    fn read_tables() -> Self {
        let mut listeners = HashMap::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let Ok(text) = fs::read_to_string(table) else { continue };
            listeners.extend(text.lines().skip(1).filter_map(listener));
        }
        Self(listeners)
    }

    /// Ports on which one of these processes listens, in order.
    #[must_use]
    pub fn ports_of(&self, pids: impl IntoIterator<Item = i32>) -> Vec<u16> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let ports: HashSet<u16> =
            pids.into_iter().flat_map(sockets).filter_map(|inode| self.0.get(&inode).copied()).collect();
        let mut ports: Vec<u16> = ports.into_iter().collect();
        ports.sort_unstable();
        ports
    }

    /// Who listens on a port: `None` when nobody does, `Some(None)` when its process may not be seen.
    #[must_use]
    pub fn holder(&self, port: u16) -> Option<Option<i32>> {
        let inodes: HashSet<u64> = self.0.iter().filter(|(_, p)| **p == port).map(|(i, _)| *i).collect();
        if inodes.is_empty() {
            return None;
        }
        let all = fs::read_dir("/proc").ok()?;
        let mut pids = all.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
        Some(pids.find(|pid| sockets(*pid).any(|inode| inodes.contains(&inode))))
    }
}

/// `sl local_address rem_address st … inode`: the inode and port of a socket in state LISTEN (0A).
fn listener(line: &str) -> Option<(u64, u16)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != "0A" {
        return None;
    }
    let port = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
    Some((fields.get(9)?.parse().ok()?, port))
}

fn sockets(pid: i32) -> impl Iterator<Item = u64> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
}

/// Kills a process, all its descendants and these others; how many there were but itself. Used for a tree that lost its
/// shim: everyone is stopped first, so that nobody escapes by forking. The start time tells the process from a
/// later one of the same number, which is left alone.
#[must_use]
pub fn kill_tree(root: i32, start_ticks: u64, others: impl Fn() -> Vec<i32>) -> u32 {
    let root = read(root).filter(|p| p.start_ticks == start_ticks);
    let mut ended: HashMap<i32, Process> = HashMap::new();
    // Each round sees what was born before the round before it stopped everyone.
    for _ in 0..8 {
        let mut found: Vec<Process> = others().into_iter().filter_map(read).collect();
        if let Some(root) = &root {
            found.extend(descendants(root.pid));
            found.push(root.clone());
        }
        found.retain(|p| !ended.contains_key(&p.pid));
        if found.is_empty() {
            break;
        }
        for process in found {
            send(&process, Signal::STOP);
            ended.insert(process.pid, process);
        }
    }
    for process in ended.values() {
        send(process, Signal::KILL);
    }
    ended.len() as u32 - u32::from(root.is_some())
}

/// Signals a process that was seen, and no later one of its number: it is pinned first, and looked at again.
fn send(seen: &Process, signal: Signal) {
    let Some(pid) = Pid::from_raw(seen.pid) else { return };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if read(seen.pid).is_some_and(|now| now.start_ticks == seen.start_ticks) {
        let _ = pidfd_send_signal(pidfd, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_with_its_port() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let me = std::process::id() as i32;
        for listeners in [Listeners::read(), Listeners::read_tables()] {
            assert!(listeners.ports_of([me]).contains(&port));
            assert_eq!(listeners.holder(port), Some(Some(me)));
        }
        let process = read(me).unwrap();
        assert!(process.rss_bytes > 0 && process.start_ticks > 0 && process.start_ticks <= uptime_ticks());
        assert!(open_files(me).unwrap() > 0 && command_line(me).is_some());
        assert!(process.threads >= 1 && storage_bytes(me).is_some());
        assert!(proportional_memory(me).is_none_or(|pss| pss > 0 && pss <= 2 * process.rss_bytes));
    }

    #[test]
    fn nobody_is_nobody() {
        assert_eq!(read(i32::MAX), None);
        assert!(descendants(i32::MAX).is_empty());
        assert_eq!(command_line(i32::MAX), None);
    }
}
