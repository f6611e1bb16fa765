//! From a path to configured connections.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostler_model::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::OpenError;
use crate::migrate;
use crate::probe::{Found, probe};

/// Marks a database as hostler's: "hstl".
pub(crate) const APPLICATION_ID: u32 = 0x6873_746c;

/// Reads that can run side by side.
const READERS: usize = 2;
/// Page cache of the writer, KiB.
const WRITER_CACHE: u32 = 2048;
/// Page cache of each reader, KiB.
const READER_CACHE: u32 = 1024;
/// The write-ahead log shrinks to this after it was folded in, bytes.
const WAL_KEEPS: u32 = 8 << 20;
/// A log that is longer than this is folded in before anything else, bytes: else a daemon that is killed again and
/// again would read a longer one at each start.
const LONG_LOG: u64 = 16 << 20;
/// Statements that a connection keeps compiled.
const STATEMENTS: usize = 64;

/// The connections of a store.
pub(crate) struct Connections {
    /// The only one that writes.
    pub(crate) writer: Connection,
    /// Of the thread that folds the write-ahead log into the file.
    pub(crate) checkpointer: Connection,
    /// Those that read.
    pub(crate) readers: Vec<Connection>,
}

/// Opens a database that [`probe`] accepts, or makes one.
pub(crate) fn open(path: &Path, now: Timestamp, patience: Duration) -> Result<Connections, OpenError> {
    let found = probe(path)?;
    make_private(path).map_err(|source| OpenError::Io {
        path: path.to_owned(),
        doing: "create or take over",
        source,
    })?;
    let fail = |doing| move |e| sqlite_error(path, doing, e);
    let writer = open_writer(path, found, now, patience).map_err(fail("open"))?;
    let checkpointer = open_checkpointer(path, patience).map_err(fail("open a second writer of"))?;
    let readers = (0..READERS)
        .map(|_| open_reader(path, patience))
        .collect::<Result<_, _>>()
        .map_err(fail("open a reader of"))?;
    Ok(Connections { writer, checkpointer, readers })
}

/// Makes the file, or takes an old one's mode back to 0600; SQLite gives its side files the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(path, Permissions::from_mode(0o600))?;
            }
            Ok(())
        }
        Err(e) => Err(e),
    }
}

fn open_writer(
    path: &Path,
    found: Found,
    now: Timestamp,
    patience: Duration,
) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    configure(&conn, patience, WRITER_CACHE)?;
    if found == Found::Nothing || is_empty(&conn)? {
        // The first thing in the file: from here on, whatever happens, it is recognised as ours.
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    conn.pragma_update(None, "journal_size_limit", WAL_KEEPS)?;
    // Off while migrating: rebuilding a table would otherwise empty those that refer to it.
    conn.pragma_update(None, "foreign_keys", false)?;
    if migrate::apply(&mut conn, migrate::ALL, now)? > 0 {
        // The header of the file itself now tells the version, also to those who only look at the header.
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    migrate::warn_of_edited(&conn, migrate::ALL)?;
    if fs::metadata(sibling(path, "-wal")).is_ok_and(|log| log.len() > LONG_LOG) {
        fold(&conn);
    }
    conn.pragma_update(None, "foreign_keys", true)?;
    Ok(conn)
}

/// Folds the write-ahead log into the file. Where that fails (no room, somebody reads), the log is as good a place.
fn fold(conn: &Connection) {
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "a long write-ahead log could not be folded into the database");
    }
}

/// Whether there is nothing in it, although the file looked as if there were: a crash left the very first transaction
/// half done, and opening it has just undone that.
fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    conn.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0)).map(|pages| pages == 0)
}

fn open_reader(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn, patience, READER_CACHE)?;
    Ok(conn)
}

fn open_checkpointer(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn, patience, READER_CACHE)?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(conn)
}

fn configure(conn: &Connection, patience: Duration, cache_kib: u32) -> rusqlite::Result<()> {
    conn.busy_timeout(patience)?;
    // Negative means KiB in place of pages.
    conn.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// The path with something behind it, as SQLite names its side files.
pub(crate) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Gives an error of SQLite the kind that tells people what to do.
pub(crate) fn sqlite_error(path: &Path, doing: &'static str, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    let known = migrate::KNOWN;
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path, known },
        Some(ErrorCode::DatabaseCorrupt) => {
            OpenError::Corrupt { path, detail: source.to_string(), found: 0, known }
        }
        _ => OpenError::Sqlite { path, doing, source },
    }
}

#[cfg(test)]
mod tests;
