//! What parsers make of stored lines: level, message, fields, and which lines belong together.
//!
//! It follows the ingest at its own pace, on a thread of its own with less priority: no parser delays a line, and a
//! line that nobody understood is there as it was written. Each run has a worker as long as there is something to do
//! for it; they take turns, so that a parser that computes for long delays its own run only.

mod events;
mod parsers;
mod window;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hostler_model::ProcessId;
use hostler_store::{LogPoint, RunKey, Store, StoreError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::worker::{Task, Worker};
#[cfg(test)]
pub(super) use self::{events::events_of, parsers::names};
use super::degraded::Degraded;
use super::errors::Errors;
use super::export::Export;
use super::plugins::Plugins;
use super::registry::Registry;
use super::upkeep::Wake;

/// How much less it may compute than others when the machine is busy, as `nice` counts.
const NICENESS: i32 = 5;
/// Runs whose lines are being looked at, at the same time: it bounds memory. Each takes a turn for some thousand lines.
const TURNS: usize = 8;
/// How long after a failure of the database it is tried again.
const RETRY: Duration = Duration::from_secs(1);

const DEGRADED: &str = "lines are stored but not parsed";

/// The way to the workers. Who brings news never waits, so that the ingest cannot be held up by a parser; and they cannot
/// pile up, for they are no queue: it is noted of each run once that there is more, however often that is said.
#[derive(Debug, Clone)]
pub(crate) struct Annotate {
    news: Arc<Mutex<News>>,
    /// Says that there are news. One place: who finds it taken need not say it again.
    wake: mpsc::Sender<()>,
}

/// What the workers were not told yet.
#[derive(Debug, Default)]
struct News {
    runs: BTreeMap<RunKey, Task>,
    catch_up: bool,
}

impl News {
    fn add(&mut self, run: RunKey, task: Task) {
        let known = self.runs.entry(run).or_insert(task);
        // That it was all must not be lost.
        if task == Task::Closed {
            *known = task;
        }
    }
}

/// What a worker needs.
struct Parts {
    store: Store,
    registry: Arc<Registry>,
    plugins: Plugins,
    errors: Errors,
    degraded: Degraded,
    upkeep: Wake,
    export: Export,
    /// Who may work now: after a crash there may be thousands of runs to catch up with.
    turns: Arc<Semaphore>,
}

impl Annotate {
    /// Starts the thread. It ends when nobody can tell it of lines any more; what is not done then is done by the next
    /// daemon.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(
        store: Store,
        registry: Arc<Registry>,
        plugins: Plugins,
        errors: Errors,
        degraded: Degraded,
        upkeep: Wake,
        export: Export,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (wake, inbox) = mpsc::channel(1);
        let news = Arc::new(Mutex::new(News::default()));
        let parts = Arc::new(Parts {
            store,
            registry,
            plugins,
            errors,
            degraded,
            upkeep,
            export,
            turns: Arc::new(Semaphore::new(TURNS)),
        });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(2).build()?;
        let told = Arc::clone(&news);
        let thread = std::thread::Builder::new().name("annotate".into()).spawn(move || {
            // What is made here is wanted soon; what others do is wanted at once.
            super::yield_to_others(NICENESS);
            runtime.block_on(manage(&parts, &told, inbox));
            runtime.shutdown_background();
        })?;
        Ok((Self { news, wake }, thread))
    }

    /// There are more lines of a run.
    pub(crate) fn grew(&self, run: RunKey) {
        self.tell(|news| news.add(run, Task::Grew));
    }

    /// All lines of a run are there.
    pub(crate) fn closed(&self, run: RunKey) {
        self.tell(|news| news.add(run, Task::Closed));
    }

    /// All processes are known: what an earlier daemon left can be done.
    pub(crate) fn catch_up(self) {
        self.tell(|news| news.catch_up = true);
    }

    fn tell(&self, note: impl FnOnce(&mut News)) {
        note(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner));
        // Full: it is said already, and what was noted here is found with the rest. Closed: the next daemon does it.
        let _ = self.wake.try_send(());
    }
}

impl Parts {
    /// Waits until it is this run's turn. Given back when what is returned goes.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// Notes a failure of the database, and waits until it is worth another try.
    async fn failed(&self, error: &StoreError) {
        self.degraded.note::<(), _>(DEGRADED, &Err(error));
        tokio::time::sleep(RETRY).await;
    }

    /// Tells how far the lines of a process are known.
    fn publish(&self, process: ProcessId, point: LogPoint) {
        self.degraded.note(DEGRADED, &Ok::<(), &str>(()));
        if let Some(entry) = self.registry.get(process) {
            entry.logs.send_modify(|mark| mark.annotated = mark.annotated.max(Some(point)));
        }
        self.export.grew();
    }
}

/// Gives each run with news a worker.
async fn manage(parts: &Arc<Parts>, news: &Mutex<News>, mut inbox: mpsc::Receiver<()>) {
    let mut workers: HashMap<RunKey, mpsc::Sender<Task>> = HashMap::new();
    while inbox.recv().await.is_some() {
        let mut told = std::mem::take(&mut *news.lock().unwrap_or_else(PoisonError::into_inner));
        if told.catch_up {
            match parts.store.unannotated_runs().await {
                Ok(runs) => runs.into_iter().for_each(|run| told.add(run, Task::Grew)),
                Err(error) => parts.degraded.note::<(), _>(DEGRADED, &Err(error)),
            }
        }
        told.runs.into_iter().for_each(|(run, task)| tell(parts, &mut workers, run, task));
        workers.retain(|_, worker| !worker.is_closed());
    }
}

fn tell(parts: &Arc<Parts>, workers: &mut HashMap<RunKey, mpsc::Sender<Task>>, run: RunKey, task: Task) {
    // Two places: that there is more needs to be said once, and that it was all must not be lost.
    let told = workers.get(&run).map(|worker| match task {
        Task::Grew if worker.capacity() < 2 => Ok(()),
        task => worker.try_send(task),
    });
    match told {
        Some(Ok(()) | Err(TrySendError::Full(_))) => {}
        Some(Err(TrySendError::Closed(_))) | None => {
            let (sender, tasks) = mpsc::channel(2);
            let _ = sender.try_send(task);
            workers.insert(run, sender);
            tokio::spawn(Worker::run(Arc::clone(parts), run, tasks));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However fast lines come, and whoever does not listen: what waits is one note for each run, and nobody waits for it.
    #[test]
    fn news_of_a_run_are_noted_once_and_its_end_is_not_lost() {
        let (wake, mut inbox) = mpsc::channel(1);
        let annotate = Annotate { news: Arc::default(), wake };
        for n in 0..100_000 {
            annotate.grew(RunKey(n % 3));
            if n == 50_000 {
                annotate.closed(RunKey(1));
            }
        }
        annotate.clone().catch_up();
        let news = std::mem::take(&mut *annotate.news.lock().unwrap());
        let noted: Vec<_> = news.runs.into_iter().collect();
        assert_eq!(noted, [(RunKey(0), Task::Grew), (RunKey(1), Task::Closed), (RunKey(2), Task::Grew)]);
        assert!(news.catch_up);
        assert_eq!((inbox.try_recv().is_ok(), inbox.try_recv().is_ok()), (true, false), "it is said once");
        annotate.grew(RunKey(7));
        drop(annotate);
        assert!(inbox.try_recv().is_ok(), "what was said before the end is heard");
        assert!(inbox.blocking_recv().is_none());
    }
}
