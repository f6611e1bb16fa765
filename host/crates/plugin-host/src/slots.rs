//! How many instances are kept warm at once. There may be hundreds of processes with several plugins each; an instance
//! costs memory while it is warm and some 20 µs to make, so the one that was idle the longest gives way.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Something that keeps a slot while it is idle and can be told to give it back.
pub(crate) trait Idle: Send + Sync {
    /// Since when it is idle; `None` when it is in use or has no slot.
    fn idle_since(&self) -> Option<Instant>;
    /// Drops what it keeps, if it is still idle.
    fn evict(&self);
}

/// A place for one warm instance.
pub(crate) type Slot = OwnedSemaphorePermit;

/// All places.
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    roster: Mutex<Vec<Weak<dyn Idle>>>,
}

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), waiting: AtomicUsize::new(0), roster: Mutex::default() }
    }

    /// Lists one that may keep a slot while it is idle.
    pub(crate) fn enlist(&self, idle: &Arc<dyn Idle>) {
        let mut roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
        roster.retain(|entry| entry.strong_count() > 0);
        roster.push(Arc::downgrade(idle));
    }

    /// Takes a slot: a free one, that of the longest idle, or else the first that is given back. `None` only when the
    /// engine is going down.
    pub(crate) async fn take(&self) -> Option<Slot> {
        if let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(slot);
        }
        // Counted before looking for idle ones: whoever becomes idle after the look sees that somebody waits.
        let _waiting = Waiting::new(&self.waiting);
        self.evict_longest_idle();
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Whether somebody waits, so that nothing should be kept.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    fn evict_longest_idle(&self) {
        let listed: Vec<Arc<dyn Idle>> = {
            let roster = self.roster.lock().unwrap_or_else(PoisonError::into_inner);
            roster.iter().filter_map(Weak::upgrade).collect()
        };
        let longest =
            listed.iter().filter_map(|idle| Some((idle.idle_since()?, idle))).min_by_key(|(at, _)| *at);
        if let Some((_, idle)) = longest {
            idle.evict();
        }
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Keeper {
        since: Instant,
        slot: Mutex<Option<Slot>>,
    }

    impl Idle for Keeper {
        fn idle_since(&self) -> Option<Instant> {
            self.slot.lock().unwrap().as_ref().map(|_| self.since)
        }

        fn evict(&self) {
            self.slot.lock().unwrap().take();
        }
    }

    #[tokio::test]
    async fn the_longest_idle_gives_way() {
        let slots = Slots::new(2);
        let now = Instant::now();
        let mut keepers = Vec::new();
        for age in [5, 9] {
            let slot = slots.take().await;
            let since = now.checked_sub(std::time::Duration::from_secs(age)).unwrap_or(now);
            let keeper = Arc::new(Keeper { since, slot: Mutex::new(slot) });
            slots.enlist(&(Arc::clone(&keeper) as Arc<dyn Idle>));
            keepers.push(keeper);
        }
        assert!(slots.take().await.is_some());
        assert!(keepers[0].slot.lock().unwrap().is_some());
        assert!(keepers[1].slot.lock().unwrap().is_none());
    }

    #[tokio::test]
    async fn who_waits_gets_what_is_given_back() {
        let slots = Arc::new(Slots::new(1));
        let busy = slots.take().await;
        let waiter = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take().await.is_some() }
        });
        while !slots.is_wanted() {
            tokio::task::yield_now().await;
        }
        drop(busy);
        assert!(waiter.await.unwrap());
        assert!(!slots.is_wanted());
    }
}
