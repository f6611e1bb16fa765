//! Processes: what was declared, what is wanted, and what is known of each.

use hostler_model::{Desired, Lifecycle, ProcessId, ProcessName, ProcessSpec, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::StoreError;
use crate::listing::{Decoded, Listing, list};
use crate::projects::Project;
use crate::runs::RunKey;
use crate::sql;
use crate::store::Store;

/// A process to be declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProcess {
    /// The project it belongs to.
    pub project_id: i64,
    /// Its name, unique in the project.
    pub name: ProcessName,
    /// How to start it.
    pub spec: ProcessSpec,
    /// Its state.
    pub lifecycle: Lifecycle,
    /// The time of the declaration.
    pub now: Timestamp,
}

/// A declared process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRecord {
    /// Its number, never reused.
    pub id: ProcessId,
    /// The project it belongs to.
    pub project: Project,
    /// Its name.
    pub name: ProcessName,
    /// How to start it.
    pub spec: ProcessSpec,
    /// Its state when it was last saved.
    pub lifecycle: Lifecycle,
    /// When it was declared.
    pub created_at: Timestamp,
}

impl Store {
    /// Declares a process.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the project has one of that name.
    pub async fn insert_process(&self, new: NewProcess) -> Result<ProcessId, StoreError> {
        self.write_if_room(move |conn| insert(conn, &new)).await
    }

    /// Replaces how a process is started.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is gone.
    pub async fn update_spec(
        &self,
        id: ProcessId,
        spec: &ProcessSpec,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let spec = sql::json("the process spec", serde_json::to_string(spec))?;
        self.write(move |conn| {
            let changed = conn
                .prepare_cached("UPDATE processes SET spec = ?2, updated_at = ?3 WHERE id = ?1")?
                .execute(params![id.0, spec, now.0])?;
            if changed == 0 { Err(gone(id)) } else { Ok(()) }
        })
        .await
    }

    /// Saves the state of a process; false when the stored one has a newer generation and stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is gone.
    pub async fn save_lifecycle(
        &self,
        id: ProcessId,
        lifecycle: &Lifecycle,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = LifecycleRow::new(lifecycle)?;
        self.write(move |conn| save_lifecycle(conn, id, &row, now)).await
    }

    /// Removes a process with all its runs and their output; false when there was none. A long log is
    /// deleted in pieces, so that other writes need not wait for it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remove_process(&self, id: ProcessId) -> Result<bool, StoreError> {
        let runs: Vec<RunKey> = self
            .read(move |conn| {
                let mut statement = conn.prepare_cached("SELECT id FROM runs WHERE process_id = ?1")?;
                let keys = statement.query_map([id.0], |row| row.get(0).map(RunKey))?;
                Ok(keys.collect::<Result<_, _>>()?)
            })
            .await?;
        for run in runs {
            self.delete_rows(run).await?;
        }
        self.write(move |conn| Ok(conn.execute("DELETE FROM processes WHERE id = ?1", [id.0])? > 0)).await
    }

    /// All processes, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read; a row that this build cannot read is part of the listing.
    pub async fn processes(&self) -> Result<Listing<ProcessRecord>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT p.id, p.name, p.spec, p.lifecycle, p.created_at, q.id, q.root, q.name
                 FROM processes p JOIN projects q ON q.id = p.project_id ORDER BY p.id",
            )?;
            list(&mut statement, [], "processes", record)
        })
        .await
    }
}

fn insert(conn: &Connection, new: &NewProcess) -> Result<ProcessId, StoreError> {
    let spec = sql::json("the process spec", serde_json::to_string(&new.spec))?;
    let row = LifecycleRow::new(&new.lifecycle)?;
    let project: Option<String> = conn
        .prepare_cached("SELECT name FROM projects WHERE id = ?1")?
        .query_row([new.project_id], |r| r.get(0))
        .optional()?;
    let project = project.ok_or_else(|| StoreError::NotFound(format!("project {}", new.project_id)))?;
    conn.prepare_cached(
        "INSERT INTO processes
         (project_id, name, spec, lifecycle, generation, desired, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
    )?
    .execute(params![
        new.project_id,
        new.name.as_str(),
        spec,
        row.json,
        row.generation,
        row.desired,
        new.now.0
    ])
    .map_err(|e| StoreError::or_duplicate(e, || format!("process {project}/{}", new.name)))?;
    Ok(ProcessId(conn.last_insert_rowid()))
}

/// A lifecycle as its columns.
pub(crate) struct LifecycleRow {
    pub(crate) json: String,
    pub(crate) generation: i64,
    pub(crate) desired: &'static str,
}

impl LifecycleRow {
    pub(crate) fn new(lifecycle: &Lifecycle) -> Result<Self, StoreError> {
        Ok(Self {
            json: sql::json("the lifecycle", serde_json::to_string(lifecycle))?,
            generation: sql::int(lifecycle.generation.0),
            desired: match lifecycle.desired {
                Desired::Running => "running",
                Desired::Stopped => "stopped",
            },
        })
    }
}

/// Saves a lifecycle unless a newer one is stored. Two savers may overtake one another on their way to the
/// queue; the generation decides, not the order of arrival.
pub(crate) fn save_lifecycle(
    conn: &Connection,
    id: ProcessId,
    row: &LifecycleRow,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let saved = conn
        .prepare_cached(
            "UPDATE processes SET lifecycle = ?2, generation = ?3, desired = ?4, updated_at = ?5
             WHERE id = ?1 AND generation <= ?3",
        )?
        .execute(params![id.0, row.json, row.generation, row.desired, now.0])?;
    if saved > 0 {
        return Ok(true);
    }
    let exists = conn.prepare_cached("SELECT 1 FROM processes WHERE id = ?1")?.exists([id.0])?;
    if exists { Ok(false) } else { Err(gone(id)) }
}

fn gone(id: ProcessId) -> StoreError {
    StoreError::NotFound(format!("process {id}"))
}

fn record(row: &Row<'_>) -> Decoded<ProcessRecord> {
    let spec: String = row.get(2)?;
    let lifecycle: String = row.get(3)?;
    Ok(ProcessRecord {
        id: ProcessId(row.get(0)?),
        name: ProcessName::try_from(row.get::<_, String>(1)?)?,
        spec: serde_json::from_str(&spec).map_err(|e| format!("spec: {e}"))?,
        lifecycle: serde_json::from_str(&lifecycle).map_err(|e| format!("lifecycle: {e}"))?,
        created_at: Timestamp(row.get(4)?),
        project: Project { id: row.get(5)?, root: row.get(6)?, name: row.get(7)? },
    })
}

#[cfg(test)]
mod tests;
