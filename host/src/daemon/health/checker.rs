//! The checks of one process, and who makes them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hostler_model::health::{CheckSpec, CheckState, Health, Status, Taken};
use hostler_model::lifecycle::State;
use hostler_model::{RunNo, Timestamp};
use hostler_plugin_host::Metric;
use hostler_store::{CheckRecord, CheckResult};
use hostler_supervisor::Snapshot;
use hostler_supervisor::actor::jitter;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::attempt::{Attempt, Bench, attempt};
use super::{Means, Report, Request};
use crate::daemon::errors::Unhealthy;
use crate::daemon::registry::Entry;

/// Makes the checks of a process for as long as it is supervised.
pub(super) struct Checker {
    entry: Arc<Entry>,
    means: Means,
    requests: mpsc::Receiver<Request>,
    snapshots: watch::Receiver<Snapshot>,
    checks: Vec<Check>,
    /// The run that is being checked, and when it started.
    run: Option<(RunNo, Timestamp)>,
    /// Checks being made. Dropping one cancels it.
    under_way: FuturesUnordered<BoxFuture<'static, (usize, bool, Attempt)>>,
    asked: Vec<Asked>,
}

struct Check {
    spec: CheckSpec,
    state: CheckState,
    metrics: Vec<Metric>,
    /// The next one, and whether it comes before its time; none while it is being made, paused or nothing runs.
    due: Option<(Instant, bool)>,
    bench: Option<Bench>,
    is_under_way: bool,
}

/// Somebody who waits for checks.
struct Asked {
    left: BTreeSet<usize>,
    reply: oneshot::Sender<Vec<Report>>,
}

enum Happened {
    Changed(bool),
    Made(usize, bool, Attempt),
    Due,
    Request(Option<Request>),
}

impl Checker {
    pub(super) fn new(entry: Arc<Entry>, means: Means, requests: mpsc::Receiver<Request>) -> Self {
        let snapshots = entry.handle.watch();
        Self {
            entry,
            means,
            requests,
            snapshots,
            checks: Vec::new(),
            run: None,
            under_way: FuturesUnordered::new(),
            asked: Vec::new(),
        }
    }

    pub(super) async fn run(mut self) {
        self.recall().await;
        self.look();
        loop {
            let next_due = self.next_due();
            let happened = tokio::select! {
                changed = self.snapshots.changed() => Happened::Changed(changed.is_ok()),
                Some((at, early, made)) = self.under_way.next() => Happened::Made(at, early, made),
                () = sleep(next_due) => Happened::Due,
                request = self.requests.recv() => Happened::Request(request),
            };
            match happened {
                Happened::Changed(true) => self.look(),
                Happened::Made(at, early, made) => self.made(at, early, made).await,
                Happened::Due => self.begin_due(),
                Happened::Request(Some(request)) => self.on_request(request).await,
                Happened::Changed(false) | Happened::Request(None) => return,
            }
        }
    }

    /// What an earlier daemon knew of these checks.
    async fn recall(&mut self) {
        let recorded = match self.means.store.checks(self.entry.id).await {
            Ok(listing) => listing.rows,
            Err(error) => {
                tracing::warn!(%error, process = %self.entry.id, "its health checks begin anew");
                return;
            }
        };
        let declared = self.snapshots.borrow().spec.health.clone();
        self.checks = declared
            .into_iter()
            .enumerate()
            .map(|(at, spec)| {
                let known = recorded.iter().find(|record| record.position == at && record.spec == spec);
                let state = known.map_or_else(fresh, |record| record.state.clone());
                Check::new(spec, state)
            })
            .collect();
    }

    /// Follows the declaration and the runs of the process.
    fn look(&mut self) {
        let snapshot = self.snapshots.borrow_and_update().clone();
        let redeclared = self.checks.iter().map(|check| &check.spec).ne(&snapshot.spec.health);
        let run = match snapshot.lifecycle.state {
            State::Running { run, since, .. } => Some((run, since)),
            _ => None,
        };
        if !redeclared && run == self.run {
            return;
        }
        // What is being made is about something else. Who waits for it learns what is known.
        self.under_way.clear();
        if redeclared {
            let specs = snapshot.spec.health.into_iter();
            let mut old = std::mem::take(&mut self.checks);
            self.checks = specs
                .map(|spec| match old.iter().position(|check| check.spec == spec) {
                    Some(at) => old.swap_remove(at),
                    None => Check::new(spec, fresh()),
                })
                .collect();
        }
        self.run = run;
        for check in &mut self.checks {
            check.is_under_way = false;
            check.turn_to(run);
        }
        for asked in std::mem::take(&mut self.asked) {
            let _ = asked.reply.send(self.reports());
        }
        self.publish();
    }

    fn next_due(&self) -> Option<Instant> {
        self.checks.iter().filter_map(|check| check.due.map(|(at, _)| at)).min()
    }

    fn begin_due(&mut self) {
        let now = Instant::now();
        for at in 0..self.checks.len() {
            if let Some((_, early)) = self.checks[at].due.filter(|(due, _)| *due <= now) {
                self.begin(at, early);
            }
        }
    }

    fn begin(&mut self, at: usize, early: bool) {
        let check = &mut self.checks[at];
        check.due = None;
        check.is_under_way = true;
        let making = attempt(self.means.clone(), check.spec.clone(), check.bench.take());
        self.under_way.push(Box::pin(async move { (at, early, making.await) }));
    }

    async fn made(&mut self, at: usize, early: bool, made: Attempt) {
        let (Some((run, since)), Some(check)) = (self.run, self.checks.get_mut(at)) else { return };
        let Attempt { last, metrics, bench } = made;
        check.is_under_way = false;
        (check.bench, check.metrics) = (bench, metrics);
        let (time, found, latency_us) = (last.at, last.outcome.status(), last.latency_us);
        let message = last.message.clone();
        let Taken { was, restart } = check.state.take(&check.spec, last, since, early);
        check.plan(since);
        if restart {
            let times = check.state.failures;
            let why = format!("{} failed {times} times in a row: {message}", check.spec.plugin);
            self.entry.handle.unhealthy(run, why);
        }
        let changed_to = was.map(|_| check.state.status);
        if let (Some(was), Some(now)) = (was, changed_to) {
            let (process, plugin) = (self.entry.full_name(), &check.spec.plugin);
            tracing::info!(%process, plugin, %was, %now, message, "health changed");
        }
        self.publish();
        if changed_to == Some(Status::Unhealthy) {
            self.tell(at, run, &message, time).await;
        }
        let metrics = numbers(&self.checks[at].metrics);
        self.record(at, Some(CheckResult { run, time, found, changed_to, message, latency_us, metrics }))
            .await;
        self.answer(at);
    }

    /// That the process turned unhealthy is an error. Borrows nothing while it is told, as [`Self::record`].
    fn tell(
        &self,
        at: usize,
        run: RunNo,
        message: &str,
        time: Timestamp,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (errors, process) = (self.means.errors.clone(), self.entry.id);
        let (plugin, message) = (self.checks[at].spec.plugin.clone(), message.to_owned());
        async move {
            errors.unhealthy(Unhealthy { process, run, plugin: &plugin, message: &message, at: time }).await;
        }
    }

    fn answer(&mut self, made: usize) {
        let mut waiting = Vec::new();
        for mut asked in std::mem::take(&mut self.asked) {
            asked.left.remove(&made);
            if asked.left.is_empty() {
                let _ = asked.reply.send(self.reports());
            } else {
                waiting.push(asked);
            }
        }
        self.asked = waiting;
    }

    async fn on_request(&mut self, request: Request) {
        match request {
            Request::Look(reply) => drop(reply.send(self.reports())),
            Request::Check(which, reply) => {
                let left: BTreeSet<usize> = which.into_iter().filter(|at| *at < self.checks.len()).collect();
                if self.run.is_none() || left.is_empty() {
                    drop(reply.send(self.reports()));
                    return;
                }
                for at in left.iter().copied().filter(|at| !self.checks[*at].is_under_way).collect::<Vec<_>>()
                {
                    self.begin(at, false);
                }
                self.asked.push(Asked { left, reply });
            }
            Request::Pause(which, paused, reply) => {
                for at in which {
                    self.pause(at, paused).await;
                }
                self.publish();
                drop(reply.send(self.reports()));
            }
        }
    }

    async fn pause(&mut self, at: usize, paused: bool) {
        let Some(check) = self.checks.get_mut(at).filter(|check| check.state.paused != paused) else {
            return;
        };
        check.state.paused = paused;
        match self.run {
            Some((_, since)) if !check.is_under_way => check.plan(since),
            _ => {}
        }
        self.record(at, None).await;
    }

    fn publish(&self) {
        if let Some((run, _)) = self.run {
            let health = Health::of(self.checks.iter().map(|check| (&check.spec, &check.state)));
            self.entry.handle.checked(run, health);
        }
    }

    /// Puts a check on record. Borrows nothing: what is under way cannot be shared with another thread.
    fn record(&self, at: usize, result: Option<CheckResult>) -> impl Future<Output = ()> + Send + use<> {
        let (Check { spec, state, .. }, process) = (&self.checks[at], self.entry.id);
        let record = CheckRecord { process, position: at, spec: spec.clone(), state: state.clone() };
        let store = self.means.store.clone();
        async move {
            if let Err(error) = store.record_check(&record, result).await {
                tracing::warn!(%error, %process, "a health check is not on record");
            }
        }
    }

    fn reports(&self) -> Vec<Report> {
        let all = self.checks.iter().enumerate();
        all.map(|(position, check)| Report {
            position,
            spec: check.spec.clone(),
            state: check.state.clone(),
            metrics: check.metrics.clone(),
        })
        .collect()
    }
}

impl Check {
    fn new(spec: CheckSpec, state: CheckState) -> Self {
        Self { spec, state, metrics: Vec::new(), due: None, bench: None, is_under_way: false }
    }

    /// Turns to a run: a new one is looked at soon, and one that is known already goes on as before.
    fn turn_to(&mut self, run: Option<(RunNo, Timestamp)>) {
        let Some((run, since)) = run else {
            self.due = None;
            return;
        };
        let now = crate::daemon::now();
        if self.state.run != run {
            self.state = self.state.renewed(run, now);
            self.plan(since);
        } else {
            let next = || instant(self.spec.schedule.resume(&self.state, since, now, jitter()), now);
            self.due = (!self.state.paused).then(next);
        }
    }

    fn plan(&mut self, since: Timestamp) {
        let now = crate::daemon::now();
        let next = || instant(self.spec.schedule.next(&self.state, since, now, jitter()), now);
        self.due = (!self.state.paused).then(next);
    }
}

/// Of a check that nobody has made yet; of no run.
fn fresh() -> CheckState {
    CheckState::new(RunNo(0), crate::daemon::now())
}

fn instant(due: hostler_model::health::Due, now: Timestamp) -> (Instant, bool) {
    (Instant::now() + Duration::from_millis(due.at.ms_since(now)), due.early)
}

fn numbers(metrics: &[Metric]) -> String {
    let numbers: Vec<_> = metrics.iter().map(|m| (&m.name, m.value, &m.unit)).collect();
    serde_json::to_string(&numbers).unwrap_or_default()
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
