//! For whose time processes live that were started for a session.

use hostler_model::{Pid, ProcessId};
use rusqlite::params;

use crate::error::StoreError;
use crate::sql;
use crate::store::Store;

/// The owner of a process: its client's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOwner {
    /// Whose owner it is.
    pub process: ProcessId,
    /// The client's process.
    pub pid: Pid,
    /// Its start time in clock ticks since boot, which tells it from a later process with the same pid.
    pub start_ticks: u64,
    /// The kernel boot in which that was.
    pub boot_id: String,
}

impl Store {
    /// Records the owner of a process, in place of an earlier one.
    ///
    /// # Errors
    /// When the process is gone or the database cannot be written.
    pub async fn set_session_owner(&self, owner: SessionOwner) -> Result<(), StoreError> {
        self.write(move |conn| {
            conn.prepare_cached(
                "INSERT INTO session_owners (process_id, pid, start_ticks, boot_id) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (process_id) DO UPDATE
                 SET pid = excluded.pid, start_ticks = excluded.start_ticks, boot_id = excluded.boot_id",
            )?
            .execute(params![
                owner.process.0,
                owner.pid.0,
                sql::int(owner.start_ticks),
                owner.boot_id
            ])?;
            Ok(())
        })
        .await
    }

    /// All owners.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session_owners(&self) -> Result<Vec<SessionOwner>, StoreError> {
        self.read(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT process_id, pid, start_ticks, boot_id FROM session_owners")?;
            let rows = statement.query_map([], |row| {
                Ok(SessionOwner {
                    process: ProcessId(row.get(0)?),
                    pid: Pid(row.get(1)?),
                    start_ticks: sql::uint(row.get(2)?),
                    boot_id: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
