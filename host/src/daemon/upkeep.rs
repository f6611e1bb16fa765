//! The store's upkeep: one thread seals what ingest wrote. It rests between the steps, so that ingest and those who
//! read come first.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hostler_store::Store;

use super::degraded::Degraded;

/// How often it is looked for something to do.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two steps.
const BREATH: Duration = Duration::from_millis(2);
const DEGRADED: &str = "stored output is not sealed";

/// The thread that seals.
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
    pub(crate) fn start(store: Store, degraded: Degraded) -> std::io::Result<Self> {
        let (stop, told) = channel::<()>();
        let thread = std::thread::Builder::new().name("upkeep".into()).spawn(move || {
            let mut pause = PAUSE;
            while let Err(RecvTimeoutError::Timeout) = told.recv_timeout(pause) {
                let did = store.seal_step_blocking();
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
