//! The clock of the guests: a thread that advances the engine's epoch every 10 ms while calls are made, and sleeps
//! when there are none. It ends with the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::EngineWeak;

/// The length of a tick.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Ticks without a call after which the thread sleeps until there is one.
const IDLE_TICKS: u32 = 50;

#[derive(Debug, Default)]
struct Shared {
    /// Calls under way.
    calls: AtomicUsize,
    /// Whether the thread sleeps, or is about to.
    asleep: AtomicBool,
    /// Whether the ticker was dropped.
    ended: AtomicBool,
}

/// Keeps the thread; dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

/// A call under way: the epoch advances as long as it lives.
#[derive(Debug)]
pub(crate) struct Ticking {
    shared: Arc<Shared>,
}

impl Ticker {
    pub(crate) fn start(engine: EngineWeak) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let handle =
            thread::Builder::new().name("plugin-clock".into()).spawn(move || run(&theirs, &engine))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Says that a call begins.
    pub(crate) fn begin(&self) -> Ticking {
        self.shared.calls.fetch_add(1, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            self.thread.unpark();
        }
        Ticking { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.shared.calls.fetch_sub(1, SeqCst);
    }
}

fn run(shared: &Shared, engine: &EngineWeak) {
    let mut idle = 0;
    while !shared.ended.load(SeqCst) {
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
        // The thread must not be what keeps the engine alive.
        drop(engine);
        idle = if shared.calls.load(SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < IDLE_TICKS {
            thread::park_timeout(TICK);
            continue;
        }
        shared.asleep.store(true, SeqCst);
        // Whoever begins after this line sees that the thread sleeps, and wakes it.
        if shared.calls.load(SeqCst) == 0 && !shared.ended.load(SeqCst) {
            thread::park();
        }
        shared.asleep.store(false, SeqCst);
        idle = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn it_ends_with_the_engine() {
        let engine = wasmtime::Engine::default();
        let ticker = Ticker::start(engine.weak()).unwrap();
        let shared = Arc::downgrade(&ticker.shared);
        drop(ticker);
        let began = Instant::now();
        while shared.upgrade().is_some() {
            assert!(began.elapsed() < Duration::from_secs(10), "the thread goes on");
            thread::yield_now();
        }
    }

    #[test]
    fn it_sleeps_without_calls_and_wakes_for_one() {
        let engine = wasmtime::Engine::default();
        let ticker = Ticker::start(engine.weak()).unwrap();
        let began = Instant::now();
        while !ticker.shared.asleep.load(SeqCst) {
            assert!(began.elapsed() < Duration::from_secs(10), "never sleeps");
            thread::yield_now();
        }
        let call = ticker.begin();
        while ticker.shared.asleep.load(SeqCst) {
            assert!(began.elapsed() < Duration::from_secs(20), "does not wake");
            thread::yield_now();
        }
        drop(call);
    }
}
