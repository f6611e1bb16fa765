//! All groups that the daemon knows. Each is looked after by a task of its own.

mod actor;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use hostler_model::groups::StopStrategy;
use hostler_model::{Group, GroupRun};
use hostler_store::{GroupRecord, Project, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use super::changes::Topic;
use super::degraded::Degraded;
use super::registry::Registry;
use actor::{Actor, Command};

/// How long the tasks may take to end at a shutdown.
const DRAIN: Duration = Duration::from_secs(1);

/// A group as its task has it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) group: Group,
    pub(crate) run: GroupRun,
}

/// A group.
#[derive(Debug)]
pub(crate) struct GroupEntry {
    pub(crate) id: i64,
    pub(crate) project: Project,
    commands: mpsc::UnboundedSender<Command>,
    shown: watch::Receiver<Shown>,
}

/// The task of a group has ended: the daemon is shutting down, or the group was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl GroupEntry {
    /// What is now.
    pub(crate) fn shown(&self) -> Shown {
        self.shown.borrow().clone()
    }

    /// A receiver of what is.
    pub(crate) fn watch(&self) -> watch::Receiver<Shown> {
        self.shown.clone()
    }

    /// Wants it to run; answers once all has been asked for that can be asked for at once. With `ready` somebody waits
    /// for each of its members to be so.
    pub(crate) async fn start(&self, ready: bool) -> Result<(), Gone> {
        self.ask(|done| Command::Start { ready, done }).await
    }

    /// Wants it to end.
    pub(crate) async fn stop(
        &self,
        strategy: Option<StopStrategy>,
        grace_ms: Option<u64>,
    ) -> Result<(), Gone> {
        self.ask(|done| Command::Stop { strategy, grace_ms, done }).await
    }

    /// Has another declaration from now on.
    pub(crate) async fn redeclare(&self, group: Group) -> Result<(), Gone> {
        self.ask(|done| Command::Declare { group: Box::new(group), done }).await
    }

    async fn ask(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) -> Result<(), Gone> {
        let (done, answer) = oneshot::channel();
        self.commands.send(command(done)).map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }
}

/// The groups, in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Groups {
    entries: RwLock<BTreeMap<i64, Arc<GroupEntry>>>,
    tasks: TaskTracker,
    store: Store,
    registry: Arc<Registry>,
    degraded: Degraded,
    /// Declaring is done by one at a time.
    pub(crate) declaring: tokio::sync::Mutex<()>,
}

impl Groups {
    pub(crate) fn new(store: Store, registry: Arc<Registry>, degraded: Degraded) -> Self {
        let (entries, tasks, declaring) = Default::default();
        Self { entries, tasks, store, registry, degraded, declaring }
    }

    /// Goes on with the groups of the records.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn resume(&self) -> Result<(), StoreError> {
        let listing = self.store.groups().await?;
        for row in &listing.unreadable {
            tracing::error!(id = row.id, reason = %row.reason, "left out an unreadable group");
        }
        for record in listing.rows {
            self.look_after(record);
        }
        self.label();
        Ok(())
    }

    /// Declares a group, or declares one of that name anew.
    ///
    /// # Errors
    /// When it cannot be recorded; then nothing is changed.
    pub(crate) async fn put(&self, project: &Project, group: Group) -> Result<Arc<GroupEntry>, StoreError> {
        let run = GroupRun::default();
        let id = self.store.put_group(project.id, &group, &run, super::now()).await?;
        let known = self.read().get(&id).cloned();
        let new = || GroupRecord { id, project: project.clone(), group: group.clone(), run };
        let entry = known.unwrap_or_else(|| self.look_after(new()));
        // Answered when its members were looked at. The task ends with the daemon only; the record is what counts.
        let _ = entry.redeclare(group).await;
        self.label();
        Ok(entry)
    }

    /// Forgets a group; its processes stay.
    ///
    /// # Errors
    /// When that cannot be recorded.
    pub(crate) async fn remove(&self, id: i64) -> Result<(), StoreError> {
        self.store.remove_group(id).await?;
        self.write().remove(&id);
        self.label();
        Ok(())
    }

    fn look_after(&self, record: GroupRecord) -> Arc<GroupEntry> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let GroupRecord { id, project, group, run } = record;
        let (shown, watcher) = watch::channel(Shown { group, run });
        let (store, registry, degraded) = (self.store.clone(), self.registry.clone(), self.degraded.clone());
        let project_id = project.id;
        let actor = Actor { id, project_id, inbox, shown, store, registry, degraded, ready_wanted: false };
        self.tasks.spawn(actor.run());
        let entry = Arc::new(GroupEntry { id, project, commands, shown: watcher });
        self.write().insert(id, entry.clone());
        entry
    }

    /// All, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<GroupEntry>> {
        self.read().values().cloned().collect()
    }

    /// The group of this name in a project.
    pub(crate) fn find(&self, project: i64, name: &str) -> Option<Arc<GroupEntry>> {
        let named =
            |e: &&Arc<GroupEntry>| e.project.id == project && e.shown.borrow().group.name().as_str() == name;
        self.read().values().find(named).cloned()
    }

    /// Tells each process which group it is in: the oldest one, when there are several.
    pub(crate) fn label(&self) {
        self.registry.changes.tell(Topic::Groups);
        let groups = self.all();
        for process in self.registry.all() {
            let group = groups.iter().find_map(|g| {
                let shown = g.shown.borrow();
                let is_in =
                    g.project.id == process.project.id && shown.group.member(process.name.as_str()).is_some();
                is_in.then(|| shown.group.name().clone())
            });
            process.set_group(group);
        }
    }

    /// Ends the tasks; what they had begun is on record.
    pub(crate) async fn shutdown(&self) {
        // A task ends when nobody can ask it for anything any more.
        self.write().clear();
        self.tasks.close();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!(open = self.tasks.len(), "groups were not left in time");
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<i64, Arc<GroupEntry>>> {
        self.entries.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<i64, Arc<GroupEntry>>> {
        self.entries.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
