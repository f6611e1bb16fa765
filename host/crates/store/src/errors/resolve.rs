//! Resolving groups.

use hostler_model::ErrorId;
use hostler_model::errors::{GroupState, Resolution};
use rusqlite::{Connection, OptionalExtension};

use super::record::save_state;
use super::{ErrorGroup, queries};
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Marks groups as resolved, all or none, and answers them in the same order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of them does not exist.
    pub async fn resolve_errors(
        &self,
        ids: Vec<ErrorId>,
        resolution: Resolution,
    ) -> Result<Vec<ErrorGroup>, StoreError> {
        self.write(move |conn| ids.iter().map(|id| resolve(conn, *id, &resolution)).collect()).await
    }
}

fn resolve(conn: &Connection, id: ErrorId, resolution: &Resolution) -> Result<ErrorGroup, StoreError> {
    let state: Option<String> = conn
        .prepare_cached("SELECT state FROM error_groups WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    let gone = || StoreError::NotFound(format!("error {id}"));
    let mut state: GroupState = serde_json::from_str(&state.ok_or_else(gone)?)
        .map_err(|e| StoreError::Unreadable(format!("the state of error {id}: {e}")))?;
    state.resolve(resolution.clone());
    save_state(conn, id, &state)?;
    queries::by_id(conn, id)?.ok_or_else(gone)
}
