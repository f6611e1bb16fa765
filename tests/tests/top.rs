//! `hostler top` on a pseudo terminal, as a person at one uses it.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use e2e::{Env, wait_until};

/// A program on a terminal of its own, and all that it has drawn.
struct OnTerminal {
    child: Child,
    keys: File,
    drawn: Arc<Mutex<String>>,
}

#[allow(unsafe_code, reason = "the standard library has no pseudo terminals")]
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: writes two descriptors into locals; the name and the modes are left out.
    let made = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null(), &raw const size)
    };
    assert_eq!(made, 0, "a pseudo terminal");
    // SAFETY: both were just opened and belong to nobody else.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

impl OnTerminal {
    fn run(env: &Env) -> Self {
        let (ours, theirs) = terminal();
        // Else the daemon and others that are started meanwhile keep the terminal open.
        #[allow(unsafe_code, reason = "as above")]
        // SAFETY: sets a flag of an open descriptor.
        unsafe {
            libc::fcntl(ours.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC)
        };
        let copy = || Stdio::from(theirs.try_clone().unwrap());
        let mut command = env.hostler();
        command.arg("top").env("TERM", "xterm-256color").stdin(copy()).stdout(copy()).stderr(copy());
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
        Self { child, keys: File::from(ours), drawn }
    }

    fn sees(&self, text: &str) {
        wait_until(text, || self.drawn.lock().unwrap().contains(text));
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
    wait_until("the end of top", || top.child.try_wait().unwrap().is_some());
    assert!(top.child.wait().unwrap().success());
    // The terminal is given back as it was: out of the alternate screen.
    top.sees("\u{1b}[?1049l");
}

#[test]
fn top_without_a_terminal_says_what_to_use() {
    let env = Env::new();
    let output = env.cli(&["top"]);
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("hostler ps"), "{output:?}");
}
