//! What parsers made of lines: stored beside them, with how far the parsers are, in one transaction.

use std::ops::RangeInclusive;

use hostler_model::Timestamp;
use hostler_model::event::{Event, Severity};
use hostler_model::lines::Stream;
use hostler_model::text::lossy;
use rusqlite::{Connection, OptionalExtension, params};

use crate::chunks;
use crate::codec::Effort;
use crate::codec::events::{self as format, Events, Message, StoredEvent};
use crate::error::StoreError;
use crate::errors::{self, NewOccurrence};
use crate::runs::{RunKey, gone};
use crate::sql;
use crate::store::Store;
use crate::stretch::Stretch;

/// What parsers made of the next lines of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotations {
    /// The run.
    pub run: RunKey,
    /// The first line that they looked at: what [`Store::annotation_state`] or the commit before answered.
    pub from_seq: u64,
    /// The first line that they have not seen. Every event ends before it.
    pub next_seq: u64,
    /// The events that begin in these lines, in any order. Lines of which nothing is known need none.
    pub events: Vec<Event>,
    /// Errors that were found in these lines: recorded with them.
    pub occurrences: Vec<NewOccurrence>,
}

/// What became of annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotated {
    /// They are stored.
    Stored,
    /// Other lines are next; nothing is stored. Go on from there.
    Elsewhere {
        /// The first line that no parser has seen.
        next_seq: u64,
    },
    /// The run was removed meanwhile; nothing is stored.
    RunGone,
}

/// What a parser made of the line, or lines, that a row begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// Number of its last line; that of the row for an event of one line.
    pub last_seq: u64,
    /// When it happened, as it says itself.
    pub event_time: Option<Timestamp>,
    /// What it says, without level, time and fields.
    pub message: String,
    /// Its fields, in the order in which they were found.
    pub fields: Vec<(String, String)>,
}

impl Store {
    /// Stores what parsers made of the next lines of a run, and how far they are, both or neither. `lines` are those
    /// lines as they were read, as far as they are at hand: a message that stands in one is then not stored twice.
    ///
    /// # Errors
    /// When the database cannot be written, or an event does not begin and end among these lines.
    pub async fn commit_annotations(
        &self,
        annotations: Annotations,
        lines: &Stretch,
    ) -> Result<Annotated, StoreError> {
        let encoded = Encoded::of(annotations, lines)?;
        self.write_if_room(move |conn| commit(conn, &encoded)).await
    }

    /// The first line of a run that no parser has seen.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run is gone.
    pub async fn annotation_state(&self, run: RunKey) -> Result<u64, StoreError> {
        self.read(move |conn| progress(conn, run)?.map(|(next, _)| next).ok_or_else(|| gone(run))).await
    }
}

/// Annotations as they will be stored: made by who brings them, so that the writer need not.
struct Encoded {
    run: RunKey,
    from_seq: u64,
    next_seq: u64,
    levels: Vec<(RangeInclusive<i64>, i64)>,
    count: i64,
    data: Vec<u8>,
    occurrences: Vec<NewOccurrence>,
}

impl Encoded {
    fn of(annotations: Annotations, lines: &Stretch) -> Result<Self, StoreError> {
        let Annotations { run, from_seq, next_seq, mut events, occurrences } = annotations;
        events.sort_by_key(|event| event.first_seq);
        let seqs = from_seq..next_seq;
        if let Some(wrong) = events
            .iter()
            .find(|e| !seqs.contains(&e.first_seq) || !seqs.contains(&e.last_seq) || e.last_seq < e.first_seq)
        {
            return Err(StoreError::Unreadable(format!(
                "an event of the lines {} to {} is not one of the lines {from_seq} to {}",
                wrong.first_seq,
                wrong.last_seq,
                next_seq.saturating_sub(1)
            )));
        }
        let levels = events.iter().map(|event| {
            let seqs = sql::int(event.first_seq)..=sql::int(event.last_seq);
            (seqs, chunks::level_bit(event.severity))
        });
        let levels = levels.collect();
        let stored: Vec<StoredEvent> = events.into_iter().map(|event| stored(event, lines)).collect();
        let data = format::encode(&stored, Effort::Quick);
        Ok(Self { run, from_seq, next_seq, levels, count: stored.len() as i64, data, occurrences })
    }

    /// The levels of the lines among these.
    fn levels_in(&self, seqs: &RangeInclusive<i64>) -> i64 {
        let begins = self.levels.iter().take_while(|(event, _)| event.start() <= seqs.end());
        begins.filter(|(event, _)| event.end() >= seqs.start()).fold(0, |all, (_, bit)| all | bit)
    }
}

fn stored(event: Event, lines: &Stretch) -> StoredEvent {
    let Event { first_seq, last_seq, stream, event_time, severity, message, fields, .. } = event;
    let start = lines.get(first_seq).and_then(|row| place(row.raw, message.as_bytes()));
    let message = match start {
        Some(start) => Message::Within(start..start + message.len()),
        None => Message::Text(message),
    };
    StoredEvent { first_seq, last_seq, stream, severity, event_time, message, fields }
}

/// Where the message stands in its line: nearly always at its end.
fn place(raw: &[u8], message: &[u8]) -> Option<usize> {
    if raw.ends_with(message) {
        return Some(raw.len() - message.len());
    }
    memchr::memmem::find(raw, message)
}

/// The first line that was not seen, and the first that is not there.
fn progress(conn: &Connection, run: RunKey) -> Result<Option<(u64, u64)>, StoreError> {
    let found = conn
        .prepare_cached("SELECT annotated_seq, next_seq FROM runs WHERE id = ?1")?
        .query_row([run.0], |row| Ok((sql::uint(row.get(0)?), sql::uint(row.get(1)?))))
        .optional()?;
    Ok(found)
}

fn commit(conn: &Connection, new: &Encoded) -> Result<Annotated, StoreError> {
    let Some((next_seq, end)) = progress(conn, new.run)? else { return Ok(Annotated::RunGone) };
    if next_seq != new.from_seq {
        return Ok(Annotated::Elsewhere { next_seq });
    }
    if new.next_seq > end {
        return Err(StoreError::Unreadable(format!(
            "annotations up to line {} of a run that has lines up to {}",
            new.next_seq.saturating_sub(1),
            end.saturating_sub(1)
        )));
    }
    let (first, last) = (sql::int(new.from_seq), sql::int(new.next_seq) - 1);
    if new.count > 0 {
        conn.prepare_cached(
            "INSERT INTO log_events (run_id, first_seq, last_seq, count, data) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![new.run.0, first, last, new.count, new.data])?;
        chunks::add_levels(conn, new.run, first..=last, |seqs| new.levels_in(&seqs))?;
    }
    conn.prepare_cached("UPDATE runs SET annotated_seq = ?2 WHERE id = ?1")?
        .execute(params![new.run.0, sql::int(new.next_seq)])?;
    errors::record(conn, &new.occurrences)?;
    Ok(Annotated::Stored)
}

/// The events of some lines of a run.
pub(crate) struct EventsOf {
    rows: Vec<Events>,
}

impl EventsOf {
    /// Those that touch the lines.
    pub(crate) fn load(
        conn: &Connection,
        run: RunKey,
        seqs: RangeInclusive<i64>,
    ) -> Result<Self, StoreError> {
        let start: Option<i64> = conn
            .prepare_cached(
                "SELECT first_seq FROM log_events WHERE run_id = ?1 AND first_seq <= ?2
                 ORDER BY first_seq DESC LIMIT 1",
            )?
            .query_row(params![run.0, seqs.start()], |row| row.get(0))
            .optional()?;
        let mut statement = conn.prepare_cached(
            "SELECT data FROM log_events WHERE run_id = ?1 AND first_seq BETWEEN ?2 AND ?3 AND last_seq >= ?4
             ORDER BY first_seq",
        )?;
        let mut found =
            statement.query(params![run.0, start.unwrap_or(*seqs.start()), seqs.end(), seqs.start()])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(Events::decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
        }
        Ok(Self { rows })
    }

    /// The level of a line, and whether an event begins with it: which.
    pub(crate) fn of(&self, seq: u64, stream: Stream) -> (Severity, Option<(&Events, usize)>) {
        // No event reaches beyond its row, so the row that began last before the line is the one.
        let at = self.rows.partition_point(|row| row.heads().first().is_some_and(|h| h.first_seq <= seq));
        let Some(events) = at.checked_sub(1).map(|at| &self.rows[at]) else {
            return (Severity::UNKNOWN, None);
        };
        match events.newest(seq, stream) {
            Some((at, head)) if head.first_seq == seq => (head.severity, Some((events, at))),
            Some((_, head)) if head.last_seq >= seq => (head.severity, None),
            _ => (Severity::UNKNOWN, None),
        }
    }
}

/// An event for whoever reads its first line.
pub(crate) fn read(events: &Events, at: usize, raw: &[u8]) -> Result<LogEvent, StoreError> {
    let event = events.get(at)?;
    let message = match event.message {
        Message::Text(text) => text,
        Message::Within(range) => lossy(raw.get(range).unwrap_or_default()).into_owned(),
    };
    Ok(LogEvent { last_seq: event.last_seq, event_time: event.event_time, message, fields: event.fields })
}

#[cfg(test)]
mod tests;
