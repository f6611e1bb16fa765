//! One daemon per home: whoever holds the lock is it. The lock goes with its holder, so neither a crash nor a
//! stale socket is an obstacle.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::FlockOperation;

use super::home::Home;

/// The lock, held while this lives.
#[derive(Debug)]
pub(crate) struct Instance {
    _file: File,
}

/// Why this process is not the daemon.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAlone {
    #[error("a daemon is already running (pid {0})")]
    Running(String),
    #[error("cannot lock {path}: {source}")]
    Io { path: String, source: std::io::Error },
}

impl Instance {
    /// Becomes the daemon of a home.
    ///
    /// # Errors
    /// When there is one, or the lock file cannot be written.
    pub(crate) fn acquire(home: &Home) -> Result<Self, NotAlone> {
        let path = home.lock();
        let io = |source| NotAlone::Io { path: path.display().to_string(), source };
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(NotAlone::Running(read(&mut file)));
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        write!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }

    /// The pid of the daemon that holds the lock, if one does.
    pub(crate) fn holder(home: &Home) -> Option<i32> {
        let mut file = File::open(home.lock()).ok()?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        read(&mut file).parse().ok()
    }
}

fn read(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    if text.is_empty() { "unknown".to_owned() } else { text }
}
