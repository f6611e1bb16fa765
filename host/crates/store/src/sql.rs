//! Small conversions between SQLite's types and ours.

use crate::error::StoreError;

/// An unsigned number as SQLite stores it. Counters and offsets never come near the bound.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A counter or an offset as it was stored.
pub(crate) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// The JSON text of a column, or which value cannot be written as JSON.
pub(crate) fn json(what: &str, text: serde_json::Result<String>) -> Result<String, StoreError> {
    text.map_err(|e| StoreError::Unreadable(format!("{what} cannot be written as JSON: {e}")))
}
