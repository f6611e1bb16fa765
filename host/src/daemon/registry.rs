//! All processes that the daemon knows, by name and by id.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use hostler_model::{ProcessId, ProcessName};
use hostler_store::{LogPoint, Project, RunKey};
use hostler_supervisor::ProcessHandle;
use tokio::sync::watch;

/// One process.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: ProcessId,
    pub(crate) project: Project,
    pub(crate) name: ProcessName,
    pub(crate) handle: ProcessHandle,
    /// What of its output is stored.
    pub(crate) logs: watch::Sender<LogMark>,
}

/// How far the output of a process is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogMark {
    /// The newest stored line.
    pub(crate) newest: Option<LogPoint>,
    /// The newest run whose journal is stored whole.
    pub(crate) drained: Option<RunKey>,
}

impl Entry {
    /// `project/name`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.project.name, self.name)
    }
}

/// The processes.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: RwLock<BTreeMap<ProcessId, Arc<Entry>>>,
}

impl Registry {
    pub(crate) fn insert(&self, entry: Arc<Entry>) {
        self.write().insert(entry.id, entry);
    }

    pub(crate) fn remove(&self, id: ProcessId) {
        self.write().remove(&id);
    }

    pub(crate) fn get(&self, id: ProcessId) -> Option<Arc<Entry>> {
        self.read().get(&id).cloned()
    }

    /// All, in the order of their ids.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.read().values().cloned().collect()
    }

    /// The process of this name in a project.
    pub(crate) fn find(&self, project: i64, name: &str) -> Option<Arc<Entry>> {
        self.read().values().find(|e| e.project.id == project && e.name.as_str() == name).cloned()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<ProcessId, Arc<Entry>>> {
        self.entries.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<ProcessId, Arc<Entry>>> {
        self.entries.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
