//! The store's upkeep: one thread seals what ingest wrote, and removes what is too old or too much. It rests between the
//! steps, so that ingest and those who read come first.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hostler_model::Timestamp;
use hostler_store::{Keep, Removed, Store, StoreError};
use serde::Deserialize;

use super::config::ConfigFile;
use super::degraded::Degraded;

/// How often it is looked for something to do.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two steps.
const BREATH: Duration = Duration::from_millis(2);
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

/// The thread that does it.
pub(crate) struct Upkeep {
    /// Dropped to end it.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Upkeep {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(store: Store, config: ConfigFile, degraded: Degraded) -> std::io::Result<Self> {
        let (stop, told) = channel::<()>();
        let thread = std::thread::Builder::new().name("upkeep".into()).spawn(move || {
            super::yield_to_others(NICENESS);
            let mut pause = PAUSE;
            while let Err(RecvTimeoutError::Timeout) = told.recv_timeout(pause) {
                let did = step(&store, config.current().logs);
                degraded.note(DEGRADED, &did);
                pause = if did == Ok(true) { BREATH } else { PAUSE };
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread, after the step that it is at.
    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the upkeep panicked");
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
    fn an_age_is_a_time_before_now() {
        let config = LogsConfig { max_age_ms: 5, ..LogsConfig::default() };
        assert_eq!(config.keep(Timestamp(7_000_000)).since, Some(Timestamp(2_000_000)));
        assert_eq!(LogsConfig::default().keep(Timestamp(7)).since, None);
    }
}
