//! Standard input and the terminal.

use std::time::Duration;

use hostler_shim::control::{Command, Event, MAX_WRITE, Scope};
use hostler_shim::exit_record::Outcome;
use hostler_shim::journal::Stream;
use hostler_shim::launch::{LaunchSpec, Stdio};

use crate::common::{Shim, eventually, pass};

impl Shim {
    fn write(&mut self, data: &[u8]) -> u32 {
        self.send(Command::Write(data.to_vec()));
        self.until(|event| match event {
            Event::StdinAccepted(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// A daemon that closes the input closes its own duplicate too.
    fn close_stdin(&mut self) {
        self.fds.truncate(3);
        self.send(Command::CloseStdin);
    }
}

fn on_terminal(script: &str) -> impl FnOnce(&mut LaunchSpec) {
    let script = script.into();
    |spec| {
        spec.argv[2] = script;
        spec.stdio = Stdio::Pty { rows: 33, cols: 111 };
    }
}

#[test]
fn input_reaches_the_process_and_ends() {
    let (mut shim, _) = Shim::run("exec cat");
    assert_eq!(shim.write(b"one\n"), 4);
    assert_eq!(shim.write(b"two\0\xff"), 5);
    shim.close_stdin();
    assert_eq!(shim.closed().outcome, Outcome::Code(0));
    assert_eq!(shim.output(Stream::Stdout), b"one\ntwo\0\xff");
}

#[test]
fn input_that_nobody_reads_is_bounded() {
    let (mut shim, _) = Shim::run("exec sleep 1000");
    let piece = vec![b'x'; MAX_WRITE];
    let taken: u32 = (0..10).map(|_| shim.write(&piece)).sum();
    assert_eq!(taken, 128 * 1024, "a pipe and what waits before it");
    assert_eq!(shim.write(&piece), 0, "full is full");
    shim.stop(20_000, Scope::Tree);
    shim.closed();
}

#[test]
fn waiting_input_arrives_whole_before_the_end() {
    let (mut shim, _) = Shim::run("sleep 0.2; exec wc -c");
    let piece = vec![b'x'; MAX_WRITE];
    let taken: u32 = (0..4).map(|_| shim.write(&piece)).sum();
    assert!(taken > 65_536);
    shim.close_stdin();
    shim.closed();
    assert_eq!(shim.stdout().trim(), taken.to_string());
}

#[test]
fn input_for_a_process_that_closed_it_is_no_failure() {
    let (mut shim, _) = Shim::run("exec 0<&-; echo closed; exec sleep 1000");
    shim.said("closed");
    shim.fds.clear();
    shim.write(b"into the void\n");
    eventually("input is over", || shim.write(b"x") == 0);
    shim.stop(20_000, Scope::Tree);
    shim.closed();
}

#[test]
fn a_terminal_is_one() {
    let script = "test -t 0 && test -t 1 && test -t 2 && echo terminal; stty size; \
                  exec 9</dev/tty && echo controlling";
    let (mut shim, _) = Shim::launch(on_terminal(script));
    assert_eq!(shim.fds.len(), 2, "pidfd and master");
    assert_eq!(shim.closed().outcome, Outcome::Code(0));
    assert_eq!(shim.stdout(), "terminal\r\n33 111\r\ncontrolling\r\n");
}

#[test]
fn a_terminal_is_resized_and_its_process_told() {
    let script = "trap 'stty size; exit' WINCH; echo up; while :; do sleep 0.01; done";
    let (mut shim, _) = Shim::launch(on_terminal(script));
    shim.said("up");
    shim.send(Command::Resize { rows: 7, cols: 9 });
    shim.closed();
    assert!(shim.stdout().contains("7 9\r\n"), "{}", shim.stdout());
}

#[test]
fn a_terminal_takes_input_and_its_end() {
    for last in ["b\n", "b"] {
        let (mut shim, _) = Shim::launch(on_terminal("stty -echo; echo up; exec cat"));
        shim.said("up");
        shim.write(b"a\n");
        shim.said("a\r\n");
        shim.write(last.as_bytes());
        shim.send(Command::CloseStdin);
        assert_eq!(shim.closed().outcome, Outcome::Code(0));
        assert!(shim.stdout().contains(&format!("a\r\n{}", last.trim())), "{}", shim.stdout());
    }
}

#[test]
fn the_interrupt_character_of_a_terminal_works() {
    let (mut shim, _) = Shim::launch(on_terminal("echo up; exec sleep 1000"));
    shim.said("up");
    // The shell says so before it becomes the other program, which must be the one that is interrupted.
    pass(Duration::from_millis(50));
    shim.write(b"\x03");
    let signal = libc::SIGINT;
    assert!(matches!(shim.closed().outcome, Outcome::Signal { signal: s, .. } if s == signal));
}

#[test]
fn a_terminal_that_everybody_closed_can_be_opened_again() {
    let script = "exec 0<&- 1>&- 2>&- ; sleep 0.3; echo back >/dev/tty; sleep 0.1; echo again >/dev/tty";
    let (mut shim, _) = Shim::launch(on_terminal(script));
    assert_eq!(shim.closed().outcome, Outcome::Code(0));
    assert_eq!(shim.stdout(), "back\r\nagain\r\n");
}

#[test]
fn a_terminal_loses_nothing_at_the_end() {
    let (mut shim, _) = Shim::launch(on_terminal("stty -opost; exec seq 1 20000"));
    shim.closed();
    let wanted: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(shim.stdout(), wanted);
}
