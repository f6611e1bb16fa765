//! What goes: the oldest lines, when there are too many, when they are too old, or when somebody says so.
//!
//! Of a run only the oldest lines ever go, so numbers stay without holes and places stay valid. The room is used again
//! by what comes next: the file does not shrink, and does not grow beyond what was kept at once.

use hostler_model::{ProcessId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::chunks::{self, Candidate, NewChunk, Sealed};
use crate::codec::Effort;
use crate::error::StoreError;
use crate::rows::Rows;
use crate::runs::RunKey;
use crate::sql;
use crate::store::Store;

/// How much output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Of all processes together, bytes on disk.
    pub total_bytes: u64,
    /// Of each process, bytes on disk.
    pub process_bytes: u64,
    /// Not what is older than this.
    pub since: Option<Timestamp>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Lines.
    pub lines: u64,
    /// Bytes on disk that are free for what comes next.
    pub bytes: u64,
}

impl Removed {
    fn add(&mut self, more: Self) {
        self.lines += more.lines;
        self.bytes += more.bytes;
    }
}

/// Chunks that go in one transaction.
const PIECE: usize = 64;

/// Lines of a run that are to go.
#[derive(Debug, Clone, Copy)]
struct Going {
    run: RunKey,
    /// Those before this number,
    end: i64,
    /// and before this time.
    before: Option<Timestamp>,
}

struct Old {
    run: RunKey,
    chunk: Candidate,
    max_time: i64,
    bytes: i64,
    sealed: bool,
    levels: i64,
}

impl Store {
    /// Removes some of what is not to be kept, the oldest first; nothing when all is as it should be.
    ///
    /// # Panics
    /// On a thread of an async runtime, which must not wait.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn retain_step_blocking(&self, keep: Keep) -> Result<Removed, StoreError> {
        let going = self.read_blocking(move |conn| too_much(conn, keep))?;
        if going.is_empty() {
            return Ok(Removed::default());
        }
        self.write_blocking(move |conn| remove(conn, &going))
    }

    /// Removes the lines of a process that are older than a time, or all that it has now; or says what that would be. Both
    /// count alike: lines, their filters and what parsers found in them.
    ///
    /// # Panics
    /// On a thread of an async runtime, which must not wait.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn clear_logs_blocking(
        &self,
        process: ProcessId,
        before: Option<Timestamp>,
        dry_run: bool,
    ) -> Result<Removed, StoreError> {
        // What is written from here on stays: who clears the log of a busy process would never be done.
        let runs: Vec<(RunKey, i64)> = self.read_blocking(move |conn| {
            let mut statement = conn.prepare_cached("SELECT id, next_seq FROM runs WHERE process_id = ?1")?;
            let runs = statement.query_map([process.0], |row| Ok((RunKey(row.get(0)?), row.get(1)?)))?;
            Ok(runs.collect::<Result<_, _>>()?)
        })?;
        let mut removed = Removed::default();
        for (run, end) in runs {
            let going = Going { run, end, before };
            if dry_run {
                removed.add(self.read_blocking(move |conn| would_go(conn, going))?);
                continue;
            }
            loop {
                let (more, done) = self.write_blocking(move |conn| clear_piece(conn, going))?;
                removed.add(more);
                if done {
                    break;
                }
            }
        }
        Ok(removed)
    }

    /// Bytes of output on disk, of each process that has any.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn log_sizes(&self) -> Result<Vec<(ProcessId, u64)>, StoreError> {
        self.read(sizes).await
    }
}

fn sizes(conn: &Connection) -> Result<Vec<(ProcessId, u64)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT process_id, sum(bytes) FROM (
             SELECT run_id, sum(stored_bytes) AS bytes FROM log_chunks GROUP BY run_id
             UNION ALL SELECT run_id, sum(length(data)) FROM log_events GROUP BY run_id
         ) JOIN runs ON runs.id = run_id GROUP BY process_id",
    )?;
    let sizes = statement.query_map([], |row| Ok((ProcessId(row.get(0)?), sql::uint(row.get(1)?))))?;
    Ok(sizes.collect::<Result<_, _>>()?)
}

/// Some chunks that are too much, each the oldest of its run when those before it are gone.
fn too_much(conn: &Connection, keep: Keep) -> Result<Vec<Old>, StoreError> {
    let sizes = sizes(conn)?;
    let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
    if let Some(over) = total.checked_sub(keep.total_bytes).filter(|over| *over > 0) {
        return oldest(conn, None, over);
    }
    for (process, bytes) in sizes {
        if let Some(over) = bytes.checked_sub(keep.process_bytes).filter(|over| *over > 0) {
            return oldest(conn, Some(process), over);
        }
    }
    let Some(since) = keep.since else { return Ok(Vec::new()) };
    let sql = select(
        "JOIN (SELECT run_id AS r, min(first_seq) AS f FROM log_chunks GROUP BY run_id)
         ON run_id = r AND first_seq = f WHERE max_time < ?1 LIMIT ?2",
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let old = statement.query_map(params![since.0, PIECE as i64], old)?;
    Ok(old.collect::<Result<_, _>>()?)
}

/// The oldest chunks, until they are so many bytes.
fn oldest(conn: &Connection, process: Option<ProcessId>, over: u64) -> Result<Vec<Old>, StoreError> {
    let sql = select(
        "WHERE ?1 IS NULL OR run_id IN (SELECT id FROM runs WHERE process_id = ?1) ORDER BY id LIMIT ?2",
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut left = sql::int(over);
    let mut found = Vec::new();
    for chunk in statement.query_map(params![process.map(|p| p.0), PIECE as i64], old)? {
        let chunk: Old = chunk?;
        left -= chunk.bytes;
        found.push(chunk);
        if left <= 0 {
            break;
        }
    }
    Ok(found)
}

impl Going {
    /// Whether no line of a chunk stays.
    fn takes(self, old: &Old) -> bool {
        old.chunk.last_seq < self.end && self.before.is_none_or(|before| old.max_time < before.0)
    }

    /// So many chunks of the run that go, the oldest first; apart, the one behind them that goes in part, perhaps.
    fn chunks(self, conn: &Connection, most: usize) -> Result<(Vec<Old>, Option<Old>), StoreError> {
        let mut statement =
            conn.prepare_cached(&select("WHERE run_id = ?1 AND first_seq < ?2 ORDER BY first_seq LIMIT ?3"))?;
        let mut whole = Vec::new();
        for chunk in statement.query_map(params![self.run.0, self.end, sql::int(most as u64)], old)? {
            let chunk: Old = chunk?;
            if !self.takes(&chunk) {
                return Ok((whole, Some(chunk)));
            }
            whole.push(chunk);
        }
        Ok((whole, None))
    }
}

/// What [`clear_piece`] would remove in all.
fn would_go(conn: &Connection, going: Going) -> Result<Removed, StoreError> {
    let (whole, partly) = going.chunks(conn, i64::MAX as usize)?;
    let mut removed = whole.iter().fold(Removed::default(), |mut sum, old| {
        sum.add(Removed { lines: lines(&old.chunk), bytes: sql::uint(old.bytes) });
        sum
    });
    let mut last_seq = whole.last().map(|old| old.chunk.last_seq);
    if let Some(old) = &partly
        && let Some(cut) = Cut::of(conn, old, going)?
    {
        removed.add(cut.removed(old));
        last_seq = Some(cut.first_seq - 1);
    }
    if let Some(last_seq) = last_seq {
        removed.bytes += events_until(conn, going.run, last_seq)?;
    }
    Ok(removed)
}

/// Removes some of what is to go, and says whether that was the last of it. It looks and removes in one transaction: what is
/// sealed meanwhile is another chunk, and would stay.
fn clear_piece(conn: &Connection, going: Going) -> Result<(Removed, bool), StoreError> {
    let (whole, partly) = going.chunks(conn, PIECE)?;
    let mut removed = remove(conn, &whole)?;
    if let Some(old) = &partly
        && let Some(cut) = Cut::of(conn, old, going)?
    {
        removed.add(cut.removed(old));
        cut.put(conn, old)?;
        removed.bytes += forget_events(conn, going.run, cut.first_seq - 1)?;
    }
    Ok((removed, partly.is_some() || whole.len() < PIECE))
}

fn select(rest: &str) -> String {
    format!(
        "SELECT first_seq, last_seq, id, run_id, max_time, stored_bytes, sealed, levels FROM log_chunks {rest}"
    )
}

fn old(row: &rusqlite::Row<'_>) -> rusqlite::Result<Old> {
    Ok(Old {
        chunk: chunks::candidate(row)?,
        run: RunKey(row.get(3)?),
        max_time: row.get(4)?,
        bytes: row.get(5)?,
        sealed: row.get(6)?,
        levels: row.get(7)?,
    })
}

fn lines(chunk: &Candidate) -> u64 {
    sql::uint(chunk.last_seq - chunk.first_seq + 1)
}

/// Removes chunks, those that are as they were when they were read and the oldest of their run.
fn remove(conn: &Connection, going: &[Old]) -> Result<Removed, StoreError> {
    let mut removed = Removed::default();
    let mut delete = conn.prepare_cached(
        "DELETE FROM log_chunks WHERE run_id = ?1 AND first_seq = ?2 AND last_seq = ?3
         AND NOT EXISTS (SELECT 1 FROM log_chunks WHERE run_id = ?1 AND first_seq < ?2)",
    )?;
    for old in going {
        let chunk = &old.chunk;
        if delete.execute(params![old.run.0, chunk.first_seq, chunk.last_seq])? == 1 {
            removed.lines += lines(chunk);
            removed.bytes += sql::uint(old.bytes) + forget_events(conn, old.run, chunk.last_seq)?;
        }
    }
    Ok(removed)
}

/// Events of lines up to this one.
const EVENTS_UNTIL: &str = "FROM log_events WHERE run_id = ?1 AND first_seq <= ?2 AND last_seq <= ?2";

/// How many bytes the events of lines up to this one are.
fn events_until(conn: &Connection, run: RunKey, last_seq: i64) -> Result<u64, StoreError> {
    let bytes: i64 = conn
        .prepare_cached(&format!("SELECT coalesce(sum(length(data)), 0) {EVENTS_UNTIL}"))?
        .query_row(params![run.0, last_seq], |row| row.get(0))?;
    Ok(sql::uint(bytes))
}

/// Removes the events of lines that are gone; how many bytes that were.
fn forget_events(conn: &Connection, run: RunKey, last_seq: i64) -> Result<u64, StoreError> {
    let bytes = events_until(conn, run, last_seq)?;
    conn.prepare_cached(&format!("DELETE {EVENTS_UNTIL}"))?.execute(params![run.0, last_seq])?;
    Ok(bytes)
}

/// What is left of a chunk whose oldest lines go.
struct Cut {
    first_seq: i64,
    chunk: NewChunk,
    filter: Option<Vec<u8>>,
}

impl Cut {
    /// None when no line of it goes.
    fn of(conn: &Connection, old: &Old, going: Going) -> Result<Option<Self>, StoreError> {
        let rows = chunks::load(conn, &old.chunk)?;
        let seqs = old.chunk.first_seq..going.end;
        let is_old = |time: Timestamp| going.before.is_none_or(|before| time < before);
        let gone = rows.iter().zip(seqs).take_while(|(row, _)| is_old(row.time)).count();
        if gone == 0 {
            return Ok(None);
        }
        let mut kept = Rows::default();
        rows.iter().skip(gone).for_each(|row| kept.push(row.time, row.stream, row.flags, row.raw));
        let Some(chunk) = NewChunk::of(&kept, Effort::Thorough).pop() else { return Ok(None) };
        // The old filter knows more than is left, which does no harm.
        let filter: Option<Vec<u8>> = conn
            .prepare_cached("SELECT filter FROM log_filters WHERE id = ?1")?
            .query_row([old.chunk.id], |row| row.get(0))
            .optional()?
            .filter(|_| old.sealed);
        Ok(Some(Self { first_seq: old.chunk.first_seq + sql::int(gone as u64), chunk, filter }))
    }

    /// What goes by it, without events.
    fn removed(&self, old: &Old) -> Removed {
        let left = self.chunk.data_len() + self.filter.as_ref().map_or(0, Vec::len);
        Removed {
            lines: sql::uint(self.first_seq - old.chunk.first_seq),
            bytes: sql::uint(old.bytes).saturating_sub(left as u64),
        }
    }

    /// Puts it in the place of what it was cut from.
    fn put(&self, conn: &Connection, old: &Old) -> Result<(), StoreError> {
        conn.prepare_cached("DELETE FROM log_chunks WHERE run_id = ?1 AND first_seq = ?2")?
            .execute(params![old.run.0, old.chunk.first_seq])?;
        let sealed = Sealed { id: old.chunk.id, levels: old.levels, filter: self.filter.as_deref() };
        chunks::insert_merged(conn, old.run, self.first_seq, &self.chunk, &sealed)
    }
}

#[cfg(test)]
mod tests;
