//! The notification socket of a run, as systemd has it (sd_notify(3)): a process says `READY=1` on it.
//!
//! It stands in the run directory, and the daemon has it for as long as the run is not ready. A daemon that takes over
//! binds it anew; what a process says while there is no daemon is lost, as the protocol has it.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixDatagram;

/// The variable that names the socket to the process.
pub(crate) const VARIABLE: &str = "NOTIFY_SOCKET";

/// Its file in the run directory.
const FILE: &str = "notify.sock";

/// The longest path that a socket can have (unix(7)), without the final NUL.
const MAX_PATH: usize = 107;

/// Longest message that is looked at.
const MAX_MESSAGE: usize = 4096;

/// The socket.
#[derive(Debug)]
pub(crate) struct Notify(UnixDatagram);

impl Notify {
    /// Where the socket of a run is; `None` when that path is too long for one.
    pub(crate) fn path(run_dir: &Path) -> Option<PathBuf> {
        Some(run_dir.join(FILE)).filter(|path| path.as_os_str().len() <= MAX_PATH)
    }

    /// Binds the socket of a run that is about to begin, and says where it is.
    pub(crate) fn begin(run_dir: &Path) -> Option<(Self, PathBuf)> {
        let path = Self::path(run_dir)?;
        match Self::bind(&path) {
            Ok(socket) => Some((socket, path)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "no socket for READY=1");
                None
            }
        }
    }

    /// Binds the socket again that an earlier daemon gave to a run.
    pub(crate) fn resume(run_dir: &Path) -> Option<Self> {
        let path = Self::path(run_dir).filter(|path| path.exists())?;
        Self::bind(&path).ok()
    }

    fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        UnixDatagram::bind(path).map(Self)
    }

    /// Waits until the process says that it is ready. A socket that fails never says so.
    pub(crate) async fn ready(&self) {
        let mut message = [0; MAX_MESSAGE];
        loop {
            match self.0.recv(&mut message).await {
                Ok(length) if says_ready(&message[..length]) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "a notification socket failed");
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

fn says_ready(message: &[u8]) -> bool {
    message.split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_is_heard_among_other_news_and_after_another_daemon_came() {
        let dir = tempfile::tempdir().unwrap();
        let (first, path) = Notify::begin(dir.path()).unwrap();
        let process = std::os::unix::net::UnixDatagram::unbound().unwrap();
        process.send_to(b"STATUS=warming up", &path).unwrap();
        process.send_to(b"STATUS=serving\nREADY=1\n", &path).unwrap();
        first.ready().await;
        drop(first);
        assert!(process.send_to(b"READY=1", &path).is_err(), "nobody is there");
        let second = Notify::resume(dir.path()).unwrap();
        process.send_to(b"READY=1", &path).unwrap();
        second.ready().await;
    }

    #[test]
    fn what_is_not_ready_is_not() {
        assert!(!says_ready(b"READY=0") && !says_ready(b"NOTREADY=1") && !says_ready(b""));
        assert_eq!(Notify::path(Path::new(&"/x".repeat(60))), None);
    }
}
