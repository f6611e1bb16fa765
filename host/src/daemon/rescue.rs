//! When the database is damaged: it is set aside, and a new one begins with what the run directories tell. Processes
//! run on and are supervised on; what is only in the old one can be rescued by hand.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_model::lifecycle::{Context, Desired, Input, State};
use hostler_model::restart::RestartPolicy;
use hostler_model::spec::StopSpec;
use hostler_model::{Exit, Lifecycle, Pid, ProcessId, ProcessName, ProcessSpec, RunNo};
use hostler_shim::exit_record;
use hostler_shim::pid_file::PidFile;
use hostler_store::{FoundProcess, FoundRun, OpenError, Store, set_aside};
use hostler_supervisor::actor::jitter;
use hostler_supervisor::{adopt, proc};
use serde::{Deserialize, Serialize};

use super::home::Home;

/// Name of the file in a run directory that tells of what process it is.
pub(crate) const DECLARATION: &str = "declaration.json";

/// Name of the file in a run directory that tells that the process is to be stopped, and to stay so.
const STOPPED: &str = "stopped";

/// Its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Declaration {
    pub(crate) process: ProcessId,
    pub(crate) project_root: String,
    pub(crate) project_name: String,
    pub(crate) name: ProcessName,
    pub(crate) spec: ProcessSpec,
}

/// Tells the directory of the newest run what is wanted of its process.
pub(crate) fn note_wish(run_dir: &Path, desired: Desired) {
    let mark = run_dir.join(STOPPED);
    let noted = match desired {
        Desired::Running => std::fs::remove_file(mark),
        Desired::Stopped => std::fs::File::create(mark).map(drop),
    };
    // There is no mark to be removed, or the run is over and its directory gone.
    if let Err(error) = noted
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, dir = %run_dir.display(), "cannot note what is wanted of a process");
    }
}

/// What is wanted of a process, where that could only be told to the directory of its newest run.
pub(crate) fn heed_wish(
    mut known: Lifecycle,
    run_dir: &Path,
    stop: StopSpec,
    policy: &RestartPolicy,
) -> Lifecycle {
    if known.desired == Desired::Running && run_dir.join(STOPPED).exists() {
        // What follows from it the take-over does.
        let _actions =
            known.apply(Input::Stop(stop), policy, Context { now: super::now(), jitter: jitter() });
    }
    known
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
    let found = runs.iter().map(|(run, name)| {
        let dir = home.runs().join(name);
        found_run(*run, name, &dir, (run != newest).then(|| end_of(&dir)))
    });
    let runs = found.collect();
    Some(FoundProcess {
        id,
        project_root: declared.project_root,
        project_name: declared.project_name,
        name: declared.name,
        lifecycle: heed_wish(lifecycle(*newest, &dir), &dir, declared.spec.stop, &declared.spec.restart),
        spec: declared.spec,
        runs,
    })
}

fn found_run(run: RunNo, name: &str, dir: &Path, end: Option<(Exit, u32)>) -> FoundRun {
    let file = PidFile::read(dir);
    FoundRun {
        run,
        dir: name.to_owned(),
        boot_id: file.as_ref().map(|f| f.boot_id.clone()).unwrap_or_default(),
        main: file.as_ref().map(|f| (Pid(f.pid), f.start_ticks)),
        started_at: file.map(|f| proc::started_at(f.start_ticks, super::now())),
        end,
    }
}

/// How a run ended that another one followed, and how many descendants were ended with it.
fn end_of(dir: &Path) -> (Exit, u32) {
    match exit_record::read(dir) {
        Ok(Some(record)) => (adopt::exit_of(&record), record.descendants_ended),
        Ok(None) | Err(_) => (Exit::unknown(super::now()), 0),
    }
}

/// The state of a process by its newest run: at work, as far as is known. What is then found out is the take-over's
/// business.
fn lifecycle(run: RunNo, dir: &Path) -> Lifecycle {
    let state = match PidFile::read(dir) {
        Some(file) => State::Running {
            run,
            pid: Pid(file.pid),
            since: proc::started_at(file.start_ticks, super::now()),
            ready: None,
        },
        None => State::Starting { run, since: super::now() },
    };
    Lifecycle { desired: Desired::Running, state, last_run: run, ..Lifecycle::default() }
}

#[cfg(test)]
mod tests {
    use hostler_model::lifecycle::Then;

    use super::*;

    #[test]
    fn the_directory_of_a_run_tells_that_its_process_was_to_be_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let file = PidFile {
            pid: 7,
            start_ticks: 1,
            shim_pid: 8,
            boot_id: "boot".to_owned(),
            pipes: [0; 3],
            cgroup: None,
        };
        file.write(dir.path()).unwrap();
        let (stop, policy) = (StopSpec::default(), RestartPolicy::default());
        let found = || heed_wish(lifecycle(RunNo(2), dir.path()), dir.path(), stop, &policy);
        assert!(matches!(found().state, State::Running { run: RunNo(2), pid: Pid(7), .. }));
        note_wish(dir.path(), Desired::Stopped);
        let to_rest = found();
        assert_eq!(to_rest.desired, Desired::Stopped);
        assert!(matches!(
            to_rest.state,
            State::Stopping { run: RunNo(2), pid: Some(Pid(7)), then: Then::Rest, .. }
        ));
        note_wish(dir.path(), Desired::Running);
        assert_eq!(found().desired, Desired::Running);
        note_wish(&dir.path().join("gone"), Desired::Stopped);
    }
}
