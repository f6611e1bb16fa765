//! Lists of which one unreadable row does not make the rest unreadable.

use std::error::Error;

use rusqlite::{Params, Row, Statement};

use crate::error::StoreError;

/// The rows that could be read, and those that could not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What could be read.
    pub rows: Vec<T>,
    /// What could not, for example a value that a later version wrote.
    pub unreadable: Vec<UnreadableRow>,
}

/// A stored row that this build cannot read. It stays in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its table.
    pub table: &'static str,
    /// Its number in that table.
    pub id: i64,
    /// What is wrong with it.
    pub reason: String,
}

/// A row, or why it cannot be read.
pub(crate) type Decoded<T> = Result<T, Box<dyn Error>>;

/// Reads all rows of a statement whose first column is the row's number.
pub(crate) fn list<T>(
    statement: &mut Statement<'_>,
    params: impl Params,
    table: &'static str,
    decode: impl Fn(&Row<'_>) -> Decoded<T>,
) -> Result<Listing<T>, StoreError> {
    let mut listing = Listing { rows: Vec::new(), unreadable: Vec::new() };
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        match decode(row) {
            Ok(value) => listing.rows.push(value),
            Err(reason) => {
                listing.unreadable.push(UnreadableRow { table, id: row.get(0)?, reason: reason.to_string() })
            }
        }
    }
    Ok(listing)
}
