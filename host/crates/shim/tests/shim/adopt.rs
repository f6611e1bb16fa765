//! A shim is killed, and another one takes over.

use std::time::Duration;

use hostler_shim::control::{Command, Scope};
use hostler_shim::exit_record::{self, Outcome};
use hostler_shim::journal::{Kind, Stream};
use hostler_shim::launch::Stdio;

use crate::common::{Shim, eventually, is_alive, pass, readable, signal};

/// Writes numbered lines on both streams as fast as they are taken.
const FLOOD: &str = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo o$i; echo e$i >&2; done; exit 7";

#[test]
fn no_line_is_lost_or_doubled_however_often_it_happens() {
    let (mut shim, mut status) = Shim::run(FLOOD);
    for round in 1..=12 {
        let wanted = format!("o{}\n", round * 2_000);
        shim.said(&wanted);
        // Not always at the same place of its loop.
        pass(Duration::from_micros(137 * round));
        status = shim.succeed(&status);
        assert!(status.adopted);
    }
    let record = shim.closed();
    assert_eq!(record.outcome, Outcome::Code(7));
    for (stream, letter) in [(Stream::Stdout, 'o'), (Stream::Stderr, 'e')] {
        let wanted: String = (1..=30_000).map(|n| format!("{letter}{n}\n")).collect();
        let got = String::from_utf8(shim.output(stream)).unwrap();
        assert!(got == wanted, "{} of {} bytes of {letter}", got.len(), wanted.len());
    }
    assert_eq!(shim.journal().last().unwrap().kind, Kind::Closed);
}

#[test]
fn how_it_ends_is_known_though_it_is_nobodys_child() {
    for (script, outcome) in [
        ("read go; exit 42", Outcome::Code(42)),
        ("read go; exit 0", Outcome::Code(0)),
        ("read go; kill -KILL $$", Outcome::Signal { signal: libc::SIGKILL, core_dumped: false }),
    ] {
        let (mut shim, status) = Shim::run(script);
        shim.succeed(&status);
        shim.send(Command::Write(b"\n".to_vec()));
        assert_eq!(shim.exited().outcome, outcome);
        assert_eq!(shim.closed().outcome, outcome);
        assert_eq!(exit_record::read(shim.dir()).unwrap().unwrap().outcome, outcome);
    }
}

#[test]
fn an_end_between_two_shims_is_known_as_well() {
    let (mut shim, status) = Shim::run("echo begun; read go; echo said; exit 9");
    shim.said("begun");
    signal(shim.pid(), libc::SIGKILL);
    shim.gone();
    rustix::io::write(&shim.fds[3], b"\n").unwrap();
    eventually("ended", || !is_alive(status.pid));
    assert!(readable(&shim.fds[0], Duration::ZERO));
    shim.take_over(&status);
    assert_eq!(shim.closed().outcome, Outcome::Code(9));
    assert_eq!(shim.stdout(), "begun\nsaid\n");
}

#[test]
fn the_whole_tree_is_found_and_ended() {
    // In the same session, in one of its own, and with a parent that is gone.
    let (mut shim, status) =
        Shim::run("sleep 1000 & setsid sleep 1001 & (setsid sleep 1002 &); echo up; wait");
    shim.said("up");
    eventually("all four", || shim.processes().len() == 4);
    shim.succeed(&status);
    shim.stop(0, Scope::Tree);
    let record = shim.closed();
    assert_eq!(record.descendants_ended, 3);
    assert!(shim.processes().is_empty());
}

#[test]
fn what_outlives_the_main_process_gets_its_grace() {
    let (mut shim, status) =
        Shim::run("(setsid sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.01; done' &); read go");
    eventually("both", || shim.processes().len() >= 2);
    shim.succeed(&status);
    shim.send(Command::Write(b"\n".to_vec()));
    assert!(shim.closed().descendants_ended >= 1);
}

#[test]
fn an_exit_that_was_recorded_stands() {
    let (mut shim, status) = Shim::launch(|spec| {
        spec.argv[2] = "(trap '' TERM; setsid sleep 1000 &) ; exit 8".into();
        spec.leftover_grace_ms = 600_000;
    });
    let exited = shim.exited();
    let successor = shim.succeed(&status);
    assert_eq!(successor.exit, Some(exited));
    shim.stop(0, Scope::Tree);
    let record = shim.closed();
    assert_eq!((record.outcome, record.at_unix_nanos), (Outcome::Code(8), exited.at_unix_nanos));
}

#[test]
fn a_terminal_goes_on() {
    let (mut shim, status) = Shim::launch(|spec| {
        spec.argv[2] = "tty; read line; echo got $line; exit 3".into();
        spec.stdio = Stdio::Pty { rows: 24, cols: 80 };
    });
    shim.said("/dev/pts/");
    shim.succeed(&status);
    shim.send(Command::Write(b"a line\n".to_vec()));
    assert_eq!(shim.closed().outcome, Outcome::Code(3));
    assert!(shim.stdout().contains("got a line"), "{}", shim.stdout());
}

#[test]
fn a_new_daemon_finds_the_successor() {
    let (mut shim, first) = Shim::run("read go; exit 6");
    let status = shim.succeed(&first);
    shim.disconnect();
    assert_eq!(shim.attach(), status);
    assert_eq!((status.pid, status.start_ticks), (first.pid, first.start_ticks));
    assert_ne!(status.shim_pid, first.shim_pid);
    shim.send(Command::Write(b"\n".to_vec()));
    shim.disconnect();
    eventually("the shim ends", || {
        exit_record::read(shim.dir()).unwrap().is_some_and(|r| r.closed && r.outcome == Outcome::Code(6))
    });
}
