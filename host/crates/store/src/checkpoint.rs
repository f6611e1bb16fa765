//! Folding the write-ahead log into the file, on a thread of its own: it waits for the disk, which can take seconds,
//! and no commit waits with it.
//!
//! SQLite's own checkpoints run within the commit that fills the log's first thousand pages. On a disk that others
//! write to, that commit took up to 40 seconds, and with it all that waited behind it.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

/// Pages that are worth a checkpoint; SQLite's own choice.
const WORTH: u32 = 1000;

/// Pages of a log that is too long, 64 MiB: whoever commits waits until it is folded in, or until a pass is over.
const TOO_LONG: u32 = 16 << 10;

/// Longest wait of a commit for a log that is too long. A disk this slow is better used with a long log.
const PATIENCE: Duration = Duration::from_secs(5);

/// The thread that folds.
pub(crate) struct Checkpointer {
    log: Arc<Log>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is known of the write-ahead log.
#[derive(Default)]
struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Pages that the log has.
    pages: u32,
    /// Pages that it had when the last pass began.
    passed: u32,
    /// A pass is being made.
    folding: bool,
    ended: bool,
}

impl Checkpointer {
    /// Starts the thread with a connection of its own, which can write, and makes `writer` tell of its commits.
    pub(crate) fn start(writer: &mut Connection, own: Connection) -> io::Result<Self> {
        let log = Arc::new(Log::default());
        let told = Arc::clone(&log);
        writer
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
                told.grew(u32::try_from(pages).unwrap_or(0));
                Ok(())
            }))
            .map_err(io::Error::other)?;
        let folding = Arc::clone(&log);
        let thread =
            std::thread::Builder::new().name("store-checkpoint".into()).spawn(move || run(&folding, &own))?;
        Ok(Self { log, thread: Mutex::new(Some(thread)) })
    }

    /// Lets the thread finish its pass, and ends it. The log then grows until the database is closed.
    pub(crate) fn stop(&self) {
        self.log.lock().ended = true;
        self.log.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|t| t.join().is_err()) {
            tracing::error!("the thread that folds the write-ahead log panicked");
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After each commit: the log has so many pages.
    fn grew(&self, pages: u32) {
        let mut state = self.lock();
        if pages < state.pages {
            // All of it was in the file, and it began anew.
            state.passed = 0;
        }
        state.pages = pages;
        if !state.is_worth_it() {
            return;
        }
        self.changed.notify_all();
        if state.is_too_long() {
            let waits = |s: &mut State| !s.ended && (s.folding || s.passed < s.pages);
            drop(self.changed.wait_timeout_while(state, PATIENCE, waits));
        }
    }

    /// Waits until a pass is worth it, and begins it; false at the end.
    fn begin(&self) -> bool {
        let waits = |s: &mut State| !s.ended && !s.is_worth_it();
        let mut state = self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        state.passed = state.pages;
        state.folding = !state.ended;
        state.folding
    }

    fn finish(&self) {
        self.lock().folding = false;
        self.changed.notify_all();
    }
}

impl State {
    fn is_worth_it(&self) -> bool {
        self.pages - self.passed >= WORTH || (self.is_too_long() && self.passed < self.pages)
    }

    fn is_too_long(&self) -> bool {
        self.pages >= TOO_LONG
    }
}

fn run(log: &Log, conn: &Connection) {
    while log.begin() {
        fold(conn);
        log.finish();
    }
}

/// One pass, in the way of nobody: what somebody still reads from the log stays there. A pass that fails (no room, a
/// broken disk) costs nothing: the log is as good a place, and the next one comes with the next thousand pages.
fn fold(conn: &Connection) {
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the write-ahead log could not be folded into the database");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn database(path: &Path) -> Connection {
        let conn = Connection::open(path).unwrap();
        conn.pragma_update(None, "journal_mode", "WAL").unwrap();
        conn
    }

    fn log_bytes(path: &Path) -> u64 {
        std::fs::metadata(crate::open::sibling(path, "-wal")).unwrap().len()
    }

    /// Commits about `pages` pages, a hundred in each transaction.
    fn fill(conn: &Connection, pages: u32) {
        for _ in 0..pages / 100 {
            conn.execute("INSERT INTO t SELECT randomblob(400000)", []).unwrap();
            conn.execute("DELETE FROM t", []).unwrap();
        }
    }

    #[test]
    fn a_log_that_is_written_without_a_pause_stays_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let mut writer = database(&path);
        writer.execute("CREATE TABLE t (data BLOB)", []).unwrap();
        let checkpointer = Checkpointer::start(&mut writer, database(&path)).unwrap();
        fill(&writer, 3 * TOO_LONG);
        checkpointer.stop();
        assert!(log_bytes(&path) < u64::from(TOO_LONG + 1000) * 4200, "{}", log_bytes(&path));
    }

    #[test]
    fn a_reader_holds_up_the_folding_and_not_the_writing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let mut writer = database(&path);
        writer.execute("CREATE TABLE t (data BLOB)", []).unwrap();
        let checkpointer = Checkpointer::start(&mut writer, database(&path)).unwrap();
        let reader = database(&path);
        let snapshot = reader.unchecked_transaction().unwrap();
        let count = || snapshot.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(count(), 0);
        fill(&writer, TOO_LONG + 2000);
        writer.execute("INSERT INTO t VALUES (x'00')", []).unwrap();
        assert_eq!(count(), 0, "it reads what it read before");
        checkpointer.stop();
        assert!(log_bytes(&path) > u64::from(TOO_LONG) * 4096);
    }

    #[test]
    fn what_is_committed_after_the_end_waits_for_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let mut writer = database(&path);
        writer.execute("CREATE TABLE t (data BLOB)", []).unwrap();
        Checkpointer::start(&mut writer, database(&path)).unwrap().stop();
        fill(&writer, TOO_LONG + 1000);
    }
}
