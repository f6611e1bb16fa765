//! Processes that end with their client, or when nobody has asked about them for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use hostler_model::ProcessId;
use hostler_model::spec::Lifetime;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Service;

/// The processes that one client started for its own time only.
#[derive(Debug, Default)]
pub(crate) struct Session(Mutex<Vec<ProcessId>>);

impl Session {
    pub(crate) fn add(&self, id: ProcessId) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(id);
    }

    fn take(&self) -> Vec<ProcessId> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Until when the leased processes live.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leases {
    ends: Arc<Mutex<HashMap<ProcessId, (Instant, Duration)>>>,
    changed: Arc<Notify>,
}

impl Leases {
    /// A process lives this long from now, and again from each renewal.
    pub(crate) fn grant(&self, id: ProcessId, lifetime: Lifetime) {
        let Lifetime::Lease { ttl_ms } = lifetime else {
            self.lock().remove(&id);
            return;
        };
        let ttl = Duration::from_millis(ttl_ms);
        self.lock().insert(id, (Instant::now() + ttl, ttl));
        self.changed.notify_one();
    }

    /// Somebody asked about a process.
    pub(crate) fn renew(&self, id: ProcessId) {
        if let Some((end, ttl)) = self.lock().get_mut(&id) {
            *end = Instant::now() + *ttl;
        }
    }

    /// Waits for the next lease to end, and answers whose it was.
    async fn next_ended(&self) -> ProcessId {
        loop {
            let next = self.lock().iter().map(|(id, (end, _))| (*end, *id)).min();
            match next {
                Some((end, id)) if end <= Instant::now() => {
                    self.lock().remove(&id);
                    return id;
                }
                Some((end, _)) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(end) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ProcessId, (Instant, Duration)>> {
        self.ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Service {
    /// Stops what a client started for its own time only; called when it disconnects.
    pub(crate) async fn end_session(&self, session: &Session) {
        for id in session.take() {
            let Some(entry) = self.registry.get(id) else { continue };
            let spec = entry.handle.snapshot().spec;
            if spec.lifetime == Lifetime::Session {
                tracing::info!(process = %entry.full_name(), "its session ended");
                let _ = entry.handle.stop(spec.stop).await;
            }
        }
    }
}

/// Stops what nobody has asked about for the time of its lease. Ends with the service.
pub(crate) async fn watch_leases(leases: Leases, service: Weak<Service>) {
    loop {
        let id = leases.next_ended().await;
        let Some(service) = service.upgrade() else { return };
        if let Some(entry) = service.registry.get(id) {
            tracing::info!(process = %entry.full_name(), "its lease ended");
            let stop = entry.handle.snapshot().spec.stop;
            let _ = entry.handle.stop(stop).await;
        }
    }
}
