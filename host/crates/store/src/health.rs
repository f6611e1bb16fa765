//! Health checks: what each has come to, and its newest results.

use hostler_model::health::{CheckSpec, CheckState, Status};
use hostler_model::{ProcessId, RunNo, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::error::StoreError;
use crate::listing::{Decoded, Listing, list};
use crate::sql;
use crate::store::Store;

/// So many results are kept of each check, and of those that changed its status.
const KEPT: (i64, i64) = (200, 100);
/// How often results are deleted that are beyond that: with every so many.
const PRUNE_EVERY: i64 = 50;

/// A check as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRecord {
    /// Whose check it is.
    pub process: ProcessId,
    /// Its place among the checks of the process, from 0.
    pub position: usize,
    /// How it was declared when its state came about.
    pub spec: CheckSpec,
    /// What it has come to.
    pub state: CheckState,
}

/// A result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// The run.
    pub run: RunNo,
    /// When.
    pub time: Timestamp,
    /// What this one check found, whatever was before.
    pub found: Status,
    /// What the check says since then, when this result changed that.
    pub changed_to: Option<Status>,
    /// What was seen.
    pub message: String,
    /// How long it took, microseconds.
    pub latency_us: u64,
    /// Numbers that were measured: JSON of a list of name, value, unit.
    pub metrics: String,
}

impl Store {
    /// Records what a check has come to, with the result that brought it there if there is one.
    ///
    /// # Errors
    /// When the process is gone or the database cannot be written.
    pub async fn record_check(
        &self,
        check: &CheckRecord,
        result: Option<CheckResult>,
    ) -> Result<(), StoreError> {
        let (process, position) = (check.process, sql::int(check.position as u64));
        let spec = sql::json("the check", serde_json::to_string(&check.spec))?;
        let state = sql::json("the state of a check", serde_json::to_string(&check.state))?;
        self.write(move |conn| {
            conn.prepare_cached(
                "INSERT INTO health_checks (process_id, position, spec, state) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (process_id, position) DO UPDATE SET spec = excluded.spec, state = excluded.state",
            )?
            .execute(params![process.0, position, spec, state])?;
            result.as_ref().map_or(Ok(()), |result| insert(conn, process, position, result))
        })
        .await
    }

    /// The checks of a process, in order.
    ///
    /// # Errors
    /// When the database cannot be read; a row that this build cannot read is part of the listing.
    pub async fn checks(&self, process: ProcessId) -> Result<Listing<CheckRecord>, StoreError> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT process_id, position, spec, state FROM health_checks WHERE process_id = ?1 ORDER BY position",
            )?;
            list(&mut statement, params![process.0], "health_checks", check)
        })
        .await
    }

    /// The newest results of a check, newest first; only those that changed what it says, or all.
    ///
    /// # Errors
    /// When the database cannot be read; a row that this build cannot read is part of the listing.
    pub async fn check_results(
        &self,
        process: ProcessId,
        position: usize,
        changes_only: bool,
        limit: usize,
    ) -> Result<Listing<CheckResult>, StoreError> {
        let (position, limit) = (sql::int(position as u64), sql::int(limit as u64));
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, run, time, found, changed_to, message, latency_us, metrics FROM health_results
                 WHERE process_id = ?1 AND position = ?2 AND (NOT ?3 OR changed_to IS NOT NULL)
                 ORDER BY id DESC LIMIT ?4",
            )?;
            list(&mut statement, params![process.0, position, changes_only, limit], "health_results", result)
        })
        .await
    }
}

fn insert(
    conn: &Connection,
    process: ProcessId,
    position: i64,
    result: &CheckResult,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO health_results (process_id, position, run, time, found, changed_to, message, latency_us, metrics)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        process.0,
        position,
        result.run.0,
        result.time.0,
        result.found.as_str(),
        result.changed_to.map(Status::as_str),
        result.message,
        sql::int(result.latency_us),
        result.metrics,
    ])?;
    if conn.last_insert_rowid() % PRUNE_EVERY == 0 {
        prune(conn, process, position)?;
    }
    Ok(())
}

fn prune(conn: &Connection, process: ProcessId, position: i64) -> Result<(), StoreError> {
    for (condition, keep) in [("changed_to IS NULL", KEPT.0), ("changed_to IS NOT NULL", KEPT.1)] {
        conn.prepare_cached(&format!(
            "DELETE FROM health_results WHERE process_id = ?1 AND position = ?2 AND {condition} AND id <=
             (SELECT id FROM health_results WHERE process_id = ?1 AND position = ?2 AND {condition}
              ORDER BY id DESC LIMIT 1 OFFSET ?3)"
        ))?
        .execute(params![process.0, position, keep])?;
    }
    Ok(())
}

fn check(row: &Row<'_>) -> Decoded<CheckRecord> {
    let (spec, state): (String, String) = (row.get(2)?, row.get(3)?);
    Ok(CheckRecord {
        process: ProcessId(row.get(0)?),
        position: usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
        spec: serde_json::from_str(&spec)?,
        state: serde_json::from_str(&state)?,
    })
}

fn result(row: &Row<'_>) -> Decoded<CheckResult> {
    let status = |text: String| Status::parse(&text).ok_or_else(|| format!("status: {text:?} is unknown"));
    Ok(CheckResult {
        run: RunNo(row.get(1)?),
        time: Timestamp(row.get(2)?),
        found: status(row.get(3)?)?,
        changed_to: row.get::<_, Option<String>>(4)?.map(status).transpose()?,
        message: row.get(5)?,
        latency_us: sql::uint(row.get(6)?),
        metrics: row.get(7)?,
    })
}

#[cfg(test)]
mod tests;
