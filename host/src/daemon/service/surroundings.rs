//! What a plugin sees of the process for which it works.

use std::path::Path;
use std::sync::Arc;

use hostler_plugin_host::{BoxFuture, Command, CommandError, CommandOutput, ProcessFacts, Surroundings};

use super::{Service, views};
use crate::daemon::home::Home;
use crate::daemon::monitor::{Monitor, Target};
use crate::daemon::registry::Entry;
use crate::plugins::commands;

/// The process of an entry.
struct Watched {
    home: Home,
    entry: Arc<Entry>,
    monitor: Arc<Monitor>,
}

impl Service {
    /// For the instances of plugins that work for a process.
    pub(crate) fn surroundings(&self, entry: &Arc<Entry>) -> Arc<dyn Surroundings> {
        let (home, monitor) = (self.home.clone(), self.monitor.clone());
        Arc::new(Watched { home, entry: entry.clone(), monitor })
    }
}

impl Surroundings for Watched {
    fn facts(&self) -> BoxFuture<'_, ProcessFacts> {
        Box::pin(async {
            let snapshot = self.entry.handle.snapshot();
            let (target, monitor) = (Target::of(self.entry.id, &snapshot), self.monitor.clone());
            let measured = tokio::task::spawn_blocking(move || {
                let target = target?;
                monitor.measure(std::slice::from_ref(&target)).remove(&target.id)
            });
            let usage = measured.await.ok().flatten();
            let state = &snapshot.lifecycle.state;
            let uptime_ms = views::started_at(state).map_or(0, |at| crate::daemon::now().ms_since(at));
            let silent_ms = u64::try_from(self.entry.activity.silent().as_millis()).unwrap_or(u64::MAX);
            let pid = state.pid().map(|pid| pid.0);
            ProcessFacts {
                name: self.entry.name.to_string(),
                pid: pid.and_then(|pid| u32::try_from(pid).ok()),
                uptime_ms,
                restarts: snapshot.lifecycle.restarts,
                cpu_percent: usage.as_ref().map(|usage| usage.cpu_percent),
                memory_bytes: usage.as_ref().map(|usage| usage.memory_bytes),
                open_files: usage.as_ref().map(|usage| usage.open_files),
                threads: usage.as_ref().and_then(|usage| u32::try_from(usage.threads).ok()),
                ports: usage.map(|usage| usage.ports).unwrap_or_default(),
                // A process is not silent for longer than it runs.
                silent_ms: pid.map(|_| silent_ms.min(uptime_ms)),
                lines_per_minute: self.entry.activity.last_minute(),
            }
        })
    }

    fn run(&self, command: Command) -> BoxFuture<'_, Result<CommandOutput, CommandError>> {
        Box::pin(async {
            let place = self.entry.handle.snapshot().spec;
            commands::run(&self.home, Path::new(&self.entry.project.root), &place, command).await
        })
    }
}
