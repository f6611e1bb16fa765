//! The handle through which everybody reaches the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hostler_model::Timestamp;
use rusqlite::Connection;

use crate::checkpoint::Checkpointer;
use crate::error::{OpenError, StoreError};
use crate::lane::Lane;
use crate::{open, reader, room, writer};

/// A handle to the database; clones are cheap and mean the same database.
///
/// One process opens a database once: SQLite's file locks are lost when any other part of the process closes
/// the same file. Without [`Store::shutdown`], dropping the last handle waits for the store's threads.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// The readers come first because fields are dropped in order: the writer closes the last connection.
struct Inner {
    path: PathBuf,
    readers: Lane,
    checkpointer: Checkpointer,
    writer: Lane,
}

/// Waiting for the lock of another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Behind the name of a database: a file that says that it was found damaged.
pub(crate) const MARK_OF_DAMAGE: &str = "-damaged";

impl Store {
    /// Opens the database, or makes it when there is none, and brings its schema up to date. The directory
    /// must exist.
    ///
    /// # Errors
    /// When the file cannot be used, or is not one that this build understands; then it is left untouched.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, OpenError> {
        Self::open_patiently(path, now, BUSY_TIMEOUT)
    }

    pub(crate) fn open_patiently(path: &Path, now: Timestamp, patience: Duration) -> Result<Self, OpenError> {
        let mut connections = open::open(path, now, patience)?;
        let io = |source| OpenError::Io { path: path.to_owned(), doing: "start the threads for", source };
        let checkpointer =
            Checkpointer::start(&mut connections.writer, connections.checkpointer).map_err(io)?;
        let writer = Lane::start("store-writer", vec![connections.writer], writer::run).map_err(io)?;
        let readers = Lane::start("store-reader", connections.readers, reader::run).map_err(io)?;
        Ok(Self { inner: Arc::new(Inner { path: path.to_owned(), readers, checkpointer, writer }) })
    }

    /// Finishes what is queued, folds the write-ahead log into the database file and closes it. Operations
    /// that come later answer [`StoreError::Closed`].
    pub async fn shutdown(&self) {
        self.inner.readers.close().await;
        let inner = Arc::clone(&self.inner);
        if tokio::task::spawn_blocking(move || inner.checkpointer.stop()).await.is_err() {
            tracing::error!("the end of the write-ahead log's thread could not be waited for");
        }
        self.inner.writer.close().await;
    }

    /// Bytes that the database takes on disk, its write-ahead log included.
    ///
    /// # Errors
    /// When the files cannot be looked at.
    pub async fn store_size_bytes(&self) -> Result<u64, StoreError> {
        let path = self.inner.path.clone();
        self.read(move |_| {
            ["", "-wal", "-shm"].into_iter().try_fold(0, |sum, suffix| {
                let file = open::sibling(&path, suffix);
                match std::fs::metadata(&file) {
                    Ok(meta) => Ok(sum + meta.len()),
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(sum),
                    Err(e) => Err(StoreError::Io(format!("{}: {e}", file.display()))),
                }
            })
        })
        .await
    }

    /// Runs a job on the writer, in a transaction. It may run again when the group it was part of could not
    /// be committed, so it must not change anything but the database.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.noticed(self.inner.writer.call(work).await)
    }

    /// [`Store::write`] of what can wait while the disk is as good as full.
    pub(crate) async fn write_if_room<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        room::for_more(&self.inner.path)?;
        self.write(work).await
    }

    /// [`Store::write_if_room`] for a thread that may wait.
    pub(crate) fn write_if_room_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        room::for_more(&self.inner.path)?;
        self.write_blocking(work)
    }

    /// [`Store::write`] for a thread that may wait.
    pub(crate) fn write_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.noticed(self.inner.writer.call_blocking(work))
    }

    /// Runs a job on a reader; all it reads belongs to one state of the database.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.noticed(self.inner.readers.call(work).await)
    }

    /// [`Store::read`] for a thread that may wait.
    pub(crate) fn read_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.noticed(self.inner.readers.call_blocking(work))
    }

    /// Damage that is met at work is remembered for the next opening, which looks at the header of a large file only.
    fn noticed<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Corrupt(_)) = outcome {
            let _ = std::fs::File::create(open::sibling(&self.inner.path, MARK_OF_DAMAGE));
        }
        outcome
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish()
    }
}

#[cfg(test)]
mod tests;
