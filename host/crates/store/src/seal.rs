//! Sealing: in the background, chunks become blocks of about 2 MiB of text, packed better, with a filter for searches.
//! A block is the same lines under the same numbers, so nobody who reads notices.
//!
//! A step reads, then packs without holding anything up, then writes, if what it read is still there.

use rusqlite::{Connection, OptionalExtension, params};

use crate::chunks::{self, Candidate, NewChunk, Sealed};
use crate::codec::Effort;
use crate::codec::events::{self, Events, StoredEvent};
use crate::codec::rows::{FULL, MAX_ROWS};
use crate::error::StoreError;
use crate::filter;
use crate::rows::Rows;
use crate::runs::RunKey;
use crate::searchable::Searchable;
use crate::sql;
use crate::store::Store;

/// Chunks with less text than this are small, bytes.
const SMALL: i64 = 16 << 10;
/// So many small ones in a row are merged, although they make no block yet: each costs a read.
const MANY: usize = 32;
/// Most chunks that are looked at in a step.
const STEP: i64 = 512;
/// Rows of events with fewer than this are merged, so many at once.
const FEW_EVENTS: i64 = 1024;
const EVENT_ROWS: i64 = 256;

/// Chunks of a run that become one.
struct Group {
    run: RunKey,
    chunks: Vec<Candidate>,
    rows: Rows,
    /// Whether the result is sealed, or may grow further.
    seal: bool,
    events: Option<EventGroup>,
}

/// Rows of events of a run that become one.
struct EventGroup {
    firsts: Vec<i64>,
    last_seq: i64,
    events: Vec<StoredEvent>,
}

impl Store {
    /// Seals one block, or merges some small chunks, if there is anything to be done; whether there was.
    /// It computes for some milliseconds, so it belongs on a thread that may.
    ///
    /// # Panics
    /// On a thread of an async runtime, which must not wait.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn seal_step_blocking(&self) -> Result<bool, StoreError> {
        let Some(group) = self.read_blocking(next_group)? else { return Ok(false) };
        let Some(chunk) = NewChunk::of(&group.rows, Effort::Thorough).pop() else { return Ok(false) };
        let filter = if group.seal { filter::build(&Searchable::of(&group.rows).text) } else { Vec::new() };
        let events = group.events.as_ref().map(|group| events::encode(&group.events, Effort::Thorough));
        let Group { run, chunks, seal, events: merged, .. } = group;
        self.write_blocking(move |conn| {
            replace(conn, run, &chunks, &chunk, seal.then_some(&filter[..]))?;
            match (&merged, &events) {
                (Some(merged), Some(data)) => replace_events(conn, run, merged, data),
                _ => Ok(()),
            }
        })?;
        Ok(true)
    }
}

/// What an unsealed chunk is, before its lines are read.
struct Open {
    candidate: Candidate,
    text_bytes: i64,
}

impl Open {
    fn rows(&self) -> usize {
        (self.candidate.last_seq - self.candidate.first_seq + 1) as usize
    }
}

fn next_group(conn: &Connection) -> Result<Option<Group>, StoreError> {
    let runs = conn
        .prepare_cached(
            "SELECT DISTINCT c.run_id, r.drained FROM log_chunks c JOIN runs r ON r.id = c.run_id WHERE c.sealed = 0",
        )?
        .query_map([], |row| Ok((RunKey(row.get(0)?), row.get(1)?)))?
        .collect::<Result<Vec<(RunKey, bool)>, _>>()?;
    for (run, drained) in runs {
        let open = open_chunks(conn, run)?;
        if let Some((range, seal)) = choose(&open, drained) {
            let chunks: Vec<Candidate> = open[range].iter().map(|open| open.candidate).collect();
            let mut rows = Rows::default();
            for chunk in &chunks {
                rows.append(&chunks::load(conn, chunk)?);
            }
            let events = if seal { few_events(conn, run)? } else { None };
            return Ok(Some(Group { run, chunks, rows, seal, events }));
        }
    }
    Ok(None)
}

fn open_chunks(conn: &Connection, run: RunKey) -> Result<Vec<Open>, StoreError> {
    let open = conn
        .prepare_cached(
            "SELECT first_seq, last_seq, id, text_bytes FROM log_chunks WHERE run_id = ?1 AND sealed = 0
             ORDER BY first_seq LIMIT ?2",
        )?
        .query_map(params![run.0, STEP], |row| {
            Ok(Open { candidate: chunks::candidate(row)?, text_bytes: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(open)
}

/// Which of the unsealed chunks of a run, the oldest first, become one, and whether that is sealed.
fn choose(open: &[Open], drained: bool) -> Option<(std::ops::Range<usize>, bool)> {
    let (mut bytes, mut rows, mut fitting) = (0, 0, 0);
    for chunk in open {
        bytes += sql::uint(chunk.text_bytes) as usize;
        rows += chunk.rows();
        if fitting > 0 && (bytes > FULL || rows > MAX_ROWS) {
            return Some((0..fitting, true));
        }
        fitting += 1;
    }
    if fitting > 0 && (bytes >= FULL || rows >= MAX_ROWS || drained || fitting as i64 == STEP) {
        return Some((0..fitting, true));
    }
    let small = open.iter().rev().take_while(|chunk| chunk.text_bytes < SMALL).count();
    (small >= MANY).then(|| (open.len() - small..open.len(), false))
}

/// The newest rows of events of a run that have few each.
fn few_events(conn: &Connection, run: RunKey) -> Result<Option<EventGroup>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT first_seq, last_seq, count, data FROM log_events WHERE run_id = ?1
         ORDER BY first_seq DESC LIMIT ?2",
    )?;
    let mut found = statement.query(params![run.0, EVENT_ROWS])?;
    let mut group = EventGroup { firsts: Vec::new(), last_seq: 0, events: Vec::new() };
    while let Some(row) = found.next()? {
        let (first, last, count): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if count >= FEW_EVENTS {
            break;
        }
        let events = Events::decode(row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?)?;
        for at in (0..events.heads().len()).rev() {
            group.events.push(events.get(at)?);
        }
        group.firsts.push(first);
        group.last_seq = group.last_seq.max(last);
    }
    group.events.reverse();
    group.firsts.reverse();
    Ok((group.firsts.len() > 1).then_some(group))
}

/// Puts one chunk in the place of several, unless these are gone: then nothing happens.
fn replace(
    conn: &Connection,
    run: RunKey,
    old: &[Candidate],
    new: &NewChunk,
    filter: Option<&[u8]>,
) -> Result<(), StoreError> {
    let Some(first) = old.first() else { return Ok(()) };
    let mut levels = 0;
    let mut find = conn
        .prepare_cached("SELECT levels FROM log_chunks WHERE run_id = ?1 AND first_seq = ?2 AND id = ?3")?;
    for chunk in old {
        let found: Option<i64> =
            find.query_row(params![run.0, chunk.first_seq, chunk.id], |row| row.get(0)).optional()?;
        match found {
            Some(found) => levels |= found,
            None => return Ok(()),
        }
    }
    let mut delete = conn.prepare_cached("DELETE FROM log_chunks WHERE run_id = ?1 AND first_seq = ?2")?;
    for chunk in old {
        delete.execute(params![run.0, chunk.first_seq])?;
    }
    chunks::insert_merged(conn, run, first.first_seq, new, &Sealed { id: first.id, levels, filter })
}

fn replace_events(conn: &Connection, run: RunKey, old: &EventGroup, data: &[u8]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (old.firsts.first(), old.firsts.last()) else { return Ok(()) };
    let range = params![run.0, first, last];
    let there: i64 = conn
        .prepare_cached("SELECT count(*) FROM log_events WHERE run_id = ?1 AND first_seq BETWEEN ?2 AND ?3")?
        .query_row(range, |row| row.get(0))?;
    if there != old.firsts.len() as i64 {
        return Ok(());
    }
    conn.prepare_cached("DELETE FROM log_events WHERE run_id = ?1 AND first_seq BETWEEN ?2 AND ?3")?
        .execute(range)?;
    conn.prepare_cached(
        "INSERT INTO log_events (run_id, first_seq, last_seq, count, data) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![run.0, first, old.last_seq, sql::int(old.events.len() as u64), data])?;
    Ok(())
}

#[cfg(test)]
mod tests;
