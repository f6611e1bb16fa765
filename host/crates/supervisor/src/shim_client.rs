//! The daemon's end of a shim's control socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use hostler_shim::adopt::AdoptSpec;
use hostler_shim::channel::Channel;
use hostler_shim::control::{Command, Event, MAX_PACKET};
use hostler_shim::launch::LaunchSpec;
use hostler_shim::streams::Streams;
use rustix::fs::MemfdFlags;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;

use crate::wait_fd;

/// A connection to a shim.
pub(crate) struct ShimClient {
    channel: AsyncFd<Channel>,
    buffer: Vec<u8>,
    /// The shim, when it is a child of this process: it must be reaped. Dropping it leaves that to the runtime.
    _child: Option<Child>,
}

/// An event and the descriptors that came with it.
pub(crate) struct Received {
    pub event: Event,
    pub fds: Vec<OwnedFd>,
}

impl ShimClient {
    pub(crate) fn new(channel: Channel, child: Option<Child>) -> io::Result<Self> {
        let channel = wait_fd::readable(channel)?;
        Ok(Self { channel, buffer: vec![0; 4096], _child: child })
    }

    /// Connects to the shim of a run and asks for its state.
    pub(crate) fn attach(run_dir: &Path) -> io::Result<Self> {
        let channel = Channel::connect(run_dir)?;
        channel.send(&Command::Attach.encode(), &[])?;
        Self::new(channel, None)
    }

    /// Asks it to start a program. It keeps the lock of the run from now on, even before it reads the request.
    pub(crate) fn launch(&self, spec: &LaunchSpec, lock: &OwnedFd, streams: &Streams) -> io::Result<()> {
        let fds: Vec<_> =
            streams.ours.iter().map(|(_, fd)| fd).chain(&streams.theirs).map(AsFd::as_fd).collect();
        self.channel.get_ref().send(&Command::Streams.encode(), &fds)?;
        self.order(&Command::Launch, &spec.encode(), lock, &[])
    }

    /// Asks it to take over what a killed one left; `fds` are those that the request names, in their order.
    pub(crate) fn adopt(&self, spec: &AdoptSpec, lock: &OwnedFd, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.order(&Command::Adopt, &spec.encode(), lock, fds)
    }

    fn order(
        &self,
        command: &Command,
        spec: &[u8],
        lock: &OwnedFd,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let request = memory_file(spec)?;
        let all: Vec<_> = [lock.as_fd()].iter().chain(fds).chain(&[request.as_fd()]).copied().collect();
        self.channel.get_ref().send(&command.encode(), &all)
    }

    /// Sends a command. Commands are few and small: a shim that does not take one is not there any more.
    pub(crate) fn send(&self, command: &Command) -> io::Result<()> {
        self.channel.get_ref().send(&command.encode(), &[])
    }

    /// The next event; `None` when the shim is gone. May be cancelled.
    pub(crate) async fn recv(&mut self) -> io::Result<Option<Received>> {
        // Grown only for the odd long message, so that a thousand idle shims do not take 64 MB.
        debug_assert!(self.buffer.len() <= MAX_PACKET);
        loop {
            let mut ready = self.channel.readable().await?;
            let mut fds = Vec::new();
            let received = ready.try_io(|c| c.get_ref().recv(&mut self.buffer, &mut fds));
            let length = match received {
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(length)) => length,
                // It ended with commands unread; said once, and ahead of what it had sent before.
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => continue,
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => continue,
            };
            match Event::decode(&self.buffer[..length], fds.len()) {
                Ok(event) => return Ok(Some(Received { event, fds })),
                Err(error) => tracing::warn!(%error, "a shim sent what is not an event"),
            }
        }
    }
}

/// A file that is nowhere on a disk: requests contain secrets.
fn memory_file(content: &[u8]) -> io::Result<std::fs::File> {
    let mut file = std::fs::File::from(rustix::fs::memfd_create("hostler-request", MemfdFlags::CLOEXEC)?);
    io::Write::write_all(&mut file, content)?;
    io::Seek::rewind(&mut file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_shim_sent_is_read_although_it_ended_with_a_command_unread() {
        let (ours, theirs) = Channel::pair().unwrap();
        let mut client = ShimClient::new(ours, None).unwrap();
        theirs.send(&Event::JournalGrew.encode(), &[]).unwrap();
        client.send(&Command::Attach).unwrap();
        drop(theirs);
        assert!(matches!(client.recv().await, Ok(Some(Received { event: Event::JournalGrew, .. }))));
        assert!(matches!(client.recv().await, Ok(None)));
    }
}
