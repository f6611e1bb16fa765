//! The one thread that writes: group commit.
//!
//! A commit costs far more than most operations, so all that wait share one. Each runs in a savepoint of its
//! own; one that fails is rolled back alone. When the whole transaction is lost (no room, an I/O error),
//! each operation is tried again by itself, so that a large one cannot take small ones down with it.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::job::{Job, Message};
use crate::lane::{self, Queue};

/// Most operations in one transaction.
const GROUP: usize = 256;

/// Serves the queue until it is closed, then folds the write-ahead log into the file and closes it.
pub(crate) fn run(conn: Connection, queue: &Queue) {
    while let Some(first) = lane::next(queue) {
        let mut group = gather(first, queue);
        commit(&conn, &mut group);
        for job in group {
            job.answer();
        }
    }
    close(conn);
}

/// The first message and those that wait behind it.
fn gather(first: Message, queue: &Queue) -> Vec<Box<dyn Job>> {
    let mut group = Vec::new();
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Job(job) => group.push(job),
            Message::Close => lane::refuse_more(queue),
        }
        next = if group.len() < GROUP { lane::next_waiting(queue) } else { None };
    }
    group
}

/// Commits a group, or answers each of its jobs with why it could not be.
fn commit(conn: &Connection, group: &mut [Box<dyn Job>]) {
    if group.is_empty() {
        return;
    }
    let Err(error) = commit_together(conn, group) else {
        return;
    };
    if let [only] = group {
        return only.fail(error);
    }
    tracing::warn!(%error, operations = group.len(), "a group of writes failed; trying each by itself");
    let mut locked = None;
    for job in group {
        // Each attempt waits for the lock for seconds; one is enough to know.
        let result = match &locked {
            Some(error) => Err(StoreError::clone(error)),
            None => commit_together(conn, std::slice::from_mut(job)),
        };
        if let Err(error) = result {
            locked = matches!(error, StoreError::Busy(_)).then(|| error.clone());
            job.fail(error);
        }
    }
}

/// One transaction; an error means that nothing of it is stored.
fn commit_together(conn: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let result = execute(conn, "BEGIN IMMEDIATE")
        .and_then(|()| group.iter_mut().try_for_each(|job| in_savepoint(conn, job)))
        .and_then(|()| execute(conn, "COMMIT"));
    if result.is_err()
        && !conn.is_autocommit()
        && let Err(error) = execute(conn, "ROLLBACK")
    {
        tracing::error!(%error, "a failed transaction could not be rolled back");
    }
    result
}

/// Runs one job. Its own failure is undone here; an error means that the whole transaction is lost.
fn in_savepoint(conn: &Connection, job: &mut Box<dyn Job>) -> Result<(), StoreError> {
    execute(conn, "SAVEPOINT job")?;
    let result = job.run(conn);
    if conn.is_autocommit() {
        // SQLite gives up the whole transaction when it runs out of room in the middle of a statement.
        return Err(result.err().unwrap_or_else(|| {
            StoreError::Sqlite("an operation ended the transaction it was part of".to_owned())
        }));
    }
    if result.is_err() {
        execute(conn, "ROLLBACK TO job")?;
    }
    execute(conn, "RELEASE job")
}

fn execute(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn close(conn: Connection) {
    let folded = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    match folded {
        Ok(false) => {}
        Ok(true) => tracing::info!("somebody still reads the database: its write-ahead log stays beside it"),
        Err(error) => tracing::warn!(%error, "the write-ahead log could not be folded into the database"),
    }
    if let Err((_, error)) = conn.close() {
        tracing::warn!(%error, "the database could not be closed");
    }
}

#[cfg(test)]
mod tests;
