//! What a shim tells its daemon, and what it is told.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use hostler_shim::control::{Command, Event, Scope};
use hostler_shim::journal::Position;

use super::Shim;
use crate::tree::Member;

const ONE_PAGE: usize = 4096;

impl Shim {
    /// Sends an event to the daemon. One that leaves no room for it by not reading is let go, to come again; one
    /// that is dead is noticed when its last commands were read.
    pub(super) fn tell(&mut self, event: &Event, with_fds: bool) {
        let Some(daemon) = &self.daemon else { return };
        let fds: Vec<BorrowedFd<'_>> =
            if with_fds { self.descriptors().map(|(_, fd)| fd).collect() } else { Vec::new() };
        let sent = daemon.send(&event.encode(), &fds);
        if sent.is_err_and(|e| e.kind() == ErrorKind::WouldBlock) {
            self.daemon = None;
        }
    }

    /// Tells the daemon that there is more to read, once until it has read.
    pub(super) fn notify(&mut self) {
        if self.notified || self.daemon.is_none() {
            return;
        }
        if let Some(position) = self.output.news().filter(|p| *p > self.told) {
            self.notified = true;
            self.told = position;
            self.tell(&Event::JournalGrew, false);
        }
    }

    /// Tells the daemon that the disk does not take the journal, and that it does again.
    pub(super) fn complain(&mut self) {
        let refused = self.output.refused();
        if self.daemon.is_some() && refused != self.told_refused {
            self.told_refused = refused;
            self.tell(&Event::JournalRefused(refused), false);
        }
    }

    /// Does what it was told since.
    pub(super) fn obey(&mut self) {
        while let Some(daemon) = &self.daemon {
            let mut fds = Vec::new();
            match daemon.recv(&mut self.packet, &mut fds) {
                Ok(0) => self.daemon = None,
                Ok(length) => match Command::decode(&self.packet[..length]) {
                    Ok(command) => {
                        // Input is rare; most packets fit the first page.
                        if length > ONE_PAGE {
                            self.packet.release();
                        }
                        self.carry_out(command);
                    }
                    Err(reason) => self.tell(&Event::Refused(reason.to_string()), false),
                },
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.daemon = None,
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        let main = self.main();
        match command {
            Command::Launch | Command::Adopt | Command::Streams => {
                self.tell(&Event::Refused("there is a process already".into()), false);
            }
            Command::Attach => {
                self.told_refused = self.output.refused();
                self.tell(&Event::Status(self.status()), true);
                self.notified = false;
                self.told = Position::default();
                self.notify();
            }
            Command::Stop { signal, grace_ms, scope } => {
                let grace = Duration::from_millis(u64::from(grace_ms));
                self.ending.stop(&self.tree, signal, grace, scope, main);
            }
            Command::Signal { signal, scope } => self.signal_without_ending(signal, scope),
            Command::Write(data) => {
                let taken = self.stdin.write(&data);
                self.tell(&Event::StdinAccepted(taken), false);
            }
            Command::CloseStdin => self.stdin.close(self.terminal.as_ref()),
            Command::Resize { rows, cols } => {
                if let Some(terminal) = &self.terminal {
                    let _ = hostler_shim::streams::resize(terminal, rows, cols);
                }
            }
            Command::Consumed(position) => {
                if self.output.consumed(position) {
                    self.told = Position::default();
                }
                self.notified = false;
                self.notify();
            }
        }
    }

    fn signal_without_ending(&self, signal: i32, scope: Scope) {
        let members = match scope {
            Scope::Main => self.main().and_then(Member::look).into_iter().collect(),
            Scope::Tree => self.tree.members(),
        };
        for member in members {
            let _ = member.signal(signal);
        }
    }
}
