//! Projects: the directories whose processes belong together.

use hostler_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::StoreError;
use crate::store::Store;

/// A directory whose processes belong together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Project {
    /// Its number.
    pub id: i64,
    /// Its absolute directory.
    pub root: String,
    /// Its unique name.
    pub name: String,
}

impl Store {
    /// The project of a directory, made when there is none. Another project may have the wished name
    /// already: then a number is put behind it, `shop`, `shop-2`, `shop-3`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn ensure_project(
        &self,
        root: &str,
        wished_name: &str,
        now: Timestamp,
    ) -> Result<Project, StoreError> {
        let (root, wished) = (root.to_owned(), wished_name.to_owned());
        self.write(move |conn| ensure(conn, &root, &wished, now)).await
    }

    /// All projects, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn projects(&self) -> Result<Vec<Project>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached("SELECT id, root, name FROM projects ORDER BY id")?;
            let rows = statement.query_map([], project)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn project(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project { id: row.get(0)?, root: row.get(1)?, name: row.get(2)? })
}

pub(crate) fn ensure(
    conn: &Connection,
    root: &str,
    wished: &str,
    now: Timestamp,
) -> Result<Project, StoreError> {
    let known = conn
        .prepare_cached("SELECT id, root, name FROM projects WHERE root = ?1")?
        .query_row([root], project)
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let name = free_name(conn, wished)?;
    conn.execute(
        "INSERT INTO projects (root, name, created_at) VALUES (?1, ?2, ?3)",
        params![root, name, now.0],
    )?;
    Ok(Project { id: conn.last_insert_rowid(), root: root.to_owned(), name })
}

fn free_name(conn: &Connection, wished: &str) -> Result<String, StoreError> {
    let mut taken = conn.prepare_cached("SELECT 1 FROM projects WHERE name = ?1")?;
    let mut name = wished.to_owned();
    let mut number = 2_u32;
    while taken.exists([&name])? {
        name = format!("{wished}-{number}");
        number += 1;
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
