//! A component that was found to be a plugin: compiled, linked, and described by itself.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::InstancePre;

use crate::config::{ConfigError, Schema};
use crate::engine::{Compiled, Engine, reason};
use crate::error::{ComponentError, LoadError};
use crate::grants::{Digest, Grants};
use crate::info::Info;
use crate::inspect::Inspection;
use crate::limits::Limits;
use crate::log::PluginLog;
use crate::state::State;
use crate::surroundings::{Nowhere, Surroundings};
use crate::warm::{Indices, Recipe, Warm};

/// What a plugin is for: its world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Finds level, time, message and fields in lines.
    LogParser,
    /// Judges whether a process does its work.
    HealthCheck,
    /// Says what kind of error a text is about.
    ErrorCategorizer,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::LogParser, Self::HealthCheck, Self::ErrorCategorizer];

    /// The name of its world.
    #[must_use]
    pub fn world(self) -> &'static str {
        match self {
            Self::LogParser => "log-parser",
            Self::HealthCheck => "health-check",
            Self::ErrorCategorizer => "error-categorizer",
        }
    }

    /// The interface that only this kind exports.
    pub(crate) fn interface(self) -> &'static str {
        match self {
            Self::LogParser => "hostler:plugin/log-parsing",
            Self::HealthCheck => "hostler:plugin/health-checking",
            Self::ErrorCategorizer => "hostler:plugin/error-categorizing",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.world())
    }
}

/// A loaded component. Clones are the same one.
#[derive(Clone)]
pub struct Component {
    inner: Arc<Loaded>,
}

struct Loaded {
    engine: Engine,
    inspection: Inspection,
    info: Info,
    schema: Schema,
    pre: InstancePre<State>,
    indices: Indices,
    from_cache: bool,
    took: Duration,
}

impl fmt::Debug for Component {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Component")
            .field("inspection", &self.inner.inspection)
            .field("info", &self.inner.info)
            .finish_non_exhaustive()
    }
}

impl Component {
    /// Loads a component: inspects it, compiles it unless that was done before, and asks it what it is, without any
    /// grant, several times, since it has to say the same each time.
    ///
    /// # Errors
    /// When it is no plugin, or does not describe itself acceptably within the limits.
    pub async fn load(engine: &Engine, wasm: Arc<[u8]>, limits: &Limits) -> Result<Self, LoadError> {
        let began = Instant::now();
        check_limits(engine, limits)?;
        let Compiled { inspection, component, from_cache } = engine.compile(wasm).await?;
        let mismatch = |error: wasmtime::Error| ComponentError::Mismatch(reason(&error));
        let pre = engine.inner.linker.instantiate_pre(&component).map_err(mismatch)?;
        let indices = Indices::find(inspection.kind, &pre).map_err(mismatch)?;
        let (info, schema) = describe(engine, &pre, &indices, limits).await?;
        let engine = engine.clone();
        let loaded =
            Loaded { engine, inspection, info, schema, pre, indices, from_cache, took: began.elapsed() };
        Ok(Self { inner: Arc::new(loaded) })
    }

    /// What was seen without running it.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inner.inspection
    }

    /// Its world.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.inner.inspection.kind
    }

    /// The digest of its file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.inner.inspection.digest
    }

    /// What it says of itself.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.inner.info
    }

    /// Whether its machine code came from the cache.
    #[must_use]
    pub fn is_from_cache(&self) -> bool {
        self.inner.from_cache
    }

    /// How long loading took, compiling and describing included.
    #[must_use]
    pub fn load_time(&self) -> Duration {
        self.inner.took
    }

    /// Checks a configuration against the plugin's schema.
    ///
    /// # Errors
    /// Every place that is wrong.
    pub fn check_config(
        &self,
        config: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), ConfigError> {
        self.inner.schema.check(config)
    }

    /// The engine that it was loaded into.
    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// What is needed to make an instance.
    pub(crate) fn recipe<'a>(
        &'a self,
        limits: &'a Limits,
        grants: &'a Grants,
        log: &'a Arc<PluginLog>,
        surroundings: &'a Arc<dyn Surroundings>,
    ) -> Recipe<'a> {
        let Loaded { engine, pre, indices, .. } = &*self.inner;
        Recipe { engine, pre, indices, limits, grants, log, surroundings }
    }
}

/// Checks limits against what the engine can give.
pub(crate) fn check_limits(engine: &Engine, limits: &Limits) -> Result<(), LoadError> {
    let most = engine.inner.options.memory_bytes;
    if limits.memory_bytes > most {
        return Err(LoadError::Limits(format!(
            "the memory limit of {} bytes is more than the {most} that this daemon allows any plugin",
            limits.memory_bytes
        )));
    }
    Ok(())
}

/// Asks twice in one instance and once in another.
async fn describe(
    engine: &Engine,
    pre: &InstancePre<State>,
    indices: &Indices,
    limits: &Limits,
) -> Result<(Info, Schema), LoadError> {
    let failed = |error| LoadError::Call { during: "describe", error };
    let log = PluginLog::new("unnamed");
    let surroundings: Arc<dyn Surroundings> = Arc::new(Nowhere);
    let grants = Grants::default();
    let recipe =
        Recipe { engine, pre, indices, limits, grants: &grants, log: &log, surroundings: &surroundings };
    let _ticking = engine.inner.ticker.begin();
    let mut answers = Vec::with_capacity(3);
    for times in [2, 1] {
        let mut warm = Warm::make(&recipe).await.map_err(failed)?;
        for _ in 0..times {
            let raw = warm.describe().await.map_err(failed)?;
            answers.push(Info::from_raw(raw).map_err(LoadError::Describe)?);
        }
    }
    let info = answers.swap_remove(0);
    if answers.iter().any(|other| *other != info) {
        return Err(LoadError::Describe("it is not the same each time".to_owned()));
    }
    let schema = Schema::compile(info.config_schema.as_deref()).map_err(LoadError::Describe)?;
    Ok((info, schema))
}
