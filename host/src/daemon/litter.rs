//! Directories of runs that are over and stored. They are removed on a thread of their own: a file system may take its
//! time for that, and the output of others must not wait.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use hostler_model::{ProcessId, RunNo};
use hostler_shim::exit_record;
use hostler_store::Store;

use super::home::Home;

/// Where to put what may go.
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
            left_behind(&runs, &store).for_each(|dir| remove(&dir));
            drop(store);
            inbox.iter().for_each(|dir| remove(&dir));
        })?;
        Ok((Self(litter), thread))
    }

    /// Lets a directory go.
    pub(crate) fn put(&self, dir: PathBuf) {
        // Without the thread it goes at the next start.
        let _ = self.0.send(dir);
    }
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
    match store.run_is_drained_blocking(process, run) {
        Ok(Some(drained)) => drained,
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
