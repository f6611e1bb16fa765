//! One run on its way through the parsers: reads what is stored, asks, and commits events together with how far it is.
//! Killed at any instant, it begins again at the last commit.

use std::sync::Arc;
use std::time::Duration;

use hostler_model::{Event, ProcessId, RunNo, Stream};
use hostler_store::{Annotated, Annotations, LogPoint, RunKey, StoreError, Stretch};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout_at};

use super::Parts;
use super::parsers::{Parsers, names};
use super::window::Window;
use crate::daemon::errors::Detector;
use hostler_model::chain::cut;

/// Lines and bytes that are looked at at once.
const BATCH_LINES: usize = 4_096;
const BATCH_BYTES: usize = 1 << 20;
/// Lines and bytes that wait to be understood at most; then they are taken as they are.
const MAX_LINES: usize = 2 * BATCH_LINES;
const MAX_BYTES: usize = 4 << 20;
/// After so long without a line of a stream, nothing of it waits for more.
const SILENCE: Duration = Duration::from_secs(1);
/// After so long without work, the parsers are given back.
const IDLE: Duration = Duration::from_secs(10);
/// Between two looks at what grows: lines that come one by one are taken together.
const PACE: Duration = Duration::from_millis(20);
/// What there is to be done for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// There are more lines.
    Grew,
    /// There are all of them.
    Closed,
}

/// One run.
pub(super) struct Worker {
    parts: Arc<Parts>,
    process: ProcessId,
    run: RunNo,
    key: RunKey,
    streams: [Parsers; 2],
    /// What of the events are errors.
    detector: Detector,
    window: Window,
    /// Lines that were read and not looked at yet.
    unread: Stretch,
    /// Events that are not stored, since something before their end is not known yet.
    held: Vec<Event>,
    /// The first line that was not looked at.
    next_read: u64,
    /// The first line that is not stored as known.
    stored: u64,
    closed: bool,
    /// The turn in which it began, for its first lines: with thousands of runs to catch up with, those that are short
    /// are done one after the other, and none of them waits for all the others to begin.
    first_turn: Option<OwnedSemaphorePermit>,
}

/// How a step ended.
enum Step {
    /// There is more to read.
    More,
    /// All that is stored was read.
    CaughtUp,
    /// The run is gone.
    Gone,
}

/// What there is to begin with.
enum Beginning {
    Work(Box<Worker>),
    /// It has no lines that nobody looked at. Most runs never have any, and need no parsers then.
    Silent,
    /// The run is gone.
    Gone,
}

impl Worker {
    /// Works until nothing was to be done for a while.
    pub(super) async fn run(parts: Arc<Parts>, key: RunKey, mut tasks: Receiver<Task>) {
        let mut closed = false;
        loop {
            match Self::begin(&parts, key, closed).await {
                Ok(Beginning::Work(mut worker)) => return worker.work(&mut tasks).await,
                Ok(Beginning::Gone) | Err(StoreError::NotFound(_)) => return,
                Ok(Beginning::Silent) => {
                    // News that come from here on go to a new worker; what came before may be of lines since.
                    tasks.close();
                    let news: Vec<Task> = std::iter::from_fn(|| tasks.try_recv().ok()).collect();
                    closed |= news.contains(&Task::Closed);
                    if news.is_empty() {
                        if closed {
                            parts.errors.ended();
                        }
                        return;
                    }
                }
                Err(error) => parts.failed(&error).await,
            }
        }
    }

    async fn begin(parts: &Arc<Parts>, key: RunKey, closed: bool) -> Result<Beginning, StoreError> {
        let first_turn = parts.turn().await;
        let (process, run) = parts.store.run_of(key).await?;
        let stored = parts.store.annotation_state(key).await?;
        let (lines, _) = parts.store.stretch(key, stored).await?;
        if lines.is_empty() {
            return Ok(Beginning::Silent);
        }
        let Some(entry) = parts.registry.get(process) else { return Ok(Beginning::Gone) };
        let names = names(&entry.handle.snapshot().spec.parsers);
        let plugins = parts.plugins.of(entry.project.id);
        let streams = [
            Parsers::find(&plugins, &names, Stream::Stdout).await,
            Parsers::find(&plugins, &names, Stream::Stderr).await,
        ];
        let parts = Arc::clone(parts);
        let detector = parts.errors.detector();
        let (window, unread, held) = Default::default();
        Ok(Beginning::Work(Box::new(Self {
            parts,
            process,
            run,
            key,
            streams,
            detector,
            window,
            unread,
            held,
            next_read: stored,
            stored,
            closed,
            first_turn,
        })))
    }

    async fn work(&mut self, tasks: &mut Receiver<Task>) {
        loop {
            match self.turn().await {
                Ok(Step::More) => continue,
                Ok(Step::CaughtUp) => {
                    if self.closed {
                        self.parts.errors.ended();
                    }
                    sleep(PACE).await;
                }
                Ok(Step::Gone) => return,
                Err(error) => {
                    self.parts.failed(&error).await;
                    self.start_over();
                    continue;
                }
            }
            match timeout_at(self.deadline(), tasks.recv()).await {
                Ok(Some(task)) => self.closed |= task == Task::Closed,
                Ok(None) => return,
                Err(_) if self.is_waiting() => {}
                Err(_) => {
                    // News that come from here on go to a new worker; what came before is still this one's.
                    tasks.close();
                    if tasks.try_recv().is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Reads on, as much as stands together, and looks at all of that.
    async fn turn(&mut self) -> Result<Step, StoreError> {
        let _turn = match self.first_turn.take() {
            None => self.parts.turn().await,
            first => first,
        };
        let (lines, more) = self.parts.store.stretch(self.key, self.next_read).await?;
        self.unread = lines;
        loop {
            let step = self.step(more).await?;
            if !matches!(step, Step::More) || self.unread.is_empty() {
                return Ok(step);
            }
        }
    }

    /// Asks the parsers about the next lines, and commits what is known; `more` says that there are others behind those
    /// that were read.
    async fn step(&mut self, more: bool) -> Result<Step, StoreError> {
        self.parts.plugins.keep_current().await;
        let lines = self.unread.take(BATCH_LINES, BATCH_BYTES);
        let more = more || !self.unread.is_empty();
        let now = Instant::now();
        for (seq, row) in lines.iter() {
            self.streams[row.stream as usize].push(seq, row.flags.is_gap(), now);
            self.next_read = seq + 1;
        }
        self.window.extend(lines);
        let full = self.window.lines().len() > MAX_LINES || self.window.lines().bytes() > MAX_BYTES;
        for parsers in &mut self.streams {
            let is_silent = parsers.waiting().is_some_and(|(_, since)| since.elapsed() >= SILENCE);
            let end = full || (!more && (self.closed || is_silent));
            let events = parsers.ask(&self.window, end).await;
            self.held.extend(events);
        }
        let waiting = self.streams.iter().filter_map(Parsers::waiting).map(|(seq, _)| seq).min();
        let (next, events) = cut(&mut self.held, waiting.unwrap_or(self.next_read));
        if next == self.stored {
            return Ok(if more { Step::More } else { Step::CaughtUp });
        }
        self.commit(next, events, more).await
    }

    async fn commit(&mut self, next_seq: u64, events: Vec<Event>, more: bool) -> Result<Step, StoreError> {
        let (run, from_seq) = (self.key, self.stored);
        let occurrences = self.detector.detect(run, &events, self.window.lines()).await?;
        let found_errors = !occurrences.is_empty();
        let annotations = Annotations { run, from_seq, next_seq, events, occurrences };
        match self.parts.store.commit_annotations(annotations, self.window.lines()).await? {
            Annotated::Stored => {
                self.stored = next_seq;
                if found_errors {
                    self.parts.errors.recorded();
                }
                self.parts.upkeep.wrote();
                self.window.forget_before(next_seq);
                self.parts.publish(self.process, LogPoint { run: self.run, seq: next_seq - 1 });
                Ok(if more { Step::More } else { Step::CaughtUp })
            }
            Annotated::Elsewhere { next_seq } => {
                self.stored = next_seq;
                self.start_over();
                Ok(Step::More)
            }
            Annotated::RunGone => Ok(Step::Gone),
        }
    }

    /// Forgets what was not stored, to read it again.
    fn start_over(&mut self) {
        self.next_read = self.stored;
        self.held.clear();
        self.window = Window::default();
        self.unread = Stretch::default();
        self.streams.iter_mut().for_each(Parsers::start_over);
    }

    fn is_waiting(&self) -> bool {
        self.streams.iter().any(|parsers| parsers.waiting().is_some())
    }

    /// When to look again although nobody says so.
    fn deadline(&self) -> Instant {
        let silent = self.streams.iter().filter_map(Parsers::waiting).map(|(_, since)| since + SILENCE);
        let idle = if self.closed { Duration::ZERO } else { IDLE };
        silent.min().unwrap_or_else(|| Instant::now() + idle)
    }
}
