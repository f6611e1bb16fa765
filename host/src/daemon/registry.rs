//! All processes that the daemon knows, by name and by id.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use hostler_model::{ProcessId, ProcessName};
use hostler_store::{LogPoint, Project, RunKey};
use hostler_supervisor::ProcessHandle;
use tokio::sync::watch;

use super::activity::Activity;
use super::changes::{Changes, Topic};
use super::live::Live;
use super::triggers::Outlook;

/// How long the last lines of a process that just ended may take to be stored.
const DRAIN: Duration = Duration::from_secs(2);

/// How long who asks for levels and fields waits for the newest ones.
const PARSING: Duration = Duration::from_millis(300);

/// One process.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: ProcessId,
    pub(crate) project: Project,
    pub(crate) name: ProcessName,
    pub(crate) handle: ProcessHandle,
    /// What of its output is stored.
    pub(crate) logs: watch::Sender<LogMark>,
    /// When it wrote lines.
    pub(crate) activity: Activity,
    /// What its schedule and its files have in store for it.
    pub(crate) outlook: Outlook,
    /// For who is attached to it.
    pub(crate) live: Live,
    /// One input after the other: pieces of two are not mixed.
    pub(crate) input: tokio::sync::Mutex<()>,
    /// The group it is in; the groups keep it true.
    group: RwLock<Option<ProcessName>>,
}

/// How far the output of a process is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogMark {
    /// The newest stored line.
    pub(crate) newest: Option<LogPoint>,
    /// The newest line that the parsers have seen, and all before it.
    pub(crate) annotated: Option<LogPoint>,
    /// The newest run whose journal is stored whole.
    pub(crate) drained: Option<RunKey>,
}

impl LogMark {
    /// The newest line that parsers have seen, and all before it; none where nothing is known to wait for them.
    pub(crate) fn seen(&self) -> Option<LogPoint> {
        let newest = self.newest?;
        let before_its_run = LogPoint { run: newest.run, seq: 0 };
        Some(self.annotated.unwrap_or(before_its_run))
    }

    /// Whether there are lines that parsers have not seen.
    pub(crate) fn is_unparsed(&self) -> bool {
        self.annotated < self.newest
    }
}

impl Entry {
    pub(crate) fn new(id: ProcessId, project: Project, name: ProcessName, handle: ProcessHandle) -> Self {
        let (logs, _) = watch::channel(LogMark::default());
        let (activity, outlook, live, input, group) = Default::default();
        Self { id, project, name, handle, logs, activity, outlook, live, input, group }
    }

    /// The group it is in.
    pub(crate) fn group(&self) -> Option<ProcessName> {
        self.group.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(crate) fn set_group(&self, group: Option<ProcessName>) {
        *self.group.write().unwrap_or_else(std::sync::PoisonError::into_inner) = group;
    }

    /// `project/name`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.project.name, self.name)
    }

    /// Whether lines may still come: it is at work, or its last ones are on their way into the store.
    pub(crate) fn may_write(&self) -> bool {
        !self.handle.snapshot().lifecycle.state.is_at_rest() || self.is_behind()
    }

    /// Waits until all that an ended run wrote is stored: who sees its end also finds its last line.
    pub(crate) async fn caught_up(&self) {
        let mut logs = self.logs.subscribe();
        if self.is_behind() {
            let _ = tokio::time::timeout(DRAIN, logs.wait_for(|mark| self.lacks(mark).is_none())).await;
        }
    }

    /// Waits a moment until the parsers have seen the lines that are there. It is no failure when they have not: what
    /// may be the beginning of a stack trace waits for more, and old lines are caught up with after a start.
    pub(crate) async fn annotated(&self) {
        let newest = self.logs.borrow().newest;
        let mut logs = self.logs.subscribe();
        let _ = tokio::time::timeout(PARSING, logs.wait_for(|mark| mark.annotated >= newest)).await;
    }

    fn is_behind(&self) -> bool {
        self.lacks(&self.logs.borrow()).is_some()
    }

    /// The newest run, when it is over and not stored whole.
    fn lacks(&self, mark: &LogMark) -> Option<RunKey> {
        let run = self.handle.snapshot().run;
        let key = run.key.filter(|_| run.is_over()).map(|key| RunKey(key.0))?;
        (mark.drained < Some(key)).then_some(key)
    }
}

/// The processes.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// For who wants to know of changes.
    pub(crate) changes: Changes,
    entries: RwLock<BTreeMap<ProcessId, Arc<Entry>>>,
}

impl Registry {
    pub(crate) fn insert(&self, entry: Arc<Entry>) {
        self.write().insert(entry.id, entry);
        self.changes.tell(Topic::Processes);
    }

    pub(crate) fn remove(&self, id: ProcessId) {
        self.write().remove(&id);
        self.changes.tell(Topic::Processes);
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
