//! The one wasmtime engine of a daemon: its settings, its clock, its pool of instances and its cache of machine code.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::cache::Cache;
use crate::error::{ComponentError, LoadError};
use crate::inspect::{Inspection, inspect};
use crate::limits::MIB;
use crate::slots::Slots;
use crate::state::{self, State};
use crate::ticker::Ticker;

/// How the engine is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Where machine code is kept between runs of the daemon; made with mode 0700. Without it, every start compiles.
    pub cache_dir: Option<PathBuf>,
    /// Instances kept warm at once, over all plugins and processes.
    pub warm_instances: u32,
    /// The most linear memory that any plugin can be allowed, bytes. Address space is reserved for it, not memory.
    pub memory_bytes: usize,
    /// The largest component that is taken, bytes.
    pub max_component_bytes: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { cache_dir: None, warm_instances: 48, memory_bytes: 64 * MIB, max_component_bytes: 32 * MIB }
    }
}

/// The engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) slots: Slots,
    pub(crate) ticker: Ticker,
    pub(crate) options: EngineOptions,
    cache: Option<Cache>,
    pooled: bool,
    /// One compilation at a time: each uses all cores.
    compiling: Arc<Semaphore>,
    began: Instant,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Engine")
            .field("options", &self.inner.options)
            .field("pooled", &self.inner.pooled)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes the engine and starts its clock. A cache that cannot be used is reported in the log and done without.
    ///
    /// # Errors
    /// When the machine lacks what wasmtime needs, or threads.
    pub fn new(options: EngineOptions) -> Result<Self, LoadError> {
        let (wasm, pooled) = make_engine(&options).map_err(|error| host(&error))?;
        let cache = options.cache_dir.as_deref().and_then(|dir| match Cache::open(dir, &wasm) {
            Ok(cache) => Some(cache),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "machine code of plugins is not cached");
                None
            }
        });
        let inner = Inner {
            linker: state::linker(&wasm).map_err(|error| host(&error))?,
            slots: Slots::new(options.warm_instances.max(1) as usize),
            ticker: Ticker::start(wasm.weak())?,
            wasm,
            options,
            cache,
            pooled,
            compiling: Arc::new(Semaphore::new(1)),
            began: Instant::now(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether instances come from a pool. Without one (address space is limited), making one takes longer.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.inner.pooled
    }

    /// Looks at a component without compiling it.
    ///
    /// # Errors
    /// When it is no plugin that this host can run.
    pub fn inspect(&self, wasm: &[u8]) -> Result<Inspection, ComponentError> {
        inspect(wasm, self.inner.options.max_component_bytes)
    }

    /// Milliseconds since the engine began: the clock of the quarantines.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.inner.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Inspects a component and gets its machine code, from the cache or by compiling. Returns also whether it was the
    /// cache. Blocks no task: it happens on a thread for blocking work.
    pub(crate) async fn compile(&self, wasm: Arc<[u8]>) -> Result<Compiled, LoadError> {
        let turn =
            Arc::clone(&self.inner.compiling).acquire_owned().await.map_err(|error| host(&error.into()))?;
        let engine = self.clone();
        tokio::task::spawn_blocking(move || {
            let compiled = engine.compile_now(&wasm);
            drop(turn);
            compiled
        })
        .await
        .map_err(|error| LoadError::Host(format!("the compiler failed: {error}")))?
    }

    fn compile_now(&self, wasm: &[u8]) -> Result<Compiled, LoadError> {
        let inspection = self.inspect(wasm)?;
        let engine = &self.inner.wasm;
        if let Some(component) =
            self.inner.cache.as_ref().and_then(|cache| cache.load(engine, &inspection.digest))
        {
            return Ok(Compiled { inspection, component, from_cache: true });
        }
        let component = wasmtime::component::Component::from_binary(engine, wasm)
            .map_err(|error| ComponentError::Invalid(reason(&error)))?;
        crate::heap::give_back();
        if let Some(cache) = &self.inner.cache {
            let kept = component
                .serialize()
                .map_err(|error| error.to_string())
                .and_then(|code| cache.store(&inspection.digest, &code).map_err(|error| error.to_string()));
            if let Err(error) = kept {
                tracing::warn!(digest = %inspection.digest, error, "machine code could not be cached");
            }
        }
        Ok(Compiled { inspection, component, from_cache: false })
    }
}

/// A component that can be run.
pub(crate) struct Compiled {
    pub(crate) inspection: Inspection,
    pub(crate) component: wasmtime::component::Component,
    pub(crate) from_cache: bool,
}

/// The whole chain of an error in one line.
pub(crate) fn reason(error: &wasmtime::Error) -> String {
    crate::text::one_line(&format!("{error:#}"), 1_000)
}

pub(crate) fn host(error: &wasmtime::Error) -> LoadError {
    LoadError::Host(reason(error))
}

/// An engine with a pool, or without one where its address space cannot be had.
fn make_engine(options: &EngineOptions) -> wasmtime::Result<(wasmtime::Engine, bool)> {
    let mut config = base_config();
    // All that 32 bits can address lies in the reservation or in the guard behind it: machine code needs no check
    // of its own before each access, which would make parsers half as fast. It costs addresses, not memory.
    config.memory_reservation(ALL_ADDRESSES.max(options.memory_bytes as u64));
    config.memory_guard_size(32 * MIB as u64);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    match wasmtime::Engine::new(&config) {
        Ok(engine) => Ok((engine, true)),
        Err(error) => {
            tracing::info!(error = reason(&error), "no pool for instances of plugins; making each by itself");
            let mut config = base_config();
            config.memory_reservation(options.memory_bytes as u64);
            config.memory_guard_size(MIB as u64);
            Ok((wasmtime::Engine::new(&config)?, false))
        }
    }
}

/// What a memory with 32-bit addresses can have at most, bytes.
const ALL_ADDRESSES: u64 = 1 << 32;

fn base_config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    // The contract has no async functions, and calls are several times cheaper without the support for them.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    // A memory that cannot move cannot grow beyond its reservation either, with a pool or without.
    config.memory_may_move(false);
    config
}

fn pool(options: &EngineOptions) -> PoolingAllocationConfig {
    let instances = options.warm_instances.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        // Most components have one memory; composed ones have some.
        .total_memories(instances * 2)
        .max_memory_size(options.memory_bytes)
        // Metadata only: Python and JavaScript come as some 20 core instances each.
        .total_core_instances(instances * 32)
        .total_tables(instances * 16)
        .table_elements(crate::limits::Limits::default().table_elements)
        .max_unused_warm_slots(instances / 4);
    pool
}
