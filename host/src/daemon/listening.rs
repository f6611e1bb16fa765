//! Ports by which a process shows that it serves. Somebody has to look for them, which is done only while somebody waits.

use std::time::Duration;

use hostler_model::RunNo;
use hostler_model::lifecycle::Ready;
use hostler_supervisor::proc::Listeners;

use crate::daemon::registry::Entry;

/// How often ports are looked at: at first, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// Looks for a port of the run's tree until there is one, and says so. Never ends otherwise: who waits knows when the
/// run is over.
pub(crate) async fn watch_ports(entry: &Entry, run: RunNo) {
    let mut pause = LOOK.0;
    loop {
        let snapshot = entry.handle.snapshot();
        let roots = snapshot.roots().filter(|_| snapshot.lifecycle.state.running() == Some(run));
        if let Some(roots) = roots {
            let look = move || Listeners::read().ports_of(roots.tree().iter().map(|process| process.pid));
            let ports = tokio::task::spawn_blocking(look).await.unwrap_or_default();
            if let Some(port) = ports.first() {
                entry.handle.ready(run, Ready::Port(*port));
                return std::future::pending().await;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK.1);
    }
}
