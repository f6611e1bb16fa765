//! Processes that end when nobody has asked about them for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use hostler_model::spec::Lifetime;
use hostler_model::{ProcessId, Timestamp};
use hostler_store::StoreError;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Service;

/// A renewal is put on record when it makes this part of the lease: not each call is worth a write.
const WORTH: u32 = 10;

/// Until when the leased processes live.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leases {
    leases: Arc<Mutex<HashMap<ProcessId, Lease>>>,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Lease {
    ttl: Duration,
    end: Instant,
    /// The end that is on record.
    recorded: Option<Instant>,
}

impl Lease {
    fn new(ttl: Duration, now: Instant) -> Self {
        Self { ttl, end: now + ttl, recorded: None }
    }

    /// One of which the record says that so much is left, and so much more that may come from renewals that were not
    /// worth a record.
    fn resumed(ttl: Duration, ends_at: Timestamp, (now, instant): (Timestamp, Instant)) -> Self {
        let slack = ttl / WORTH;
        // A clock that was set back makes no lease longer.
        let left = |until: Timestamp| Duration::from_millis(until.ms_since(now)).min(ttl + slack);
        let end = ends_at.plus_ms(u64::try_from(slack.as_millis()).unwrap_or(0));
        Self { ttl, end: instant + left(end), recorded: Some(instant + left(ends_at)) }
    }

    fn is_to_record(&self) -> bool {
        self.recorded.is_none_or(|recorded| self.end > recorded + self.ttl / WORTH)
    }
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Ended(ProcessId),
    Record(ProcessId, Instant),
}

impl Leases {
    /// A process lives this long from now, and again from each renewal.
    pub(crate) fn grant(&self, id: ProcessId, lifetime: Lifetime) {
        let Lifetime::Lease { ttl_ms } = lifetime else {
            self.lock().remove(&id);
            return;
        };
        let ttl = Duration::from_millis(ttl_ms);
        self.lock().insert(id, Lease::new(ttl, Instant::now()));
        self.changed.notify_one();
    }

    /// Goes on with a lease by what is on record of it. What is not leased any more is not resumed.
    fn resume(&self, id: ProcessId, ends_at: Timestamp, now: (Timestamp, Instant)) {
        if let Some(lease) = self.lock().get_mut(&id) {
            *lease = Lease::resumed(lease.ttl, ends_at, now);
        }
    }

    /// Somebody asked about a process.
    pub(crate) fn renew(&self, id: ProcessId) {
        if let Some(lease) = self.lock().get_mut(&id) {
            lease.end = Instant::now() + lease.ttl;
            if lease.is_to_record() {
                self.changed.notify_one();
            }
        }
    }

    /// Waits until there is something to do.
    async fn due(&self) -> Due {
        loop {
            let end = match self.look(Instant::now()) {
                Ok(due) => return due,
                Err(end) => end,
            };
            tokio::select! {
                () = until(end) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// What is to be done now, or when the next lease ends.
    fn look(&self, now: Instant) -> Result<Due, Option<Instant>> {
        let mut leases = self.lock();
        if let Some((id, lease)) = leases.iter_mut().find(|(_, lease)| lease.is_to_record()) {
            lease.recorded = Some(lease.end);
            return Ok(Due::Record(*id, lease.end));
        }
        match leases.iter().map(|(id, lease)| (lease.end, *id)).min() {
            Some((end, id)) if end <= now => {
                leases.remove(&id);
                Ok(Due::Ended(id))
            }
            next => Err(next.map(|(end, _)| end)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ProcessId, Lease>> {
        self.leases.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Service {
    /// After a start of the daemon: leases end when they would have without it, also those that did meanwhile.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn resume_leases(&self) -> Result<(), StoreError> {
        let now = (crate::daemon::now(), Instant::now());
        for (id, ends_at) in self.store.leases().await? {
            self.leases.resume(id, ends_at, now);
        }
        Ok(())
    }

    async fn record_lease(&self, id: ProcessId, end: Instant) {
        let left = u64::try_from(end.saturating_duration_since(Instant::now()).as_millis());
        let ends_at = crate::daemon::now().plus_ms(left.unwrap_or(u64::MAX));
        if let Err(error) = self.store.set_lease(id, ends_at).await {
            tracing::warn!(%error, process = %id, "the next daemon will not know how long its lease goes on");
        }
    }

    async fn end_lease(&self, id: ProcessId) {
        let Some(entry) = self.registry.get(id) else { return };
        let snapshot = entry.handle.snapshot();
        if !snapshot.lifecycle.state.is_at_rest() {
            tracing::info!(process = %entry.full_name(), "its lease ended");
            let _ = entry.handle.stop(snapshot.spec.stop).await;
        }
    }
}

/// Stops what nobody has asked about for the time of its lease. Ends with the service.
pub(crate) async fn watch_leases(leases: Leases, service: Weak<Service>) {
    loop {
        let due = leases.due().await;
        let Some(service) = service.upgrade() else { return };
        match due {
            Due::Ended(id) => service.end_lease(id).await,
            Due::Record(id, end) => service.record_lease(id, end).await,
        }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_millis(1_000);
    const ID: ProcessId = ProcessId(1);

    fn of(lease: Lease) -> Leases {
        let leases = Leases::default();
        leases.lock().insert(ID, lease);
        leases
    }

    #[test]
    fn renewals_are_recorded_once_they_are_worth_it() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let leases = of(Lease::new(TTL, begun));
        let renew = |now| leases.lock().get_mut(&ID).unwrap().end = now + TTL;
        assert_eq!(leases.look(at(0)), Ok(Due::Record(ID, at(1_000))));
        renew(at(100));
        assert_eq!(leases.look(at(100)), Err(Some(at(1_100))));
        renew(at(101));
        assert_eq!(leases.look(at(101)), Ok(Due::Record(ID, at(1_101))));
        assert_eq!(leases.look(at(1_100)), Err(Some(at(1_101))));
        assert_eq!(leases.look(at(1_101)), Ok(Due::Ended(ID)));
        assert_eq!(leases.look(at(1_101)), Err(None));
    }

    #[test]
    fn daemons_that_come_and_go_do_not_prolong_a_lease() {
        let (begun, started) = (Instant::now(), Timestamp(1_000_000_000_000));
        let ends_at = started.plus_ms(1_000);
        for ms in (0..3_000).step_by(50) {
            let now = begun + Duration::from_millis(ms);
            let leases = of(Lease::resumed(TTL, ends_at, (started.plus_ms(ms), now)));
            // By a tenth, for it may have been renewed without a record of that.
            let end = begun + Duration::from_millis(1_100);
            let expected = if now < end { Err(Some(end)) } else { Ok(Due::Ended(ID)) };
            assert_eq!(leases.look(now), expected, "{ms} ms");
        }
        let set_back = Lease::resumed(TTL, ends_at, (Timestamp(0), begun));
        assert_eq!(set_back.end, begun + Duration::from_millis(1_100));
    }
}
