//! Drives a real shim as a daemon would, and leaves no process behind, even when a test fails.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio as ChildStdio};
use std::time::{Duration, Instant};

use hostler_shim::adopt::AdoptSpec;
use hostler_shim::channel::Channel;
use hostler_shim::control::{Command, Event, MAX_PACKET, Scope, Status};
use hostler_shim::exit_record::ExitRecord;
use hostler_shim::journal::{Gap, Kind, Position, Reader, Stream};
use hostler_shim::launch::{JournalLimits, LaunchSpec, Stdio};
use hostler_shim::pid_file::PidFile;
use tempfile::TempDir;

mod world;
pub(crate) use world::*;

/// An environment variable that marks every process of one test.
const MARK: &str = "HOSTLER_SHIM_TEST";

const SHIM: &str = env!("CARGO_BIN_EXE_hostler-shim");

/// A record of the journal that owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) stream: Stream,
    pub(crate) payload: Vec<u8>,
}

/// A shim and the daemon's side of it.
pub(crate) struct Shim {
    process: Child,
    dir: TempDir,
    channel: Option<Channel>,
    /// What came with `Launched` or `Status`: pidfd, stdout, stderr, stdin.
    pub(crate) fds: Vec<OwnedFd>,
    /// How often `JournalGrew` came.
    pub(crate) grew: u32,
    /// The main process, once it was launched.
    pub(crate) main_pid: i32,
}

impl Shim {
    /// A spare shim, waiting for a launch.
    pub(crate) fn spare() -> Self {
        Self::spawn(std::process::Command::new(SHIM))
    }

    /// A spare shim, executed by a shell script that finds the program's path in `$0`.
    pub(crate) fn spare_through(script: &str) -> Self {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", script, SHIM]);
        Self::spawn(command)
    }

    fn spawn(mut command: std::process::Command) -> Self {
        let (ours, theirs) = Channel::pair().unwrap();
        command.stdin(OwnedFd::from(theirs)).stdout(ChildStdio::null());
        Self {
            process: command.spawn().unwrap(),
            dir: tempfile::tempdir().unwrap(),
            channel: Some(ours),
            fds: Vec::new(),
            grew: 0,
            main_pid: 0,
        }
    }

    /// A shim whose process runs.
    pub(crate) fn launch(change: impl FnOnce(&mut LaunchSpec)) -> (Self, Status) {
        let mut shim = Self::spare();
        let mut spec = shim.sh("");
        change(&mut spec);
        shim.send_launch(&spec);
        let status = shim.launched();
        (shim, status)
    }

    /// A shim that runs a shell script.
    pub(crate) fn run(script: &str) -> (Self, Status) {
        Self::launch(|spec| spec.argv[2] = script.into())
    }

    /// The launch of a shell script in this shim's directory.
    pub(crate) fn sh(&self, script: &str) -> LaunchSpec {
        LaunchSpec {
            run_dir: self.dir().to_owned(),
            exec: "/bin/sh".into(),
            argv: vec!["sh".into(), "-c".into(), script.into()],
            env: vec![
                ("PATH".into(), "/usr/bin:/bin".into()),
                (MARK.into(), self.dir().into()),
                (hostler_shim::adopt::MARK.into(), self.dir().into()),
            ],
            cwd: self.dir().to_owned(),
            stdio: Stdio::Pipes,
            rlimits: Vec::new(),
            cgroup_limits: Vec::new(),
            no_new_privs: false,
            leftover_grace_ms: 5_000,
            journal: JournalLimits::default(),
            cgroup: None,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.id() as i32
    }

    pub(crate) fn send_launch(&self, spec: &LaunchSpec) {
        self.send_launch_in(spec, memfd(&spec.encode(), false));
    }

    /// Sends a launch whose request is in this file.
    pub(crate) fn send_launch_in(&self, spec: &LaunchSpec, request: OwnedFd) {
        let streams = hostler_shim::streams::open(spec.stdio).unwrap();
        let fds: Vec<_> =
            streams.ours.iter().map(|(_, fd)| fd).chain(&streams.theirs).map(AsFd::as_fd).collect();
        self.send_with(&Command::Streams, &fds);
        self.send_with(&Command::Launch, &[self.lock().as_fd(), request.as_fd()]);
    }

    /// What stands for the lock of the run.
    fn lock(&self) -> OwnedFd {
        std::fs::File::open(self.dir()).unwrap().into()
    }

    pub(crate) fn launched(&mut self) -> Status {
        match self.event() {
            Event::Launched(status) => {
                self.main_pid = status.pid;
                status
            }
            other => panic!("not launched: {other:?}"),
        }
    }

    /// Kills this shim and lets another one take over, as a daemon that holds the descriptors does.
    pub(crate) fn succeed(&mut self, status: &Status) -> Status {
        signal(self.pid(), libc::SIGKILL);
        let _ = self.process.wait();
        self.take_over(status)
    }

    /// Lets another shim take over what a dead one left.
    pub(crate) fn take_over(&mut self, status: &Status) -> Status {
        let (ours, theirs) = Channel::pair().unwrap();
        let mut command = std::process::Command::new(SHIM);
        self.process =
            command.stdin(OwnedFd::from(theirs)).stdout(ChildStdio::null()).env_clear().spawn().unwrap();
        self.channel = Some(ours);
        let spec = AdoptSpec {
            run_dir: self.dir().to_owned(),
            pid: status.pid,
            start_ticks: status.start_ticks,
            started_unix_nanos: status.started_unix_nanos,
            descriptors: status.descriptors,
            leftover_grace_ms: 5_000,
            journal: JournalLimits::default(),
            cgroup: PidFile::read(self.dir()).and_then(|file| file.cgroup),
        };
        let held = std::mem::take(&mut self.fds);
        let request = memfd(&spec.encode(), false);
        let lock = self.lock();
        let fds: Vec<_> = [&lock].into_iter().chain(&held).chain([&request]).map(AsFd::as_fd).collect();
        self.send_with(&Command::Adopt, &fds);
        match self.event() {
            Event::Status(status) => status,
            other => panic!("not adopted: {other:?}"),
        }
    }

    pub(crate) fn send(&self, command: Command) {
        self.send_with(&command, &[]);
    }

    pub(crate) fn send_with(&self, command: &Command, fds: &[BorrowedFd<'_>]) {
        let channel = self.channel.as_ref().unwrap();
        channel.send(&command.encode(), fds).unwrap();
    }

    /// Sends to a shim that may be closing just now.
    pub(crate) fn try_send(&self, command: &Command) {
        let _ = self.channel.as_ref().unwrap().send(&command.encode(), &[]);
    }

    pub(crate) fn stop(&self, grace_ms: u32, scope: Scope) {
        self.send(Command::Stop { signal: libc::SIGTERM, grace_ms, scope });
    }

    /// Ends the connection, as a daemon that dies does.
    pub(crate) fn disconnect(&mut self) {
        self.channel = None;
        self.fds.clear();
    }

    /// Connects anew. The socket is bound shortly after the launch was answered.
    pub(crate) fn connect(&mut self) {
        self.channel = Some(connect(self.dir()));
        self.fds.clear();
    }

    /// Connects anew and asks for the state.
    pub(crate) fn attach(&mut self) -> Status {
        let run_dir = self.dir().to_owned();
        self.attach_in(&run_dir)
    }

    /// [`Self::attach`] to a shim whose run has another directory.
    pub(crate) fn attach_in(&mut self, run_dir: &Path) -> Status {
        self.channel = Some(connect(run_dir));
        self.fds.clear();
        self.send(Command::Attach);
        match self.event() {
            Event::Status(status) => status,
            other => panic!("not a status: {other:?}"),
        }
    }

    /// The next event; `None` when the connection ended.
    pub(crate) fn event_or_end(&mut self) -> Option<Event> {
        self.event_within(PATIENCE).unwrap_or_else(|| panic!("no event; the journal: {:?}", self.summary()))
    }

    /// The next event, if one comes soon.
    pub(crate) fn event_within(&mut self, patience: Duration) -> Option<Option<Event>> {
        let channel = self.channel.as_ref().unwrap();
        if !readable(channel, patience) {
            return None;
        }
        let mut buffer = vec![0; MAX_PACKET];
        let mut fds = Vec::new();
        let length = match channel.recv(&mut buffer, &mut fds) {
            Ok(length) => length,
            // The shim closed while commands for it were under way.
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(e) => panic!("{e}"),
        };
        if length == 0 {
            return Some(None);
        }
        let event = Event::decode(&buffer[..length], fds.len()).unwrap();
        if matches!(event, Event::Launched(_) | Event::Status(_)) {
            self.fds = fds;
        }
        self.grew += u32::from(event == Event::JournalGrew);
        Some(Some(event))
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> Event {
        self.event_or_end().expect("the shim is gone")
    }

    /// The first event that is wanted; others are passed over.
    pub(crate) fn until<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(self.event()) {
                return picked;
            }
        }
    }

    pub(crate) fn exited(&mut self) -> ExitRecord {
        self.until(|event| match event {
            Event::Exited(record) => Some(record),
            _ => None,
        })
    }

    /// Waits for the end of the tree, and of the shim.
    pub(crate) fn closed(&mut self) -> ExitRecord {
        let record = self.until(|event| match event {
            Event::Closed(record) => Some(record),
            _ => None,
        });
        assert!(self.gone().success());
        assert_eq!(self.event_or_end(), None, "nothing comes after the end");
        record
    }

    /// Waits until the shim is gone.
    pub(crate) fn gone(&mut self) -> ExitStatus {
        let process = &mut self.process;
        let mut status = None;
        eventually("the shim ends", || {
            status = process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// The whole journal.
    pub(crate) fn journal(&self) -> Vec<Record> {
        let Ok(mut reader) = Reader::open(self.dir(), Position::default()) else {
            return Vec::new();
        };
        read_on(&mut reader)
    }

    fn summary(&self) -> Vec<(Kind, String)> {
        let text = |r: Record| {
            let cut = r.payload.len().min(300);
            (r.kind, String::from_utf8_lossy(&r.payload[..cut]).into_owned())
        };
        self.journal().into_iter().map(text).collect()
    }

    /// Everything that is in the journal of one stream.
    pub(crate) fn output(&self, stream: Stream) -> Vec<u8> {
        let wanted = |r: &Record| r.kind == Kind::Output && r.stream == stream;
        self.journal().into_iter().filter(wanted).flat_map(|r| r.payload).collect()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output(Stream::Stdout)).into_owned()
    }

    /// Waits until the process said this.
    pub(crate) fn said(&self, text: &str) -> String {
        let mut stdout = String::new();
        eventually(text, || {
            stdout = self.stdout();
            stdout.contains(text)
        });
        stdout
    }

    /// Length of all segments together.
    pub(crate) fn journal_bytes(&self) -> u64 {
        let Ok(entries) = std::fs::read_dir(self.dir().join("journal")) else {
            return 0;
        };
        entries.flatten().filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
    }

    /// The living processes of this test, the shim not among them.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let mark = [MARK.as_bytes(), b"=", self.dir().as_os_str().as_encoded_bytes()].concat();
        let numbers = std::fs::read_dir("/proc").unwrap().flatten();
        numbers
            .filter_map(|e| e.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                environ.split(|b| *b == 0).any(|v| v == mark) && is_alive(*pid)
            })
            .collect()
    }

    fn end_by_force(&mut self) {
        let channel = match self.channel.take() {
            Some(channel) => Some(channel),
            None => Channel::connect(self.dir()).ok(),
        };
        let stop = Command::Stop { signal: libc::SIGKILL, grace_ms: 0, scope: Scope::Tree };
        // Only closing ends a spare shim.
        let _ = channel.map(|c| c.send(&stop.encode(), &[]));
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.process.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > deadline {
                let _ = self.process.kill();
                let _ = self.process.wait();
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.end_by_force();
        let left = self.processes();
        for pid in &left {
            signal(*pid, libc::SIGKILL);
        }
        if !std::thread::panicking() {
            assert!(left.is_empty(), "the shim left {left:?} behind");
            let status = self.process.wait().unwrap();
            assert!(status.success() || status.signal() == Some(libc::SIGKILL), "{status}");
        }
    }
}

/// Connects to the shim of a run.
pub(crate) fn connect(run_dir: &Path) -> Channel {
    let mut channel = None;
    eventually("the shim listens", || {
        channel = Channel::connect(run_dir).ok();
        channel.is_some()
    });
    channel.unwrap()
}

/// What a reader finds from where it is.
pub(crate) fn read_on(reader: &mut Reader) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some(r) = reader.next().unwrap() {
        records.push(Record { kind: r.kind, stream: r.stream, payload: r.payload.to_vec() });
    }
    records
}

/// All gaps together.
pub(crate) fn gaps(records: &[Record]) -> Gap {
    let mut sum = Gap::default();
    for record in records.iter().filter(|r| r.kind == Kind::Gap) {
        let gap = Gap::from_bytes(&record.payload);
        sum.bytes += gap.bytes;
        sum.lines += gap.lines;
    }
    sum
}

/// All output together, as what would have been lost.
pub(crate) fn kept(records: &[Record]) -> Gap {
    let mut sum = Gap::default();
    for record in records.iter().filter(|r| r.kind == Kind::Output) {
        sum.add(&record.payload);
    }
    sum
}
