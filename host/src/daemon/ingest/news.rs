//! What the ingest is told, and does not know yet: no queue, but one note for each run. So it is bounded by the runs there
//! are, whatever the database or a journal does to the thread that reads it, and nobody who tells it something waits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostler_model::ProcessId;
use hostler_store::RunKey;
use tokio::sync::oneshot;

/// There is more in the journal of a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    pub(super) process: ProcessId,
    pub(super) dir: PathBuf,
    /// And nothing will follow.
    pub(super) closed: bool,
}

/// All that is to be told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) runs: BTreeMap<RunKey, News>,
    /// Who waits until what is being read is stored: each is a request that a client has open.
    pub(super) settled: Vec<oneshot::Sender<()>>,
    pub(super) stop: bool,
}

impl Told {
    /// Adds news of a run to what is known of it.
    pub(super) fn run(&mut self, run: RunKey, news: News) {
        match self.runs.get_mut(&run) {
            Some(known) => known.closed |= news.closed,
            None => drop(self.runs.insert(run, news)),
        }
    }

    fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.settled.is_empty() && !self.stop
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// None when nobody reads it any more.
    told: Mutex<Option<Told>>,
    came: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where to tell it. Clones are the same place; when all are gone, it is told to stop.
#[derive(Debug, Clone)]
pub(super) struct Letters(Arc<Writer>);

#[derive(Debug)]
struct Writer(Arc<Shared>);

/// Where it is read.
#[derive(Debug)]
pub(super) struct Inbox(Arc<Shared>);

/// Both ends.
pub(super) fn inbox() -> (Letters, Inbox) {
    let shared = Arc::new(Shared { told: Mutex::new(Some(Told::default())), came: Condvar::new() });
    (Letters(Arc::new(Writer(Arc::clone(&shared)))), Inbox(shared))
}

impl Letters {
    /// Adds something; without a reader it is dropped, and who waits for an answer sees that.
    pub(super) fn tell(&self, add: impl FnOnce(&mut Told)) {
        self.0.tell(add);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.tell(|told| told.stop = true);
    }
}

impl Writer {
    fn tell(&self, add: impl FnOnce(&mut Told)) {
        let mut orphaned = Told::default();
        add(self.0.lock().as_mut().unwrap_or(&mut orphaned));
        self.0.came.notify_one();
    }
}

impl Inbox {
    /// What is there.
    pub(super) fn take(&self) -> Told {
        self.0.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What is there, as soon as there is anything; after so long nothing.
    pub(super) fn wait(&self, most: Option<Duration>) -> Told {
        let deadline = most.map(|most| Instant::now() + most);
        let mut told = self.0.lock();
        while told.as_ref().is_some_and(Told::is_empty) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            told = match left {
                None => self.0.came.wait(told).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => break,
                Some(left) => self.0.came.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        told.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(closed: bool) -> News {
        News { process: ProcessId(1), dir: "/run".into(), closed }
    }

    #[test]
    fn a_run_is_noted_once_however_often_it_grows() {
        let (letters, inbox) = inbox();
        for n in 0..100_000 {
            letters.tell(|told| told.run(RunKey(n % 2), news(n == 7)));
        }
        drop(letters);
        let told = inbox.wait(None);
        let runs: Vec<_> = told.runs.iter().map(|(run, news)| (run.0, news.closed)).collect();
        assert_eq!((runs, told.stop), (vec![(0, false), (1, true)], true));
        assert!(inbox.take().is_empty());
        assert!(inbox.wait(Some(Duration::from_millis(1))).is_empty());
    }

    #[test]
    fn who_waits_hears_at_once_and_who_is_left_is_told() {
        let (letters, inbox) = inbox();
        let reader = std::thread::spawn(move || {
            let told = inbox.wait(Some(Duration::from_secs(60)));
            told.settled.into_iter().for_each(|reply| reply.send(()).unwrap());
        });
        let ask = || {
            let (reply, answer) = oneshot::channel();
            letters.tell(|told| told.settled.push(reply));
            answer.blocking_recv()
        };
        assert_eq!(ask(), Ok(()));
        reader.join().unwrap();
        assert!(ask().is_err(), "nobody reads any more");
    }
}
