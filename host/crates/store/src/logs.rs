//! Reading output: pages of one process across its runs, at any depth by key.

use std::ops::RangeInclusive;

use hostler_model::lines::Stream;
use hostler_model::{ProcessId, RunNo, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::blocks;
use crate::error::StoreError;
use crate::runs::RunKey;
use crate::sql;
use crate::store::Store;

/// What is special about a row: a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RowFlags(pub u8);

impl RowFlags {
    /// An ordinary, whole line.
    pub const NONE: Self = Self(0);
    /// The line goes on in the next row of its stream.
    pub const CONTINUED: Self = Self(1);
    /// No output but a marker: something is missing here, and the row's bytes say what.
    pub const GAP: Self = Self(2);

    /// Whether the line goes on in the next row of its stream.
    #[must_use]
    pub fn is_continued(self) -> bool {
        self.0 & Self::CONTINUED.0 != 0
    }

    /// Whether the row marks a gap.
    #[must_use]
    pub fn is_gap(self) -> bool {
        self.0 & Self::GAP.0 != 0
    }
}

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
    /// OpenTelemetry severity number, 0 when unknown.
    pub level: u8,
    /// What is special about it.
    pub flags: RowFlags,
    /// Its bytes, without the line end.
    pub raw: Vec<u8>,
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
            since: None,
            until: None,
            after: None,
            before: None,
            limit,
            order: Order::Desc,
            max_bytes: 1 << 20,
        }
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

    /// How many rows of a process are stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_rows(&self, process: ProcessId) -> Result<u64, StoreError> {
        self.read(move |conn| count(conn, process)).await
    }
}

fn runs_sql(order: Order) -> String {
    format!(
        "SELECT id, run FROM runs WHERE process_id = ?1 AND run BETWEEN ?2 AND ?3 ORDER BY run {}",
        order.sql()
    )
}

fn rows_sql(order: Order) -> String {
    format!(
        "SELECT seq, time, stream, level, flags, raw FROM log_rows
         WHERE run_id = ?1 AND seq BETWEEN ?2 AND ?3 AND time BETWEEN ?4 AND ?5
         AND (?6 IS NULL OR stream = ?6) ORDER BY seq {}",
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
    if query.stream.is_none() && query.since.is_none() && query.until.is_none() {
        return range(conn, key, run, low..=high, page);
    }
    blocks::candidates(conn, key, low..=high, query, |seqs| range(conn, key, run, seqs, page))
}

/// Fills the page with rows of one range of a run; false when the page is full.
fn range(
    conn: &Connection,
    key: RunKey,
    run: RunNo,
    seqs: RangeInclusive<i64>,
    page: &mut Filling<'_>,
) -> Result<bool, StoreError> {
    let query = page.query;
    let mut statement = conn.prepare_cached(&rows_sql(query.order))?;
    let mut rows = statement.query(params![
        key.0,
        seqs.start(),
        seqs.end(),
        query.min_time(),
        query.max_time(),
        query.stream.map(|s| s as u8)
    ])?;
    while let Some(row) = rows.next()? {
        // One row further than the page, to know whether there is one.
        if page.is_full() {
            page.more = true;
            return Ok(false);
        }
        page.push(log_row(row, key, run)?);
    }
    Ok(true)
}

fn log_row(row: &Row<'_>, run_key: RunKey, run: RunNo) -> rusqlite::Result<LogRow> {
    Ok(LogRow {
        run,
        run_key,
        seq: sql::uint(row.get(0)?),
        time: Timestamp(row.get(1)?),
        stream: match row.get(2)? {
            0_u8 => Stream::Stdout,
            _ => Stream::Stderr,
        },
        level: row.get(3)?,
        flags: RowFlags(row.get(4)?),
        raw: row.get(5)?,
    })
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
            "SELECT coalesce(sum(next_seq - (SELECT min(seq) FROM log_rows WHERE run_id = runs.id)), 0)
             FROM runs WHERE process_id = ?1",
        )?
        .query_row([process.0], |row| row.get(0))?;
    Ok(sql::uint(rows))
}

#[cfg(test)]
mod tests;
