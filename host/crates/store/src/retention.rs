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

/// Chunks that go in one transaction.
const PIECE: usize = 64;

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

    /// Removes the lines of a process that are older than a time, or all; or says what that would be.
    ///
    /// # Panics
    /// On a thread of an async runtime, which must not wait.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn clear_logs_blocking(
        &self,
        process: ProcessId,
        before: Option<Timestamp>,
        dry_run: bool,
    ) -> Result<Removed, StoreError> {
        let runs: Vec<RunKey> = self.read_blocking(move |conn| {
            let mut statement = conn.prepare_cached("SELECT id FROM runs WHERE process_id = ?1")?;
            let runs = statement.query_map([process.0], |row| row.get(0).map(RunKey))?;
            Ok(runs.collect::<Result<_, _>>()?)
        })?;
        let mut removed = Removed::default();
        for run in runs {
            let old = self.read_blocking(move |conn| older(conn, run, before))?;
            let counted = self.clear_run(old, before, dry_run)?;
            removed.lines += counted.lines;
            removed.bytes += counted.bytes;
        }
        Ok(removed)
    }

    fn clear_run(
        &self,
        mut old: Vec<Old>,
        before: Option<Timestamp>,
        dry_run: bool,
    ) -> Result<Removed, StoreError> {
        // The last one is not wholly older, perhaps.
        let partly = old.pop_if(|last| before.is_some_and(|before| last.max_time >= before.0));
        let mut removed = Removed::default();
        let mut add = |more: Removed| {
            removed.lines += more.lines;
            removed.bytes += more.bytes;
        };
        if dry_run {
            add(sum(&old));
        } else {
            while !old.is_empty() {
                let piece: Vec<Old> = old.drain(..old.len().min(PIECE)).collect();
                add(self.write_blocking(move |conn| remove(conn, &piece))?);
            }
        }
        if let (Some(partly), Some(before)) = (partly, before) {
            add(self.write_blocking(move |conn| cut(conn, &partly, before, dry_run))?);
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

/// The chunks of a run up to the first that has a line that is not older.
fn older(conn: &Connection, run: RunKey, before: Option<Timestamp>) -> Result<Vec<Old>, StoreError> {
    let mut statement = conn.prepare_cached(&select("WHERE run_id = ?1 ORDER BY first_seq"))?;
    let mut found = Vec::new();
    for chunk in statement.query_map([run.0], old)? {
        let chunk: Old = chunk?;
        let is_last = before.is_some_and(|before| chunk.max_time >= before.0);
        found.push(chunk);
        if is_last {
            break;
        }
    }
    Ok(found)
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

fn sum(old: &[Old]) -> Removed {
    old.iter().fold(Removed::default(), |sum, old| Removed {
        lines: sum.lines + lines(&old.chunk),
        bytes: sum.bytes + sql::uint(old.bytes),
    })
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

/// Removes the events of lines that are gone; how many bytes that were.
fn forget_events(conn: &Connection, run: RunKey, last_seq: i64) -> Result<u64, StoreError> {
    let range = params![run.0, last_seq];
    let gone = "FROM log_events WHERE run_id = ?1 AND first_seq <= ?2 AND last_seq <= ?2";
    let bytes: i64 = conn
        .prepare_cached(&format!("SELECT coalesce(sum(length(data)), 0) {gone}"))?
        .query_row(range, |row| row.get(0))?;
    conn.prepare_cached(&format!("DELETE {gone}"))?.execute(range)?;
    Ok(sql::uint(bytes))
}

/// Removes the lines at the beginning of a chunk that are older.
fn cut(conn: &Connection, old: &Old, before: Timestamp, dry_run: bool) -> Result<Removed, StoreError> {
    let still_there = conn
        .prepare_cached("SELECT 1 FROM log_chunks WHERE run_id = ?1 AND first_seq = ?2 AND id = ?3")?
        .query_row(params![old.run.0, old.chunk.first_seq, old.chunk.id], |_| Ok(()))
        .optional()?;
    if still_there.is_none() {
        return Ok(Removed::default());
    }
    let rows = chunks::load(conn, &old.chunk)?;
    let gone = rows.iter().take_while(|row| row.time < before).count();
    if gone == 0 {
        return Ok(Removed::default());
    }
    let mut kept = Rows::default();
    rows.iter().skip(gone).for_each(|row| kept.push(row.time, row.stream, row.flags, row.raw));
    let Some(new) = NewChunk::of(&kept, Effort::Thorough).pop() else { return Ok(Removed::default()) };
    let filter: Option<Vec<u8>> = conn
        .prepare_cached("SELECT filter FROM log_filters WHERE id = ?1")?
        .query_row([old.chunk.id], |row| row.get(0))
        .optional()?;
    // The old filter knows more than is left, which does no harm.
    let filter = filter.as_deref().filter(|_| old.sealed);
    let bytes = sql::uint(old.bytes).saturating_sub((new.data_len() + filter.map_or(0, <[u8]>::len)) as u64);
    if !dry_run {
        conn.prepare_cached("DELETE FROM log_chunks WHERE run_id = ?1 AND first_seq = ?2")?
            .execute(params![old.run.0, old.chunk.first_seq])?;
        let first_seq = old.chunk.first_seq + sql::int(gone as u64);
        let sealed = Sealed { id: old.chunk.id, levels: old.levels, filter };
        chunks::insert_merged(conn, old.run, first_seq, &new, &sealed)?;
        forget_events(conn, old.run, first_seq - 1)?;
    }
    Ok(Removed { lines: gone as u64, bytes })
}

#[cfg(test)]
mod tests;
