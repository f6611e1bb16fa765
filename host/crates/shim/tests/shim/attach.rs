//! Daemons come and go.

use std::io::Read;
use std::time::Duration;

use hostler_shim::channel::Channel;
use hostler_shim::control::{Command, Event, Scope};
use hostler_shim::exit_record::{self, Outcome};
use hostler_shim::journal::Kind;

use crate::common::{PATIENCE, Shim, connect, eventually, readable};

#[test]
fn a_new_daemon_gets_state_and_descriptors_and_is_obeyed() {
    let (mut shim, first) = Shim::run("while read line; do echo got $line; done; exec sleep 1000");
    shim.disconnect();
    let status = shim.attach();
    assert_eq!(status, first);
    assert_eq!(shim.fds.len(), 4);
    shim.send(Command::Write(b"a line\n".to_vec()));
    shim.said("got a line");
    assert!(!readable(&shim.fds[0], Duration::ZERO));
    shim.stop(20_000, Scope::Tree);
    assert!(readable(&shim.fds[0], PATIENCE));
    shim.closed();
}

#[test]
fn the_descriptors_outlive_the_shim() {
    let (mut shim, status) = Shim::run("read line; echo got $line; sleep 0.2; echo more; exit 3");
    shim.disconnect();
    shim.attach();
    // The shim pauses, so that it does not read, and is then killed: the daemon reads on.
    crate::common::signal(shim.pid(), libc::SIGSTOP);
    eventually("paused", || crate::common::state(shim.pid()) == Some('T'));
    rustix::io::write(&shim.fds[3], b"through the daemon\n").unwrap();
    assert!(readable(&shim.fds[1], PATIENCE));
    crate::common::signal(shim.pid(), libc::SIGKILL);
    shim.gone();
    assert!(readable(&shim.fds[0], PATIENCE), "the process ends by itself");
    assert!(!crate::common::is_alive(status.pid));
    let mut text = String::new();
    let mut stdout = std::fs::File::from(shim.fds.remove(1));
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!(text, "got through the daemon\nmore\n");
}

#[test]
fn an_end_that_nobody_sees_is_recorded() {
    let (mut shim, _) = Shim::run("read line; echo alone; (setsid sleep 1000 &); exit 8");
    shim.disconnect();
    // A connection that says nothing changes nothing either.
    drop(connect(shim.dir()));
    let daemon = shim.attach();
    assert!(daemon.exit.is_none());
    shim.send(Command::Write(b"\n".to_vec()));
    shim.disconnect();
    assert!(shim.gone().success());
    let record = exit_record::read(shim.dir()).unwrap().unwrap();
    assert_eq!((record.outcome, record.descendants_ended), (Outcome::Code(8), 1));
    assert!(record.closed);
    let journal = shim.journal();
    let [.., output, exit, closed] = journal.as_slice() else {
        panic!("{journal:?}");
    };
    assert_eq!(output.payload, b"alone\n");
    assert_eq!((exit.kind, closed.kind), (Kind::Exit, Kind::Closed));
    assert_eq!(exit.payload, record.to_bytes());
    let refused = Channel::connect(shim.dir()).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn who_comes_between_exit_and_end_learns_of_the_exit() {
    let (mut shim, _) = Shim::launch(|spec| {
        spec.argv[2] = "(trap '' TERM; setsid sleep 1000 &) ; exit 8".into();
        spec.leftover_grace_ms = 600_000;
    });
    let exited = shim.exited();
    shim.disconnect();
    let status = shim.attach();
    assert_eq!(status.exit, Some(exited));
    assert!(status.stopping);
    assert!(readable(&shim.fds[0], Duration::ZERO));
    shim.stop(0, Scope::Tree);
    let record = shim.closed();
    assert_eq!((record.outcome, record.descendants_ended), (Outcome::Code(8), 1));
}

#[test]
fn the_newest_connection_wins() {
    let (mut shim, first) = Shim::run("exec sleep 1000");
    // The first connection stays open while the second one comes.
    let newcomer = connect(shim.dir());
    newcomer.send(&Command::Attach.encode(), &[]).unwrap();
    assert_eq!(shim.event_or_end(), None, "the older connection is closed");
    assert!(readable(&newcomer, PATIENCE));
    let (mut buffer, mut fds) = ([0; 4096], Vec::new());
    let length = newcomer.recv(&mut buffer, &mut fds).unwrap();
    assert_eq!(Event::decode(&buffer[..length], 0), Ok(Event::Status(first)));
    assert_eq!(fds.len(), 4);
    drop(newcomer);
    shim.attach();
}

#[test]
fn a_daemon_that_does_not_read_is_dropped_and_may_come_again() {
    let (mut shim, _) = Shim::run("exec sleep 1000");
    let deaf = connect(shim.dir());
    // Each answer takes room in the socket; the shim must not wait for it.
    eventually("dropped", || {
        deaf.send(&Command::Attach.encode(), &[]).is_err_and(|e| e.kind() != std::io::ErrorKind::WouldBlock)
    });
    let status = shim.attach();
    assert!(status.exit.is_none());
    shim.stop(20_000, Scope::Tree);
    shim.closed();
}

#[test]
fn what_is_no_command_is_refused() {
    let (mut shim, _) = Shim::run("exec sleep 1000");
    shim.disconnect();
    let channel = connect(shim.dir());
    for garbage in [&b"x"[..], &[0; 7], &Event::JournalGrew.encode(), &Command::Launch.encode()] {
        channel.send(garbage, &[]).unwrap();
        assert!(readable(&channel, PATIENCE));
        let mut buffer = [0; 4096];
        let length = channel.recv(&mut buffer, &mut Vec::new()).unwrap();
        assert!(matches!(Event::decode(&buffer[..length], 0), Ok(Event::Refused(_))));
    }
}
