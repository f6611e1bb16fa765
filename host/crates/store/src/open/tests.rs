use std::io::Write as _;

use super::*;
use crate::migrate::KNOWN;
use crate::store::Store;
use crate::testing::{Fixture, NOW, contents};

fn attempt(path: &Path) -> Result<Store, OpenError> {
    Store::open_patiently(path, NOW, Duration::ZERO)
}

/// Opening must fail, and leave every file of the directory as it was.
fn refused(dir: &Path) -> OpenError {
    let before = contents(dir);
    let error = attempt(&dir.join("hostler.db")).unwrap_err();
    assert!(contents(dir) == before, "a refused database was touched: {error}");
    error
}

/// A directory with a database that was closed properly, after something was done to it.
fn altered(sql: &str) -> tempfile::TempDir {
    let Fixture { store, dir } = Fixture::new();
    drop(store);
    let conn = Connection::open(dir.path().join("hostler.db")).unwrap();
    conn.execute_batch(sql).unwrap();
    conn.close().unwrap();
    dir
}

#[test]
fn a_fresh_database_is_ours_private_and_complete() {
    let f = Fixture::new();
    let mode = |suffix| fs::metadata(sibling(&f.path(), suffix)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("-wal"), mode("-shm")), (0o600, 0o600, 0o600));
    let (path, dir) = (f.path(), f.dir);
    drop(f.store);
    let conn = Connection::open(&path).unwrap();
    let number = |name| conn.pragma_query_value(None, name, |r| r.get::<_, u32>(0)).unwrap();
    assert_eq!(number("application_id"), APPLICATION_ID);
    assert_eq!(number("user_version"), KNOWN);
    let mode: String = conn.pragma_query_value(None, "journal_mode", |r| r.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let steps: u32 = conn.query_row("SELECT count(*) FROM migrations", [], |r| r.get(0)).unwrap();
    assert_eq!(steps, KNOWN);
    drop(dir);
}

#[test]
fn opening_again_changes_nothing_and_takes_a_wide_mode_back() {
    let Fixture { store, dir } = Fixture::new();
    drop(store);
    let path = dir.path().join("hostler.db");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let before = contents(dir.path());
    drop(Store::open(&path, NOW).unwrap());
    assert!(contents(dir.path()) == before);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_newer_database_is_refused_untouched() {
    let dir = altered(&format!("PRAGMA user_version = {}", KNOWN + 1));
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Newer { found, known: KNOWN, .. } if found == KNOWN + 1), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("hostler.db was written by a newer hostler"), "{text}");
    assert!(text.contains(&format!("version {}", KNOWN + 1)) && text.contains("Install"), "{text}");
}

#[test]
fn a_newer_version_that_only_the_log_knows_is_refused_untouched() {
    let f = Fixture::new();
    let conn = Connection::open(f.path()).unwrap();
    conn.pragma_update(None, "user_version", KNOWN + 1).unwrap();
    // What a killed process leaves behind.
    let crashed = tempfile::tempdir().unwrap();
    for (name, bytes) in contents(f.dir.path()) {
        fs::write(crashed.path().join(name), bytes).unwrap();
    }
    let before = contents(crashed.path());
    let error = attempt(&crashed.path().join("hostler.db")).unwrap_err();
    assert!(matches!(error, OpenError::Newer { .. }), "{error:?}");
    let after = contents(crashed.path());
    for name in ["hostler.db", "hostler.db-wal"] {
        assert!(before[name] == after[name], "{name} was touched");
    }
}

#[test]
fn a_database_of_another_program_is_refused_untouched() {
    for sql in ["PRAGMA application_id = 7", "PRAGMA application_id = 0"] {
        let error = refused(altered(sql).path());
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
        assert!(error.to_string().contains("of another program"), "{error}");
    }
}

#[test]
fn what_is_no_database_is_refused_untouched() {
    for garbage in [&b"hello"[..], &[0; 4096], &[b'x'; 100_000]] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("hostler.db"), garbage).unwrap();
        let error = refused(dir.path());
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
        assert!(error.to_string().contains("Move it away"), "{error}");
    }
}

#[test]
fn a_damaged_database_is_refused_untouched() {
    let cut = altered("");
    let file = OpenOptions::new().write(true).open(cut.path().join("hostler.db")).unwrap();
    file.set_len(8192).unwrap();
    let error = refused(cut.path());
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("it has 8192 bytes"), "{error}");

    let overwritten = altered("");
    let mut bytes = fs::read(overwritten.path().join("hostler.db")).unwrap();
    bytes[4096 * 3..4096 * 4].fill(0xff);
    fs::write(overwritten.path().join("hostler.db"), bytes).unwrap();
    let error = refused(overwritten.path());
    assert!(matches!(error, OpenError::Corrupt { found: KNOWN, .. }), "{error:?}");
    assert!(error.to_string().contains(".recover"), "{error}");
}

#[test]
fn a_log_without_its_database_is_not_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut wal = fs::File::create(dir.path().join("hostler.db-wal")).unwrap();
    wal.write_all(b"commits").unwrap();
    let error = refused(dir.path());
    assert!(error.to_string().contains("write-ahead log"), "{error}");
}

#[test]
fn a_long_log_that_a_crash_left_is_folded_in_first() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = before.path().join("hostler.db");
    drop(attempt(&path).unwrap());
    let writer = Connection::open(&path).unwrap();
    writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT zeroblob(4000) FROM n";
    writer.execute_batch(&format!("CREATE TABLE many AS {rows}")).unwrap();
    // As a crash leaves it: whoever has it open would fold it in at the end.
    for name in ["hostler.db", "hostler.db-wal"] {
        fs::copy(before.path().join(name), after.path().join(name)).unwrap();
    }
    let (path, log) = (after.path().join("hostler.db"), after.path().join("hostler.db-wal"));
    assert!(fs::metadata(&log).unwrap().len() > LONG_LOG);
    let store = attempt(&path).unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    drop(store);
    let count = Connection::open(&path).unwrap().query_row("SELECT count(*) FROM many", [], |row| row.get(0));
    assert_eq!(count, Ok(5000));
}

#[test]
fn a_first_transaction_that_a_crash_left_half_done_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostler.db");
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    conn.close().unwrap();
    // A journal that takes the file back to no pages (https://www.sqlite.org/fileformat2.html, section 3).
    let mut journal = vec![0_u8; 512];
    journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    journal[20..24].copy_from_slice(&512_u32.to_be_bytes());
    journal[24..28].copy_from_slice(&4096_u32.to_be_bytes());
    fs::write(sibling(&path, "-journal"), journal).unwrap();
    for _ in 0..2 {
        drop(attempt(&path).unwrap());
        let conn = Connection::open(&path).unwrap();
        let number = |name| conn.pragma_query_value(None, name, |r| r.get::<_, u32>(0)).unwrap();
        assert_eq!((number("application_id"), number("user_version")), (APPLICATION_ID, KNOWN));
    }
}

#[test]
fn an_empty_file_becomes_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd % name?#.db");
    fs::write(&path, b"").unwrap();
    drop(attempt(&path).unwrap());
    drop(attempt(&path).unwrap());
}

#[test]
fn a_locked_database_is_named() {
    let Fixture { store, dir } = Fixture::new();
    drop(store);
    let path = dir.path().join("hostler.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    // Another connection of the same process: SQLite itself keeps the two apart.
    let error = attempt(&path).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("fuser"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing/hostler.db");
    let error = attempt(&missing).unwrap_err().to_string();
    assert!(error.contains("missing/hostler.db") && error.contains("No such file"), "{error}");

    fs::set_permissions(dir.path(), Permissions::from_mode(0o500)).unwrap();
    let read_only = match fs::write(dir.path().join("probe"), b"") {
        // Root may write anywhere but into the kernel's own files.
        Ok(()) => PathBuf::from("/proc/self/hostler.db"),
        Err(_) => dir.path().join("hostler.db"),
    };
    let error = attempt(&read_only).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("directory exists, is writable"), "{error}");
}
