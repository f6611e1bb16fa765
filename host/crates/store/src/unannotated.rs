//! Runs with lines that no parser has seen.

use hostler_model::{ProcessId, RunNo};
use rusqlite::OptionalExtension;

use crate::error::StoreError;
use crate::runs::{RunKey, gone};
use crate::store::Store;

/// So many are found at once: the newest, which somebody may want to look at.
const MOST: usize = 1_000;

impl Store {
    /// The runs with lines that no parser has seen, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unannotated_runs(&self) -> Result<Vec<RunKey>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id FROM runs WHERE annotated_seq < next_seq ORDER BY id DESC LIMIT ?1",
            )?;
            let keys = statement.query_map([MOST as i64], |row| row.get(0).map(RunKey))?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The process of a run, and its number there.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the run is gone.
    pub async fn run_of(&self, key: RunKey) -> Result<(ProcessId, RunNo), StoreError> {
        self.read(move |conn| {
            conn.prepare_cached("SELECT process_id, run FROM runs WHERE id = ?1")?
                .query_row([key.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?
                .map(|(process, run): (i64, u32)| (ProcessId(process), RunNo(run)))
                .ok_or_else(|| gone(key))
        })
        .await
    }
}
