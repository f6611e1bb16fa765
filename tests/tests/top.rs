//! `hostler top` on a pseudo terminal, as a person at one uses it.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use e2e::{Env, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// A program on a terminal of its own, and all that it has drawn.
struct OnTerminal {
    child: Child,
    theirs: OwnedFd,
    keys: File,
    drawn: Arc<Mutex<String>>,
}

fn size(columns: u16, rows: u16) -> libc::winsize {
    libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

#[allow(unsafe_code, reason = "the standard library has no pseudo terminals")]
fn terminal(size: libc::winsize) -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    // SAFETY: writes two descriptors into locals; the name and the modes are left out.
    let made = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null(), &raw const size)
    };
    assert_eq!(made, 0, "a pseudo terminal");
    // Else the daemon and others that are started meanwhile keep the terminal open.
    for end in [ours, theirs] {
        // SAFETY: sets a flag of an open descriptor.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: both were just opened and belong to nobody else.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

/// Makes the terminal on stdin that of the program, as a shell does.
#[allow(unsafe_code, reason = "the standard library has no sessions")]
fn at_terminal(command: &mut Command) {
    // SAFETY: two system calls, which are allowed between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            libc::ioctl(0, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
}

impl OnTerminal {
    fn run(env: &Env) -> Self {
        Self::sized(env, size(120, 40), |_| ())
    }

    fn sized(env: &Env, size: libc::winsize, adapt: impl FnOnce(&mut Command)) -> Self {
        let (ours, theirs) = terminal(size);
        let copy = || Stdio::from(theirs.try_clone().unwrap());
        let mut command = env.hostler();
        command.arg("top").env("TERM", "xterm-256color").env_remove("NO_COLOR");
        command.stdin(copy()).stdout(copy()).stderr(copy());
        at_terminal(&mut command);
        adapt(&mut command);
        let child = command.spawn().unwrap();
        let (drawn, mut screen) =
            (Arc::new(Mutex::new(String::new())), File::from(ours.try_clone().unwrap()));
        let all = drawn.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut buffer) {
                all.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { child, theirs, keys: File::from(ours), drawn }
    }

    fn drawn(&self) -> String {
        self.drawn.lock().unwrap().clone()
    }

    #[allow(unsafe_code, reason = "as above")]
    fn resize(&self, size: libc::winsize) {
        // SAFETY: reads a local.
        let done = unsafe { libc::ioctl(self.keys.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0, "another size");
    }

    /// It has ended well, and the terminal is as it was: out of the alternate screen, lines are edited and echoed.
    #[allow(unsafe_code, reason = "as above")]
    fn is_given_back(&mut self) {
        wait_until("the end of top", || self.child.try_wait().unwrap().is_some());
        assert!(self.child.wait().unwrap().success());
        self.sees("\u{1b}[?1049l");
        // SAFETY: all fields are numbers, and the call fills them.
        let modes = unsafe {
            let mut modes: libc::termios = std::mem::zeroed();
            libc::tcgetattr(self.theirs.as_raw_fd(), &raw mut modes);
            modes
        };
        assert_eq!(modes.c_lflag & (libc::ICANON | libc::ECHO), libc::ICANON | libc::ECHO);
    }

    fn sees(&self, text: &str) {
        wait_until(text, || self.drawn().contains(text));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }
}

#[test]
fn processes_are_watched_and_led_by_keys() {
    let env = Env::new();
    let _ = env.cli(&["start", "first", "--", &env.fault(), "lines", "3"]).ok();
    let _ = env.cli(&["start", "second", "--", &env.fault(), "run"]).ok();
    let pid = || env.cli(&["ps", "second", "--json"]).ok().json()["processes"][0]["pid"].clone();
    let status = || env.cli(&["ps", "second", "--json"]).ok().json()["processes"][0]["status"].clone();
    let before = pid();
    let mut top = OnTerminal::run(&env);
    // Blanks are skipped by moving on, so single words are looked for.
    for text in ["hostler top", "first", "exited", "second", "running", "err"] {
        top.sees(text);
    }
    top.press("j");
    top.sees("ready");
    top.press("r");
    wait_until("another run", || pid().is_number() && pid() != before);
    top.press("x");
    wait_until("its end", || status() == "stopped");
    top.press("s");
    wait_until("its start", || status() == "running");
    top.press("q");
    top.is_given_back();
}

#[test]
fn health_and_graphs_of_what_it_uses_are_drawn() {
    let env = Env::new();
    let busy = ["--health", "command=true", "--health-interval-ms", "100", "--", &env.fault(), "spin"];
    let _ = env.cli(&[&["start", "busy"], &busy[..]].concat()).ok();
    let mut top = OnTerminal::run(&env);
    // The titles stand in the frames of the graphs, and whoever uses anything has a column of full height.
    for text in ["HEALTH", "┌CPU", "┌memory", "█"] {
        top.sees(text);
    }
    top.sees("healthy");
    assert!(!top.drawn().contains("unhealthy"));
    top.press("q");
    top.is_given_back();
}

#[test]
fn however_it_ends_the_terminal_is_given_back() {
    let env = Env::new();
    let _ = env.cli(&["start", "first", "--", &env.fault(), "run"]).ok();
    let mut top = OnTerminal::run(&env);
    top.sees("first");
    top.press("\u{3}");
    top.is_given_back();
    let mut top = OnTerminal::run(&env);
    top.sees("first");
    let pid = Pid::from_raw(top.child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    top.is_given_back();
}

#[test]
fn a_small_terminal_and_one_without_colours_will_do_and_it_may_grow() {
    let env = Env::new();
    let _ = env.cli(&["start", "first", "--", &env.fault(), "run"]).ok();
    let mut top = OnTerminal::sized(&env, size(20, 4), |command| {
        command.env("NO_COLOR", "1");
    });
    top.sees("first");
    assert!(!top.drawn().contains("quit"), "there is no room for it");
    top.resize(size(120, 40));
    top.sees("quit");
    top.sees("running");
    assert!(!top.drawn().contains("\u{1b}[38;5"), "{}", top.drawn());
    top.press("q");
    top.is_given_back();
}

#[test]
fn a_daemon_that_is_restarted_is_waited_for() {
    let env = Env::new();
    let _ = env.cli(&["start", "first", "--", &env.fault(), "run"]).ok();
    let mut top = OnTerminal::run(&env);
    top.sees("first");
    env.crash_daemon();
    top.sees("lost");
    let _ = env.cli(&["start", "second", "--", &env.fault(), "run"]).ok();
    top.sees("second");
    top.press("q");
    top.is_given_back();
}

#[test]
fn top_without_a_terminal_says_what_to_use() {
    let env = Env::new();
    let output = env.cli(&["top"]);
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("hostler ps"), "{output:?}");
}
