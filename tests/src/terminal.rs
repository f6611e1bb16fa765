//! A program on a pseudo terminal, as a person at one uses it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::wait_until;

/// A program on a terminal of its own, and all that it has drawn.
#[derive(Debug)]
pub struct OnTerminal {
    child: Child,
    keys: File,
    drawn: Arc<Mutex<String>>,
}

/// The size of the window at first.
static SIZE: libc::winsize = libc::winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };

#[allow(unsafe_code, reason = "the standard library has no pseudo terminals")]
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    // SAFETY: writes two descriptors into locals; the name and the modes are left out.
    let made = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null(), &raw const SIZE)
    };
    assert_eq!(made, 0, "a pseudo terminal");
    // SAFETY: both were just opened and belong to nobody else.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

impl OnTerminal {
    /// Runs a command there.
    ///
    /// # Panics
    /// When there is no terminal, or the command cannot be run.
    #[must_use]
    pub fn run(mut command: Command) -> Self {
        let (ours, theirs) = terminal();
        // Else the daemon and others that are started meanwhile keep the terminal open.
        #[allow(unsafe_code, reason = "as above")]
        // SAFETY: sets a flag of an open descriptor.
        unsafe {
            libc::fcntl(ours.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC)
        };
        let copy = || Stdio::from(theirs.try_clone().expect("a copy of the terminal"));
        command.env("TERM", "xterm-256color").stdin(copy()).stdout(copy()).stderr(copy());
        let child = command.spawn().expect("it can be run");
        let drawn = Arc::new(Mutex::new(String::new()));
        let mut screen = File::from(ours.try_clone().expect("a copy of the terminal"));
        let all = drawn.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                all.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Self { child, keys: File::from(ours), drawn }
    }

    /// All that it has drawn so far.
    #[must_use]
    pub fn drawn(&self) -> String {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has drawn this.
    pub fn sees(&self, text: &str) {
        wait_until(text, || self.drawn().contains(text));
    }

    /// Types.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Changes the size of the window.
    pub fn resize(&mut self, rows: u16, cols: u16) {
        let size = libc::winsize { ws_row: rows, ws_col: cols, ..SIZE };
        #[allow(unsafe_code, reason = "as above")]
        // SAFETY: reads a structure of this type from a local.
        unsafe {
            libc::ioctl(self.keys.as_raw_fd(), libc::TIOCSWINSZ, &raw const size)
        };
    }

    /// Whether the terminal reads lines and echoes them, as a shell finds it.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn is_as_it_was(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.keys).expect("the modes of the terminal").local_modes;
        modes.contains(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn ends(&mut self) -> ExitStatus {
        wait_until("its end", || self.child.try_wait().expect("it can be waited for").is_some());
        self.child.wait().expect("it can be waited for")
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
