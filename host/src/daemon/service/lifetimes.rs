//! Processes that end with their client.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use hostler_api::ToolError;
use hostler_model::spec::Lifetime;
use hostler_model::{Pid, ProcessId};
use hostler_store::{SessionOwner, StoreError};
use hostler_supervisor::proc;

use super::{Client, Service};

/// A client's process: its number, and its start time in clock ticks since boot. Several connections may be its.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pid: i32,
    start_ticks: u64,
}

impl Owner {
    /// The process of this number, if it lives.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        proc::start_ticks(pid).map(|start_ticks| Self { pid, start_ticks })
    }

    fn lives(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }
}

/// Which processes live for the time of which client only.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    owners: HashMap<ProcessId, Owner>,
    connections: HashMap<Owner, usize>,
}

impl Sessions {
    /// A client connected.
    pub(crate) fn connected(&self, owner: Owner) {
        *self.lock().connections.entry(owner).or_default() += 1;
    }

    /// A client disconnected; whether that was its last connection.
    fn disconnected(&self, owner: Owner) -> bool {
        let mut state = self.lock();
        let Some(count) = state.connections.get_mut(&owner) else { return false };
        *count -= 1;
        if *count == 0 {
            state.connections.remove(&owner);
            return true;
        }
        false
    }

    fn set(&self, id: ProcessId, owner: Option<Owner>) {
        match owner {
            Some(owner) => self.lock().owners.insert(id, owner),
            None => self.lock().owners.remove(&id),
        };
    }

    fn owner(&self, id: ProcessId) -> Option<Owner> {
        self.lock().owners.get(&id).copied()
    }

    /// What an owner leaves behind.
    fn take(&self, owner: Owner) -> Vec<ProcessId> {
        self.lock().owners.extract_if(|_, of| *of == owner).map(|(id, _)| id).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Service {
    /// Refuses a session that nobody would see the end of.
    ///
    /// # Errors
    /// Of a client without a process, such as one over HTTP, unless the process lives for another one's time.
    pub(super) fn check_lifetime(
        &self,
        id: Option<ProcessId>,
        lifetime: Lifetime,
        client: &Client,
    ) -> Result<(), ToolError> {
        let is_owned = client.owner.is_some() || id.is_some_and(|id| self.keeper(id).is_some());
        if is_owned || lifetime != Lifetime::Session {
            return Ok(());
        }
        Err(ToolError::invalid(
            "`lifetime`: session would never end, for the end of this client cannot be seen (as of all over HTTP); use \
             \"lease\" with `lease_ms`, which each call about the process renews, or \"persistent\"",
        ))
    }

    /// Who has a process that runs, and lives: whoever repeats its start, or restarts it, does not take it over.
    fn keeper(&self, id: ProcessId) -> Option<Owner> {
        let runs = self.registry.get(id).is_some_and(|e| !e.handle.snapshot().lifecycle.state.is_at_rest());
        self.sessions.owner(id).filter(|owner| runs && owner.lives())
    }

    /// A process lives for the time of this client from now on, unless it does for that of another one already; or for
    /// that of nobody.
    pub(crate) async fn set_owner(&self, id: ProcessId, lifetime: Lifetime, client: &Client) {
        if lifetime != Lifetime::Session {
            return self.sessions.set(id, None);
        }
        let Some(owner) = client.owner.filter(|_| self.keeper(id).is_none()) else { return };
        self.sessions.set(id, Some(owner));
        let Owner { pid, start_ticks } = owner;
        let record =
            SessionOwner { process: id, pid: Pid(pid), start_ticks, boot_id: self.boot_id.to_string() };
        if let Err(error) = self.store.set_session_owner(record).await {
            tracing::warn!(%error, process = %id, "its session will not be known to the next daemon");
        }
    }

    /// A client disconnected: what it started for its own time only is stopped.
    pub(crate) async fn disconnected(&self, owner: Owner) {
        if self.sessions.disconnected(owner) {
            self.end_session(owner).await;
        }
    }

    async fn end_session(&self, owner: Owner) {
        for id in self.sessions.take(owner) {
            let Some(entry) = self.registry.get(id) else { continue };
            let spec = entry.handle.snapshot().spec;
            if spec.lifetime == Lifetime::Session {
                tracing::info!(process = %entry.full_name(), "its session ended");
                let _ = entry.handle.stop(spec.stop).await;
            }
        }
    }

    /// After a start of the daemon: clients of its predecessor may have ended meanwhile, and those that live connect
    /// again only when they have something to say. So their processes are watched.
    pub(crate) async fn resume_sessions(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut watched = HashSet::new();
        for record in self.store.session_owners().await? {
            let owner = Owner { pid: record.pid.0, start_ticks: record.start_ticks };
            self.sessions.set(record.process, Some(owner));
            if !watched.insert(owner) {
                continue;
            }
            let (service, this_boot) = (Arc::downgrade(self), *record.boot_id == *self.boot_id);
            tokio::spawn(async move {
                if this_boot {
                    proc::ended(owner.pid, owner.start_ticks).await;
                }
                if let Some(service) = service.upgrade() {
                    service.end_session(owner).await;
                }
            });
        }
        Ok(())
    }
}
