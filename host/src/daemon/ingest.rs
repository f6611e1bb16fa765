//! From the journals into the store: one thread reads what grew, splits it into lines and commits them with
//! the journal's position in one transaction. What came meanwhile is the next group.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hostler_model::ProcessId;
use hostler_model::lines::Splitter;
use hostler_shim::journal::Position;
use hostler_store::{IngestBatch, Ingested, LogPoint, RunKey, Store, StoreError};
use tokio::sync::oneshot;

use super::activity::Output;
use super::annotate::Annotate;
use super::degraded::Degraded;
use super::litter::Litter;
use super::live::Piece;
use super::registry::Registry;
use super::upkeep::Wake;
use news::{Inbox, Letters, News, Told};
use reading::{Reading, TailState, read_journal};

mod news;
mod reading;

/// Most output that is read for one transaction, bytes, and for how long. It bounds memory, and how long other writes
/// wait; and small steps are what a daemon gets somewhere with that is killed again and again.
const ROUND: usize = 4 << 20;
const ROUND_TIME: Duration = Duration::from_millis(30);

/// Most of it that is of one run: one chatty process does not delay the others.
const SHARE: usize = 1 << 20;

/// How long after a failed commit, or a journal that could not be read, it is tried again.
const RETRY: Duration = Duration::from_secs(1);

const DEGRADED: &str = "output is journaled but not stored";
const UNREADABLE: &str = "a journal cannot be read, and waits";

/// The way to the ingest thread.
#[derive(Debug, Clone)]
pub(crate) struct Ingest {
    news: Letters,
}

impl Ingest {
    /// Starts the thread. It ends, everything that is known stored, after [`Self::stop`].
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(
        store: Store,
        registry: Arc<Registry>,
        degraded: Degraded,
        litter: Litter,
        annotate: Annotate,
        upkeep: Wake,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (news, inbox) = news::inbox();
        let worker = Worker {
            store,
            registry,
            degraded,
            litter,
            annotate,
            upkeep,
            tails: BTreeMap::new(),
            last: None,
        };
        let thread = std::thread::Builder::new().name("ingest".into()).spawn(move || worker.run(&inbox))?;
        Ok((Self { news }, thread))
    }

    /// There is more in the journal of a run.
    pub(crate) fn grew(&self, process: ProcessId, run: RunKey, dir: PathBuf) {
        self.news.tell(|told| told.run(run, News { process, dir, closed: false }));
    }

    /// The journal of a run is complete; its directory goes when it is stored.
    pub(crate) fn closed(&self, process: ProcessId, run: RunKey, dir: PathBuf) {
        self.news.tell(|told| told.run(run, News { process, dir, closed: true }));
    }

    /// Waits until all that was being read is stored: who began to watch a process before sees all that is read after.
    pub(crate) async fn settled(&self) {
        let (reply, answer) = oneshot::channel();
        self.news.tell(|told| told.settled.push(reply));
        let _ = answer.await;
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.news.tell(|told| told.stop = true);
    }
}

struct Worker {
    store: Store,
    registry: Arc<Registry>,
    degraded: Degraded,
    litter: Litter,
    /// Who looks at the lines when they are stored.
    annotate: Annotate,
    /// Who tidies up behind.
    upkeep: Wake,
    tails: BTreeMap<RunKey, Tail>,
    /// The last one that was read; the next round begins behind it.
    last: Option<RunKey>,
}

/// Where the thread stands in the journal of one run.
struct Tail {
    process: ProcessId,
    dir: PathBuf,
    /// What to go on from; read from the store at first and after a failed commit.
    state: Option<TailState>,
    dirty: bool,
    closed: bool,
    /// Why it could not be read on, and when that is tried again.
    failed: Option<(String, Instant)>,
}

impl Tail {
    fn is_due(&self) -> bool {
        self.dirty && self.failed.as_ref().is_none_or(|(_, again)| *again <= Instant::now())
    }
}

impl Worker {
    fn run(mut self, inbox: &Inbox) {
        let mut stopping = false;
        while !stopping {
            // What failed is tried again, whether there are news or not.
            let retry = self.tails.values().any(|t| t.dirty);
            stopping = self.note(inbox.wait(retry.then_some(RETRY)));
            while self.tails.values().any(Tail::is_due) {
                if self.round().is_err() {
                    break;
                }
                // New output joins the next group.
                stopping |= self.note(inbox.take());
            }
        }
    }

    /// Takes note of news; whether to stop.
    fn note(&mut self, told: Told) -> bool {
        for (run, News { process, dir, closed }) in told.runs {
            let new = Tail { process, dir, state: None, dirty: true, closed: false, failed: None };
            let tail = self.tails.entry(run).or_insert(new);
            tail.dirty = true;
            tail.closed |= closed;
        }
        for reply in told.settled {
            let _ = reply.send(());
        }
        told.stop
    }

    /// The runs that have more, in turn: first those behind the last one that was read.
    fn dirty(&self) -> Vec<RunKey> {
        let (mut first, mut then): (Vec<RunKey>, Vec<RunKey>) = self
            .tails
            .iter()
            .filter(|(_, t)| t.is_due())
            .map(|(run, _)| *run)
            .partition(|run| Some(*run) > self.last);
        first.append(&mut then);
        first
    }

    /// One transaction with what the runs have, as far as it fits.
    fn round(&mut self) -> Result<(), StoreError> {
        let (mut readings, mut left, begun) = (Vec::new(), ROUND, Instant::now());
        for run in self.dirty() {
            if left == 0 || begun.elapsed() > ROUND_TIME {
                break;
            }
            match self.read(run, left.min(SHARE)) {
                Ok(Some(reading)) => {
                    left = left.saturating_sub(reading.bytes);
                    self.last = Some(run);
                    readings.push(reading);
                }
                Ok(None) => drop(self.tails.remove(&run)),
                Err(error) => {
                    self.degraded.note::<(), _>(DEGRADED, &Err(&error));
                    return Err(error);
                }
            }
        }
        let batches = readings.iter_mut().map(|r| take_batch(&mut r.batch)).collect();
        let committed = self.store.commit_ingest_blocking(batches);
        self.degraded.note(DEGRADED, &committed);
        match committed {
            Ok(answers) => {
                for (reading, answer) in readings.into_iter().zip(answers) {
                    self.settle(reading, &answer);
                }
                self.tell_unreadable();
                Ok(())
            }
            Err(error) => {
                // What was read is read again from where the store is.
                self.tails.values_mut().filter(|t| t.dirty).for_each(|t| t.state = None);
                Err(error)
            }
        }
    }

    /// Says of which journal the rest cannot be read, for as long as there is one.
    fn tell_unreadable(&self) {
        match self.tails.values().find_map(|tail| tail.failed.as_ref()) {
            Some((why, _)) => self.degraded.note::<(), _>(UNREADABLE, &Err(why)),
            None => self.degraded.healed(UNREADABLE),
        }
    }

    /// Reads on in one journal; `None` when its run is gone or wholly stored.
    fn read(&mut self, run: RunKey, most: usize) -> Result<Option<Reading>, StoreError> {
        let Some(tail) = self.tails.get_mut(&run) else { return Ok(None) };
        let state = match tail.state.take() {
            Some(state) => state,
            None => match self.store.ingest_state_blocking(run) {
                Ok(stored) if stored.drained => return Ok(None),
                Ok(stored) => TailState {
                    position: Position { segment: stored.position.segment, offset: stored.position.offset },
                    splitter: Splitter::resume(stored.carry_stdout, stored.carry_stderr),
                },
                Err(StoreError::NotFound(_)) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        let is_watched = self.registry.get(tail.process).is_some_and(|entry| entry.live.is_watched());
        Ok(Some(read_journal(run, (&tail.dir, tail.closed), state, most, is_watched)))
    }

    /// After the commit: the shim may forget, and whoever waits for lines is told.
    fn settle(&mut self, reading: Reading, answer: &Ingested) {
        let run = reading.batch.run;
        let Some(tail) = self.tails.get_mut(&run) else { return };
        let position = reading.next.position;
        let (drained, bytes) = (reading.drained, reading.bytes as u64);
        tail.state = Some(reading.next);
        tail.dirty = reading.more || reading.failed.is_some();
        tail.failed = reading.failed.map(|why| (why, Instant::now() + RETRY));
        let (process, dir) = (tail.process, tail.dir.clone());
        if let Ingested::Behind { .. } = answer {
            tail.state = None;
            tail.dirty = true;
            return;
        }
        let gone = matches!(answer, Ingested::RunGone);
        if gone || drained {
            self.tails.remove(&run);
            self.litter.put(dir);
        }
        if drained || matches!(answer, Ingested::Stored { rows: Some(_) }) {
            self.upkeep.wrote();
        }
        if drained {
            self.annotate.closed(run);
        } else if let Ingested::Stored { rows: Some(_) } = answer {
            self.annotate.grew(run);
        }
        let Some(entry) = self.registry.get(process) else { return };
        let until = reading.batch.position;
        for (stream, bytes) in reading.watched.into_iter().flatten() {
            entry.live.tell(Piece { run, until, stream, bytes: bytes.into() });
        }
        entry.handle.consumed(hostler_supervisor::RunKey(run.0), position);
        let newest = match answer {
            Ingested::Stored { rows: Some(rows) } => {
                entry.activity.note(Output { lines: rows.end() - rows.start() + 1, bytes });
                Some(*rows.end())
            }
            _ => None,
        };
        if newest.is_some() || drained {
            let number = entry.handle.snapshot().run;
            entry.logs.send_modify(|mark| {
                if let Some(seq) = newest
                    && number.key == Some(hostler_supervisor::RunKey(run.0))
                {
                    mark.newest = Some(LogPoint { run: number.run, seq });
                }
                if drained {
                    mark.drained = mark.drained.max(Some(run));
                }
            });
        }
    }
}

fn take_batch(batch: &mut IngestBatch) -> IngestBatch {
    IngestBatch {
        run: batch.run,
        position: batch.position,
        carry_stdout: std::mem::take(&mut batch.carry_stdout),
        carry_stderr: std::mem::take(&mut batch.carry_stderr),
        rows: std::mem::take(&mut batch.rows),
        drained: batch.drained,
    }
}
