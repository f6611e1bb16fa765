//! Input for the process, without ever waiting for it.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::termios::{LocalModes, SpecialCodeIndex};

/// Most input that waits for a process that does not read, bytes.
const MAX_PENDING: usize = 64 * 1024;

/// The write end and what waits for room in it.
pub(crate) struct Stdin {
    fd: Option<OwnedFd>,
    pending: Vec<u8>,
    close_when_empty: bool,
    /// Whether the last input did not end a line.
    mid_line: bool,
}

impl Stdin {
    pub(crate) fn new(fd: Option<OwnedFd>) -> Self {
        Self { fd, pending: Vec::new(), close_when_empty: false, mid_line: false }
    }

    /// Takes as much of the input as there is room for; how much that was.
    pub(crate) fn write(&mut self, data: &[u8]) -> u32 {
        if self.fd.is_none() || self.close_when_empty {
            return 0;
        }
        let taken = data.len().min(MAX_PENDING - self.pending.len());
        self.pending.extend_from_slice(&data[..taken]);
        if let Some(last) = self.pending.last() {
            self.mid_line = *last != b'\n';
        }
        self.flush();
        taken as u32
    }

    /// Closes once everything is written. A terminal stays open, so it is told the end by a character: the
    /// first one ends an unfinished line.
    pub(crate) fn close(&mut self, terminal: Option<&OwnedFd>) {
        if self.close_when_empty {
            return;
        }
        self.close_when_empty = true;
        if let Some(end) = terminal.and_then(end_of_file) {
            let times = 1 + usize::from(self.mid_line);
            self.pending.extend(std::iter::repeat_n(end, times));
        }
        self.flush();
    }

    /// Writes what there is room for.
    pub(crate) fn flush(&mut self) {
        while let Some(fd) = &self.fd {
            if self.pending.is_empty() {
                break;
            }
            match rustix::io::write(fd, &self.pending) {
                Ok(written) => drop(self.pending.drain(..written)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
                Err(_) => {
                    self.fd = None;
                    self.pending = Vec::new();
                }
            }
        }
        if self.pending.is_empty() {
            // Input is rare: its memory is given back.
            self.pending = Vec::new();
            if self.close_when_empty {
                self.fd = None;
            }
        }
    }

    /// The descriptor, while it is open.
    pub(crate) fn fd(&self) -> Option<&OwnedFd> {
        self.fd.as_ref()
    }

    /// Whether it closes once everything is written.
    pub(crate) fn is_closing(&self) -> bool {
        self.close_when_empty
    }

    /// Whether input waits for room.
    pub(crate) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        if self.pending.is_empty() { None } else { self.fd.as_ref().map(AsFd::as_fd) }
    }
}

/// The end-of-file character of a terminal, if it reads lines.
fn end_of_file(terminal: &OwnedFd) -> Option<u8> {
    let settings = rustix::termios::tcgetattr(terminal).ok()?;
    let by_line = settings.local_modes.contains(LocalModes::ICANON);
    by_line.then(|| settings.special_codes[SpecialCodeIndex::VEOF])
}
