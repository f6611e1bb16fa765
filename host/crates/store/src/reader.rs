//! The threads that read, each from one state of the database at a time.

use rusqlite::Connection;

use crate::error::StoreError;
use crate::job::{Job, Message};
use crate::lane::{self, Queue};

/// Serves the queue until it is closed.
pub(crate) fn run(conn: Connection, queue: &Queue) {
    while let Some(message) = lane::next(queue) {
        match message {
            Message::Close => return,
            // A read that nobody waits for has no effect worth having.
            Message::Job(job) if job.is_abandoned() => {}
            Message::Job(mut job) => {
                if let Err(error) = in_snapshot(&conn, job.as_mut()) {
                    job.fail(error);
                }
                job.answer();
            }
        }
    }
}

/// A transaction, so that a job of several statements sees one state of the database. It is ended before the
/// answer: an open one would keep the write-ahead log from being reset.
fn in_snapshot(conn: &Connection, job: &mut dyn Job) -> Result<(), StoreError> {
    let snapshot = conn.unchecked_transaction()?;
    let result = job.run(conn);
    snapshot.finish()?;
    result
}
