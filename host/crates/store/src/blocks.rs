//! Summaries of a few thousand rows each, by which a query by time or stream skips what cannot match.
//!
//! Rows stand in order of arrival. That is not quite the order of time: a line has the time of its first
//! byte, and a clock may be set back. So no search by halves finds the right rows, but a summary does.

use std::ops::RangeInclusive;

use hostler_model::Timestamp;
use hostler_model::lines::Stream;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::StoreError;
use crate::logs::{LogQuery, Order};
use crate::runs::RunKey;

/// Most rows of one block.
pub(crate) const BLOCK_ROWS: i64 = 4096;

#[derive(Clone, Copy)]
struct Block {
    first_seq: i64,
    last_seq: i64,
    min_time: i64,
    max_time: i64,
    streams: i64,
}

/// Writes the summaries of rows while these are inserted.
pub(crate) struct Blocks<'c> {
    conn: &'c Connection,
    run: RunKey,
    open: Option<Block>,
}

impl<'c> Blocks<'c> {
    /// Goes on with the newest block of a run.
    pub(crate) fn resume(conn: &'c Connection, run: RunKey) -> Result<Self, StoreError> {
        let open = conn
            .prepare_cached(
                "SELECT first_seq, last_seq, min_time, max_time, streams FROM log_blocks
                 WHERE run_id = ?1 ORDER BY first_seq DESC LIMIT 1",
            )?
            .query_row([run.0], block)
            .optional()?;
        Ok(Self { conn, run, open })
    }

    /// Takes the next row into account.
    pub(crate) fn add(&mut self, seq: i64, time: Timestamp, stream: Stream) -> Result<(), StoreError> {
        if self.open.is_some_and(|open| seq - open.first_seq >= BLOCK_ROWS) {
            self.write()?;
            self.open = None;
        }
        let open = self.open.get_or_insert(Block {
            first_seq: seq,
            last_seq: seq,
            min_time: time.0,
            max_time: time.0,
            streams: 0,
        });
        open.last_seq = seq;
        open.min_time = open.min_time.min(time.0);
        open.max_time = open.max_time.max(time.0);
        open.streams |= bit(stream);
        Ok(())
    }

    /// Writes the last, unfinished block.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        self.write()
    }

    fn write(&self) -> Result<(), StoreError> {
        let Some(open) = self.open else { return Ok(()) };
        self.conn
            .prepare_cached(
                "INSERT INTO log_blocks (run_id, first_seq, last_seq, min_time, max_time, streams)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (run_id, first_seq) DO UPDATE SET last_seq = excluded.last_seq,
                 min_time = excluded.min_time, max_time = excluded.max_time, streams = excluded.streams",
            )?
            .execute(params![
                self.run.0,
                open.first_seq,
                open.last_seq,
                open.min_time,
                open.max_time,
                open.streams
            ])?;
        Ok(())
    }
}

fn bit(stream: Stream) -> i64 {
    1 << stream as u8
}

fn block(row: &Row<'_>) -> rusqlite::Result<Block> {
    Ok(Block {
        first_seq: row.get(0)?,
        last_seq: row.get(1)?,
        min_time: row.get(2)?,
        max_time: row.get(3)?,
        streams: row.get(4)?,
    })
}

pub(crate) fn blocks_sql(order: Order) -> String {
    format!(
        "SELECT first_seq, last_seq FROM log_blocks
         WHERE run_id = ?1 AND first_seq BETWEEN ?2 AND ?3 AND last_seq >= ?4
         AND max_time >= ?5 AND min_time <= ?6 AND streams & ?7
         ORDER BY first_seq {}",
        order.sql()
    )
}

/// The ranges of rows, within `range` and in the order of the query, outside of which no row of a run
/// passes the filters of the query.
pub(crate) fn candidates(
    conn: &Connection,
    run: RunKey,
    range: RangeInclusive<i64>,
    query: &LogQuery,
    mut visit: impl FnMut(RangeInclusive<i64>) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(&blocks_sql(query.order))?;
    let (low, high) = (*range.start(), *range.end());
    let mut rows = statement.query(params![
        run.0,
        // A block that reaches into the range begins at most one block before it.
        low.saturating_sub(BLOCK_ROWS),
        high,
        low,
        query.min_time(),
        query.max_time(),
        query.stream.map_or(bit(Stream::Stdout) | bit(Stream::Stderr), bit)
    ])?;
    while let Some(row) = rows.next()? {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        if !visit(first.max(low)..=last.min(high))? {
            return Ok(false);
        }
    }
    Ok(true)
}
