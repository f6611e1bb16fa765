//! Directories of runs that are over and stored. They are removed on a thread of their own: a file system may take its
//! time for that, and the output of others must not wait.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hostler_model::{ProcessId, RunNo};
use hostler_shim::exit_record;
use hostler_store::Store;

use super::home::Home;

/// How often it is looked again whether the end of a run is on record.
const RETRY: Duration = Duration::from_secs(1);

/// How much less it may compute than others when the machine is busy, as `nice` counts: when a run ends, its next one is
/// being started.
const NICENESS: i32 = 10;

/// Where to put what may go. Who puts it there does not wait; what waits are paths of directories that are on the disk, so
/// that there are never more than those.
#[derive(Debug, Clone)]
pub(crate) struct Litter(Sender<PathBuf>);

impl Litter {
    /// Starts the thread. It begins with what a daemon left that was killed between storing and removing, and ends
    /// when everybody is gone who could bring more.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(home: &Home, store: Store) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (litter, inbox) = channel::<PathBuf>();
        let runs = home.runs();
        let thread = std::thread::Builder::new().name("litter".into()).spawn(move || {
            super::yield_to_others(NICENESS);
            left_behind(&runs, &store).for_each(|dir| remove(&dir));
            clear(&store, &inbox);
        })?;
        Ok((Self(litter), thread))
    }

    /// Lets a directory go.
    pub(crate) fn put(&self, dir: PathBuf) {
        // Without the thread it goes at the next start.
        let _ = self.0.send(dir);
    }
}

/// Removes what comes, once the end of its run is on record: until then the directory tells it to the next daemon.
fn clear(store: &Store, inbox: &Receiver<PathBuf>) {
    let mut waiting: Vec<PathBuf> = Vec::new();
    loop {
        let patience = if waiting.is_empty() { Duration::MAX } else { RETRY };
        match inbox.recv_timeout(patience) {
            Ok(dir) if is_needed(store, &dir) => waiting.push(dir),
            Ok(dir) => remove(&dir),
            Err(RecvTimeoutError::Timeout) => waiting.retain(|dir| {
                let is_needed = is_needed(store, dir);
                if !is_needed {
                    remove(dir);
                }
                is_needed
            }),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn is_needed(store: &Store, dir: &Path) -> bool {
    let name = dir.file_name().and_then(|name| name.to_str());
    let Some((process, run)) = name.and_then(Home::parse_run_dir_name) else { return false };
    !matches!(store.run_is_complete_blocking(process, run), Ok(Some(true) | None))
}

/// The directories of runs that are wholly in the store, or of a process that was removed.
fn left_behind(runs: &Path, store: &Store) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let (process, run) = Home::parse_run_dir_name(entry.file_name().to_str()?)?;
        may_go(store, process, run, &entry.path()).then(|| entry.path())
    })
}

fn may_go(store: &Store, process: ProcessId, run: RunNo, dir: &Path) -> bool {
    match store.run_is_complete_blocking(process, run) {
        Ok(Some(complete)) => complete,
        // Nobody asks for it any more; but what may be alive stays, however it came here.
        Ok(None) => exit_record::read(dir).is_ok_and(|record| record.is_some_and(|r| r.closed)),
        Err(_) => false,
    }
}

fn remove(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, dir = %dir.display(), "cannot remove a run's directory");
    }
}
