//! What a plugin sees of the process for which it works.

use std::path::Path;
use std::sync::Arc;

use hostler_plugin_host::{BoxFuture, Command, CommandError, CommandOutput, ProcessFacts, Surroundings};
use hostler_supervisor::proc;

use super::sampling::{Sampler, Usage};
use super::{Service, views};
use crate::daemon::home::Home;
use crate::daemon::registry::Entry;
use crate::plugins::commands;

/// The process of an entry.
struct Watched {
    home: Home,
    entry: Arc<Entry>,
    sampler: Arc<Sampler>,
}

impl Service {
    /// For the instances of plugins that work for a process.
    pub(crate) fn surroundings(&self, entry: &Arc<Entry>) -> Arc<dyn Surroundings> {
        let (home, sampler) = (self.home.clone(), self.sampler.clone());
        Arc::new(Watched { home, entry: entry.clone(), sampler })
    }
}

impl Surroundings for Watched {
    fn facts(&self) -> BoxFuture<'_, ProcessFacts> {
        Box::pin(async {
            let snapshot = self.entry.handle.snapshot();
            let (id, sampler) = (self.entry.id, self.sampler.clone());
            let roots = snapshot.roots();
            let measured = tokio::task::spawn_blocking(move || {
                let mut measured = sampler.measure(&[(id, roots?)]);
                measured.remove(&id).map(|usage| (threads(&usage), usage))
            });
            let (threads, usage) = measured.await.ok().flatten().unzip();
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
                open_files: pid.and_then(proc::open_files),
                threads: threads.flatten(),
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

fn threads(usage: &Usage) -> Option<u32> {
    usage.tree.iter().map(|process| proc::threads(process.pid)).sum()
}
