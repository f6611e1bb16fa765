//! The guard of the limits that the kernel does not hold a run to: it looks at those runs alone, and often.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hostler_model::limits::{Seen, breach, lasting_cpu};
use hostler_model::spec::Limits;
use hostler_model::{Cause, RunNo};
use hostler_supervisor::group_limits::Held;
use hostler_supervisor::{ProcessHandle, Snapshot};

use super::{Monitor, Target};
use crate::daemon::service::Service;

/// Between two looks. To see that there is nobody to guard takes some microseconds.
const PAUSE: Duration = Duration::from_millis(250);

/// A run with limits.
struct Ward {
    handle: ProcessHandle,
    run: RunNo,
    target: Target,
    limits: Limits,
}

/// Guards until the service is gone.
pub(crate) async fn guard(service: Weak<Service>) {
    while let Some(service) = service.upgrade() {
        let wards: Vec<Ward> = service
            .registry
            .all()
            .iter()
            .filter_map(|entry| entry.handle.with(|s| ward(&entry.handle, s)))
            .collect();
        let monitor = service.monitor.clone();
        drop(service);
        if !wards.is_empty() {
            let looked = tokio::task::spawn_blocking(move || look(&monitor, &wards)).await;
            if let Err(error) = looked {
                tracing::error!(%error, "looking at limits failed");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn ward(handle: &ProcessHandle, snapshot: &Snapshot) -> Option<Ward> {
    let limits = Limits { open_files: None, ..snapshot.spec.limits };
    if limits == Limits::default() || snapshot.run.exit.is_some() {
        return None;
    }
    let target = Target::of(handle.id(), snapshot)?;
    Some(Ward { handle: handle.clone(), run: snapshot.run.run, target, limits })
}

fn look(monitor: &Arc<Monitor>, wards: &[Ward]) {
    for ward in wards {
        if let Some(cause) = monitor.judge(&ward.target, &ward.limits) {
            ward.handle.breach(ward.run, cause);
        }
    }
}

/// The limits that are left when the kernel holds some.
fn left(limits: &Limits, held: Held) -> Limits {
    Limits {
        memory_bytes: limits.memory_bytes.filter(|_| !held.memory),
        cpu_percent: limits.cpu_percent.filter(|_| !held.cpu),
        processes: limits.processes.filter(|_| !held.processes),
        open_files: None,
    }
}

impl Monitor {
    /// Whether a tree is beyond a limit that the kernel does not hold it to.
    fn judge(&self, target: &Target, limits: &Limits) -> Option<Cause> {
        let limits = left(limits, self.held(target));
        if limits == Limits::default() {
            return None;
        }
        let mut cpu_percent = None;
        if limits.cpu_percent.is_some() {
            self.look(std::slice::from_ref(target), Duration::from_millis(900));
            let now = crate::daemon::now().0.div_euclid(1_000_000_000);
            cpu_percent = lasting_cpu(&self.recent(target.id), now);
        }
        let (resident, processes) = target.size();
        let seen = Seen { memory_bytes: resident, processes, cpu_percent };
        match breach(&limits, &seen)? {
            // What its processes share was counted for each of them: only now it is worth a walk over its pages.
            Cause::Memory { .. } => {
                let memory_bytes = target.proportional_memory().unwrap_or(resident);
                breach(&limits, &Seen { memory_bytes, ..seen })
            }
            other => Some(other),
        }
    }
}
