//! Runs: each start of a process, to its end.

use std::borrow::Cow;

use hostler_model::{Exit, Lifecycle, Pid, ProcessId, RunNo, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::StoreError;
use crate::errors::is_crash;
use crate::ingest::JournalPosition;
use crate::listing::{Decoded, Listing, list};
use crate::processes::{LifecycleRow, save_lifecycle};
use crate::sql;
use crate::store::Store;

/// The number of a run in the store, unique over all processes and never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey(pub i64);

/// Why a run was started.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RunReason {
    /// Somebody asked for a start.
    Start,
    /// Somebody asked for a restart.
    Restart,
    /// The restart policy asked for it.
    Policy,
    /// The run before it was ended because it was unhealthy.
    Unhealthy,
    /// Its schedule asked for it.
    Schedule,
    /// Files that it is restarted for have changed; the text says which.
    Watch(String),
}

/// Before what is said of a [`RunReason::Watch`] in the database.
const WATCH: &str = "watch: ";

impl RunReason {
    /// As it is stored.
    fn to_text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Policy => "policy",
            Self::Unhealthy => "unhealthy",
            Self::Schedule => "schedule",
            Self::Watch(what) => return Cow::Owned(format!("{WATCH}{what}")),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(what) = text.strip_prefix(WATCH) {
            return Some(Self::Watch(what.to_owned()));
        }
        [Self::Start, Self::Restart, Self::Policy, Self::Unhealthy, Self::Schedule]
            .into_iter()
            .find(|reason| reason.to_text() == text)
    }
}

/// A run to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Whose run it is.
    pub process_id: ProcessId,
    /// Its number.
    pub run: RunNo,
    /// The name of its run directory.
    pub dir: String,
    /// The kernel boot in which it is started.
    pub boot_id: String,
    /// Why it is started.
    pub reason: RunReason,
    /// The end of the run before it, if that is not on record yet.
    pub before: Option<RunEnd>,
    /// The time of the decision.
    pub now: Timestamp,
}

/// How a run ended, when no process of its tree is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// Which run.
    pub run: RunKey,
    /// How its main process ended.
    pub exit: Exit,
    /// Processes it left behind that had to be ended.
    pub descendants_ended: u32,
    /// A sentence for people about an unusual end. Without one that which is there stands.
    pub note: Option<String>,
}

/// A run as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its number in the store.
    pub key: RunKey,
    /// Whose run it is.
    pub process_id: ProcessId,
    /// Its number.
    pub run: RunNo,
    /// The name of its run directory.
    pub dir: String,
    /// The kernel boot in which it was started.
    pub boot_id: String,
    /// The main process, once started.
    pub pid: Option<Pid>,
    /// Its start time in clock ticks since boot, which tells it from a later process with the same pid.
    pub start_ticks: Option<u64>,
    /// When the start was decided.
    pub created_at: Timestamp,
    /// When the program was executed.
    pub started_at: Option<Timestamp>,
    /// When the main process ended.
    pub ended_at: Option<Timestamp>,
    /// How.
    pub exit: Option<Exit>,
    /// Why it was started.
    pub reason: RunReason,
    /// A sentence for people about an unusual end.
    pub end_note: Option<String>,
    /// Processes it left behind that had to be ended.
    pub descendants_ended: u32,
    /// How far its journal is in the store.
    pub position: JournalPosition,
    /// The number of its next log row.
    pub next_seq: u64,
    /// Whether the journal is wholly in the store.
    pub drained: bool,
}

impl Store {
    /// Enters a new run, notes the end of the one before it if that is given, and saves the lifecycle that goes with it:
    /// all or nothing.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the process has that run, [`StoreError::NotFound`] when it is gone.
    pub async fn begin_run(&self, new: NewRun, lifecycle: &Lifecycle) -> Result<RunKey, StoreError> {
        let row = LifecycleRow::new(lifecycle)?;
        self.write_if_room(move |conn| {
            new.before.as_ref().map_or(Ok(()), |before| end(conn, before))?;
            begin(conn, &new, &row)
        })
        .await
    }

    /// Notes that the program of a run was executed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run is gone.
    pub async fn run_started(
        &self,
        run: RunKey,
        pid: Pid,
        start_ticks: Option<u64>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let ticks = start_ticks.map(sql::int);
        self.write(move |conn| {
            let changed = conn
                .prepare_cached("UPDATE runs SET pid = ?2, start_ticks = ?3, started_at = ?4 WHERE id = ?1")?
                .execute(params![run.0, pid.0, ticks, at.0])?;
            if changed == 0 { Err(gone(run)) } else { Ok(()) }
        })
        .await
    }

    /// Notes the end of a run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run is gone.
    pub async fn run_ended(&self, over: RunEnd) -> Result<(), StoreError> {
        self.write(move |conn| end(conn, &over)).await
    }

    /// Records a sentence about a run, in place of an earlier one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run is gone.
    pub async fn run_noted(&self, run: RunKey, note: &str) -> Result<(), StoreError> {
        let note = note.to_owned();
        self.write(move |conn| {
            let changed = conn
                .prepare_cached("UPDATE runs SET end_note = ?2 WHERE id = ?1")?
                .execute(params![run.0, note])?;
            if changed == 0 { Err(gone(run)) } else { Ok(()) }
        })
        .await
    }

    /// The newest runs of a process, newest first.
    ///
    /// # Errors
    /// When the database cannot be read; a row that this build cannot read is part of the listing.
    pub async fn runs(&self, process: ProcessId, limit: usize) -> Result<Listing<RunRecord>, StoreError> {
        let limit = sql::int(limit as u64);
        self.read(move |conn| {
            let mut statement =
                conn.prepare_cached(&select("WHERE process_id = ?1 ORDER BY run DESC LIMIT ?2"))?;
            list(&mut statement, params![process.0, limit], "runs", record)
        })
        .await
    }

    /// The runs that are not over or whose journal is not wholly in the store, oldest first: what a new
    /// daemon has to look at.
    ///
    /// # Errors
    /// When the database cannot be read; a row that this build cannot read is part of the listing.
    pub async fn open_runs(&self) -> Result<Listing<RunRecord>, StoreError> {
        self.read(|conn| {
            let mut statement =
                conn.prepare_cached(&select("WHERE drained = 0 OR ended_at IS NULL ORDER BY id"))?;
            list(&mut statement, [], "runs", record)
        })
        .await
    }

    /// Whether the end of a run is on record and its journal wholly in the store, so that nobody needs its directory;
    /// `None` when the run is not there. For a thread of its own.
    ///
    /// # Panics
    /// On a thread of an async runtime, which must not wait.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn run_is_complete_blocking(
        &self,
        process: ProcessId,
        run: RunNo,
    ) -> Result<Option<bool>, StoreError> {
        self.read_blocking(move |conn| {
            let sql = "SELECT drained AND ended_at IS NOT NULL FROM runs WHERE process_id = ?1 AND run = ?2";
            Ok(conn
                .prepare_cached(sql)?
                .query_row([process.0, i64::from(run.0)], |row| row.get(0))
                .optional()?)
        })
    }

    /// Deletes the oldest runs of a process with their output, all but the newest `keep`, and answers those
    /// deleted. A run that is not over, or not drained, stays. A long log is deleted in pieces, so that
    /// other writes need not wait for it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn prune_runs(&self, process: ProcessId, keep: usize) -> Result<Vec<RunRecord>, StoreError> {
        let keep = sql::int(keep as u64);
        let old = self
            .read(move |conn| {
                let mut statement = conn.prepare_cached(&select(
                    "WHERE process_id = ?1 AND drained = 1 AND ended_at IS NOT NULL AND run <=
                     (SELECT run FROM runs WHERE process_id = ?1 ORDER BY run DESC LIMIT 1 OFFSET ?2)
                     ORDER BY run",
                ))?;
                list(&mut statement, params![process.0, keep], "runs", record)
            })
            .await?;
        for run in &old.rows {
            let key = run.key;
            self.delete_rows(key).await?;
            self.write(move |conn| Ok(conn.execute("DELETE FROM runs WHERE id = ?1", [key.0])?)).await?;
        }
        Ok(old.rows)
    }

    /// Deletes the output of a run, oldest rows first, each piece in its own transaction.
    pub(crate) async fn delete_rows(&self, run: RunKey) -> Result<(), StoreError> {
        while self.write(move |conn| delete_piece(conn, run)).await? > 0 {}
        Ok(())
    }
}

/// Chunks deleted at once: some tens of milliseconds of work for the writer.
const PIECE: i64 = 32;

fn delete_piece(conn: &Connection, run: RunKey) -> Result<usize, StoreError> {
    let oldest = "(SELECT first_seq FROM log_chunks WHERE run_id = ?1 ORDER BY first_seq LIMIT ?2)";
    let chunks = conn
        .prepare_cached(&format!("DELETE FROM log_chunks WHERE run_id = ?1 AND first_seq IN {oldest}"))?
        .execute(params![run.0, PIECE])?;
    let events = conn
        .prepare_cached(&format!(
            "DELETE FROM log_events WHERE run_id = ?1 AND first_seq IN {}",
            oldest.replace("log_chunks", "log_events")
        ))?
        .execute(params![run.0, PIECE])?;
    Ok(chunks + events)
}

/// Notes the end of a run.
pub(crate) fn end(conn: &Connection, over: &RunEnd) -> Result<(), StoreError> {
    let RunEnd { run, exit, descendants_ended, note } = over;
    let json = sql::json("the exit", serde_json::to_string(exit))?;
    let crash = is_crash(conn, *run, exit)?;
    let changed = conn
        .prepare_cached(
            "UPDATE runs SET exit = ?2, ended_at = ?3, descendants_ended = ?4,
             end_note = coalesce(?5, end_note), crash_open = ?6 WHERE id = ?1",
        )?
        .execute(params![run.0, json, exit.at.0, descendants_ended, note, crash])?;
    if changed == 0 { Err(gone(*run)) } else { Ok(()) }
}

fn begin(conn: &Connection, new: &NewRun, lifecycle: &LifecycleRow) -> Result<RunKey, StoreError> {
    save_lifecycle(conn, new.process_id, lifecycle, new.now)?;
    conn.prepare_cached(
        "INSERT INTO runs (process_id, run, dir, boot_id, reason, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        new.process_id.0,
        new.run.0,
        new.dir,
        new.boot_id,
        new.reason.to_text(),
        new.now.0
    ])
    .map_err(|e| StoreError::or_duplicate(e, || format!("run {} of process {}", new.run, new.process_id)))?;
    Ok(RunKey(conn.last_insert_rowid()))
}

/// A run that is not there.
pub(crate) fn gone(run: RunKey) -> StoreError {
    StoreError::NotFound(format!("run number {}", run.0))
}

fn select(rest: &str) -> String {
    format!(
        "SELECT id, process_id, run, dir, boot_id, pid, start_ticks, created_at, started_at, ended_at, exit,
         reason, end_note, descendants_ended, journal_segment, journal_offset, next_seq, drained
         FROM runs {rest}"
    )
}

fn record(row: &Row<'_>) -> Decoded<RunRecord> {
    let exit: Option<String> = row.get(10)?;
    let reason: String = row.get(11)?;
    Ok(RunRecord {
        key: RunKey(row.get(0)?),
        process_id: ProcessId(row.get(1)?),
        run: RunNo(row.get(2)?),
        dir: row.get(3)?,
        boot_id: row.get(4)?,
        pid: row.get::<_, Option<i32>>(5)?.map(Pid),
        start_ticks: row.get::<_, Option<i64>>(6)?.map(sql::uint),
        created_at: Timestamp(row.get(7)?),
        started_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        ended_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
        exit: exit.as_deref().map(serde_json::from_str).transpose()?,
        reason: RunReason::parse(&reason).ok_or_else(|| format!("reason: {reason:?} is unknown"))?,
        end_note: row.get(12)?,
        descendants_ended: row.get(13)?,
        position: JournalPosition { segment: sql::uint(row.get(14)?), offset: sql::uint(row.get(15)?) },
        next_seq: sql::uint(row.get(16)?),
        drained: row.get(17)?,
    })
}

#[cfg(test)]
mod tests;
