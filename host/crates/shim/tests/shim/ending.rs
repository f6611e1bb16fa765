//! Stops: politely, by force, and nobody is left.

use std::time::{Duration, Instant};

use hostler_shim::control::{Command, Event, Scope};
use hostler_shim::exit_record::Outcome;

use crate::common::{PATIENCE, Shim, eventually, is_alive, pass, readable, signal, state};

const BY_TERM: Outcome = by(libc::SIGTERM);
const BY_KILL: Outcome = by(libc::SIGKILL);

const fn by(signal: i32) -> Outcome {
    Outcome::Signal { signal, core_dumped: false }
}

/// Waits until the test has this many processes.
fn population(shim: &Shim, wanted: usize) -> Vec<i32> {
    let mut found = Vec::new();
    eventually("processes", || {
        found = shim.processes();
        found.len() == wanted
    });
    found
}

#[test]
fn a_descendant_in_its_own_session_is_ended_too() {
    for grace_ms in [0, 20_000] {
        for scope in [Scope::Tree, Scope::Main] {
            let (mut shim, _) = Shim::run("(setsid sleep 1000 &); echo up; exec sleep 1000");
            shim.said("up");
            population(&shim, 2);
            shim.stop(grace_ms, scope);
            let record = shim.closed();
            assert_eq!(record.outcome, if grace_ms == 0 { BY_KILL } else { BY_TERM });
            assert_eq!(record.descendants_ended, 1, "{scope:?} {grace_ms}");
            assert_eq!(shim.processes(), []);
        }
    }
}

#[test]
fn who_is_left_behind_is_ended() {
    let (mut shim, _) = Shim::run("(setsid sleep 1000 &); sleep 1000 & exit 4");
    let exited = shim.exited();
    assert!(!exited.closed && exited.descendants_ended == 0);
    let record = shim.closed();
    assert_eq!(record.outcome, Outcome::Code(4));
    assert_eq!(record.descendants_ended, 2);
    assert_eq!(record.at_unix_nanos, exited.at_unix_nanos);
}

#[test]
fn who_is_left_behind_and_deaf_is_killed_after_the_leftover_grace() {
    let began = Instant::now();
    let (mut shim, _) = Shim::launch(|spec| {
        spec.argv[2] = "(trap '' TERM; setsid sleep 1000 & echo up); exit 4".into();
        spec.leftover_grace_ms = 300;
    });
    let record = shim.closed();
    assert_eq!((record.outcome, record.descendants_ended), (Outcome::Code(4), 1));
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn who_ignores_the_signal_is_killed_at_the_grace() {
    let (mut shim, _) = Shim::run("trap '' TERM; echo up; while :; do sleep 1000; done");
    shim.said("up");
    let began = Instant::now();
    shim.stop(400, Scope::Tree);
    let record = shim.closed();
    assert_eq!(record.outcome, BY_KILL);
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[test]
fn the_polite_signal_can_be_answered() {
    let (mut shim, _) = Shim::run("trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done");
    shim.said("up");
    shim.stop(20_000, Scope::Main);
    assert_eq!(shim.closed().outcome, Outcome::Code(5));
    assert!(shim.stdout().ends_with("bye\n"));
}

#[test]
fn a_paused_process_obeys_a_stop() {
    for scope in [Scope::Main, Scope::Tree] {
        let (mut shim, status) = Shim::run("exec sleep 1000");
        signal(status.pid, libc::SIGSTOP);
        eventually("paused", || state(status.pid) == Some('T'));
        shim.stop(20_000, scope);
        assert_eq!(shim.closed().outcome, BY_TERM);
    }
}

#[test]
fn a_stop_without_grace_kills_the_whole_tree() {
    let (mut shim, _) = Shim::run(
        "trap '' TERM; for i in 1 2 3; do (trap '' TERM; setsid sh -c 'sleep 1000 & sleep 1000; :') & done; wait",
    );
    eventually("tree", || shim.processes().len() >= 10);
    shim.stop(0, Scope::Tree);
    let record = shim.closed();
    assert_eq!(record.outcome, BY_KILL);
    assert!(record.descendants_ended >= 9, "{record:?}");
}

#[test]
fn a_second_stop_comes_sooner_and_never_later() {
    let (mut shim, _) = Shim::run("trap '' TERM; echo up; while :; do sleep 1000; done");
    shim.said("up");
    let began = Instant::now();
    shim.stop(600_000, Scope::Tree);
    shim.send(Command::Attach);
    let status = shim.until(|e| match e {
        Event::Status(status) => Some(status),
        _ => None,
    });
    assert!(status.stopping && status.exit.is_none());
    shim.stop(300, Scope::Tree);
    shim.stop(600_000, Scope::Tree);
    assert_eq!(shim.closed().outcome, BY_KILL);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_stop_of_the_main_process_reaches_the_others_when_it_is_gone() {
    let deaf = "(trap 'echo child heard; exit' TERM; while :; do sleep 0.01; done) & \
                trap 'sleep 0.3; echo main heard; exit 6' TERM; echo up; while :; do sleep 0.01; done";
    let (mut shim, _) = Shim::run(deaf);
    shim.said("up");
    shim.stop(20_000, Scope::Main);
    assert_eq!(shim.closed().outcome, Outcome::Code(6));
    let said = shim.stdout();
    let at = |text| said.find(text).unwrap_or_else(|| panic!("{text} in {said}"));
    assert!(at("main heard") < at("child heard"));
}

#[test]
fn a_signal_reaches_the_main_process_or_all() {
    let listen = "trap 'echo child heard' USR1; (trap 'echo grandchild heard' USR1; echo 1up; \
                  while :; do sleep 0.01; done) & trap 'echo main heard' USR1; echo 2up; \
                  while :; do sleep 0.01; done";
    for scope in [Scope::Main, Scope::Tree] {
        let (shim, status) = Shim::run(listen);
        shim.said("1up");
        shim.said("2up");
        shim.send(Command::Signal { signal: libc::SIGUSR1, scope });
        shim.said("main heard");
        if scope == Scope::Tree {
            shim.said("grandchild heard");
        } else {
            pass(Duration::from_millis(100));
            assert!(!shim.stdout().contains("grandchild heard"));
        }
        assert!(is_alive(status.pid));
    }
}

#[test]
fn a_signal_that_pauses_leaves_paused() {
    let (shim, status) = Shim::run("exec sleep 1000");
    shim.send(Command::Signal { signal: libc::SIGSTOP, scope: Scope::Tree });
    eventually("paused", || state(status.pid) == Some('T'));
    shim.send(Command::Signal { signal: libc::SIGCONT, scope: Scope::Main });
    eventually("awake", || state(status.pid) == Some('S'));
}

#[test]
fn a_fork_bomb_leaves_nobody() {
    // Each generation is an orphan in a session of its own; two lines of descent, so that it survives a
    // sweep that misses one.
    let text = "n=$1; [ $n -gt 0 ] || exec sleep 1000; \
                setsid sh \"$0\" $((n - 1)) & setsid sh \"$0\" $((n - 1)) & \
                while :; do (sleep 0.001 &) ; done";
    let (mut shim, _) = Shim::launch(|spec| {
        let path = crate::common::script(&spec.run_dir, text);
        spec.argv = vec!["sh".into(), path.into(), "4".into()];
    });
    eventually("many", || shim.processes().len() > 30);
    shim.stop(50, Scope::Tree);
    shim.closed();
    assert_eq!(shim.processes(), []);
}

#[test]
fn two_hundred_processes_leave_nobody() {
    let (mut shim, _) =
        Shim::run("i=0; while [ $i -lt 200 ]; do i=$((i+1)); (setsid sleep 1000 &); done; exit 1");
    let record = shim.closed();
    assert_eq!(record.outcome, Outcome::Code(1));
    assert_eq!(record.descendants_ended, 200);
    assert_eq!(shim.processes(), []);
}

#[test]
fn a_chain_that_forks_and_exits_cannot_run_away() {
    // Whoever looks for it finds its parent gone and the child not yet listed.
    let text = "sh \"$0\" & exit 0";
    let (mut shim, _) = Shim::launch(|spec| {
        let path = crate::common::script(&spec.run_dir, text);
        spec.argv = vec!["sh".into(), path.into()];
        spec.leftover_grace_ms = 100;
    });
    assert_eq!(shim.closed().outcome, Outcome::Code(0));
    assert_eq!(shim.processes(), []);
}

#[test]
fn a_pidfd_tells_the_end() {
    let (mut shim, _) = Shim::run("exec sleep 1000");
    assert_eq!(shim.fds.len(), 4);
    assert!(!readable(&shim.fds[0], Duration::ZERO));
    shim.stop(20_000, Scope::Main);
    assert!(readable(&shim.fds[0], PATIENCE));
    shim.closed();
}
