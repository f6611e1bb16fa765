//! The loop of a shim whose process runs.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostler_shim::adopt::AdoptSpec;
use hostler_shim::cgroup::Cgroup;
use hostler_shim::channel::{Channel, Listener};
use hostler_shim::control::{Event, Status};
use hostler_shim::descriptors::{Descriptor, Descriptors};
use hostler_shim::exit_record::{self, ExitRecord, Outcome};
use hostler_shim::journal::{Kind, Position, Stream};
use hostler_shim::launch::{JournalLimits, LaunchSpec};
use hostler_shim::pid_file::PidFile;
use hostler_shim::{CONTROL_SOCKET, FORMAT_VERSION};

use crate::ending::Ending;
use crate::output::Output;
use crate::pages::Pages;
use crate::spawn::{Child, Streams};
use crate::stdin::Stdin;
use crate::sys;
use crate::tree::{Kin, Tree};

mod daemon;
mod wait;

use wait::Ready;

/// Everything a shim knows.
struct Shim {
    tree: Tree,
    /// Locked for as long as it is open.
    _lock: OwnedFd,
    /// The daemon, while there is one.
    daemon: Option<Channel>,
    listener: Option<Listener>,
    signals: OwnedFd,
    run_dir: PathBuf,
    pid: i32,
    pidfd: Option<OwnedFd>,
    start_ticks: u64,
    started_unix_nanos: i64,
    /// The process's side of its terminal, when it has one.
    terminal: Option<OwnedFd>,
    output: Output,
    stdin: Stdin,
    exit: Option<ExitRecord>,
    exit_file: Option<File>,
    ending: Ending,
    leftover_grace: Duration,
    /// The daemon was told that the journal grew and has not answered yet, or has not asked for anything yet.
    notified: bool,
    /// How far the journal went when it was told. A daemon that answers without having got on is not told the
    /// same again: it would answer the same again.
    told: Position,
    /// What the daemon was told of a disk that does not take the journal.
    told_refused: Option<i32>,
    packet: Pages,
    /// When [`Self::settle_in`] is tried again.
    settle: Option<Instant>,
    /// This process has no child any more.
    is_childless: bool,
    /// Nobody of the tree is left.
    is_over: bool,
}

/// The run that a shim is responsible for.
pub(crate) struct Run {
    dir: PathBuf,
    leftover_grace: Duration,
    journal: JournalLimits,
    kin: Kin,
    lock: OwnedFd,
}

impl Run {
    /// One that was just launched.
    pub(crate) fn launched(spec: &LaunchSpec, lock: OwnedFd) -> Self {
        Self {
            dir: spec.run_dir.clone(),
            leftover_grace: Duration::from_millis(u64::from(spec.leftover_grace_ms)),
            journal: spec.journal,
            kin: Kin::Own,
            lock,
        }
    }

    /// One whose shim was killed.
    pub(crate) fn adopted(spec: &AdoptSpec, lock: OwnedFd) -> Self {
        Self {
            dir: spec.run_dir.clone(),
            leftover_grace: Duration::from_millis(u64::from(spec.leftover_grace_ms)),
            journal: spec.journal,
            kin: Kin::adopted(spec.pid, spec.start_ticks, &spec.run_dir),
            lock,
        }
    }
}

/// The large buffers of a shim, for a piece of output and for a packet.
pub(crate) struct Buffers {
    pub chunk: Pages,
    pub packet: Pages,
}

/// How often what a full disk refused at the beginning is tried again.
const SETTLE: Duration = Duration::from_secs(1);

/// What a restart makes in the file system would wait for what is written to the disk at the same time.
const SYNC_LATER: Duration = Duration::from_millis(20);

/// How often a tree of strangers is looked at, to see whether anybody is left.
const LOOK: Duration = Duration::from_millis(20);

/// Looks after the process until its tree is gone.
pub(crate) fn run(daemon: Channel, signals: OwnedFd, run: Run, child: Child, buffers: Buffers) {
    let mut shim = Shim::new(daemon, signals, run, child, buffers);
    if shim.tree.is_own() {
        shim.tell(&Event::Launched(shim.status()), true);
        shim.settle_in();
        // A child may have ended before its signal was listened for.
        shim.reap();
    } else {
        shim.take_up();
        shim.settle_in();
        shim.tell(&Event::Status(shim.status()), true);
    }
    sys::trim_memory();
    while !shim.is_over {
        let ready = shim.wait();
        shim.handle(&ready);
    }
    shim.close();
}

impl Shim {
    fn new(daemon: Channel, signals: OwnedFd, run: Run, child: Child, buffers: Buffers) -> Self {
        let (sources, stdin, terminal) = match child.streams {
            Streams::Pipes { stdout, stderr, stdin } => {
                let stdout = stdout.map(|fd| (Stream::Stdout, fd));
                let stderr = stderr.map(|fd| (Stream::Stderr, fd));
                (stdout.into_iter().chain(stderr).collect(), stdin, None)
            }
            Streams::Pty { master, terminal } => {
                let input = master.try_clone().ok();
                (vec![(Stream::Stdout, master)], input, Some(terminal))
            }
        };
        Self {
            tree: Tree::new(run.kin, child.cgroup),
            _lock: run.lock,
            daemon: Some(daemon),
            listener: None,
            signals,
            pid: child.pid,
            pidfd: child.pidfd,
            start_ticks: child.start_ticks,
            started_unix_nanos: child.started_unix_nanos,
            terminal,
            output: Output::new(run.dir.clone(), run.journal, sources, buffers.chunk),
            run_dir: run.dir,
            stdin: Stdin::new(stdin),
            exit: None,
            exit_file: None,
            ending: Ending::default(),
            leftover_grace: run.leftover_grace,
            notified: false,
            told: Position::default(),
            told_refused: None,
            packet: buffers.packet,
            settle: None,
            is_childless: false,
            is_over: false,
        }
    }

    /// What can wait until the process runs. On a full disk it waits until there is room.
    fn settle_in(&mut self) {
        if self.exit_file.is_none() && self.tree.is_own() {
            self.exit_file = exit_record::preallocate(&self.run_dir).ok();
        }
        if self.listener.is_none() {
            self.listener = Listener::bind(&self.run_dir).ok();
        }
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let file = PidFile {
            pid: self.pid,
            start_ticks: self.start_ticks,
            shim_pid: std::process::id() as i32,
            boot_id: boot_id.trim().to_owned(),
            pipes: self.pipes(),
            cgroup: self.tree.cgroup().map(|cgroup| cgroup.path().to_owned()),
        };
        let settled = file.write(&self.run_dir).is_ok()
            && self.output.reserve().is_ok()
            && self.listener.is_some()
            && self.exit_file.is_some();
        self.settle = (!settled).then(|| Instant::now() + SETTLE);
    }

    /// Goes on where the predecessor was killed.
    fn take_up(&mut self) {
        let _ = std::fs::remove_file(self.run_dir.join(CONTROL_SOCKET));
        let known = exit_record::read(&self.run_dir).ok().flatten();
        self.exit_file = exit_record::reopen(&self.run_dir).ok();
        match known {
            Some(record) => {
                self.exit = Some(record);
                self.ending.main_gone(&self.tree, self.leftover_grace);
            }
            // Nobody is there to say how it ended.
            None if self.pidfd.is_none() => self.main_ended(record_of(Outcome::Unknown)),
            None => {}
        }
    }

    /// The inodes of the pipes: by them whoever has no descriptor finds them again at those who hold the other end.
    fn pipes(&self) -> [u64; 3] {
        if self.terminal.is_some() {
            return [0; 3];
        }
        let inode = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).map_or(0, |stat| stat.st_ino);
        let of = |stream| self.output.fd(stream).map_or(0, inode);
        let stdin = self.stdin.fd().map_or(0, |fd| inode(fd.as_fd()));
        [stdin, of(Stream::Stdout), of(Stream::Stderr)]
    }

    fn main(&self) -> Option<i32> {
        if self.exit.is_none() { Some(self.pid) } else { None }
    }

    fn status(&self) -> Status {
        Status {
            version: FORMAT_VERSION,
            shim_pid: std::process::id() as i32,
            pid: self.pid,
            start_ticks: self.start_ticks,
            started_unix_nanos: self.started_unix_nanos,
            exit: self.exit,
            stopping: self.ending.is_under_way(),
            descriptors: self.descriptors().map(|(descriptor, _)| descriptor).collect::<Descriptors>(),
            adopted: !self.tree.is_own(),
            refused: self.output.refused(),
        }
    }

    /// Those that a daemon holds as well, in their order.
    fn descriptors(&self) -> impl Iterator<Item = (Descriptor, BorrowedFd<'_>)> {
        let main = self.pidfd.iter().map(|fd| (Descriptor::Main, fd.as_fd()));
        let is_terminal = self.terminal.is_some();
        let outputs = self.output.fds().map(move |(stream, fd)| match (is_terminal, stream) {
            (true, _) => (Descriptor::Terminal, fd),
            (false, Stream::Stdout) => (Descriptor::Stdout, fd),
            (false, Stream::Stderr) => (Descriptor::Stderr, fd),
        });
        // Who held on to one that is being closed would keep the process from seeing its end.
        let is_held = !is_terminal && !self.stdin.is_closing();
        let stdin = self.stdin.fd().filter(|_| is_held).map(|fd| (Descriptor::Stdin, fd.as_fd()));
        main.chain(outputs).chain(stdin)
    }

    /// The main process, when it is not a child of this one.
    fn stranger(&self) -> Option<BorrowedFd<'_>> {
        let awaited = !self.tree.is_own() && self.exit.is_none();
        self.pidfd.as_ref().filter(|_| awaited).map(AsFd::as_fd)
    }

    /// Whether all who may be left are processes whose end nobody tells: those of an adopted tree, and those of the
    /// control group that are no descendants, such as one that went into another pid namespace and was orphaned there.
    fn only_strangers_are_left(&self) -> bool {
        if self.tree.is_own() { self.is_childless } else { self.exit.is_some() }
    }

    fn look_for_strangers(&mut self) {
        self.is_over = self.is_over || self.only_strangers_are_left() && self.tree.members().is_empty();
    }

    fn handle(&mut self, ready: &Ready) {
        for source in 0..ready.sources.len() {
            if ready.sources[source] {
                let daemon_there = self.daemon.is_some();
                self.output.pump(source, daemon_there);
            }
        }
        self.output.on_time();
        if self.settle.is_some_and(|at| at <= Instant::now()) {
            self.settle_in();
        }
        self.notify();
        self.complain();
        if ready.daemon {
            self.obey();
        }
        if ready.listener
            && let Some(Ok(newcomer)) = self.listener.as_ref().map(Listener::accept)
        {
            // The newest daemon is the one: an older one is dead or about to be.
            self.daemon = Some(newcomer);
            self.notified = true;
        }
        if ready.stdin {
            self.stdin.flush();
        }
        if ready.signals {
            let mut buffer = [0_u8; 128 * 4];
            while rustix::io::read(&self.signals, &mut buffer).is_ok_and(|n| n > 0) {}
            self.reap();
        }
        if ready.main
            && let Some(main) = self.stranger()
        {
            let outcome = sys::outcome_of_stranger(main, self.pid);
            self.main_ended(record_of(outcome));
        }
        let main = self.main();
        self.ending.on_time(&self.tree, main);
        self.look_for_strangers();
    }

    fn reap(&mut self) {
        loop {
            match sys::reap(-1) {
                Ok(Some(reaped)) if reaped.pid == self.pid && self.exit.is_none() => {
                    self.main_ended(ExitRecord {
                        user_us: reaped.user_us,
                        system_us: reaped.system_us,
                        max_rss_bytes: reaped.max_rss_bytes,
                        ..record_of(reaped.outcome)
                    });
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) => {
                    self.is_childless = true;
                    return self.look_for_strangers();
                }
            }
        }
    }

    fn main_ended(&mut self, record: ExitRecord) {
        let oom_kills = self.tree.cgroup().map_or(0, Cgroup::oom_kills);
        let record = ExitRecord { oom_kills, ..record };
        self.exit = Some(record);
        self.write_exit(&record);
        self.tell(&Event::Exited(record), false);
        self.ending.main_gone(&self.tree, self.leftover_grace);
    }

    fn write_exit(&mut self, record: &ExitRecord) {
        if self.exit_file.is_none() {
            // There was no room for it at the launch.
            self.exit_file = exit_record::preallocate(&self.run_dir).ok();
        }
        if let Some(file) = &self.exit_file {
            let _ = file.write_all_at(&record.to_bytes(), 0);
        }
    }

    /// The tree is gone: everything is written down, and then this process ends too.
    fn close(&mut self) {
        // Before it is on record that this run is over: afterwards nobody would come to do it.
        if let Some(cgroup) = self.tree.cgroup() {
            let _ = cgroup.remove();
        }
        self.output.drain();
        let Some(mut record) = self.exit else { return };
        record.closed = true;
        record.descendants_ended = self.ending.ended();
        record.descendants_killed = self.ending.killed();
        self.output.note(Kind::Exit, &record.to_bytes());
        self.output.note(Kind::Closed, &[]);
        self.write_exit(&record);
        // The daemon first: what a process that ends leaves in the page cache is safe from everything but a
        // crash of the machine, and a restart need not wait for the disk.
        self.tell(&Event::Closed(record), false);
        if self.daemon.is_some() {
            give_way();
        }
        self.output.sync();
        if let Some(file) = &self.exit_file {
            let _ = file.sync_data();
        }
    }
}

/// Lets others use the file system first.
#[allow(clippy::disallowed_methods, reason = "nothing is waited for that could be noticed")]
fn give_way() {
    std::thread::sleep(SYNC_LATER);
}

/// The record of an end that was noticed now.
fn record_of(outcome: Outcome) -> ExitRecord {
    ExitRecord {
        outcome,
        at_unix_nanos: sys::unix_nanos(),
        user_us: 0,
        system_us: 0,
        max_rss_bytes: 0,
        descendants_ended: 0,
        descendants_killed: 0,
        oom_kills: 0,
        closed: false,
    }
}
