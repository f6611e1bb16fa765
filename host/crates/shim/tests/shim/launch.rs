//! What a process finds when it starts, and why it does not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostler_shim::FORMAT_VERSION;
use hostler_shim::control::{Command, Event, LaunchFailure, Step};
use hostler_shim::exit_record::Outcome;
use hostler_shim::journal::{Kind, Stream};
use hostler_shim::launch::{LaunchSpec, Resource, Rlimit, Stdio};
use hostler_shim::pid_file::PidFile;

use crate::common::{Shim, script, signal};

/// Runs a script to its end and gives what it wrote to standard output.
fn stdout_of(change: impl FnOnce(&mut LaunchSpec)) -> String {
    let (mut shim, _) = Shim::launch(change);
    assert_eq!(shim.closed().outcome, Outcome::Code(0));
    shim.stdout()
}

fn failure_of(change: impl FnOnce(&mut LaunchSpec)) -> LaunchFailure {
    let mut shim = Shim::spare();
    let mut spec = shim.sh("");
    change(&mut spec);
    shim.send_launch(&spec);
    let Event::LaunchFailed(failure) = shim.event() else {
        panic!("it runs");
    };
    assert!(shim.gone().success());
    failure
}

#[test]
fn both_streams_are_in_the_journal() {
    let (mut shim, status) = Shim::run("echo out; echo err >&2; exit 3");
    assert_eq!(status.version, FORMAT_VERSION);
    assert_eq!(status.shim_pid, shim.pid());
    assert!(status.exit.is_none() && !status.stopping && status.descriptors.count() == 4);
    let record = shim.closed();
    assert_eq!(record.outcome, Outcome::Code(3));
    assert!(record.closed && record.at_unix_nanos > status.started_unix_nanos);
    assert!(record.max_rss_bytes > 0);
    assert_eq!(shim.output(Stream::Stdout), b"out\n");
    assert_eq!(shim.output(Stream::Stderr), b"err\n");
    let kinds: Vec<Kind> = shim.journal().iter().map(|r| r.kind).collect();
    assert_eq!(kinds[kinds.len() - 2..], [Kind::Exit, Kind::Closed]);
    assert_eq!(hostler_shim::exit_record::read(shim.dir()).unwrap(), Some(record));
}

#[test]
fn the_main_process_ends_by_a_signal() {
    let (mut shim, _) = Shim::run("kill -9 $$");
    let outcome = Outcome::Signal { signal: libc::SIGKILL, core_dumped: false };
    assert_eq!(shim.exited().outcome, outcome);
    assert_eq!(shim.closed().outcome, outcome);
}

#[test]
fn the_pid_file_names_process_and_shim() {
    let (shim, status) = Shim::run("exec sleep 1000");
    let mut file = None;
    crate::common::eventually("pid file", || {
        file = PidFile::read(shim.dir());
        file.is_some()
    });
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let inode = |at: usize| rustix::fs::fstat(&shim.fds[at]).unwrap().st_ino;
    let wanted = PidFile {
        pid: status.pid,
        start_ticks: status.start_ticks,
        shim_pid: shim.pid(),
        boot_id: boot.trim().to_owned(),
        pipes: [inode(3), inode(1), inode(2)],
        cgroup: None,
    };
    assert_eq!(file, Some(wanted));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", status.pid)).unwrap();
    assert_eq!(stat.split(' ').nth(21).unwrap(), status.start_ticks.to_string(), "{stat}");
}

#[test]
fn a_missing_program_is_named() {
    let failure = failure_of(|spec| spec.exec = "/no/such/program".into());
    let wanted = LaunchFailure { step: Step::Exec, errno: libc::ENOENT, path: "/no/such/program".into() };
    assert_eq!(failure, wanted);
}

#[test]
fn what_cannot_be_executed_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = script(dir.path(), "#!/bin/sh\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    for path in [file.as_path(), dir.path()] {
        let failure = failure_of(|spec| spec.exec = path.to_owned());
        let wanted = LaunchFailure { step: Step::Exec, errno: libc::EACCES, path: path.to_owned() };
        assert_eq!(failure, wanted);
    }
}

#[test]
fn a_missing_working_directory_is_named() {
    let failure = failure_of(|spec| spec.cwd = "/no/such/directory".into());
    assert_eq!(
        (failure.step, failure.errno, failure.path.as_path()),
        (Step::Chdir, libc::ENOENT, Path::new("/no/such/directory"))
    );
}

#[test]
fn a_nul_byte_in_an_argument_is_no_panic() {
    let failure = failure_of(|spec| spec.argv.push("a\0b".into()));
    assert_eq!((failure.step, failure.errno), (Step::Exec, libc::EINVAL));
}

#[test]
fn a_bad_request_is_refused_and_a_good_one_still_works() {
    let mut shim = Shim::spare();
    shim.send(Command::Attach);
    assert!(matches!(shim.event(), Event::Refused(_)));
    shim.send(Command::Launch);
    assert!(matches!(shim.event(), Event::Refused(_)));
    let spec = shim.sh("exit 0");
    shim.send_launch(&spec);
    shim.launched();
    assert_eq!(shim.closed().outcome, Outcome::Code(0));
}

#[test]
fn the_request_is_read_from_its_beginning() {
    for rewind in [false, true] {
        let mut shim = Shim::spare();
        let spec = shim.sh("exit 7");
        shim.send_launch_in(&spec, crate::common::memfd(&spec.encode(), rewind));
        shim.launched();
        assert_eq!(shim.closed().outcome, Outcome::Code(7));
    }
}

#[test]
fn a_spare_shim_whose_daemon_dies_is_gone() {
    let mut shim = Shim::spare();
    shim.disconnect();
    assert!(shim.gone().success());
}

#[test]
fn environment_arguments_and_directory_are_exact() {
    let environment = stdout_of(|spec| {
        spec.exec = "/usr/bin/env".into();
        spec.argv = vec!["env".into()];
        spec.env =
            vec![("A".into(), "1=2".into()), ("EMPTY".into(), "".into()), ("B".into(), "two words".into())];
    });
    assert_eq!(environment, "A=1=2\nEMPTY=\nB=two words\n");
    assert_eq!(
        stdout_of(|spec| {
            spec.exec = "/bin/pwd".into();
            spec.argv = vec!["pwd".into()];
            spec.cwd = "/usr/share".into();
        }),
        "/usr/share\n"
    );
    assert_eq!(
        stdout_of(|spec| {
            spec.argv = ["sh", "-c", "echo \"$0|$1|$2\"", "zero", "", "a b"].map(Into::into).to_vec();
        }),
        "zero||a b\n"
    );
}

#[test]
fn limits_are_set_and_clamped() {
    let limit = |soft, hard| Rlimit { resource: Resource::OpenFiles, soft, hard };
    let script = "ulimit -S -n; ulimit -H -n";
    let own = {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        limit.maximum.unwrap()
    };
    let out = stdout_of(|spec| {
        spec.argv[2] = script.into();
        spec.rlimits = vec![limit(77, 99)];
    });
    assert_eq!(out, "77\n99\n");
    let out = stdout_of(|spec| {
        spec.argv[2] = script.into();
        spec.rlimits = vec![limit(u64::MAX, u64::MAX)];
    });
    assert_eq!(out, format!("{own}\n{own}\n"));
}

/// Whether a line of `/proc/self/status` has this value.
fn has(status: &str, name: &str, value: &str) -> bool {
    status.lines().any(|l| l.split_once(":\t").is_some_and(|l| l == (name, value)))
}

#[test]
fn privileges_are_kept_from_growing_only_on_demand() {
    for wanted in [false, true] {
        let status = stdout_of(|spec| {
            spec.exec = "/bin/cat".into();
            spec.argv = vec!["cat".into(), "/proc/self/status".into()];
            spec.no_new_privs = wanted;
        });
        assert!(has(&status, "NoNewPrivs", if wanted { "1" } else { "0" }), "{status}");
    }
}

#[test]
fn signals_are_as_at_boot_and_only_three_descriptors_are_open() {
    let status = stdout_of(|spec| {
        spec.exec = "/bin/cat".into();
        spec.argv = vec!["cat".into(), "/proc/self/status".into()];
    });
    for name in ["SigBlk", "SigIgn", "SigCgt"] {
        assert!(has(&status, name, "0000000000000000"), "{name} in {status}");
    }
    for stdio in [Stdio::Pipes, Stdio::Pty { rows: 5, cols: 5 }] {
        let fds = stdout_of(|spec| {
            spec.exec = "/bin/ls".into();
            spec.argv = vec!["ls".into(), "-1".into(), "/proc/self/fd".into()];
            spec.stdio = stdio;
        });
        let fds: Vec<_> = fds.split_ascii_whitespace().collect();
        // The fourth is the directory that ls reads.
        assert_eq!(fds, ["0", "1", "2", "3"]);
    }
}

#[test]
fn nothing_that_a_careless_daemon_leaves_open_is_passed_on() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let leak = std::fs::File::create(dir.path().join("leak")).unwrap();
    // The duplicate is not closed on execution: the spare shim inherits it.
    let inherited = rustix::io::dup(&leak).unwrap();
    let (mut shim, _) = Shim::run("for f in /proc/self/fd/*; do readlink $f; done; exec sleep 1000 3<&-");
    drop(inherited);
    let inode = leak.metadata().unwrap().ino();
    let open = std::fs::read_dir(format!("/proc/{}/fd", shim.pid())).unwrap();
    for fd in open.flatten() {
        let found = std::fs::metadata(fd.path()).map(|m| m.ino());
        assert!(!found.is_ok_and(|found| found == inode), "the shim holds {:?}", fd.path());
    }
    let seen = std::fs::read_dir(format!("/proc/{}/fd", shim.main_pid)).unwrap();
    assert!(!seen.flatten().any(|fd| std::fs::metadata(fd.path()).is_ok_and(|m| m.ino() == inode)));
    shim.stop(0, hostler_shim::control::Scope::Tree);
    shim.closed();
}

#[test]
fn a_shim_that_was_started_with_children_ignored_still_reaps() {
    // Inherited through execution, as the setting of a careless daemon would be.
    let mut shim = Shim::spare_through("exec env --ignore-signal=CHLD --ignore-signal=HUP \"$0\"");
    let spec = shim.sh("exit 9");
    shim.send_launch(&spec);
    shim.launched();
    assert_eq!(shim.closed().outcome, Outcome::Code(9));
}

#[test]
fn a_shim_survives_what_ends_other_programs() {
    let (mut shim, _) = Shim::run("while read line; do echo got $line; done");
    for number in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGPIPE, libc::SIGALRM] {
        signal(shim.pid(), number);
    }
    shim.send(Command::Write(b"it\n".to_vec()));
    shim.said("got it");
    shim.fds.clear();
    shim.send(Command::CloseStdin);
    assert_eq!(shim.closed().outcome, Outcome::Code(0));
}
