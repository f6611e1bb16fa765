//! When the database is damaged: it is set aside, and a new one begins with what the run directories tell. Processes
//! run on and are supervised on; what is only in the old one can be rescued by hand.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_model::lifecycle::{Desired, State};
use hostler_model::{Lifecycle, Pid, ProcessId, ProcessName, ProcessSpec, RunNo};
use hostler_shim::exit_record;
use hostler_shim::pid_file::PidFile;
use hostler_store::{FoundProcess, FoundRun, OpenError, Store, set_aside};
use hostler_supervisor::{adopt, proc};
use serde::{Deserialize, Serialize};

use super::home::Home;

/// Name of the file in a run directory that tells of what process it is.
pub(crate) const DECLARATION: &str = "declaration.json";

/// Its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Declaration {
    pub(crate) process: ProcessId,
    pub(crate) project_root: String,
    pub(crate) project_name: String,
    pub(crate) name: ProcessName,
    pub(crate) spec: ProcessSpec,
}

/// Opens the database. A damaged one is set aside first; then the second value says so.
///
/// # Errors
/// When it is newer, of another program, locked, or cannot be opened for another reason; it is then left as it is.
pub(crate) async fn open(home: &Home) -> Result<(Store, Option<String>), String> {
    let path = home.database();
    let damage = match Store::open(&path, super::now()) {
        Ok(store) => return Ok((store, None)),
        Err(error @ (OpenError::Corrupt { .. } | OpenError::NotADatabase { .. })) => error,
        Err(error) => return Err(error.to_string()),
    };
    let stamp = hostler_api::time::rfc3339(super::now()).replace([':', '-'], "");
    let to = set_aside(&path, &stamp).map_err(|e| format!("{damage}; it cannot be set aside: {e}"))?;
    let store = Store::open(&path, super::now()).map_err(|e| e.to_string())?;
    let found = found_processes(home);
    let count = found.len();
    store.restore(found, super::now()).await.map_err(|e| e.to_string())?;
    let note = format!(
        "the database was damaged ({}) and set aside as {}; a new one begins with the {count} processes that were at \
         work or had just been. Older logs and declarations: `sqlite3 {} .recover`",
        damage.detail(),
        to.display(),
        to.display()
    );
    tracing::error!("{note}");
    Ok((store, Some(note)))
}

/// The processes of which there are run directories.
fn found_processes(home: &Home) -> Vec<FoundProcess> {
    let mut runs: BTreeMap<ProcessId, BTreeMap<RunNo, String>> = BTreeMap::new();
    for entry in std::fs::read_dir(home.runs()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some((id, run)) = Home::parse_run_dir_name(&name) {
            runs.entry(id).or_default().insert(run, name);
        }
    }
    runs.into_iter().filter_map(|(id, runs)| found_process(home, id, &runs)).collect()
}

fn found_process(home: &Home, id: ProcessId, runs: &BTreeMap<RunNo, String>) -> Option<FoundProcess> {
    let (newest, dir) = runs.last_key_value()?;
    let dir = home.runs().join(dir);
    let declared = std::fs::read(dir.join(DECLARATION)).ok()?;
    let declared: Declaration = match serde_json::from_slice(&declared) {
        Ok(declared) => declared,
        Err(error) => {
            tracing::error!(%error, dir = %dir.display(), "unreadable declaration; its process is left out");
            return None;
        }
    };
    let found = runs.iter().map(|(run, name)| found_run(*run, name, &home.runs().join(name))).collect();
    Some(FoundProcess {
        id,
        project_root: declared.project_root,
        project_name: declared.project_name,
        name: declared.name,
        spec: declared.spec,
        lifecycle: lifecycle(*newest, &dir),
        runs: found,
    })
}

fn found_run(run: RunNo, name: &str, dir: &Path) -> FoundRun {
    let file = PidFile::read(dir);
    FoundRun {
        run,
        dir: name.to_owned(),
        boot_id: file.as_ref().map(|f| f.boot_id.clone()).unwrap_or_default(),
        main: file.as_ref().map(|f| (Pid(f.pid), f.start_ticks)),
        started_at: file.map(|f| proc::started_at(f.start_ticks, super::now())),
    }
}

/// The state of a process by its newest run: over, or at work as far as is known. What is then found out is the
/// take-over's business.
fn lifecycle(run: RunNo, dir: &Path) -> Lifecycle {
    let ended = exit_record::read(dir).ok().flatten().filter(|record| record.closed);
    let state = match (ended, PidFile::read(dir)) {
        (Some(record), _) => State::Exited { exit: adopt::exit_of(&record) },
        (None, Some(file)) => State::Running {
            run,
            pid: Pid(file.pid),
            since: proc::started_at(file.start_ticks, super::now()),
            ready: None,
        },
        (None, None) => State::Starting { run, since: super::now() },
    };
    Lifecycle { desired: Desired::Running, state, last_run: run, ..Lifecycle::default() }
}
