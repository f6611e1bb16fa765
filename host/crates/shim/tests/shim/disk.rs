//! A disk that is full.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use hostler_shim::control::Event;
use hostler_shim::exit_record::{self, Outcome};
use hostler_shim::journal::{Kind, Position, Reader, Stream};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::common::{Shim, eventually, gaps, kept, read_on};

/// A small file system of its own.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where mounting is not permitted.
    fn new(options: &std::ffi::CStr) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        match mount("none", dir.path(), "tmpfs", MountFlags::empty(), options) {
            Ok(()) => Some(Self(dir)),
            Err(why) => {
                // Past the test's captured output, so that it is seen.
                let _ = writeln!(std::io::stderr(), "SKIPPED, for no file system can be mounted here: {why}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all that is left of it.
    fn fill(&self) -> File {
        let path = self.path().join("filler");
        let mut file = File::create(path).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        file
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}

/// A shim whose run directory is on that disk, and whose script waits for a line of input.
fn launch_on(disk: &Disk, script: &str) -> Shim {
    let (shim, _) = Shim::launch(|spec| {
        spec.argv[2] = format!("read go; {script}").into();
        spec.run_dir = disk.path().to_owned();
    });
    // The last thing that it does after the launch.
    eventually("settled", || hostler_shim::pid_file::PidFile::read(disk.path()).is_some());
    shim
}

fn go(shim: &Shim) {
    shim.send(hostler_shim::control::Command::Write(b"\n".to_vec()));
}

fn journal(disk: &Disk) -> Vec<crate::common::Record> {
    read_on(&mut Reader::open(disk.path(), Position::default()).unwrap())
}

#[test]
fn a_full_disk_stops_nobody_and_what_is_lost_is_counted() {
    let Some(disk) = Disk::new(c"size=1m") else { return };
    let mut shim = launch_on(&disk, "seq 1 300000; exit 3");
    go(&shim);
    let record = shim.closed();
    assert_eq!(record.outcome, Outcome::Code(3));
    assert_eq!(exit_record::read(disk.path()).unwrap(), Some(record));
    let records = journal(&disk);
    let (kept, lost) = (kept(&records), gaps(&records));
    let written: u64 = (1..=300_000).map(|n: u64| n.to_string().len() as u64 + 1).sum();
    assert!(kept.bytes > 500_000 && lost.bytes > 0, "{kept:?} {lost:?}");
    assert_eq!((kept.bytes + lost.bytes, kept.lines + lost.lines), (written, 300_000));
    assert_eq!(records.last().map(|r| r.kind), Some(Kind::Closed));
}

#[test]
fn a_disk_without_a_single_byte_left_still_takes_the_exit_record() {
    let Some(disk) = Disk::new(c"size=256k") else { return };
    let mut shim = launch_on(&disk, "echo unheard; exit 4");
    let _filler = disk.fill();
    go(&shim);
    let record = shim.closed();
    assert_eq!(record.outcome, Outcome::Code(4));
    assert_eq!(exit_record::read(disk.path()).unwrap(), Some(record));
    // What was set aside for them takes the last records.
    let records = journal(&disk);
    assert_eq!(gaps(&records).lines, 1);
    assert_eq!(records.last().map(|r| r.kind), Some(Kind::Closed));
}

#[test]
fn a_disk_that_was_full_for_a_moment_costs_nothing() {
    let Some(disk) = Disk::new(c"size=256k") else { return };
    let mut shim = launch_on(&disk, "echo out; echo err >&2; echo done >/dev/null; exec sleep 1000");
    let filler = disk.fill();
    // Both streams are readable at one look, and the first of them cannot be written.
    crate::common::signal(shim.pid(), libc::SIGSTOP);
    eventually("paused", || crate::common::state(shim.pid()) == Some('T'));
    rustix::io::write(&shim.fds[3], b"\n").unwrap();
    eventually("both were written", || {
        let comm = std::fs::read_to_string(format!("/proc/{}/comm", shim.main_pid));
        comm.is_ok_and(|c| c == "sleep\n")
    });
    crate::common::signal(shim.pid(), libc::SIGCONT);
    crate::common::pass(std::time::Duration::from_millis(300));
    filler.set_len(0).unwrap();
    eventually("both", || {
        Reader::open(disk.path(), Position::default()).is_ok() && journal(&disk).len() == 2
    });
    let got: Vec<_> = journal(&disk).into_iter().map(|r| (r.stream, r.payload)).collect();
    assert_eq!(got, [(Stream::Stdout, b"out\n".to_vec()), (Stream::Stderr, b"err\n".to_vec())]);
    shim.stop(0, hostler_shim::control::Scope::Tree);
    shim.closed();
}

#[test]
fn a_disk_that_takes_nothing_is_told_and_so_is_the_end_of_that() {
    let Some(disk) = Disk::new(c"size=256k") else { return };
    let mut shim = launch_on(&disk, "echo lost; exec sleep 1000");
    let filler = disk.fill();
    let refused = |event| match event {
        Event::JournalRefused(errno) => Some(errno),
        _ => None,
    };
    go(&shim);
    assert_eq!(shim.until(refused), Some(libc::ENOSPC));
    // Who comes later learns it as well.
    shim.disconnect();
    assert_eq!(shim.attach_in(disk.path()).refused, Some(libc::ENOSPC));
    crate::common::pass(std::time::Duration::from_millis(2_500));
    filler.set_len(0).unwrap();
    // The process writes no more, and what was lost is told all the same.
    assert_eq!(shim.until(refused), None);
    assert_eq!(gaps(&journal(&disk)).lines, 1);
    shim.stop(0, hostler_shim::control::Scope::Tree);
    shim.closed();
}

#[test]
fn a_disk_that_was_full_at_the_launch_gets_the_exit_record_later() {
    let Some(disk) = Disk::new(c"size=256k") else { return };
    let filler = disk.fill();
    let (mut shim, _) = Shim::launch(|spec| {
        spec.argv[2] = "read go; exit 5".into();
        spec.run_dir = disk.path().to_owned();
    });
    filler.set_len(0).unwrap();
    go(&shim);
    let exited = shim.until(|event| match event {
        Event::Exited(record) => Some(record),
        _ => None,
    });
    assert_eq!(exited.outcome, Outcome::Code(5));
    let record = shim.closed();
    assert_eq!(exit_record::read(disk.path()).unwrap(), Some(record));
}
