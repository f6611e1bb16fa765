//! Errors: groups with counters, their newest occurrences and samples.
//!
//! A flood costs counters, not rows: the occurrences of a group are a ring, and those that come in one transaction are
//! one update of their group.

mod crashes;
mod queries;
mod record;
mod resolve;

use std::sync::Arc;

use hostler_model::errors::{Fault, Fingerprint, GroupState, Member};
use hostler_model::lines::Stream;
use hostler_model::{ErrorId, ProcessId, RunNo, Timestamp};
use rusqlite::{Connection, Row};

use crate::error::StoreError;
use crate::runs::RunKey;
use crate::sql;

pub(crate) use crashes::is_crash;
pub use crashes::{Crash, Judged};
pub use queries::{ErrorCounts, ErrorPage, ErrorPoint, ErrorQuery, ErrorSort};
pub(crate) use record::record;

/// Occurrences that are kept of each group.
pub(crate) const RING: u64 = 1_000;
/// Groups that are kept of each project; those not seen for longest go first.
pub(crate) const GROUPS: i64 = 2_000;

/// An error that was found, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOccurrence {
    /// Where.
    pub run: RunKey,
    /// Its stream.
    pub stream: Stream,
    /// Its first line; 0 when no line tells of it.
    pub first_seq: u64,
    /// Its last line.
    pub last_seq: u64,
    /// When.
    pub time: Timestamp,
    /// What it is one of.
    pub kind: Arc<NewKind>,
    /// What is shown of it. An occurrence without one is counted all the same.
    pub sample: Option<Sample>,
}

/// What an error is one of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKind {
    /// What was found out about it.
    pub fault: Fault,
    /// Its family.
    pub family: u128,
    /// Its group in the family.
    pub member: Member,
    /// Fingerprints of earlier versions: a group that has one of them is the right one.
    pub earlier: Vec<Fingerprint>,
}

/// The lines of an occurrence, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// The lines, those before it included.
    pub lines: Vec<String>,
    /// How many stood before it.
    pub context: u32,
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// Counts from 0 in its group.
    pub number: u64,
    /// Whose.
    pub process_id: ProcessId,
    /// Which run.
    pub run: RunNo,
    /// Which stream.
    pub stream: Stream,
    /// Its first line; 0 when no line tells of it.
    pub first_seq: u64,
    /// Its last line.
    pub last_seq: u64,
    /// When.
    pub time: Timestamp,
}

/// A process in which a group was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorProcess {
    /// Which.
    pub process_id: ProcessId,
    /// How often.
    pub count: u64,
    /// In how many runs.
    pub runs: u64,
    /// How many runs ended with it.
    pub ended_runs: u64,
    /// In which run first.
    pub first_run: RunNo,
    /// In which run last.
    pub last_run: RunNo,
}

/// A stored group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorGroup {
    /// Its number.
    pub id: ErrorId,
    /// Its project.
    pub project_id: i64,
    /// What it is.
    pub fault: Fault,
    /// What it went through.
    pub state: GroupState,
    /// Its family.
    pub family: String,
    /// Version of the algorithm by which it is one.
    pub version: u16,
    /// Where it was seen.
    pub processes: Vec<ErrorProcess>,
    /// The newest sample, and where it is from.
    pub sample: Option<(Occurrence, Sample)>,
}

fn stream_of(number: u8) -> Stream {
    if number == 0 { Stream::Stdout } else { Stream::Stderr }
}

const GROUP_COLUMNS: &str = "id, project_id, fault, state, family, version";

fn group(conn: &Connection, row: &Row<'_>) -> Result<ErrorGroup, StoreError> {
    let id = ErrorId(row.get(0)?);
    let unreadable =
        |what: &str, e: serde_json::Error| StoreError::Unreadable(format!("{what} of error {id}: {e}"));
    let (fault, state): (String, String) = (row.get(2)?, row.get(3)?);
    Ok(ErrorGroup {
        id,
        project_id: row.get(1)?,
        fault: serde_json::from_str(&fault).map_err(|e| unreadable("the description", e))?,
        state: serde_json::from_str(&state).map_err(|e| unreadable("the state", e))?,
        family: row.get(4)?,
        version: row.get(5)?,
        processes: processes(conn, id)?,
        sample: sample(conn, id)?,
    })
}

fn processes(conn: &Connection, id: ErrorId) -> Result<Vec<ErrorProcess>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT process_id, count, runs, ended_runs, first_run, last_run FROM error_processes
         WHERE group_id = ?1 ORDER BY last_seen DESC",
    )?;
    let rows = statement.query_map([id.0], |row| {
        Ok(ErrorProcess {
            process_id: ProcessId(row.get(0)?),
            count: sql::uint(row.get(1)?),
            runs: sql::uint(row.get(2)?),
            ended_runs: sql::uint(row.get(3)?),
            first_run: RunNo(row.get(4)?),
            last_run: RunNo(row.get(5)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn sample(conn: &Connection, id: ErrorId) -> Result<Option<(Occurrence, Sample)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT 0, process_id, run, stream, first_seq, last_seq, time, context, lines FROM error_samples
         WHERE group_id = ?1 ORDER BY slot DESC LIMIT 1",
    )?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let lines: String = row.get(8)?;
    let lines = serde_json::from_str(&lines)
        .map_err(|e| StoreError::Unreadable(format!("the sample of error {id}: {e}")))?;
    Ok(Some((occurrence(row)?, Sample { lines, context: row.get(7)? })))
}

/// Number, process, run, stream, first and last line, time.
fn occurrence(row: &Row<'_>) -> rusqlite::Result<Occurrence> {
    Ok(Occurrence {
        number: sql::uint(row.get(0)?),
        process_id: ProcessId(row.get(1)?),
        run: RunNo(row.get(2)?),
        stream: stream_of(row.get(3)?),
        first_seq: sql::uint(row.get(4)?),
        last_seq: sql::uint(row.get(5)?),
        time: Timestamp(row.get(6)?),
    })
}

#[cfg(test)]
mod tests;
