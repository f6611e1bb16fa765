//! Reading output: pages of one process across its runs, at any depth by key.

use std::ops::RangeInclusive;

use hostler_model::event::Severity;
use hostler_model::lines::Stream;
use hostler_model::{ProcessId, RunNo, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::chunks::{self, Candidate};
use crate::error::StoreError;
use crate::events::{self, EventsOf, LogEvent};
use crate::rows::{RowFlags, RowRef};
use crate::runs::RunKey;
use crate::sql;
use crate::store::Store;

/// A stored row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The run that wrote it.
    pub run: RunNo,
    /// That run's number in the store.
    pub run_key: RunKey,
    /// Its number in the run, from 1 without holes.
    pub seq: u64,
    /// When its first byte came.
    pub time: Timestamp,
    /// Where it was written.
    pub stream: Stream,
    /// Its level: that of the event that it is part of.
    pub level: Severity,
    /// What is special about it.
    pub flags: RowFlags,
    /// Its bytes, without the line end.
    pub raw: Vec<u8>,
    /// What parsers made of it, where an event begins with it.
    pub event: Option<LogEvent>,
}

impl LogRow {
    /// Its place among all rows of its process.
    #[must_use]
    pub fn point(&self) -> LogPoint {
        LogPoint { run: self.run, seq: self.seq }
    }
}

/// A place among all rows of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPoint {
    /// The run.
    pub run: RunNo,
    /// The row's number in it.
    pub seq: u64,
}

/// In which order rows are wanted, by run and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

impl Order {
    /// As SQL says it.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Asc => "ASC",
            Self::Desc => "DESC",
        }
    }
}

/// Which rows of a process are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// Whose rows.
    pub process_id: ProcessId,
    /// Of this run only.
    pub run: Option<RunNo>,
    /// Of this stream only.
    pub stream: Option<Stream>,
    /// Of this level and above; [`Severity::UNKNOWN`] for all.
    pub min_level: Severity,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// Behind this place.
    pub after: Option<LogPoint>,
    /// Before this place.
    pub before: Option<LogPoint>,
    /// At most so many rows.
    pub limit: usize,
    /// In which order.
    pub order: Order,
    /// No further row once this many raw bytes are reached; the first row always fits.
    pub max_bytes: usize,
}

impl LogQuery {
    /// The newest rows of a process, without any filter, at most 1 MiB.
    #[must_use]
    pub fn newest(process_id: ProcessId, limit: usize) -> Self {
        Self {
            process_id,
            run: None,
            stream: None,
            min_level: Severity::UNKNOWN,
            since: None,
            until: None,
            after: None,
            before: None,
            limit,
            order: Order::Desc,
            max_bytes: 1 << 20,
        }
    }

    /// Whether a row has the right stream and time.
    pub(crate) fn wants(&self, row: &RowRef<'_>) -> bool {
        self.stream.is_none_or(|stream| row.stream == stream)
            && (self.min_time()..=self.max_time()).contains(&row.time.0)
    }

    /// The earliest time a row may have, nanoseconds.
    pub(crate) fn min_time(&self) -> i64 {
        self.since.map_or(i64::MIN, |t| t.0)
    }

    /// The latest time a row may have, nanoseconds.
    pub(crate) fn max_time(&self) -> i64 {
        self.until.map_or(i64::MAX, |t| t.0.saturating_sub(1))
    }
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The rows, in the order asked for.
    pub rows: Vec<LogRow>,
    /// Whether further rows match behind the last one.
    pub more: bool,
}

impl Store {
    /// Reads a page of a process's output.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn logs(&self, query: LogQuery) -> Result<LogPage, StoreError> {
        self.read(move |conn| page(conn, &query)).await
    }

    /// The place of the newest row of a process; none when it has no output.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn log_head(&self, process: ProcessId) -> Result<Option<LogPoint>, StoreError> {
        self.read(move |conn| head(conn, process)).await
    }

    /// What a process has written behind its last line, of standard output and of standard error: nothing, or the last
    /// so many bytes of a line that has no end yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unfinished(&self, process: ProcessId, most: u32) -> Result<[Vec<u8>; 2], StoreError> {
        self.read(move |conn| {
            let found = conn
                .prepare_cached(
                    // Of an empty blob, substr makes NULL.
                    "SELECT coalesce(substr(carry_stdout, ?2), x''), coalesce(substr(carry_stderr, ?2), x'')
                     FROM runs WHERE process_id = ?1 ORDER BY run DESC LIMIT 1",
                )?
                .query_row(params![process.0, -i64::from(most)], |row| Ok([row.get(0)?, row.get(1)?]))
                .optional()?;
            Ok(found.unwrap_or_default())
        })
        .await
    }

    /// How many rows of a process are stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_rows(&self, process: ProcessId) -> Result<u64, StoreError> {
        self.read(move |conn| count(conn, process)).await
    }
}

pub(crate) fn runs_sql(order: Order) -> String {
    format!(
        "SELECT id, run FROM runs WHERE process_id = ?1 AND run BETWEEN ?2 AND ?3 ORDER BY run {}",
        order.sql()
    )
}

/// A page being filled.
struct Filling<'q> {
    query: &'q LogQuery,
    rows: Vec<LogRow>,
    bytes: usize,
    more: bool,
}

impl Filling<'_> {
    fn is_full(&self) -> bool {
        self.rows.len() >= self.query.limit || (self.bytes >= self.query.max_bytes && !self.rows.is_empty())
    }

    fn push(&mut self, row: LogRow) {
        self.bytes += row.raw.len();
        self.rows.push(row);
    }
}

/// Visits the runs in the order asked for, and each by key: the cost depends on the page, not on its depth.
fn page(conn: &Connection, query: &LogQuery) -> Result<LogPage, StoreError> {
    let mut page = Filling { query, rows: Vec::new(), bytes: 0, more: false };
    let low = query.after.map_or(0, |p| p.run.0).max(query.run.map_or(0, |r| r.0));
    let high = query.before.map_or(u32::MAX, |p| p.run.0).min(query.run.map_or(u32::MAX, |r| r.0));
    let mut runs = conn.prepare_cached(&runs_sql(query.order))?;
    let mut runs = runs.query(params![query.process_id.0, low, high])?;
    while let Some(row) = runs.next()? {
        let (key, run) = (RunKey(row.get(0)?), RunNo(row.get(1)?));
        if !one_run(conn, key, run, &mut page)? {
            break;
        }
    }
    Ok(LogPage { rows: page.rows, more: page.more })
}

/// Fills the page with rows of one run; false when the page is full.
fn one_run(conn: &Connection, key: RunKey, run: RunNo, page: &mut Filling<'_>) -> Result<bool, StoreError> {
    let query = page.query;
    let in_run = |point: Option<LogPoint>| point.filter(|p| p.run == run).map(|p| sql::int(p.seq));
    let low = in_run(query.after).map_or(0, |seq| seq.saturating_add(1));
    let high = in_run(query.before).map_or(i64::MAX, |seq| seq - 1);
    if low > high {
        return Ok(true);
    }
    chunks::candidates(conn, key, low..=high, query, |chunk| {
        one_chunk(conn, (key, run), &chunk, low..=high, page)
    })
}

/// Fills the page with rows of one chunk; false when the page is full.
fn one_chunk(
    conn: &Connection,
    run: (RunKey, RunNo),
    chunk: &Candidate,
    seqs: RangeInclusive<i64>,
    page: &mut Filling<'_>,
) -> Result<bool, StoreError> {
    let rows = chunks::load(conn, chunk)?;
    let query = page.query;
    let seqs = *seqs.start().max(&chunk.first_seq)..=*seqs.end().min(&chunk.last_seq);
    let row_of = |seq: i64| rows.get((seq - chunk.first_seq) as usize);
    // Without a level to look for, those that the page has room for are enough, and one to know whether there are more.
    let room = query.limit.saturating_sub(page.rows.len()).saturating_add(1);
    let most = if query.min_level > Severity::UNKNOWN { usize::MAX } else { room };
    let wanted = |seq: &i64| query.wants(&row_of(*seq));
    let seqs: Vec<i64> = match query.order {
        Order::Asc => seqs.filter(wanted).take(most).collect(),
        Order::Desc => seqs.rev().filter(wanted).take(most).collect(),
    };
    let (Some(first), Some(last)) = (seqs.first(), seqs.last()) else { return Ok(true) };
    let events = EventsOf::load(conn, run.0, *first.min(last)..=*first.max(last))?;
    for seq in seqs {
        let row = row_of(seq);
        let (level, begins) = events.of(sql::uint(seq), row.stream);
        if level < query.min_level {
            continue;
        }
        if page.is_full() {
            page.more = true;
            return Ok(false);
        }
        let event = begins.map(|(events, at)| events::read(events, at, row.raw)).transpose()?;
        page.push(log_row(run, sql::uint(seq), &row, level, event));
    }
    Ok(true)
}

pub(crate) fn log_row(
    (run_key, run): (RunKey, RunNo),
    seq: u64,
    row: &RowRef<'_>,
    level: Severity,
    event: Option<LogEvent>,
) -> LogRow {
    LogRow {
        run,
        run_key,
        seq,
        time: row.time,
        stream: row.stream,
        level,
        flags: row.flags,
        raw: row.raw.to_vec(),
        event,
    }
}

fn head(conn: &Connection, process: ProcessId) -> Result<Option<LogPoint>, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT run, next_seq - 1 FROM runs WHERE process_id = ?1 AND next_seq > 1
             ORDER BY run DESC LIMIT 1",
        )?
        .query_row([process.0], |row| Ok(LogPoint { run: RunNo(row.get(0)?), seq: sql::uint(row.get(1)?) }))
        .optional()?;
    Ok(found)
}

/// Numbers have no holes and only the oldest rows are ever deleted, so the ends of each run tell the count.
fn count(conn: &Connection, process: ProcessId) -> Result<u64, StoreError> {
    let rows: i64 = conn
        .prepare_cached(
            "SELECT coalesce(sum(next_seq - (SELECT min(first_seq) FROM log_chunks WHERE run_id = runs.id)), 0)
             FROM runs WHERE process_id = ?1",
        )?
        .query_row([process.0], |row| row.get(0))?;
    Ok(sql::uint(rows))
}

#[cfg(test)]
mod tests;
