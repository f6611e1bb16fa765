//! Runs that ended by themselves and badly: explained by an error of their last lines, or an error themselves.

use hostler_model::{ErrorId, Exit, Lifecycle, ProcessId, RunNo, State};
use rusqlite::{Connection, OptionalExtension, params};

use super::{NewOccurrence, record};
use crate::error::StoreError;
use crate::listing::{Listing, list};
use crate::runs::RunKey;
use crate::sql;
use crate::store::Store;

/// A run whose end is to be explained, and whose output is wholly stored and looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// The run.
    pub run: RunKey,
    /// Whose.
    pub process_id: ProcessId,
    /// Its number.
    pub number: RunNo,
    /// How it ended.
    pub exit: Exit,
    /// The number of the line after its last one.
    pub next_seq: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// An error of its last lines explains it.
    By(ErrorId),
    /// Nothing did: it is an error of its own.
    OfItsOwn,
    /// It was judged already, or is gone.
    Before,
}

impl Store {
    /// Crashes that can be judged now, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read; a row that this build cannot read is part of the listing.
    pub async fn open_crashes(&self) -> Result<Listing<Crash>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, process_id, run, exit, next_seq FROM runs
                 WHERE crash_open = 1 AND drained = 1 AND annotated_seq >= next_seq ORDER BY id LIMIT 100",
            )?;
            list(&mut statement, [], "runs", |row| {
                let exit: String = row.get(3)?;
                Ok(Crash {
                    run: RunKey(row.get(0)?),
                    process_id: ProcessId(row.get(1)?),
                    number: RunNo(row.get(2)?),
                    exit: serde_json::from_str(&exit)?,
                    next_seq: sql::uint(row.get(4)?),
                })
            })
        })
        .await
    }

    /// Whether the end of a run is still to be explained.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_run_unexplained(&self, process: ProcessId, run: RunNo) -> Result<bool, StoreError> {
        self.read(move |conn| {
            Ok(conn
                .prepare_cached("SELECT 1 FROM runs WHERE process_id = ?1 AND run = ?2 AND crash_open = 1")?
                .exists(params![process.0, run.0])?)
        })
        .await
    }

    /// Explains the end of a run, once: by the error that was last seen in it from line `from_seq` on; else `otherwise`
    /// is stored as one.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing of it is stored.
    pub async fn judge_crash(&self, from_seq: u64, otherwise: NewOccurrence) -> Result<Judged, StoreError> {
        self.write(move |conn| judge(conn, from_seq, &otherwise)).await
    }
}

fn judge(conn: &Connection, from_seq: u64, otherwise: &NewOccurrence) -> Result<Judged, StoreError> {
    let run = otherwise.run;
    let open = conn
        .prepare_cached("UPDATE runs SET crash_open = 0 WHERE id = ?1 AND crash_open = 1")?
        .execute([run.0])?;
    if open == 0 {
        return Ok(Judged::Before);
    }
    let reason = explanation(conn, run, from_seq)?;
    if reason.is_none() {
        record(conn, std::slice::from_ref(otherwise))?;
    }
    let ended = reason.map_or_else(|| explanation(conn, run, 0), |reason| Ok(Some(reason)))?;
    if let Some(id) = ended {
        conn.prepare_cached(
            "UPDATE error_processes SET ended_runs = ended_runs + 1
             WHERE group_id = ?1 AND process_id = (SELECT process_id FROM runs WHERE id = ?2)",
        )?
        .execute(params![id.0, run.0])?;
    }
    Ok(reason.map_or(Judged::OfItsOwn, Judged::By))
}

/// The error that was last seen in a run, not before a line.
fn explanation(conn: &Connection, run: RunKey, from_seq: u64) -> Result<Option<ErrorId>, StoreError> {
    let of = conn
        .prepare_cached("SELECT process_id, run FROM runs WHERE id = ?1")?
        .query_row([run.0], |row| Ok((ProcessId(row.get(0)?), RunNo(row.get(1)?))))
        .optional()?;
    of.map_or(Ok(None), |(process, run)| last_seen_in(conn, process, run, from_seq))
}

/// The error that was last seen in this run of a process, not before a line. Later runs may have seen it as well.
pub(super) fn last_seen_in(
    conn: &Connection,
    process: ProcessId,
    run: RunNo,
    from_seq: u64,
) -> Result<Option<ErrorId>, StoreError> {
    let found: Option<i64> = conn
        .prepare_cached(
            "SELECT o.group_id FROM error_processes e
             JOIN error_occurrences o ON o.group_id = e.group_id AND o.process_id = e.process_id AND o.run = ?2
             WHERE e.process_id = ?1 AND e.last_run >= ?2 AND e.first_run <= ?2 AND o.last_seq >= ?3
             ORDER BY o.last_seq DESC, o.time DESC LIMIT 1",
        )?
        .query_row(params![process.0, run.0, sql::int(from_seq)], |row| row.get(0))
        .optional()?;
    Ok(found.map(ErrorId))
}

/// Whether a run that ended so is a crash: it ended badly, and nobody had asked for its end.
pub(crate) fn is_crash(conn: &Connection, run: RunKey, exit: &Exit) -> Result<bool, StoreError> {
    if exit.is_success() || exit.outcome == hostler_model::Outcome::Unknown {
        return Ok(false);
    }
    let lifecycle: Option<String> = conn
        .prepare_cached(
            "SELECT lifecycle FROM processes WHERE id = (SELECT process_id FROM runs WHERE id = ?1)",
        )?
        .query_row([run.0], |row| row.get(0))
        .optional()?;
    // A state that cannot be read says nothing about who ended the run.
    let state = lifecycle.and_then(|json| serde_json::from_str::<Lifecycle>(&json).ok()).map(|l| l.state);
    Ok(!matches!(state, Some(State::Stopping { .. })))
}
