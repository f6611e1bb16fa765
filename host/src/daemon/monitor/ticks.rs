//! The ticks: a look at every tree that runs, and what was seen into the history.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hostler_model::usage::Resolution;

use super::Target;
use crate::daemon::changes::Topic;
use crate::daemon::service::Service;

/// Between two looks while somebody watches.
const WATCHED: Duration = Duration::from_secs(1);

/// How often the history of processes that are gone is looked through.
const SWEEP: Duration = Duration::from_secs(3600);

/// What is degraded when the history cannot be written.
const HISTORY: &str = "the history of what processes use";

/// Ticks until the service is gone.
pub(crate) async fn watch(service: Weak<Service>) {
    let mut kept = second();
    let mut swept: Option<Instant> = None;
    while let Some(service) = service.upgrade() {
        tick(&service).await;
        kept = keep(&service, kept).await;
        if swept.is_none_or(|at| at.elapsed() > SWEEP) {
            let outcome = service.store.forget_old_usage(second()).await;
            service.degraded.note(HISTORY, &outcome);
            swept = Some(Instant::now());
        }
        let monitor = service.monitor.clone();
        drop(service);
        let pause = if monitor.is_watched() { WATCHED } else { until_next() };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = monitor.woken.notified() => {}
        }
    }
}

async fn tick(service: &Arc<Service>) {
    let entries = service.registry.all();
    let targets: Vec<Target> =
        entries.iter().filter_map(|e| Target::of(e.id, &e.handle.snapshot())).collect();
    let monitor = service.monitor.clone();
    // The next tick waits for this one; a panic costs its looks.
    let looked = tokio::task::spawn_blocking(move || {
        monitor.machine(|machine| machine.refresh());
        monitor.oom_kills.look();
        monitor.look(&targets, WATCHED / 2);
    });
    if let Err(error) = looked.await {
        tracing::error!(%error, "looking at the processes failed");
    }
    service.registry.changes.tell(Topic::Metrics);
}

/// Keeps the stretches that are over since the last time; answers up to where. What cannot be written is tried again
/// with the next one, as long as it is remembered.
async fn keep(service: &Service, from: i64) -> i64 {
    let length = Resolution::TenSeconds.seconds();
    let (first, now) = (Resolution::TenSeconds.start_of(from), Resolution::TenSeconds.start_of(second()));
    // After a pause of the whole machine there is nothing to keep of it.
    let first = first.max(now - 60);
    for start in (first..now).step_by(length as usize) {
        let points = service.monitor.points_of(start);
        if !points.is_empty() {
            let outcome = service.store.keep_usage(start, points).await;
            service.degraded.note(HISTORY, &outcome);
            if outcome.is_err() {
                return start;
            }
        }
    }
    service.degraded.healed(HISTORY);
    now
}

/// Until the next stretch begins, and a moment more.
fn until_next() -> Duration {
    let length = Resolution::TenSeconds.seconds() * 1000;
    let into = (crate::daemon::now().0 / 1_000_000).rem_euclid(length);
    Duration::from_millis(u64::try_from(length - into + 20).unwrap_or(0))
}

fn second() -> i64 {
    crate::daemon::now().0.div_euclid(1_000_000_000)
}
