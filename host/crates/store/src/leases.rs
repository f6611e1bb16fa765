//! Until when processes live that were started for a lease.

use hostler_model::{ProcessId, Timestamp};

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Records when the lease of a process ends, in place of an earlier time.
    ///
    /// # Errors
    /// When the process is gone or the database cannot be written.
    pub async fn set_lease(&self, process: ProcessId, ends_at: Timestamp) -> Result<(), StoreError> {
        self.write(move |conn| {
            conn.prepare_cached(
                "INSERT INTO leases (process_id, ends_at) VALUES (?1, ?2)
                 ON CONFLICT (process_id) DO UPDATE SET ends_at = excluded.ends_at",
            )?
            .execute([process.0, ends_at.0])?;
            Ok(())
        })
        .await
    }

    /// All leases that were ever granted to a process that is still known, with their ends.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn leases(&self) -> Result<Vec<(ProcessId, Timestamp)>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached("SELECT process_id, ends_at FROM leases")?;
            let rows = statement.query_map([], |row| Ok((ProcessId(row.get(0)?), Timestamp(row.get(1)?))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
