//! The plugins of a running daemon: what the user declared, and the built-in ones, made when somebody first needs them.
//!
//! A daemon in which nobody uses a plugin has no engine. A component is loaded once, whoever uses it; each name with its
//! configuration is a plugin with a quarantine and counters of its own. When the configuration or a file changes, what
//! is in use changes over; what is broken is not taken, and what was there before serves on. It has no right that the
//! configuration does not give any more, though.

pub(crate) mod declaration;
mod grants;
pub(crate) mod list;
mod load;
mod names;
pub(crate) mod projects;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostler_api::ToolError;
use hostler_api::process::{HealthArgs, SpecArgs};
use hostler_plugin_host::{Component, Grants, Instance, Kind, Plugin, Surroundings};
use hostler_store::Project;
use serde_json::{Map, Value};

use self::declaration::{Declaration, OnFailure, Source};
use self::load::{Loader, settings, with_what_follows};
use self::projects::{Declared, Projects, granted_by_user};
use super::config::{ConfigFile, Stamp};
use crate::plugins::builtin;

/// How often files are looked at, however often somebody asks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Plugins that are kept although nobody uses them any more.
const KEPT: usize = 128;

/// The plugins, as those see them who belong to no project, or to a certain one. Clones are the same ones.
#[derive(Clone)]
pub(crate) struct Plugins {
    inner: Arc<Inner>,
    project: Option<i64>,
}

struct Inner {
    config: ConfigFile,
    projects: Projects,
    loader: Loader,
    loaded: Mutex<BTreeMap<Use, Slot>>,
    began: Instant,
    looked_ms: AtomicU64,
}

/// By what a plugin in use is told from others: the project whose file declares it (none for the user's own and the
/// built-in ones), its name, and the configuration of the use as JSON.
type Use = (Option<i64>, String, String);

/// A place for a plugin; whoever makes it holds the lock, and the others wait for it.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Loaded>>>>;

/// A plugin in use, under a name and with a configuration. Keep it as long as its instances.
pub(crate) struct Loaded {
    pub(crate) plugin: Plugin,
    project: Option<i64>,
    name: String,
    /// Its name, with that of the project that declares it.
    full_name: String,
    own_config: Map<String, Value>,
    made_of: Mutex<MadeOf>,
    /// Where the component that serves comes from. The declaration may name another one, which was not taken.
    serves: Mutex<Source>,
}

/// What a plugin was made of, or tried to be made of when that failed.
#[derive(Debug, Clone, PartialEq)]
struct MadeOf {
    declaration: Declaration,
    stamp: Option<Stamp>,
    /// For what a project declares: what the user declares, which may grant something to the same file.
    user: Option<BTreeMap<String, Declaration>>,
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

    fn serves(&self) -> MutexGuard<'_, Source> {
        self.serves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plugins {
    /// Nothing is made before somebody asks for a plugin.
    pub(crate) fn new(config: ConfigFile, code_dir: &Path) -> Self {
        let inner = Inner {
            config,
            projects: Projects::default(),
            loader: Loader::new(code_dir.to_owned()),
            loaded: Mutex::default(),
            began: Instant::now(),
            looked_ms: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner), project: None }
    }

    /// As the processes of a project see them: with what its files declare.
    pub(crate) fn of(&self, project: i64) -> Self {
        Self { inner: Arc::clone(&self.inner), project: Some(project) }
    }

    /// Puts what a file of a project declares in place of what it declared before, and answers that.
    pub(crate) fn declare(&self, project: &Project, file: &Path, declared: Declared) -> Declared {
        self.inner.projects.put(project, file, declared)
    }

    /// What a file of a project declares.
    pub(crate) fn declared(&self, project: &Project, file: &Path) -> Declared {
        self.inner.projects.of_file(project.id, file)
    }

    /// Remembers why what a file of a project declares is not there.
    pub(crate) fn not_declared(&self, project: &Project, file: &Path, why: String) {
        self.inner.projects.fail(project, file, why);
    }

    /// Why what files of projects declare is not there.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.inner.projects.failures()
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
        let (project, declaration) =
            self.declaration(self.project, name).ok_or_else(|| self.unknown(name, kind))?;
        let slot = self.slot(project, name, own_config);
        let mut place = slot.lock().await;
        let loaded = match &*place {
            Some(loaded) => Arc::clone(loaded),
            None => {
                let made = self.make(project, name, &declaration, own_config, kind).await;
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
        self.check_but(args, &Declared::default()).await
    }

    /// The same, but for the plugins that are not known yet, since they are declared together with the process.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(crate) async fn check_but(&self, args: &SpecArgs, later: &Declared) -> Result<(), ToolError> {
        let at = |place: String| {
            move |error: ToolError| ToolError::new(error.kind, format!("`{place}`: {}", error.message))
        };
        let checks = args.health.iter().flatten().enumerate();
        for (index, HealthArgs { plugin, config, .. }) in
            checks.filter(|(_, check)| !later.has(&check.plugin))
        {
            let found = self.find(plugin, config, Kind::HealthCheck).await;
            found.map_err(at(format!("health[{index}]")))?;
        }
        let parsers = args.log.iter().flat_map(|log| &log.parsers).enumerate();
        for (index, parser) in parsers.filter(|(_, parser)| !later.has(parser)) {
            let found = self.find(parser, &Map::new(), Kind::LogParser).await;
            found.map_err(at(format!("log.parsers[{index}]")))?;
        }
        Ok(())
    }

    /// What the user wants to be assumed when the plugin of a name has no answer, whether or not it can be loaded.
    pub(crate) fn on_failure(&self, name: &str) -> OnFailure {
        let declared = self.declaration(self.project, name);
        declared.map_or(OnFailure::default(), |(_, declaration)| declaration.on_failure)
    }

    /// Lets plugins in use follow the configuration and their files. Cheap, and done at most twice a second.
    pub(crate) async fn keep_current(&self) {
        let inner = &self.inner;
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
        let declared = self.declared_for(loaded);
        // What the user took back is gone, whatever comes of the rest.
        if loaded.plugin.regrant(self.granted_now(loaded, declared.as_ref())).await {
            tracing::info!(plugin = loaded.name, "other grants");
        }
        let Some(declaration) = declared else { return };
        let stamp = declaration.source.file(self.config_dir()).map(|file| Stamp::of(&file));
        // What is not there cannot be better than what serves.
        if stamp == Some(None) {
            return;
        }
        let now = self.made_of(loaded.project, declaration, stamp.flatten());
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
        let component = self.inner.loader.component(&declaration.source, self.config_dir()).await?;
        let granted = self.granted(loaded.project, declaration, &component)?;
        let settings = settings(declaration, &component, &loaded.own_config, granted)?;
        loaded.plugin.replace(component, settings).await.map_err(|error| error.to_string())?;
        *loaded.serves() = declaration.source.clone();
        Ok(())
    }

    /// What is declared now for a plugin in use. That of a project stays one when the user declares its name, too: who
    /// finds the name the next time gets the user's.
    fn declared_for(&self, loaded: &Loaded) -> Option<Declaration> {
        match loaded.project {
            Some(project) => self.inner.projects.find(project, &loaded.name),
            None => self.declaration(None, &loaded.name).map(|(_, declaration)| declaration),
        }
    }

    /// What the component that serves may do now, also when what is declared names another one that was not taken.
    fn granted_now(&self, loaded: &Loaded, declared: Option<&Declaration>) -> Grants {
        let source = loaded.serves().clone();
        let is_about_it = |declaration: &&Declaration| match (&source, &declaration.source) {
            // Consent is to the content of a file, wherever it is.
            (Source::File(_), Source::File(_)) => true,
            (serves, named) => serves == named,
        };
        let declared = declared.filter(is_about_it);
        let component = loaded.plugin.component();
        let granted = declared.and_then(|it| self.granted(loaded.project, it, &component).ok());
        // Without a declaration, there is no consent but that of who wrote the configuration of the use.
        let config = declared.map_or_else(|| loaded.own_config.clone(), |_| loaded.plugin.config());
        with_what_follows(granted.unwrap_or_default(), &source, &config).unwrap_or_default()
    }

    async fn make(
        &self,
        project: Option<i64>,
        name: &str,
        declaration: &Declaration,
        own_config: &Map<String, Value>,
        kind: Kind,
    ) -> Result<Loaded, String> {
        let stamp = declaration.source.file(self.config_dir()).and_then(|file| Stamp::of(&file));
        let component = self.inner.loader.component(&declaration.source, self.config_dir()).await?;
        if component.kind() != kind {
            return Err(self.other_kind(component.kind(), kind));
        }
        let granted = self.granted(project, declaration, &component)?;
        let settings = settings(declaration, &component, own_config, granted)?;
        let full_name =
            project.map_or_else(|| name.to_owned(), |project| self.inner.projects.full_name(project, name));
        let made = Plugin::new(&full_name, component, settings).await;
        let plugin = made.map_err(|error| error.to_string())?;
        let made_of = Mutex::new(self.made_of(project, declaration.clone(), stamp));
        let serves = Mutex::new(declaration.source.clone());
        let (name, own_config) = (name.to_owned(), own_config.clone());
        Ok(Loaded { plugin, project, name, full_name, own_config, made_of, serves })
    }

    /// What is declared under a name, and the project if its file says so. The user's word counts before that of a
    /// project; the built-in plugins need no declaration.
    fn declaration(&self, project: Option<i64>, name: &str) -> Option<(Option<i64>, Declaration)> {
        if let Some(declared) = self.inner.config.current().plugins.get(name) {
            return Some((None, declared.clone()));
        }
        if let Some(declared) = project.and_then(|project| self.inner.projects.find(project, name)) {
            return Some((project, declared));
        }
        builtin::find(name).map(|builtin| (None, Declaration::of_builtin(builtin.name)))
    }

    fn made_of(&self, project: Option<i64>, declaration: Declaration, stamp: Option<Stamp>) -> MadeOf {
        let user = project.map(|_| self.inner.config.current().plugins.clone());
        MadeOf { declaration, stamp, user }
    }

    /// What the user granted to a component that is declared.
    ///
    /// # Errors
    /// When a project names a digest that the file does not have.
    fn granted(
        &self,
        project: Option<i64>,
        declaration: &Declaration,
        component: &Component,
    ) -> Result<Grants, String> {
        let named = declaration.sha256;
        let is_named = named.is_none_or(|named| named == component.digest());
        match (project, &declaration.source) {
            (None, Source::Builtin(_)) => Ok(declaration.grants.to_grants()),
            (None, Source::File(_)) if named.is_some() && is_named => Ok(declaration.grants.to_grants()),
            (None, Source::File(_)) | (Some(_), Source::Builtin(_)) => Ok(Grants::default()),
            (Some(_), Source::File(_)) if is_named => {
                Ok(granted_by_user(&self.inner.config.current(), component.digest()))
            }
            (Some(_), Source::File(path)) => Err(format!(
                "{} is not the file that `sha256` names: its digest is {}",
                path.display(),
                component.digest()
            )),
        }
    }

    fn unknown(&self, name: &str, kind: Kind) -> ToolError {
        ToolError::invalid(names::unknown(name, kind, &self.inner.config.current(), self.inner.config.path()))
    }

    fn other_kind(&self, found: Kind, expected: Kind) -> String {
        let there_are = names::of_kind(expected, &self.inner.config.current());
        format!("it is a {found}, expected a {expected}. {there_are}")
    }

    fn config_dir(&self) -> &Path {
        self.inner.config.path().parent().unwrap_or(Path::new("/"))
    }

    fn slot(&self, project: Option<i64>, name: &str, own_config: &Map<String, Value>) -> Slot {
        let key = (project, name.to_owned(), Value::Object(own_config.clone()).to_string());
        let mut loaded = self.inner.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.len() >= KEPT && !loaded.contains_key(&key) {
            loaded.retain(|_, slot| is_in_use(slot));
        }
        Arc::clone(loaded.entry(key).or_default())
    }

    fn all_loaded(&self) -> Vec<Arc<Loaded>> {
        let loaded = self.inner.loaded.lock().unwrap_or_else(PoisonError::into_inner);
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
