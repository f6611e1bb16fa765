//! Waiting for a resource to change: on what processes publish, never by looking again and again.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::select_all;
use hostler_model::ProcessId;
use hostler_supervisor::Snapshot;
use tokio::sync::watch::Receiver;

use super::Target;
use crate::daemon::changes::Topic;
use crate::daemon::registry::LogMark;
use crate::daemon::service::{Client, Service};

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mcp) enum Subject {
    /// One resource.
    Resource(Target),
    /// Which resources there are.
    List,
}

/// All that makes a subject change.
pub(in crate::mcp) struct Watch {
    service: Arc<Service>,
    client: Arc<Client>,
    subject: Subject,
    topics: Vec<(Topic, Receiver<u64>)>,
    entries: BTreeMap<ProcessId, Watched>,
}

#[derive(Default)]
struct Watched {
    snapshots: Option<Receiver<Snapshot>>,
    logs: Option<Receiver<LogMark>>,
}

/// What woke a watch.
enum Woke {
    Topic(Topic),
    Process,
    /// The process is gone.
    Gone(ProcessId),
}

impl Watch {
    /// Sees changes from now on.
    pub(in crate::mcp) fn new(service: Arc<Service>, client: Arc<Client>, subject: Subject) -> Self {
        let topics = topics_of(&subject);
        let topics =
            topics.iter().map(|topic| (*topic, service.registry.changes.subscribe(*topic))).collect();
        let mut watch = Self { service, client, subject, topics, entries: BTreeMap::new() };
        watch.refresh();
        watch
    }

    /// Waits for the next change. What changed while nobody waited counts as one.
    pub(in crate::mcp) async fn changed(&mut self) {
        match self.next().await {
            Woke::Topic(Topic::Processes | Topic::Groups) => self.refresh(),
            Woke::Topic(Topic::Metrics | Topic::Errors) => {}
            Woke::Process => {}
            Woke::Gone(id) => drop(self.entries.remove(&id)),
        }
    }

    async fn next(&mut self) -> Woke {
        type Waiting<'a> = Pin<Box<dyn Future<Output = Woke> + Send + 'a>>;
        let mut waiting: Vec<Waiting<'_>> = Vec::new();
        for (topic, receiver) in &mut self.topics {
            waiting.push(Box::pin(async move {
                match receiver.changed().await {
                    Ok(()) => Woke::Topic(*topic),
                    // The daemon ends, and this with it.
                    Err(_) => std::future::pending().await,
                }
            }));
        }
        for (id, watched) in &mut self.entries {
            waiting.extend(watched.snapshots.iter_mut().map(|r| Box::pin(woken(*id, r)) as Waiting<'_>));
            waiting.extend(watched.logs.iter_mut().map(|r| Box::pin(woken(*id, r)) as Waiting<'_>));
        }
        select_all(waiting).await.0
    }

    /// Looks at processes that came, and no longer at those that went.
    fn refresh(&mut self) {
        let (service, client) = (&self.service, &self.client);
        let wanted = match &self.subject {
            Subject::List | Subject::Resource(Target::Errors | Target::Error(_)) => Vec::new(),
            Subject::Resource(Target::Group(group)) => {
                let members = service.members(client, group);
                service
                    .entries(client)
                    .into_iter()
                    .filter(|e| members.contains(&e.name.to_string()))
                    .collect()
            }
            Subject::Resource(target) => match target.process() {
                Some(name) => service.lookup(client, name).into_iter().collect(),
                None => service.entries(client),
            },
        };
        let (snapshots, logs) = match &self.subject {
            Subject::Resource(Target::RecentLogs | Target::Logs(_)) => (false, true),
            Subject::Resource(
                Target::Processes
                | Target::Process(_)
                | Target::Groups
                | Target::Group(_)
                | Target::Health
                | Target::Metrics,
            ) => (true, false),
            Subject::List | Subject::Resource(Target::Errors | Target::Error(_)) => (false, false),
        };
        self.entries.retain(|id, _| wanted.iter().any(|entry| entry.id == *id));
        for entry in wanted {
            self.entries.entry(entry.id).or_insert_with(|| Watched {
                snapshots: snapshots.then(|| entry.handle.watch()).map(seen),
                logs: logs.then(|| entry.logs.subscribe()),
            });
        }
    }
}

fn topics_of(subject: &Subject) -> &'static [Topic] {
    match subject {
        Subject::Resource(Target::Groups | Target::Group(_)) | Subject::List => {
            &[Topic::Processes, Topic::Groups]
        }
        Subject::Resource(Target::Metrics) => &[Topic::Processes, Topic::Metrics],
        Subject::Resource(Target::Errors | Target::Error(_)) => &[Topic::Errors],
        Subject::Resource(
            Target::Processes | Target::Process(_) | Target::RecentLogs | Target::Logs(_) | Target::Health,
        ) => &[Topic::Processes],
    }
}

fn seen<T>(mut receiver: Receiver<T>) -> Receiver<T> {
    receiver.mark_unchanged();
    receiver
}

async fn woken<T>(id: ProcessId, receiver: &mut Receiver<T>) -> Woke {
    match receiver.changed().await {
        Ok(()) => Woke::Process,
        Err(_) => Woke::Gone(id),
    }
}
