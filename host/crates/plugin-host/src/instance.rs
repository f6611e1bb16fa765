//! A plugin at work for one user of it: a stream of a process, a check, the error pipeline.
//!
//! An instance is warm, its Store is kept from call to call, and it is used by one call at a time: it is not shared but
//! owned, by the task that has the lines or makes the check. So there is no task to join and no queue to bound. A call
//! that is dropped, traps or is late takes its Store along, and the next one begins with a new one.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::answers::Broken;
use crate::answers::categorize::{self, Categorized};
use crate::answers::check::{self, Report};
use crate::answers::parse::{self, Parsed};
use crate::batch::TextBatch;
use crate::bindings::types;
use crate::breaker::Pass;
use crate::component::Kind;
use crate::error::CallError;
use crate::plugin::{Revision, Shared};
use crate::slots::Idle;
use crate::surroundings::Surroundings;
use crate::ticker::Ticking;
use crate::warm::{Role, Warm, refusal};

/// A plugin at work for one user of it.
pub struct Instance {
    plugin: Arc<Shared>,
    surroundings: Arc<dyn Surroundings>,
    place: Arc<Place>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Instance").field("plugin", &self.plugin.name).finish_non_exhaustive()
    }
}

/// Where the warm instance is kept between calls.
#[derive(Default)]
struct Place(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    warm: Option<(Warm, Arc<Revision>, Instant)>,
    /// The revision that this plugin refused to be configured with, and what it said.
    misconfigured: Option<(u64, String)>,
}

impl Idle for Place {
    fn idle_since(&self) -> Option<Instant> {
        self.kept().warm.as_ref().map(|(_, _, since)| *since)
    }

    fn evict(&self) {
        let evicted = self.kept().warm.take();
        // Freeing memory takes a while: not under the lock.
        drop(evicted);
    }
}

impl Place {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    pub(crate) fn new(plugin: Arc<Shared>, surroundings: Arc<dyn Surroundings>) -> Self {
        let place = Arc::<Place>::default();
        plugin.engine.inner.slots.enlist(&(Arc::clone(&place) as Arc<dyn Idle>));
        Self { plugin, surroundings, place }
    }

    /// Parses the next lines of a stream. `end` says that no more can follow now.
    ///
    /// # Errors
    /// When there is no answer that can be used. The lines are then as if nobody had understood them.
    pub async fn parse(&mut self, batch: &TextBatch, end: bool) -> Result<Parsed, CallError> {
        let mut call = self.begin(Kind::LogParser, None).await?;
        let Role::LogParser(guest) = &call.warm.role else { return Err(call.wrong_kind()) };
        let answer = timeout(call.limit, guest.call_parse(&mut call.warm.store, &batch.0, end)).await;
        let (call, answer) = call.settle(answer)?;
        call.finish(batch.len(), parse::accept(answer, batch, end))
    }

    /// Makes a check that may take this long.
    ///
    /// # Errors
    /// When there is no verdict, which says nothing about the process.
    pub async fn check(&mut self, limit: Duration) -> Result<Report, CallError> {
        let mut call = self.begin(Kind::HealthCheck, Some(limit)).await?;
        let Role::HealthCheck(guest) = &call.warm.role else { return Err(call.wrong_kind()) };
        let answer = timeout(call.limit, guest.call_check(&mut call.warm.store)).await;
        let (call, answer) = call.settle(answer)?;
        call.finish(1, check::accept(answer))
    }

    /// Categorizes errors; the answer has one element for each.
    ///
    /// # Errors
    /// When there is no answer that can be used. The errors then go to the next categorizer.
    pub async fn categorize(&mut self, errors: &TextBatch) -> Result<Vec<Option<Categorized>>, CallError> {
        let mut call = self.begin(Kind::ErrorCategorizer, None).await?;
        let Role::ErrorCategorizer(guest) = &call.warm.role else { return Err(call.wrong_kind()) };
        let answer = timeout(call.limit, guest.call_categorize(&mut call.warm.store, &errors.0)).await;
        let (call, answer) = call.settle(answer)?;
        call.finish(errors.len(), categorize::accept(answer, errors.len()))
    }

    /// Gives back the memory until the next call.
    pub fn rest(&self) {
        self.place.evict();
    }

    /// Whether a Store is kept for the next call.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        self.place.idle_since().is_some()
    }

    /// Gets an instance of the current revision and its time for a call.
    async fn begin(&self, kind: Kind, limit: Option<Duration>) -> Result<Call<'_>, CallError> {
        let revision = self.plugin.current();
        if revision.component.kind() != kind {
            return Err(CallError::OtherKind(revision.component.kind()));
        }
        self.known_refusal(&revision)?;
        let guard = Guard::admit(&self.plugin)?;
        let kept = self.place.kept().warm.take();
        let fresh = kept.filter(|(_, of, _)| of.number == revision.number).map(|(warm, _, _)| warm);
        let mut warm = match fresh {
            Some(warm) => warm,
            None => match revision.start(&self.plugin, &self.surroundings).await {
                Ok(warm) => warm,
                Err(error) => {
                    self.remember_refusal(&revision, &error);
                    return Err(guard.failed(error));
                }
            },
        };
        let limit = limit.unwrap_or(revision.limits.call);
        warm.arm(limit);
        Ok(Call { owner: self, warm, revision, guard, limit })
    }

    fn remember_refusal(&self, revision: &Revision, error: &CallError) {
        if let CallError::InvalidConfig(why) = error {
            self.place.kept().misconfigured = Some((revision.number, why.clone()));
        }
    }

    /// A plugin that refused its configuration is not asked again before something changes.
    fn known_refusal(&self, revision: &Revision) -> Result<(), CallError> {
        match &self.place.kept().misconfigured {
            Some((number, why)) if *number == revision.number => Err(CallError::InvalidConfig(why.clone())),
            _ => Ok(()),
        }
    }
}

/// A call under way. Dropping it drops the Store.
struct Call<'a> {
    owner: &'a Instance,
    warm: Warm,
    revision: Arc<Revision>,
    guard: Guard,
    limit: Duration,
}

impl Call<'_> {
    /// Takes the answer of the plugin, or says why there is none. A plugin that said so itself is none the worse.
    fn settle<T>(
        self,
        answer: Result<wasmtime::Result<Result<T, types::Error>>, tokio::time::error::Elapsed>,
    ) -> Result<(Self, T), CallError> {
        self.guard.saw_memory(self.warm.memory());
        match self.warm.settle(answer, self.limit) {
            Ok(Ok(answer)) => Ok((self, answer)),
            Ok(Err(refused)) => {
                let error = refusal(refused);
                self.owner.remember_refusal(&self.revision, &error);
                Err(self.keep().failed(error))
            }
            Err(error) => Err(self.guard.failed(error)),
        }
    }

    fn wrong_kind(self) -> CallError {
        let kind = self.revision.component.kind();
        self.keep().failed(CallError::OtherKind(kind))
    }

    /// Counts a call whose answer was looked at, and keeps the Store if there was nothing wrong with it.
    fn finish<T>(self, items: usize, accepted: Result<T, Broken>) -> Result<T, CallError> {
        match accepted {
            Ok(answer) => {
                self.keep().succeeded(items);
                Ok(answer)
            }
            Err(why) => Err(self.guard.failed(CallError::InvalidAnswer(why))),
        }
    }

    /// Keeps the Store for the next call, unless it is worn or its place is needed.
    fn keep(self) -> Guard {
        let place = &self.owner.place;
        if !self.warm.is_worn() {
            place.kept().warm = Some((self.warm, self.revision, Instant::now()));
            // Who waits for a slot may have looked for idle ones before this one was.
            if self.owner.plugin.engine.inner.slots.is_wanted() {
                place.evict();
            }
        }
        self.guard
    }
}

/// Watches over a call: it is counted, and its end reported to the quarantine, also when nobody waits for it.
pub(crate) struct Guard {
    plugin: Arc<Shared>,
    pass: Option<Pass>,
    began: Instant,
    _ticking: Ticking,
}

impl Guard {
    /// Asks the quarantine.
    fn admit(plugin: &Arc<Shared>) -> Result<Self, CallError> {
        let now_ms = plugin.engine.now_ms();
        let pass = plugin.breaker().admit(now_ms).map_err(|refused| {
            plugin.counters.quarantined.fetch_add(1, Relaxed);
            CallError::Quarantined {
                retry_after: Duration::from_millis(refused.retry_after_ms),
                reason: refused.reason,
            }
        })?;
        Ok(Self {
            pass: Some(pass),
            began: Instant::now(),
            _ticking: plugin.engine.inner.ticker.begin(),
            plugin: Arc::clone(plugin),
        })
    }

    fn saw_memory(&self, bytes: usize) {
        self.plugin.counters.memory_peak.fetch_max(bytes as u64, Relaxed);
    }

    fn succeeded(mut self, items: usize) {
        self.plugin.counters.items.fetch_add(items as u64, Relaxed);
        if let Some(pass) = self.pass.take() {
            self.plugin.breaker().succeeded(pass);
        }
    }

    fn failed(mut self, error: CallError) -> CallError {
        let counters = &self.plugin.counters;
        match &error {
            CallError::Trap(_) | CallError::OverLimit { .. } => counters.traps.fetch_add(1, Relaxed),
            CallError::Timeout { .. } => counters.timeouts.fetch_add(1, Relaxed),
            CallError::InvalidAnswer(_) => counters.invalid_answers.fetch_add(1, Relaxed),
            CallError::InvalidConfig(_) | CallError::Unavailable(_) => {
                counters.refusals.fetch_add(1, Relaxed)
            }
            CallError::Quarantined { .. } | CallError::OtherKind(_) | CallError::Host(_) => 0,
        };
        if let Some(pass) = self.pass.take() {
            self.report(pass, &error);
        }
        error
    }

    fn report(&self, pass: Pass, error: &CallError) {
        let now_ms = self.plugin.engine.now_ms();
        let mut breaker = self.plugin.breaker();
        match error {
            // The host's trouble says nothing about the plugin.
            CallError::Host(_) | CallError::OtherKind(_) => breaker.abandoned(pass, now_ms),
            error if error.is_fault() => {
                let reason = error.to_string();
                let opened = breaker.faulted(pass, now_ms, &reason);
                drop(breaker);
                tracing::warn!(plugin = self.plugin.name, reason, quarantined = opened, "a plugin failed");
                self.plugin.remember_fault(reason);
            }
            _ => breaker.succeeded(pass),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.plugin.counters.count_call(self.began.elapsed());
        if let Some(pass) = self.pass.take() {
            self.plugin.breaker().abandoned(pass, self.plugin.engine.now_ms());
        }
    }
}
