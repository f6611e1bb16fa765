//! How much room the disk has left. The last of it is kept for what cannot wait.
//!
//! A disk without a free byte still takes some writes, into pages that the database has already; which ones, nobody
//! can foretell. So output and new runs stop a little earlier, and ends and states are recorded in what is left.

use std::path::Path;

use crate::error::StoreError;

/// Bytes that are kept for records of what ends.
const RESERVE: u64 = 1 << 20;

/// Refuses what can wait when only the reserve is left where `database` is.
///
/// # Errors
/// [`StoreError::Full`], with how much is left.
pub(crate) fn for_more(database: &Path) -> Result<(), StoreError> {
    // A file system that cannot be asked shows at the write itself what it has.
    let Ok(disk) = rustix::fs::statvfs(database) else { return Ok(()) };
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    // One without a size (some network file systems) has no blocks at all.
    if disk.f_blocks == 0 || left >= RESERVE {
        return Ok(());
    }
    Err(StoreError::Full(format!(
        "{} KiB are free on the disk of {}, and the last {} KiB are kept for the records of what ends",
        left >> 10,
        database.display(),
        RESERVE >> 10
    )))
}

#[cfg(test)]
mod tests;
