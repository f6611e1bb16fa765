//! The control socket: packets with file descriptors between processes of one user.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::CONTROL_SOCKET;

/// Most file descriptors that come with one packet.
const MAX_FDS: usize = 8;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// One end of a connection. It never blocks.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    /// A connection to oneself, one end of which is handed to a new process.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        Ok((Self(a), Self(b)))
    }

    /// Takes over a descriptor that is such a socket, and keeps it from blocking.
    ///
    /// # Errors
    /// When it is not a descriptor that can be set so.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Self(fd))
    }

    /// Connects to the shim of a run.
    ///
    /// # Errors
    /// `ConnectionRefused` or `NotFound` when no shim is there.
    pub fn connect(run_dir: &Path) -> io::Result<Self> {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        let (_dir, address) = address_in(run_dir)?;
        rustix::net::connect(&socket, &address)?;
        Ok(Self(socket))
    }

    /// Sends one packet with at most eight file descriptors.
    ///
    /// # Errors
    /// `WouldBlock` when the peer does not read, `BrokenPipe` when it is gone.
    pub fn send(&self, packet: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        rustix::net::sendmsg(&self.0, &[IoSlice::new(packet)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Receives one packet; its length, 0 when the peer is gone. Descriptors are added to `fds`.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv(&self, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut receive = || {
            let parts = &mut [IoSliceMut::new(buffer)];
            rustix::net::recvmsg(&self.0, parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        };
        // A peer that leaves without having read everything is reported once, ahead of the packets that it
        // sent before: these must not be lost, for its last word may be among them.
        let received = match receive() {
            Err(rustix::io::Errno::CONNRESET) => receive(),
            other => other,
        }?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        Ok(received.bytes)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

/// Where a shim waits for daemons.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Binds the control socket of a run, for this user only.
    ///
    /// # Errors
    /// When the directory is not there or the socket already is.
    pub fn bind(run_dir: &Path) -> io::Result<Self> {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        let (_dir, address) = address_in(run_dir)?;
        rustix::net::bind(&socket, &address)?;
        rustix::fs::chmod(run_dir.join(CONTROL_SOCKET), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
        rustix::net::listen(&socket, 4)?;
        Ok(Self(socket))
    }

    /// Takes the next connection; one of another user is closed at once.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, `PermissionDenied` for a stranger.
    pub fn accept(&self) -> io::Result<Channel> {
        let socket = rustix::net::accept_with(&self.0, FLAGS)?;
        let peer = rustix::net::sockopt::socket_peercred(&socket)?;
        if peer.uid != rustix::process::geteuid() {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        Ok(Channel(socket))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The address of the control socket in a directory. A socket's path is limited to 107 bytes, a home is
/// not: so the path goes through the open directory.
fn address_in(run_dir: &Path) -> io::Result<(File, SocketAddrUnix)> {
    let dir = File::open(run_dir)?;
    let path: PathBuf = ["/proc/self/fd", &dir.as_raw_fd().to_string(), CONTROL_SOCKET].iter().collect();
    Ok((dir, SocketAddrUnix::new(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn packets_and_descriptors_arrive_in_a_directory_with_a_long_path() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("x".repeat(200));
        std::fs::create_dir(&dir).unwrap();
        let listener = Listener::bind(&dir).unwrap();
        let client = Channel::connect(&dir).unwrap();
        let server = listener.accept().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        client.send(b"hello", &[writer.as_fd()]).unwrap();
        drop(writer);
        let (mut buffer, mut fds) = ([0; 64], Vec::new());
        assert_eq!(server.recv(&mut buffer, &mut fds).unwrap(), 5);
        File::from(fds.remove(0)).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        drop(client);
        assert_eq!(server.recv(&mut buffer, &mut fds).unwrap(), 0);
    }

    #[test]
    fn the_last_words_of_a_peer_that_did_not_listen_are_heard() {
        let (ours, theirs) = Channel::pair().unwrap();
        ours.send(b"unread", &[]).unwrap();
        theirs.send(b"last", &[]).unwrap();
        theirs.send(b"words", &[]).unwrap();
        drop(theirs);
        let (mut buffer, mut fds) = ([0; 64], Vec::new());
        let heard: Vec<usize> = (0..3).map(|_| ours.recv(&mut buffer, &mut fds).unwrap()).collect();
        assert_eq!(heard, [4, 5, 0]);
    }

    #[test]
    fn nobody_there_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Channel::connect(dir.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
        drop(Listener::bind(dir.path()).unwrap());
        assert_eq!(Channel::connect(dir.path()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
