//! The plugins of a running daemon: what the user declared, and the built-in ones, made when somebody first needs them.
//!
//! A daemon in which nobody uses a plugin has no engine. A component is loaded once, whoever uses it; each name with its
//! configuration is a plugin with a quarantine and counters of its own. When the configuration or a file changes, what
//! is in use changes over; what is broken is not taken, and what was there before serves on.

pub(crate) mod declaration;
mod grants;
pub(crate) mod list;
mod load;
mod names;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostler_api::ToolError;
use hostler_api::process::{HealthArgs, SpecArgs};
use hostler_plugin_host::{Instance, Kind, Plugin, Surroundings};
use serde_json::{Map, Value};

use self::declaration::{Declaration, OnFailure};
use self::load::{Loader, settings};
use super::config::{ConfigFile, Stamp};
use crate::plugins::builtin;

/// How often files are looked at, however often somebody asks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Plugins that are kept although nobody uses them any more.
const KEPT: usize = 128;

/// The plugins. Clones are the same ones.
#[derive(Clone)]
pub(crate) struct Plugins(Arc<Inner>);

struct Inner {
    config: ConfigFile,
    loader: Loader,
    /// By name and by the configuration of the use, as JSON.
    loaded: Mutex<BTreeMap<(String, String), Slot>>,
    began: Instant,
    looked_ms: AtomicU64,
}

/// A place for a plugin; whoever makes it holds the lock, and the others wait for it.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Loaded>>>>;

/// A plugin in use, under a name and with a configuration. Keep it as long as its instances.
pub(crate) struct Loaded {
    pub(crate) plugin: Plugin,
    name: String,
    own_config: Map<String, Value>,
    made_of: Mutex<MadeOf>,
}

/// What a plugin was made of, or tried to be made of when that failed.
#[derive(Debug, Clone, PartialEq)]
struct MadeOf {
    declaration: Declaration,
    stamp: Option<Stamp>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Loaded").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Loaded {
    /// A worker for one user of it.
    pub(crate) fn instance(&self, surroundings: Arc<dyn Surroundings>) -> Instance {
        self.plugin.instance(surroundings)
    }

    /// What to assume when it has no answer.
    pub(crate) fn on_failure(&self) -> OnFailure {
        self.made_of().declaration.on_failure
    }

    fn made_of(&self) -> MutexGuard<'_, MadeOf> {
        self.made_of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plugins {
    /// Nothing is made before somebody asks for a plugin.
    pub(crate) fn new(config: ConfigFile, code_dir: &Path) -> Self {
        Self(Arc::new(Inner {
            config,
            loader: Loader::new(code_dir.to_owned()),
            loaded: Mutex::default(),
            began: Instant::now(),
            looked_ms: AtomicU64::new(0),
        }))
    }

    /// The plugin of a name, with the configuration of this use over its own. Everything is checked: what this
    /// returns takes calls.
    ///
    /// # Errors
    /// When there is none of this name and kind, or the configuration does not fit.
    pub(crate) async fn find(
        &self,
        name: &str,
        own_config: &Map<String, Value>,
        kind: Kind,
    ) -> Result<Arc<Loaded>, ToolError> {
        let declaration = self.declaration(name).ok_or_else(|| self.unknown(name, kind))?;
        let slot = self.slot(name, own_config);
        let mut place = slot.lock().await;
        let loaded = match &*place {
            Some(loaded) => Arc::clone(loaded),
            None => {
                let made = self.make(name, &declaration, own_config, kind).await;
                let made = made.map_err(|why| named(name, &why))?;
                place.insert(Arc::new(made)).clone()
            }
        };
        drop(place);
        self.keep_current().await;
        match loaded.plugin.component().kind() {
            found if found == kind => Ok(loaded),
            found => Err(named(name, &self.other_kind(found, kind))),
        }
    }

    /// Checks what a declaration of a process says of plugins.
    ///
    /// # Errors
    /// Names the argument, and in it the key that is wrong.
    pub(crate) async fn check(&self, args: &SpecArgs) -> Result<(), ToolError> {
        let at = |place: String| {
            move |error: ToolError| ToolError::new(error.kind, format!("`{place}`: {}", error.message))
        };
        for (index, HealthArgs { plugin, config, .. }) in args.health.iter().flatten().enumerate() {
            let found = self.find(plugin, config, Kind::HealthCheck).await;
            found.map_err(at(format!("health[{index}]")))?;
        }
        for (index, parser) in args.log.iter().flat_map(|log| &log.parsers).enumerate() {
            let found = self.find(parser, &Map::new(), Kind::LogParser).await;
            found.map_err(at(format!("log.parsers[{index}]")))?;
        }
        Ok(())
    }

    /// Lets plugins in use follow the configuration and their files. Cheap, and done at most twice a second.
    pub(crate) async fn keep_current(&self) {
        let inner = &self.0;
        let now_ms = u64::try_from(inner.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked_ms = inner.looked_ms.load(Relaxed);
        let is_due = now_ms.saturating_sub(looked_ms) >= LOOK_EVERY.as_millis() as u64;
        if is_due && inner.looked_ms.compare_exchange(looked_ms, now_ms, Relaxed, Relaxed).is_ok() {
            for loaded in self.all_loaded() {
                self.follow(&loaded).await;
            }
        }
    }

    /// Changes a plugin over to what is declared now, if that is something else and works.
    async fn follow(&self, loaded: &Loaded) {
        let Some(declaration) = self.declaration(&loaded.name) else { return };
        let stamp = declaration.source.file(self.config_dir()).map(|file| Stamp::of(&file));
        // What is not there cannot be better than what serves.
        if stamp == Some(None) {
            return;
        }
        let now = MadeOf { declaration, stamp: stamp.flatten() };
        if *loaded.made_of() == now {
            return;
        }
        let declaration = now.declaration.clone();
        *loaded.made_of() = now;
        let outcome = self.change_over(loaded, &declaration).await;
        match outcome {
            Ok(()) => tracing::info!(plugin = loaded.name, "reloaded"),
            Err(why) => {
                tracing::warn!(plugin = loaded.name, why, "not reloaded; what was there before serves on");
                loaded.plugin.note_reload_error(why);
            }
        }
    }

    async fn change_over(&self, loaded: &Loaded, declaration: &Declaration) -> Result<(), String> {
        let component = self.0.loader.component(&declaration.source, self.config_dir()).await?;
        let settings = settings(declaration, &component, &loaded.own_config)?;
        loaded.plugin.replace(component, settings).await.map_err(|error| error.to_string())
    }

    async fn make(
        &self,
        name: &str,
        declaration: &Declaration,
        own_config: &Map<String, Value>,
        kind: Kind,
    ) -> Result<Loaded, String> {
        let stamp = declaration.source.file(self.config_dir()).and_then(|file| Stamp::of(&file));
        let component = self.0.loader.component(&declaration.source, self.config_dir()).await?;
        if component.kind() != kind {
            return Err(self.other_kind(component.kind(), kind));
        }
        let settings = settings(declaration, &component, own_config)?;
        let made = Plugin::new(name, component, settings).await;
        let plugin = made.map_err(|error| error.to_string())?;
        let made_of = Mutex::new(MadeOf { declaration: declaration.clone(), stamp });
        Ok(Loaded { plugin, name: name.to_owned(), own_config: own_config.clone(), made_of })
    }

    /// What is declared under a name; the built-in plugins need no declaration.
    fn declaration(&self, name: &str) -> Option<Declaration> {
        let config = self.0.config.current();
        let declared = config.plugins.get(name).cloned();
        declared.or_else(|| builtin::find(name).map(|builtin| Declaration::of_builtin(builtin.name)))
    }

    fn unknown(&self, name: &str, kind: Kind) -> ToolError {
        ToolError::invalid(names::unknown(name, kind, &self.0.config.current(), self.0.config.path()))
    }

    fn other_kind(&self, found: Kind, expected: Kind) -> String {
        let there_are = names::of_kind(expected, &self.0.config.current());
        format!("it is a {found}, expected a {expected}. {there_are}")
    }

    fn config_dir(&self) -> &Path {
        self.0.config.path().parent().unwrap_or(Path::new("/"))
    }

    fn slot(&self, name: &str, own_config: &Map<String, Value>) -> Slot {
        let key = (name.to_owned(), Value::Object(own_config.clone()).to_string());
        let mut loaded = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.len() >= KEPT && !loaded.contains_key(&key) {
            loaded.retain(|_, slot| is_in_use(slot));
        }
        Arc::clone(loaded.entry(key).or_default())
    }

    fn all_loaded(&self) -> Vec<Arc<Loaded>> {
        let loaded = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is being made is up to date.
        loaded.values().filter_map(|slot| slot.try_lock().ok()?.clone()).collect()
    }
}

fn named(name: &str, why: &str) -> ToolError {
    ToolError::invalid(format!("the plugin `{name}`: {why}"))
}

/// Whether somebody works with it, or makes it.
fn is_in_use(slot: &Slot) -> bool {
    let Ok(place) = slot.try_lock() else { return true };
    Arc::strong_count(slot) > 1 || place.as_ref().is_some_and(|loaded| Arc::strong_count(loaded) > 1)
}

#[cfg(test)]
mod tests;
