//! Ingest: from a journal into rows, exactly once.
//!
//! Rows, the journal position they end at, and the unfinished lines carried over are one transaction. A
//! daemon that dies anywhere goes on from the stored position, and neither loses nor repeats a row.

use std::ops::RangeInclusive;

use hostler_model::Timestamp;
use hostler_model::lines::Carry;
use rusqlite::{Connection, OptionalExtension, params};

use crate::chunks::{self, NewChunk};
use crate::codec::Effort;
use crate::error::StoreError;
use crate::rows::Rows;
use crate::runs::{RunKey, gone};
use crate::sql;
use crate::store::Store;

/// A place in a journal: everything before it is consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JournalPosition {
    /// The number of the segment.
    pub segment: u64,
    /// Bytes of that segment that are consumed.
    pub offset: u64,
}

/// What was read of one journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestBatch {
    /// Whose journal it is.
    pub run: RunKey,
    /// How far it was read.
    pub position: JournalPosition,
    /// The unfinished line of standard output at that place.
    pub carry_stdout: Carry,
    /// The unfinished line of standard error at that place.
    pub carry_stderr: Carry,
    /// The lines that ended before that place, in order.
    pub rows: Rows,
    /// Nothing will follow.
    pub drained: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// It is stored.
    Stored {
        /// The numbers its rows got; none when it had no rows.
        rows: Option<RangeInclusive<u64>>,
    },
    /// Its run was removed meanwhile; nothing is stored.
    RunGone,
    /// The store is already further in that journal; nothing is stored. Go on from its position.
    Behind {
        /// How far the store is.
        stored: JournalPosition,
    },
}

/// Where ingest of a run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestState {
    /// How far its journal is in the store.
    pub position: JournalPosition,
    /// The unfinished line of standard output at that place.
    pub carry_stdout: Carry,
    /// The unfinished line of standard error at that place.
    pub carry_stderr: Carry,
    /// The number its next row gets.
    pub next_seq: u64,
    /// Whether the journal is wholly in the store.
    pub drained: bool,
}

impl Store {
    /// Stores batches, all in one transaction, and answers what became of each, in order.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing of any batch is stored, and they may be given again.
    pub async fn commit_ingest(&self, batches: Vec<IngestBatch>) -> Result<Vec<Ingested>, StoreError> {
        let batches = encode(batches);
        self.write_if_room(move |conn| commit(conn, &batches)).await
    }

    /// [`Store::commit_ingest`] for a thread of its own. Waits while the writer's queue is full.
    ///
    /// # Panics
    /// On a thread of an async runtime, which must not wait.
    ///
    /// # Errors
    /// As [`Store::commit_ingest`].
    pub fn commit_ingest_blocking(&self, batches: Vec<IngestBatch>) -> Result<Vec<Ingested>, StoreError> {
        let batches = encode(batches);
        self.write_if_room_blocking(move |conn| commit(conn, &batches))
    }

    /// Where ingest of a run goes on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run is gone.
    pub async fn ingest_state(&self, run: RunKey) -> Result<IngestState, StoreError> {
        self.read(move |conn| state(conn, run)).await
    }

    /// [`Store::ingest_state`] for a thread of its own.
    ///
    /// # Panics
    /// On a thread of an async runtime, which must not wait.
    ///
    /// # Errors
    /// As [`Store::ingest_state`].
    pub fn ingest_state_blocking(&self, run: RunKey) -> Result<IngestState, StoreError> {
        self.read_blocking(move |conn| state(conn, run))
    }
}

/// A batch as it will be stored: made by who brings it, so that the writer need not.
struct Encoded {
    chunks: Vec<NewChunk>,
    /// The batch without its rows.
    batch: IngestBatch,
}

fn encode(batches: Vec<IngestBatch>) -> Vec<Encoded> {
    let encoded = batches.into_iter().map(|mut batch| {
        let rows = std::mem::take(&mut batch.rows);
        Encoded { chunks: NewChunk::of(&rows, Effort::Quick), batch }
    });
    encoded.collect()
}

fn commit(conn: &Connection, batches: &[Encoded]) -> Result<Vec<Ingested>, StoreError> {
    batches.iter().map(|encoded| store(conn, encoded)).collect()
}

fn store(conn: &Connection, encoded: &Encoded) -> Result<Ingested, StoreError> {
    let batch = &encoded.batch;
    let Some((stored, first)) = progress(conn, batch.run)? else {
        return Ok(Ingested::RunGone);
    };
    if batch.position < stored {
        return Ok(Ingested::Behind { stored });
    }
    let mut next = first;
    for chunk in &encoded.chunks {
        chunks::insert(conn, batch.run, next, chunk)?;
        next += chunk.rows();
    }
    advance(conn, batch, next)?;
    let rows = (next > first).then(|| sql::uint(first)..=sql::uint(next - 1));
    Ok(Ingested::Stored { rows })
}

/// The stored position and the number of the next row; none when the run is gone.
fn progress(conn: &Connection, run: RunKey) -> Result<Option<(JournalPosition, i64)>, StoreError> {
    let found = conn
        .prepare_cached("SELECT journal_segment, journal_offset, next_seq FROM runs WHERE id = ?1")?
        .query_row([run.0], |row| {
            let position =
                JournalPosition { segment: sql::uint(row.get(0)?), offset: sql::uint(row.get(1)?) };
            Ok((position, row.get(2)?))
        })
        .optional()?;
    Ok(found)
}

fn advance(conn: &Connection, batch: &IngestBatch, next_seq: i64) -> Result<(), StoreError> {
    conn.prepare_cached(
        "UPDATE runs SET journal_segment = ?2, journal_offset = ?3, carry_stdout = ?4,
         carry_stdout_since = ?5, carry_stderr = ?6, carry_stderr_since = ?7, next_seq = ?8,
         drained = drained OR ?9 WHERE id = ?1",
    )?
    .execute(params![
        batch.run.0,
        sql::int(batch.position.segment),
        sql::int(batch.position.offset),
        batch.carry_stdout.bytes,
        batch.carry_stdout.since.0,
        batch.carry_stderr.bytes,
        batch.carry_stderr.since.0,
        next_seq,
        batch.drained
    ])?;
    Ok(())
}

fn state(conn: &Connection, run: RunKey) -> Result<IngestState, StoreError> {
    conn.prepare_cached(
        "SELECT journal_segment, journal_offset, carry_stdout, carry_stdout_since, carry_stderr,
         carry_stderr_since, next_seq, drained FROM runs WHERE id = ?1",
    )?
    .query_row([run.0], |row| {
        let carry = |at: usize| {
            Ok::<_, rusqlite::Error>(Carry { bytes: row.get(at)?, since: Timestamp(row.get(at + 1)?) })
        };
        Ok(IngestState {
            position: JournalPosition { segment: sql::uint(row.get(0)?), offset: sql::uint(row.get(1)?) },
            carry_stdout: carry(2)?,
            carry_stderr: carry(4)?,
            next_seq: sql::uint(row.get(6)?),
            drained: row.get(7)?,
        })
    })
    .optional()?
    .ok_or_else(|| gone(run))
}

#[cfg(test)]
mod tests;
