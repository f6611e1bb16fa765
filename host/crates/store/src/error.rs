//! What can go wrong, in words that name the next step.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the database was not opened. It is left as it was found.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A later version of hostler wrote it.
    #[error(
        "{path} was written by a newer hostler: its schema has version {found}, this hostler knows versions up \
         to {known}. Nothing was changed. Install that newer hostler again, or use another state directory",
        path = .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest schema version this build knows.
        known: u32,
    },
    /// It is a SQLite database, but of another program.
    #[error(
        "{path} is a SQLite database of another program (application id {application_id:#x}, schema version \
         {found}; hostler's has application id {ours:#x} and a version up to {known}). Nothing was changed. \
         Move it away, or use another state directory",
        path = .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The application id found in it.
        application_id: u32,
        /// The application id of hostler's databases.
        ours: u32,
        /// Its schema version.
        found: u32,
        /// The newest schema version this build knows.
        known: u32,
    },
    /// It is no SQLite database at all.
    #[error(
        "{path} is not a SQLite database (no schema version found; this hostler knows versions up to {known}). \
         Nothing was changed. Move it away, or use another state directory",
        path = .path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// The newest schema version this build knows.
        known: u32,
    },
    /// It is damaged.
    #[error(
        "{path} is damaged: {detail} (schema version found: {found}, known: up to {known}). Nothing was changed. \
         Rescue what can be read with `sqlite3 {path} .recover`, or move the file away to begin anew",
        path = .path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
        /// Its schema version, as far as it can be read.
        found: u32,
        /// The newest schema version this build knows.
        known: u32,
    },
    /// Another program keeps it locked.
    #[error(
        "{path} is locked by another program. Close that program (such as a sqlite3 shell with an open \
         transaction; `fuser {path}` names it) and try again",
        path = .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file or its directory cannot be used.
    #[error("cannot {doing} {path}: {source}. Check that the directory exists, is writable and has room",
        path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The error of the system.
        source: io::Error,
    },
    /// SQLite refused for another reason.
    #[error("cannot {doing} {path}: {source}. Check that the directory is writable and has room",
        path = .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// What is wrong, in a few words without the path.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Corrupt { detail, .. } => detail.clone(),
            Self::NotADatabase { .. } => "it is no SQLite database".to_owned(),
            other => other.to_string(),
        }
    }
}

/// Why an operation did not happen. Nothing of it is stored then.
///
/// Cloned to every caller of a group whose commit failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is one already.
    #[error("{0} exists already")]
    Duplicate(String),
    /// There is none.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The disk or the quota is full.
    #[error("no room left for the database: {0}")]
    Full(String),
    /// Another program keeps the database locked.
    #[error("the database is locked by another program: {0}")]
    Busy(String),
    /// The database is damaged.
    #[error(
        "the database is damaged ({0}); `hostler daemon restart` sets it aside and goes on with a new one, in which \
             what runs now is kept"
    )]
    Corrupt(String),
    /// Reading or writing the file failed.
    #[error(
        "reading or writing the database failed: {0}. Its disk is broken, gone or read-only (`dmesg` says which); \
             what runs runs on"
    )]
    Io(String),
    /// A stored value cannot be read, or a value cannot be stored.
    #[error("{0}")]
    Unreadable(String),
    /// Any other error of SQLite.
    #[error("the database refused: {0}")]
    Sqlite(String),
    /// The operation panicked; it was rolled back.
    #[error("an operation on the database panicked: {0}")]
    Panicked(String),
    /// The store is shut down.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(text),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(text),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => Self::Io(text),
            _ => Self::Sqlite(text),
        }
    }
}

impl StoreError {
    /// Gives a violated UNIQUE constraint its name; leaves other errors as they are.
    pub(crate) fn or_duplicate(error: rusqlite::Error, what: impl FnOnce() -> String) -> Self {
        let unique = rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
        match error.sqlite_error() {
            Some(failure) if failure.extended_code == unique => Self::Duplicate(what()),
            _ => error.into(),
        }
    }
}
