//! The store's upkeep: one thread seals what ingest wrote, and removes what is too old or too much. It rests between the
//! steps, so that ingest and those who read come first; and it sleeps while nothing is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hostler_model::Timestamp;
use hostler_store::{Keep, Removed, Store, StoreError};
use serde::Deserialize;

use super::config::ConfigFile;
use super::degraded::Degraded;

/// After something was written, until it is looked for something to do; also after a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two steps.
const BREATH: Duration = Duration::from_millis(2);
/// Between two looks while nothing is written: what is there grows old, and less may be wanted.
const REST: Duration = Duration::from_secs(60);
/// How much less it may compute than others when the machine is busy: nobody waits for it.
const NICENESS: i32 = 10;
const DEGRADED: &str = "stored output is not sealed or removed in time";

/// `[logs]` in the user's configuration: how much output is kept, all on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogsConfig {
    /// Of all processes together.
    max_total_bytes: u64,
    /// Of each process.
    max_process_bytes: u64,
    /// How long; 0 for as long as there is room.
    max_age_ms: u64,
}

impl Default for LogsConfig {
    fn default() -> Self {
        Self { max_total_bytes: 1 << 30, max_process_bytes: 512 << 20, max_age_ms: 0 }
    }
}

impl LogsConfig {
    fn keep(self, now: Timestamp) -> Keep {
        let age = i64::try_from(self.max_age_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Keep {
            total_bytes: self.max_total_bytes,
            process_bytes: self.max_process_bytes,
            since: (age > 0).then(|| Timestamp(now.0.saturating_sub(age))),
        }
    }
}

/// What the thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Wrote,
    Stop,
}

/// What may wait for the thread: [`Wake::told`] lets one [`Told::Wrote`] in at a time, and there is one [`Told::Stop`].
const QUEUE: usize = 2;

/// For those who write what may have to be sealed or removed.
#[derive(Debug, Clone)]
pub(crate) struct Wake {
    thread: SyncSender<Told>,
    /// It was told, and has not looked since.
    told: Arc<AtomicBool>,
}

impl Wake {
    /// There may be something to do.
    pub(crate) fn wrote(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            // Without the thread it is done by the next daemon. There is always room; and nobody may wait here.
            let _ = self.thread.try_send(Told::Wrote);
        }
    }
}

/// The thread that does it.
pub(crate) struct Upkeep {
    wake: Wake,
    thread: JoinHandle<()>,
}

impl Upkeep {
    /// Starts the thread. It begins with what an earlier daemon left to do.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(store: Store, config: ConfigFile, degraded: Degraded) -> std::io::Result<Self> {
        let (sender, inbox) = sync_channel(QUEUE);
        let wake = Wake { thread: sender, told: Arc::default() };
        let told = wake.told.clone();
        let thread = std::thread::Builder::new().name("upkeep".into()).spawn(move || {
            super::yield_to_others(NICENESS);
            run(&inbox, || {
                // Before it looks, so that what is written meanwhile is told again.
                told.store(false, Ordering::Release);
                let did = step(&store, config.current().logs);
                degraded.note(DEGRADED, &did);
                did
            });
        })?;
        Ok(Self { wake, thread })
    }

    /// How to wake it.
    pub(crate) fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// Ends the thread, after the step that it is at.
    pub(crate) fn stop(self) {
        let _ = self.wake.thread.send(Told::Stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the upkeep panicked");
        }
    }
}

/// Takes steps as long as there is something to do, and sleeps until there may be.
fn run(inbox: &Receiver<Told>, mut step: impl FnMut() -> Result<bool, StoreError>) {
    let mut next = Instant::now() + PAUSE;
    loop {
        match inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Told::Wrote) => next = next.min(Instant::now() + PAUSE),
            Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let pause = match step() {
                    Ok(true) => BREATH,
                    Ok(false) => REST,
                    Err(_) => PAUSE,
                };
                next = Instant::now() + pause;
            }
        }
    }
}

/// One piece of work, if there is any.
fn step(store: &Store, config: LogsConfig) -> Result<bool, StoreError> {
    let removed = store.retain_step_blocking(config.keep(super::now()))?;
    if removed != Removed::default() {
        tracing::info!(lines = removed.lines, bytes = removed.bytes, "removed the oldest output");
        return Ok(true);
    }
    store.seal_step_blocking()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_works_until_nothing_is_left_and_again_when_something_was_written() {
        let (sender, inbox) = sync_channel(QUEUE);
        let wake = Wake { thread: sender, told: Arc::default() };
        let (told, other) = (wake.told.clone(), wake.clone());
        let mut steps = 0;
        run(&inbox, || {
            told.store(false, Ordering::Release);
            steps += 1;
            match steps {
                1 | 2 => return Ok(true),
                // Nothing is left; but meanwhile somebody writes, twice.
                3 => (0..2).for_each(|_| other.wrote()),
                _ => other.thread.send(Told::Stop).unwrap(),
            }
            Ok(false)
        });
        assert_eq!(steps, 4);
    }

    #[test]
    fn an_age_is_a_time_before_now() {
        let config = LogsConfig { max_age_ms: 5, ..LogsConfig::default() };
        assert_eq!(config.keep(Timestamp(7_000_000)).since, Some(Timestamp(2_000_000)));
        assert_eq!(LogsConfig::default().keep(Timestamp(7)).since, None);
    }
}
