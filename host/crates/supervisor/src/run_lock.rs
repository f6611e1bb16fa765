//! Who is responsible for a run. A shim keeps the locked file open for as long as it lives, a daemon from before it
//! asks one: so whoever gets the lock knows that no shim is there, and none is on its way.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use hostler_shim::LOCK_FILE;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

/// Takes the lock; `None` while somebody has it. The lock goes with the last duplicate of the descriptor.
///
/// # Errors
/// When the file cannot be made.
pub(crate) fn take(run_dir: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::CREATE | OFlags::RDONLY | OFlags::CLOEXEC;
    let file = open(run_dir.join(LOCK_FILE), flags, Mode::RUSR | Mode::WUSR)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_free_when_the_last_duplicate_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path()).unwrap().unwrap();
        let duplicate = first.try_clone().unwrap();
        drop(first);
        assert!(take(dir.path()).unwrap().is_none());
        drop(duplicate);
        assert!(take(dir.path()).unwrap().is_some());
    }
}
