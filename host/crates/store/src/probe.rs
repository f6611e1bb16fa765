//! Looks at a database file without changing it, before anything else opens it.
//!
//! SQLite itself makes side files even for a read-only connection to a WAL database, so the file header is
//! read as plain bytes (<https://www.sqlite.org/fileformat2.html>, section 1.3).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;
use crate::migrate::KNOWN;
use crate::open::{APPLICATION_ID, sibling, sqlite_error};
use crate::store::MARK_OF_DAMAGE;

/// What is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No file, or one without a single byte.
    Nothing,
    /// A database of ours, of a version that this build knows.
    Ours,
}

/// A whole check of a file up to this size takes a few milliseconds; a larger one is checked by its header.
const CHEAP_TO_CHECK: u64 = 4 << 20;

const HEADER: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Decides whether a file may be opened.
pub(crate) fn probe(path: &Path) -> Result<Found, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), doing: "read", source };
    let wal_bytes = size(&sibling(path, "-wal")).map_err(io)?;
    let bytes = size(path).map_err(io)?;
    if bytes == 0 {
        return match wal_bytes {
            0 => Ok(Found::Nothing),
            // SQLite would delete the log, and with it all that is left of the database.
            _ => Err(corrupt(path, 0, "it is empty or missing, but its write-ahead log (-wal) is there")),
        };
    }
    let Some(header) = Header::read(path).map_err(io)? else {
        return Err(OpenError::NotADatabase { path: path.to_owned(), known: KNOWN });
    };
    judge(path, header.application_id, header.version)?;
    if sibling(path, MARK_OF_DAMAGE).exists() {
        return Err(corrupt(path, header.version, "reading or writing it failed for that"));
    }
    if wal_bytes > 0 {
        // A crash left commits in the log, perhaps of a newer version.
        through_the_log(path)?;
    } else if size(&sibling(path, "-journal")).map_err(io)? == 0 {
        // With a rollback journal beside it the file would be half changed, which opening it undoes.
        header.check_size(path, bytes)?;
        if bytes <= CHEAP_TO_CHECK {
            quick_check(path, header.version)?;
        }
    }
    Ok(Found::Ours)
}

/// The size of a file, 0 when there is none.
fn size(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(meta) => Ok(meta.len()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e),
    }
}

fn judge(path: &Path, application_id: u32, found: u32) -> Result<(), OpenError> {
    if application_id != APPLICATION_ID {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
            application_id,
            ours: APPLICATION_ID,
            found,
            known: KNOWN,
        });
    }
    if found > KNOWN {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: KNOWN });
    }
    Ok(())
}

fn corrupt(path: &Path, found: u32, detail: impl Into<String>) -> OpenError {
    OpenError::Corrupt { path: path.to_owned(), detail: detail.into(), found, known: KNOWN }
}

/// What the first bytes of the file say.
struct Header {
    page_size: u64,
    change_counter: u32,
    pages: u32,
    version: u32,
    application_id: u32,
    pages_valid_for: u32,
}

impl Header {
    /// Reads it; none when the file does not begin as a SQLite database does.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut bytes = Vec::with_capacity(HEADER);
        File::open(path)?.take(HEADER as u64).read_to_end(&mut bytes)?;
        if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
            return Ok(None);
        }
        let word = |at: usize| bytes[at..at + 4].iter().fold(0_u32, |n, b| n << 8 | u32::from(*b));
        Ok(Some(Self {
            // Two bytes; 1 stands for 65536.
            page_size: match word(16) >> 16 {
                1 => 65536,
                n => u64::from(n),
            },
            change_counter: word(24),
            pages: word(28),
            version: word(60),
            application_id: word(68),
            pages_valid_for: word(92),
        }))
    }

    /// Finds a file that was cut off, at any size.
    fn check_size(&self, path: &Path, bytes: u64) -> Result<(), OpenError> {
        let expected = u64::from(self.pages) * self.page_size;
        if self.pages_valid_for == self.change_counter && bytes < expected {
            let detail = format!("it has {bytes} bytes where its header announces {expected}");
            return Err(corrupt(path, self.version, detail));
        }
        Ok(())
    }
}

/// Asks SQLite itself, which reads the log too. The side files are there already.
fn through_the_log(path: &Path) -> Result<(), OpenError> {
    let fail = |e| sqlite_error(path, "read", e);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(fail)?;
    let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, u32>(0)).map_err(fail);
    judge(path, number("application_id")?, number("user_version")?)
}

/// Lets SQLite check every page, on a connection that believes the file to be on read-only media and so
/// makes no side files.
fn quick_check(path: &Path, version: u32) -> Result<(), OpenError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let verdict = Connection::open_with_flags(immutable_uri(path), flags)
        .and_then(|conn| conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(corrupt(path, version, verdict.replace('\n', " "))),
        Err(error) => Err(match sqlite_error(path, "check", error) {
            OpenError::Corrupt { detail, .. } => corrupt(path, version, detail),
            other => other,
        }),
    }
}

fn immutable_uri(path: &Path) -> std::ffi::OsString {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}
