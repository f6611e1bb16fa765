//! Input for the process.

use std::os::fd::OwnedFd;

use hostler_shim::control::Command;
use hostler_shim::descriptors::Descriptor;
use hostler_shim::streams::{MAX_TERMINAL_LINE, reads_lines};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::oneshot;

use super::Actor;
use crate::handle::{Input, Written};
use crate::host::Host;

impl<H: Host> Actor<H> {
    pub(super) fn on_write(&mut self, data: Input, reply: oneshot::Sender<Written>) {
        if let Some(refusal) = self.refuses_input() {
            return drop(reply.send(refusal));
        }
        if self.held_as(Descriptor::Terminal).is_some_and(|terminal| would_lose(terminal, &data.0)) {
            return drop(reply.send(Written::TooLong));
        }
        if self.command(&Command::Write(data.0)) {
            self.writes.push_back(reply);
        } else {
            // The command was not sent: a shim that is gone is about to be noticed.
            let _ = reply.send(Written::Taken { bytes: 0, unread: self.unread() });
        }
    }

    pub(super) fn on_close_input(&mut self) -> Written {
        if let Some(refusal) = self.refuses_input() {
            return refusal;
        }
        // The process sees the end when nobody holds the other end any more.
        self.held.retain(|(descriptor, _)| *descriptor != Descriptor::Stdin);
        match self.command(&Command::CloseStdin) {
            true => Written::Taken { bytes: 0, unread: None },
            false => Written::Unknown,
        }
    }

    pub(super) fn on_input_taken(&mut self, bytes: u32) {
        if let Some(reply) = self.writes.pop_front() {
            let _ = reply.send(Written::Taken { bytes: bytes as usize, unread: self.unread() });
        }
    }

    /// The shim that was given input is gone, and has not said what became of it.
    pub(super) fn forget_writes(&mut self) {
        for reply in self.writes.drain(..) {
            let _ = reply.send(Written::Unknown);
        }
    }

    fn refuses_input(&self) -> Option<Written> {
        if self.life.state.running().is_none() || self.facts.exit.is_some() {
            return Some(Written::NotRunning);
        }
        let is_terminal = self.held_as(Descriptor::Terminal).is_some();
        let is_open = is_terminal || self.held_as(Descriptor::Stdin).is_some_and(is_read_by_somebody);
        (!is_open).then_some(Written::Closed)
    }

    fn held_as(&self, wanted: Descriptor) -> Option<&OwnedFd> {
        self.held.iter().find(|(descriptor, _)| *descriptor == wanted).map(|(_, fd)| fd)
    }

    /// What is in the pipe.
    fn unread(&self) -> Option<u64> {
        rustix::io::ioctl_fionread(self.held_as(Descriptor::Stdin)?).ok()
    }
}

/// Whether the other end of the pipe is open.
fn is_read_by_somebody(pipe: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pipe, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok() && !fds[0].revents().contains(PollFlags::ERR)
}

/// Whether a line is longer than the terminal keeps.
fn would_lose(terminal: &OwnedFd, data: &[u8]) -> bool {
    data.split(|byte| matches!(byte, b'\n' | b'\r')).any(|line| line.len() > MAX_TERMINAL_LINE)
        && reads_lines(terminal)
}
