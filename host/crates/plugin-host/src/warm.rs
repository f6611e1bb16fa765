//! An instance that is ready for calls: a Store, the component in it, and its functions. It is used by one call at a
//! time; after a failure it is dropped, never used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use wasmtime::component::InstancePre;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use crate::bindings::{error_categorizing, health_checking, lifecycle, log_parsing, metadata, types};
use crate::component::Kind;
use crate::engine::{Engine, reason};
use crate::error::{CallError, Spent};
use crate::grants::Grants;
use crate::limits::{Limits, Refused};
use crate::log::PluginLog;
use crate::slots::Slot;
use crate::state::State;
use crate::surroundings::Surroundings;
use crate::text::one_line;
use crate::ticker::TICK;

/// Where the functions of a component are.
pub(crate) struct Indices {
    metadata: metadata::GuestIndices,
    lifecycle: lifecycle::GuestIndices,
    role: RoleIndices,
}

enum RoleIndices {
    LogParser(log_parsing::GuestIndices),
    HealthCheck(health_checking::GuestIndices),
    ErrorCategorizer(error_categorizing::GuestIndices),
}

impl Indices {
    pub(crate) fn find(kind: Kind, pre: &InstancePre<State>) -> wasmtime::Result<Self> {
        Ok(Self {
            metadata: metadata::GuestIndices::new(pre)?,
            lifecycle: lifecycle::GuestIndices::new(pre)?,
            role: match kind {
                Kind::LogParser => RoleIndices::LogParser(log_parsing::GuestIndices::new(pre)?),
                Kind::HealthCheck => RoleIndices::HealthCheck(health_checking::GuestIndices::new(pre)?),
                Kind::ErrorCategorizer => {
                    RoleIndices::ErrorCategorizer(error_categorizing::GuestIndices::new(pre)?)
                }
            },
        })
    }
}

/// The functions of one kind of plugin.
pub(crate) enum Role {
    LogParser(log_parsing::Guest),
    HealthCheck(health_checking::Guest),
    ErrorCategorizer(error_categorizing::Guest),
}

/// What an instance is made of.
pub(crate) struct Recipe<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) pre: &'a InstancePre<State>,
    pub(crate) indices: &'a Indices,
    pub(crate) limits: &'a Limits,
    pub(crate) grants: &'a Grants,
    pub(crate) log: &'a Arc<PluginLog>,
    pub(crate) surroundings: &'a Arc<dyn Surroundings>,
}

/// An instance that is ready.
pub(crate) struct Warm {
    pub(crate) store: Store<State>,
    pub(crate) role: Role,
    metadata: metadata::Guest,
    lifecycle: lifecycle::Guest,
    limits: Limits,
    /// Calls made with it.
    pub(crate) calls: u64,
    /// Given back after the Store is gone: fields are dropped in order.
    _slot: Slot,
}

impl Warm {
    /// Makes an instance. It is not configured yet.
    pub(crate) async fn make(recipe: &Recipe<'_>) -> Result<Self, CallError> {
        let slots = &recipe.engine.inner.slots;
        let limits = *recipe.limits;
        let slot = timeout(limits.start, slots.take())
            .await
            .map_err(|_| CallError::Host(format!("no instance became free in {:?}", limits.start)))?
            .ok_or_else(|| CallError::Host("the engine is going down".into()))?;
        let state =
            State::new(&limits, recipe.grants, Arc::clone(recipe.log), Arc::clone(recipe.surroundings));
        let mut store = Store::new(&recipe.engine.inner.wasm, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.transfer_bytes);
        store.epoch_deadline_callback(|mut context| Ok(tick(context.data_mut())));
        arm(&mut store, &limits, limits.start);
        let made = timeout(limits.start, recipe.pre.instantiate_async(&mut store)).await;
        let instance = match settle(made, &store, &limits, limits.start) {
            Ok(instance) => instance,
            // Not the answer of a function, so there is no answer to be wrong.
            Err(CallError::InvalidAnswer(why)) => return Err(CallError::Host(why)),
            Err(error) => return Err(error),
        };
        let load = |error: wasmtime::Error| CallError::Host(reason(&error));
        let indices = recipe.indices;
        Ok(Self {
            metadata: indices.metadata.load(&mut store, &instance).map_err(load)?,
            lifecycle: indices.lifecycle.load(&mut store, &instance).map_err(load)?,
            role: match &indices.role {
                RoleIndices::LogParser(found) => {
                    Role::LogParser(found.load(&mut store, &instance).map_err(load)?)
                }
                RoleIndices::HealthCheck(found) => {
                    Role::HealthCheck(found.load(&mut store, &instance).map_err(load)?)
                }
                RoleIndices::ErrorCategorizer(found) => {
                    Role::ErrorCategorizer(found.load(&mut store, &instance).map_err(load)?)
                }
            },
            store,
            limits,
            calls: 0,
            _slot: slot,
        })
    }

    /// Asks the plugin what it is.
    pub(crate) async fn describe(&mut self) -> Result<metadata::Info, CallError> {
        let limit = self.limits.start;
        self.arm(limit);
        let answer = timeout(limit, self.metadata.call_describe(&mut self.store)).await;
        self.settle(answer, limit)
    }

    /// Gives the plugin its configuration.
    pub(crate) async fn configure(&mut self, config: &str) -> Result<(), CallError> {
        let limit = self.limits.start;
        self.arm(limit);
        let answer = timeout(limit, self.lifecycle.call_configure(&mut self.store, config)).await;
        self.settle(answer, limit)?.map_err(refusal)
    }

    /// Gives the next call its time.
    pub(crate) fn arm(&mut self, limit: Duration) {
        arm(&mut self.store, &self.limits, limit);
        self.calls += 1;
    }

    /// Says how a call ended. After an error the instance must not be used again.
    pub(crate) fn settle<T>(
        &self,
        answer: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
        limit: Duration,
    ) -> Result<T, CallError> {
        settle(answer, &self.store, &self.limits, limit)
    }

    /// Linear memory, bytes.
    pub(crate) fn memory(&self) -> usize {
        self.store.data().limiter.memory
    }

    /// Whether a new instance should take over.
    pub(crate) fn is_worn(&self) -> bool {
        self.calls >= self.limits.max_calls || self.memory() > self.limits.recycle_above_bytes
    }
}

/// What the plugin itself gave as the reason for not answering.
pub(crate) fn refusal(error: types::Error) -> CallError {
    let line = |text: String| one_line(&text, 2_000);
    match error {
        types::Error::InvalidConfig(text) => CallError::InvalidConfig(line(text)),
        types::Error::Unavailable(text) | types::Error::Other(text) => CallError::Unavailable(line(text)),
    }
}

fn arm(store: &mut Store<State>, limits: &Limits, limit: Duration) {
    store.set_epoch_deadline(1);
    let state = store.data_mut();
    state.deadline = Instant::now() + limit;
    state.ticks_left = u64::try_from(limits.cpu.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX);
    state.begin_call();
}

/// A tick passed while the guest computed: let others run, or end it.
fn tick(state: &mut State) -> UpdateDeadline {
    if state.ticks_left == 0 {
        return UpdateDeadline::Interrupt;
    }
    state.ticks_left -= 1;
    UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))
}

fn settle<T>(
    answer: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
    store: &Store<State>,
    limits: &Limits,
    limit: Duration,
) -> Result<T, CallError> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(classify(&error, store.data(), limits)),
        Err(_) => Err(CallError::Timeout { after: limit, spent: Spent::Wall }),
    }
}

fn classify(error: &wasmtime::Error, state: &State, limits: &Limits) -> CallError {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return CallError::Trap(with_last_words(format!("it ended itself with code {}", exit.0), state));
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) {
        return CallError::Timeout { after: limits.cpu, spent: Spent::Cpu };
    }
    // What failed is seldom the call that asked for too much, but what followed from the refusal.
    match state.limiter.refused {
        Some(Refused::Memory(wanted)) => {
            CallError::OverLimit { wanted, limit: limits.memory_bytes, unit: "bytes of memory" }
        }
        Some(Refused::Table(wanted)) => {
            CallError::OverLimit { wanted, limit: limits.table_elements, unit: "table elements" }
        }
        None => match trap {
            Some(trap) => CallError::Trap(with_last_words(trap.to_string(), state)),
            None => CallError::InvalidAnswer(one_line(&error.root_cause().to_string(), 500)),
        },
    }
}

/// Adds what the guest wrote to its standard error in this call: the message of a panic.
fn with_last_words(what: String, state: &State) -> String {
    match state.last_words() {
        words if words.is_empty() => what,
        words => format!("{what}: {words}"),
    }
}
