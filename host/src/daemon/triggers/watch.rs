//! Restarts one process when its files change.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostler_model::watch::{Patterns, Storm};
use hostler_model::{Desired, WatchSpec};
use hostler_supervisor::host::Cause;
use hostler_supervisor::{Host, Snapshot};
use tokio::sync::{Notify, watch};

use super::Watching;
use super::tree::{News, Tree};
use crate::daemon::recorder::Recorder;
use crate::daemon::registry::Entry;

/// When it is tried again to watch what could not be watched.
const RETRY: Duration = Duration::from_secs(60);

const TOO_OFTEN: &str = "its files change so often that it is restarted some seconds later; does it write what it is restarted for?";

/// Until the process is no longer supervised.
pub(super) async fn run(entry: Arc<Entry>, recorder: Arc<Recorder>) {
    let mut snapshots = entry.handle.watch();
    loop {
        let wanted = wanted(&snapshots.borrow_and_update());
        let Some(spec) = wanted else {
            entry.outlook.tell(|told| told.watching = None);
            if snapshots.changed().await.is_err() {
                return;
            }
            continue;
        };
        let follower = Follower { entry: &entry, recorder: &recorder, spec };
        if follower.follow(&mut snapshots).await.is_err() {
            return;
        }
    }
}

/// What is to be watched now.
fn wanted(snapshot: &Snapshot) -> Option<WatchSpec> {
    let is_wanted = snapshot.lifecycle.desired == Desired::Running;
    snapshot.spec.watch.clone().filter(|_| is_wanted)
}

/// The process is no longer supervised.
struct Gone;

/// What was told and is not acted upon yet.
struct Changes {
    heap: Mutex<Heap>,
    more: Notify,
}

struct Heap {
    storm: Storm,
    look_again: bool,
}

impl Changes {
    fn lock(&self) -> MutexGuard<'_, Heap> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, news: News, base: &Path) {
        let now = crate::daemon::now();
        let mut heap = self.lock();
        match news {
            News::File(path) => heap.storm.changed(&shown(&path, base), now),
            News::Directories => heap.look_again = true,
            News::TooMuch => {
                heap.look_again = true;
                heap.storm.changed("more than could be told", now);
            }
        }
        drop(heap);
        self.more.notify_one();
    }
}

fn shown(path: &Path, base: &Path) -> String {
    path.strip_prefix(base).unwrap_or(path).display().to_string()
}

/// Follows the files of one declaration.
struct Follower<'a> {
    entry: &'a Entry,
    recorder: &'a Recorder,
    spec: WatchSpec,
}

impl Follower<'_> {
    /// Until the declaration is another one, or nothing is to be watched any more.
    async fn follow(&self, snapshots: &mut watch::Receiver<Snapshot>) -> Result<(), Gone> {
        let heap = Mutex::new(Heap { storm: Storm::calm(crate::daemon::now()), look_again: false });
        let changes = Arc::new(Changes { heap, more: Notify::new() });
        let mut tree = self.plant(&changes).await;
        loop {
            let over_at = changes.lock().storm.over_at(self.spec.debounce_ms);
            let pause = match (&tree, over_at) {
                (None, _) => RETRY,
                (_, Some(at)) => Duration::from_millis(at.ms_since(crate::daemon::now()) + 1),
                (_, None) => Duration::MAX,
            };
            tokio::select! {
                () = changes.more.notified() => {}
                () = tokio::time::sleep(pause) => {}
                changed = snapshots.changed() => {
                    changed.map_err(|_| Gone)?;
                    if wanted(&snapshots.borrow_and_update()).as_ref() != Some(&self.spec) {
                        return Ok(());
                    }
                }
            }
            let look_again = std::mem::take(&mut changes.lock().look_again);
            tree = match tree {
                Some(tree) if look_again => self.look_again(tree, &changes).await,
                Some(tree) => Some(tree),
                None => self.plant(&changes).await,
            };
            if let Some(tree) = &tree {
                self.restart(&changes, tree.len());
            }
        }
    }

    /// Begins to watch. Directories are read and watched on a thread that may wait for the disk.
    async fn plant(&self, changes: &Arc<Changes>) -> Option<Tree> {
        let base = Path::new(&self.spec.base).to_owned();
        let patterns = Patterns::new(&base, &self.spec.patterns);
        let changes = changes.clone();
        let planting = tokio::task::spawn_blocking(move || {
            Tree::watch(patterns.map_err(|e| e.to_string())?, move |news| changes.note(news, &base))
        });
        self.say(planting.await.unwrap_or_else(|e| Err(e.to_string())))
    }

    async fn look_again(&self, mut tree: Tree, changes: &Arc<Changes>) -> Option<Tree> {
        let base = Path::new(&self.spec.base).to_owned();
        let changes = changes.clone();
        let looking = tokio::task::spawn_blocking(move || {
            tree.look_again()?.into_iter().for_each(|file| changes.note(News::File(file), &base));
            Ok(tree)
        });
        self.say(looking.await.unwrap_or_else(|e| Err(e.to_string())))
    }

    fn say(&self, outcome: Result<Tree, String>) -> Option<Tree> {
        let (watching, tree) = match outcome {
            Ok(tree) => (Watching::Directories(tree.len()), Some(tree)),
            Err(why) => (Watching::Trouble(format!("its files are not watched: {why}")), None),
        };
        self.entry.outlook.tell(|told| told.watching = Some(watching));
        tree
    }

    /// Restarts it when a storm is over. What cannot work does not end what does.
    fn restart(&self, changes: &Changes, directories: usize) {
        let (changed, is_held) = {
            let storm = &mut changes.lock().storm;
            (storm.take(self.spec.debounce_ms, crate::daemon::now()), storm.is_held())
        };
        let watching = match changed {
            Some(changed) => match self.recorder.resolve(&self.entry.handle.snapshot().spec) {
                Ok(_) => {
                    tracing::info!(process = %self.entry.full_name(), %changed, "restarting it");
                    self.entry.handle.restart_for(Cause::Watch(changed));
                    Watching::Directories(directories)
                }
                Err(why) => Watching::Trouble(format!("{changed}, but it cannot be restarted: {why}")),
            },
            None if is_held => Watching::Trouble(TOO_OFTEN.to_owned()),
            None => return,
        };
        self.entry.outlook.tell(|told| told.watching = Some(watching));
    }
}
