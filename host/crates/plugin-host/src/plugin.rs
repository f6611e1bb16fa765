//! A plugin as the user declared it: a file, a configuration, limits and consents, under a name. It may be replaced
//! while it is in use.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde_json::{Map, Value};

use crate::breaker::{Breaker, BreakerPolicy, Trust};
use crate::component::{Component, Kind, check_limits};
use crate::engine::Engine;
use crate::error::{CallError, LoadError};
use crate::grants::{Consents, Digest, Grants};
use crate::info::Info;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::log::{PluginLog, RecentLog};
use crate::stats::{Counters, Stats};
use crate::surroundings::{Nowhere, Surroundings};
use crate::warm::Warm;

/// How the user wants a plugin to be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PluginSettings {
    /// Its configuration.
    pub config: Map<String, Value>,
    /// Its limits.
    pub limits: Limits,
    /// When it is left alone.
    pub quarantine: BreakerPolicy,
    /// What the user consented to, by the digest of the file.
    pub consents: Consents,
}

/// A plugin in use. Clones are the same one.
#[derive(Clone)]
pub struct Plugin {
    shared: Arc<Shared>,
}

/// What all instances of a plugin share.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) counters: Counters,
    log: Arc<PluginLog>,
    breaker: Mutex<Breaker>,
    current: RwLock<Arc<Revision>>,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    last_fault: Option<String>,
    reload_error: Option<String>,
}

/// A file with a configuration. Instances follow the current one at their next call.
pub(crate) struct Revision {
    pub(crate) number: u64,
    pub(crate) component: Component,
    pub(crate) limits: Limits,
    config: Map<String, Value>,
    config_json: String,
    grants: Grants,
}

/// A plugin at one instant, for display.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginStatus {
    /// The name in the configuration.
    pub name: String,
    /// Its world.
    pub kind: Kind,
    /// What it says of itself.
    pub info: Info,
    /// The digest of its file.
    pub digest: Digest,
    /// Counts the loads that succeeded and the changes of grants, from 1.
    pub revision: u64,
    /// What it may do.
    pub granted: Grants,
    /// What it wants and may not do.
    pub ungranted: Grants,
    /// Whether it is trusted with calls.
    pub trust: Trust,
    /// The latest fault.
    pub last_fault: Option<String>,
    /// Why the latest reload did not succeed; the revision before it serves on.
    pub reload_error: Option<String>,
    /// What it cost.
    pub stats: Stats,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Plugin").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl Plugin {
    /// Loads a component and makes a plugin of it, as [`new`](Self::new) does.
    ///
    /// # Errors
    /// When the file is no plugin, or the configuration is not valid or not accepted.
    pub async fn load(
        engine: &Engine,
        name: &str,
        wasm: Arc<[u8]>,
        settings: PluginSettings,
    ) -> Result<Self, LoadError> {
        let component = Component::load(engine, wasm, &settings.limits).await?;
        Self::new(name, component, settings).await
    }

    /// Makes a plugin of a loaded component, and tries the configuration on an instance. One component can be several
    /// plugins, each with its own configuration, counters and quarantine.
    ///
    /// # Errors
    /// When the configuration is not valid or not accepted.
    pub async fn new(name: &str, component: Component, settings: PluginSettings) -> Result<Self, LoadError> {
        let log = PluginLog::new(name);
        let engine = component.engine().clone();
        let quarantine = settings.quarantine;
        let revision = Revision::new(1, component, settings)?;
        revision.rehearse(&log).await?;
        let shared = Shared {
            name: name.to_owned(),
            engine,
            counters: Counters::default(),
            log,
            breaker: Mutex::new(Breaker::new(quarantine)),
            current: RwLock::new(Arc::new(revision)),
            reloading: tokio::sync::Mutex::new(()),
            notes: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Loads a file and lets it take over, as [`replace`](Self::replace) does.
    ///
    /// # Errors
    /// As [`load`](Self::load), and when the file is another kind of plugin.
    pub async fn reload(&self, wasm: Arc<[u8]>, settings: PluginSettings) -> Result<(), LoadError> {
        let _turn = self.shared.reloading.lock().await;
        let result = match Component::load(&self.shared.engine, wasm, &settings.limits).await {
            Ok(component) => self.take_over(component, settings).await,
            Err(error) => Err(error),
        };
        self.note_reload(result)
    }

    /// Replaces component and settings: everything is tried first, then instances change over at their next call. Ends
    /// a quarantine. After an error the plugin is as it was, and [`status`](Self::status) says why.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the component is another kind of plugin or of another engine.
    pub async fn replace(&self, component: Component, settings: PluginSettings) -> Result<(), LoadError> {
        let _turn = self.shared.reloading.lock().await;
        let result = self.take_over(component, settings).await;
        self.note_reload(result)
    }

    fn note_reload(&self, result: Result<(), LoadError>) -> Result<(), LoadError> {
        self.shared.notes().reload_error = result.as_ref().err().map(ToString::to_string);
        result
    }

    /// Notes that what should have taken over could not even be loaded; [`status`](Self::status) shows it until the next
    /// reload.
    pub fn note_reload_error(&self, why: String) {
        self.shared.notes().reload_error = Some(why);
    }

    async fn take_over(&self, component: Component, settings: PluginSettings) -> Result<(), LoadError> {
        let shared = &self.shared;
        let before = shared.current();
        let (expected, found) = (before.component.kind(), component.kind());
        if expected != found {
            return Err(LoadError::OtherKind { expected, found });
        }
        if !Arc::ptr_eq(&component.engine().inner, &shared.engine.inner) {
            return Err(LoadError::Host("the component was loaded into another engine".to_owned()));
        }
        let quarantine = settings.quarantine;
        let revision = Revision::new(before.number + 1, component, settings)?;
        revision.rehearse(&shared.log).await?;
        *shared.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(revision);
        shared.breaker().replace_policy(quarantine);
        Ok(())
    }

    /// Lets the plugin do what is granted to its file now, and nothing else, and answers whether that is a change. There
    /// is nothing to try: the file and its configuration stay. Instances follow at their next call; one under way ends
    /// with the grants that it began with.
    pub async fn regrant(&self, granted: Grants) -> bool {
        let _turn = self.shared.reloading.lock().await;
        let before = self.shared.current();
        if before.grants == granted {
            return false;
        }
        let revision = before.with_grants(granted);
        *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(revision);
        true
    }

    /// A worker for one user of the plugin. It starts at its first call.
    #[must_use]
    pub fn instance(&self, surroundings: Arc<dyn Surroundings>) -> Instance {
        Instance::new(Arc::clone(&self.shared), surroundings)
    }

    /// The name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The component in use now.
    #[must_use]
    pub fn component(&self) -> Component {
        self.shared.current().component.clone()
    }

    /// The configuration in use now.
    #[must_use]
    pub fn config(&self) -> Map<String, Value> {
        self.shared.current().config.clone()
    }

    /// What to show of it.
    #[must_use]
    pub fn status(&self) -> PluginStatus {
        let shared = &self.shared;
        let revision = shared.current();
        let trust = shared.breaker().trust(shared.engine.now_ms());
        let notes = shared.notes();
        let info = revision.component.info().clone();
        PluginStatus {
            name: shared.name.clone(),
            kind: revision.component.kind(),
            digest: revision.component.digest(),
            revision: revision.number,
            granted: revision.grants.clone(),
            ungranted: info.wants.missing_in(&revision.grants),
            info,
            trust,
            last_fault: notes.last_fault.clone(),
            reload_error: notes.reload_error.clone(),
            stats: shared.counters.snapshot(),
        }
    }

    /// What it cost, without the rest of the status.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// The latest messages it wrote.
    #[must_use]
    pub fn recent_log(&self) -> RecentLog {
        self.shared.log.recent()
    }

    /// Ends a quarantine because a person says so.
    pub fn pardon(&self) {
        self.shared.breaker().reset();
    }
}

impl Shared {
    pub(crate) fn current(&self) -> Arc<Revision> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember_fault(&self, reason: String) {
        self.notes().last_fault = Some(reason);
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Revision {
    fn new(number: u64, component: Component, settings: PluginSettings) -> Result<Self, LoadError> {
        check_limits(component.engine(), &settings.limits)?;
        component.check_config(&settings.config)?;
        let grants = settings.consents.grants_of(&component.digest());
        let config_json = Value::Object(settings.config.clone()).to_string();
        Ok(Self { number, component, limits: settings.limits, config: settings.config, config_json, grants })
    }

    fn with_grants(&self, grants: Grants) -> Self {
        Self {
            number: self.number + 1,
            component: self.component.clone(),
            limits: self.limits,
            config: self.config.clone(),
            config_json: self.config_json.clone(),
            grants,
        }
    }

    /// Tries the configuration on an instance that is dropped afterwards.
    async fn rehearse(&self, log: &Arc<PluginLog>) -> Result<(), LoadError> {
        let _ticking = self.component.engine().inner.ticker.begin();
        let nowhere: Arc<dyn Surroundings> = Arc::new(Nowhere);
        let failed = |error| LoadError::Call { during: "configure", error };
        self.make(log, &nowhere).await.map(drop).map_err(failed)
    }

    /// Makes a configured instance for a user of the plugin.
    pub(crate) async fn start(
        &self,
        plugin: &Shared,
        surroundings: &Arc<dyn Surroundings>,
    ) -> Result<Warm, CallError> {
        plugin.counters.starts.fetch_add(1, Relaxed);
        self.make(&plugin.log, surroundings).await
    }

    async fn make(
        &self,
        log: &Arc<PluginLog>,
        surroundings: &Arc<dyn Surroundings>,
    ) -> Result<Warm, CallError> {
        let recipe = self.component.recipe(&self.limits, &self.grants, log, surroundings);
        let mut warm = Warm::make(&recipe).await?;
        warm.configure(&self.config_json).await?;
        Ok(warm)
    }
}
