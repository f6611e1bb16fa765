//! Beginning anew after the loss of a database, with what is known from elsewhere.

use std::io;
use std::path::{Path, PathBuf};

use hostler_model::{Exit, Lifecycle, Pid, ProcessId, ProcessName, ProcessSpec, RunNo, Timestamp};
use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::open::sibling;
use crate::processes::LifecycleRow;
use crate::projects::ensure;
use crate::runs::{RunEnd, RunKey, end};
use crate::sql;
use crate::store::{MARK_OF_DAMAGE, Store};

/// A process that was found without a record of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundProcess {
    /// Its number.
    pub id: ProcessId,
    /// The directory of its project.
    pub project_root: String,
    /// The name of its project, if that is free.
    pub project_name: String,
    /// Its name.
    pub name: ProcessName,
    /// How to start it.
    pub spec: ProcessSpec,
    /// Its state, as far as it can be told.
    pub lifecycle: Lifecycle,
    /// Its runs whose output is still to be stored.
    pub runs: Vec<FoundRun>,
}

/// A run that was found without a record of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRun {
    /// Its number.
    pub run: RunNo,
    /// The name of its run directory.
    pub dir: String,
    /// The kernel boot in which it was started.
    pub boot_id: String,
    /// The main process and its start time in clock ticks since boot, if the program was executed.
    pub main: Option<(Pid, u64)>,
    /// When that was.
    pub started_at: Option<Timestamp>,
    /// How it ended and how many descendants were ended with it, if it is known to be over.
    pub end: Option<(Exit, u32)>,
}

/// Moves a damaged database and its side files away, and answers where the database is now: beside its place, under
/// its name with `.damaged-` and the time behind it. A rescue by `sqlite3 FILE .recover` finds the log beside it.
///
/// # Errors
/// When it cannot be moved.
pub fn set_aside(path: &Path, stamp: &str) -> io::Result<PathBuf> {
    let to = sibling(path, &format!(".damaged-{stamp}"));
    for suffix in ["-wal", "-shm", ""] {
        match std::fs::rename(sibling(path, suffix), sibling(&to, suffix)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            outcome => outcome?,
        }
    }
    match std::fs::remove_file(sibling(path, MARK_OF_DAMAGE)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(to),
    }
}

impl Store {
    /// Records processes that were found, each under the number that it had; those that are on record stay as they
    /// are.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn restore(&self, found: Vec<FoundProcess>, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |conn| found.iter().try_for_each(|process| restore(conn, process, now))).await
    }
}

fn restore(conn: &Connection, found: &FoundProcess, now: Timestamp) -> Result<(), StoreError> {
    let project = ensure(conn, &found.project_root, &found.project_name, now)?;
    let spec = sql::json("the process spec", serde_json::to_string(&found.spec))?;
    let row = LifecycleRow::new(&found.lifecycle)?;
    let inserted = conn
        .prepare_cached(
            "INSERT INTO processes
             (id, project_id, name, spec, lifecycle, generation, desired, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            found.id.0,
            project.id,
            found.name.as_str(),
            spec,
            row.json,
            row.generation,
            row.desired,
            now.0
        ])?;
    if inserted == 0 {
        return Ok(());
    }
    for run in &found.runs {
        conn.prepare_cached(
            "INSERT INTO runs (process_id, run, dir, boot_id, reason, created_at, pid, start_ticks, started_at)
             VALUES (?1, ?2, ?3, ?4, 'start', ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            found.id.0,
            run.run.0,
            run.dir,
            run.boot_id,
            run.started_at.unwrap_or(now).0,
            run.main.map(|(pid, _)| pid.0),
            run.main.map(|(_, ticks)| sql::int(ticks)),
            run.started_at.map(|at| at.0),
        ])?;
        if let Some((exit, descendants_ended)) = run.end {
            let key = RunKey(conn.last_insert_rowid());
            end(conn, &RunEnd { run: key, exit, descendants_ended, note: None })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_goes_with_its_side_files_and_what_is_not_there_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hostler.db");
        std::fs::write(&path, "bytes").unwrap();
        std::fs::write(sibling(&path, "-wal"), "log").unwrap();
        let to = set_aside(&path, "then").unwrap();
        assert_eq!(to, dir.path().join("hostler.db.damaged-then"));
        assert_eq!(std::fs::read(&to).unwrap(), b"bytes");
        assert_eq!(std::fs::read(sibling(&to, "-wal")).unwrap(), b"log");
        assert!(!path.exists() && !sibling(&path, "-wal").exists());
    }
}
