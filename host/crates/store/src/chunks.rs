//! Chunks: lines by the thousand in one row, with what a query must know before it reads them.
//!
//! Rows stand in order of arrival. That is not quite the order of time: a line has the time of its first
//! byte, and a clock may be set back. So no search by halves finds the right rows, but a summary does.

use std::ops::RangeInclusive;

use hostler_model::event::Severity;
use hostler_model::lines::Stream;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::codec::{self, Effort};
use crate::error::StoreError;
use crate::logs::{LogQuery, Order};
use crate::rows::Rows;
use crate::runs::RunKey;
use crate::sql;

/// Rows on their way into the store, as they will stand there.
#[derive(Debug, Clone)]
pub(crate) struct NewChunk {
    rows: i64,
    min_time: i64,
    max_time: i64,
    streams: i64,
    text_bytes: i64,
    data: Vec<u8>,
}

impl NewChunk {
    /// The rows in as many chunks as they need.
    pub(crate) fn of(rows: &Rows, effort: Effort) -> Vec<Self> {
        let pieces = codec::rows::pieces(rows).into_iter();
        pieces
            .map(|range| {
                let times = &rows.times[range.clone()];
                let text = rows.start(range.end) - rows.start(range.start);
                Self {
                    rows: sql::int(range.len() as u64),
                    min_time: times.iter().copied().min().unwrap_or(0),
                    max_time: times.iter().copied().max().unwrap_or(0),
                    streams: rows.marks[range.clone()].iter().fold(0, |all, mark| all | 1 << (mark & 1)),
                    text_bytes: sql::int(text as u64),
                    data: codec::rows::encode(rows, range, effort),
                }
            })
            .collect()
    }

    /// How long its blob is.
    pub(crate) fn data_len(&self) -> usize {
        self.data.len()
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> i64 {
        self.rows
    }
}

/// What a chunk that was made of others has of them, and in addition.
pub(crate) struct Sealed<'a> {
    /// Under which number its parts are found.
    pub(crate) id: i64,
    pub(crate) levels: i64,
    /// With it, the chunk is sealed; without, it may grow further.
    pub(crate) filter: Option<&'a [u8]>,
}

/// Stores a chunk whose first row has this number.
pub(crate) fn insert(
    conn: &Connection,
    run: RunKey,
    first_seq: i64,
    chunk: &NewChunk,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO log_data (data) VALUES (?1)")?.execute([&chunk.data])?;
    let sealed = Sealed { id: conn.last_insert_rowid(), levels: level_bit(Severity::UNKNOWN), filter: None };
    describe(conn, run, first_seq, chunk, &sealed)
}

/// Stores a chunk that was made of others, which are deleted.
pub(crate) fn insert_merged(
    conn: &Connection,
    run: RunKey,
    first_seq: i64,
    chunk: &NewChunk,
    sealed: &Sealed<'_>,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO log_data (id, data) VALUES (?1, ?2)")?
        .execute(params![sealed.id, chunk.data])?;
    if let Some(filter) = sealed.filter {
        conn.prepare_cached("INSERT INTO log_filters (id, filter) VALUES (?1, ?2)")?
            .execute(params![sealed.id, filter])?;
    }
    describe(conn, run, first_seq, chunk, sealed)
}

fn describe(
    conn: &Connection,
    run: RunKey,
    first_seq: i64,
    chunk: &NewChunk,
    sealed: &Sealed<'_>,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO log_chunks (run_id, first_seq, last_seq, min_time, max_time, streams, levels, text_bytes,
         stored_bytes, sealed, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        run.0,
        first_seq,
        first_seq + chunk.rows - 1,
        chunk.min_time,
        chunk.max_time,
        chunk.streams,
        sealed.levels,
        chunk.text_bytes,
        sql::int((chunk.data.len() + sealed.filter.map_or(0, <[u8]>::len)) as u64),
        sealed.filter.is_some(),
        sealed.id
    ])?;
    Ok(())
}

/// A chunk that may have rows that are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) first_seq: i64,
    pub(crate) last_seq: i64,
    pub(crate) id: i64,
}

impl Candidate {
    /// The rows of its blob.
    pub(crate) fn decode(&self, data: &[u8]) -> Result<Rows, StoreError> {
        let rows = codec::rows::decode(data)?;
        if rows.len() as i64 == self.last_seq - self.first_seq + 1 {
            Ok(rows)
        } else {
            Err(StoreError::Unreadable("a chunk of output has another number of lines".to_owned()))
        }
    }
}

/// The lines of a chunk.
pub(crate) fn load(conn: &Connection, candidate: &Candidate) -> Result<Rows, StoreError> {
    conn.prepare_cached("SELECT data FROM log_data WHERE id = ?1")?
        .query_row([candidate.id], |row| Ok(candidate.decode(row.get_ref(0)?.as_blob()?)))?
}

fn stream_bit(stream: Stream) -> i64 {
    1 << stream as u8
}

/// The bit of a level in `levels`.
pub(crate) fn level_bit(severity: Severity) -> i64 {
    1 << severity.number()
}

/// The bits of a level and all above it.
fn levels_from(severity: Severity) -> i64 {
    (-1_i64 << severity.number()) & 0x01ff_ffff
}

pub(crate) fn candidates_sql(order: Order) -> String {
    format!(
        "SELECT first_seq, last_seq, id FROM log_chunks
         WHERE run_id = ?1 AND first_seq BETWEEN ?2 AND ?3 AND last_seq >= ?4
         AND max_time >= ?5 AND min_time <= ?6 AND streams & ?7 AND levels & ?8
         ORDER BY first_seq {}",
        order.sql()
    )
}

/// The first row of the chunk that a row is in.
pub(crate) fn chunk_start(conn: &Connection, run: RunKey, seq: i64) -> Result<i64, StoreError> {
    let start = conn
        .prepare_cached(
            "SELECT first_seq FROM log_chunks WHERE run_id = ?1 AND first_seq <= ?2
             ORDER BY first_seq DESC LIMIT 1",
        )?
        .query_row(params![run.0, seq], |row| row.get(0))
        .optional()?;
    Ok(start.unwrap_or(seq))
}

/// Visits, in the order of the query, the chunks of a run that have rows in `range` and outside of which no row
/// passes the filters of the query; until it is told that it was enough.
pub(crate) fn candidates(
    conn: &Connection,
    run: RunKey,
    range: RangeInclusive<i64>,
    query: &LogQuery,
    mut visit: impl FnMut(Candidate) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    let (low, high) = (*range.start(), *range.end());
    let mut statement = conn.prepare_cached(&candidates_sql(query.order))?;
    let mut rows = statement.query(params![
        run.0,
        chunk_start(conn, run, low)?,
        high,
        low,
        query.min_time(),
        query.max_time(),
        query.stream.map_or(stream_bit(Stream::Stdout) | stream_bit(Stream::Stderr), stream_bit),
        levels_from(query.min_level)
    ])?;
    while let Some(row) = rows.next()? {
        if !visit(candidate(row)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(crate) fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    Ok(Candidate { first_seq: row.get(0)?, last_seq: row.get(1)?, id: row.get(2)? })
}

/// Notes that lines of a run have these levels: pairs of a number and a bit, in order.
pub(crate) fn add_levels(
    conn: &Connection,
    run: RunKey,
    range: RangeInclusive<i64>,
    levels: impl Fn(RangeInclusive<i64>) -> i64,
) -> Result<(), StoreError> {
    let chunks = conn
        .prepare_cached(
            "SELECT first_seq, last_seq, id FROM log_chunks WHERE run_id = ?1 AND first_seq BETWEEN ?2 AND ?3",
        )?
        .query_map(params![run.0, chunk_start(conn, run, *range.start())?, range.end()], candidate)?
        .collect::<Result<Vec<_>, _>>()?;
    let mut update = conn.prepare_cached(
        "UPDATE log_chunks SET levels = levels | ?3 WHERE run_id = ?1 AND first_seq = ?2 AND levels & ?3 <> ?3",
    )?;
    for chunk in chunks {
        update.execute(params![run.0, chunk.first_seq, levels(chunk.first_seq..=chunk.last_seq)])?;
    }
    Ok(())
}
