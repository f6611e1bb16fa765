//! The pipes or the terminal of a process. The daemon makes them, and hands both sides to the shim: so from before the
//! process exists it holds what keeps that from ever seeing a broken pipe.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::OpenptFlags;

use crate::descriptors::Descriptor;
use crate::launch::Stdio;

/// Both sides of what a process reads from and writes to.
#[derive(Debug)]
pub struct Streams {
    /// Ours, in the order of [`Descriptor`]. They never block.
    pub ours: Vec<(Descriptor, OwnedFd)>,
    /// The process's: stdin, stdout and stderr. None for a terminal, whose other side the shim opens by its master.
    pub theirs: Vec<OwnedFd>,
}

/// Opens them.
///
/// # Errors
/// When there are too many open files, or no terminal is left.
pub fn open(stdio: Stdio) -> io::Result<Streams> {
    match stdio {
        Stdio::Pipes => open_pipes(),
        Stdio::Pty { rows, cols } => {
            let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
            rustix::pty::grantpt(&master)?;
            rustix::pty::unlockpt(&master)?;
            rustix::io::ioctl_fionbio(&master, true)?;
            resize(&master, rows, cols)?;
            Ok(Streams { ours: vec![(Descriptor::Terminal, master)], theirs: Vec::new() })
        }
    }
}

fn open_pipes() -> io::Result<Streams> {
    let (stdin_read, stdin) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stdout, stdout_write) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, stderr_write) = pipe_with(PipeFlags::CLOEXEC)?;
    for ours in [&stdin, &stdout, &stderr] {
        rustix::io::ioctl_fionbio(ours, true)?;
    }
    Ok(Streams {
        ours: vec![(Descriptor::Stdout, stdout), (Descriptor::Stderr, stderr), (Descriptor::Stdin, stdin)],
        theirs: vec![stdin_read, stdout_write, stderr_write],
    })
}

/// The process's side of a terminal.
///
/// # Errors
/// When the kernel refuses.
pub fn other_side(master: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let name = rustix::pty::ptsname(master, Vec::new())?;
    Ok(rustix::fs::open(name, flags, Mode::empty())?)
}

/// Sets the size of a terminal's window.
///
/// # Errors
/// When it is no terminal.
pub fn resize(master: &OwnedFd, rows: u16, cols: u16) -> io::Result<()> {
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(master, size)?)
}

/// Most bytes of a line that a terminal which reads lines keeps; the rest of a longer one is lost (`N_TTY_BUF_SIZE`).
pub const MAX_TERMINAL_LINE: usize = 4095;

/// Whether a terminal reads lines now (`ICANON`).
#[must_use]
pub fn reads_lines(master: &OwnedFd) -> bool {
    let settings = rustix::termios::tcgetattr(master);
    settings.is_ok_and(|settings| settings.local_modes.contains(rustix::termios::LocalModes::ICANON))
}
