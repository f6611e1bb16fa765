//! Components and their settings: the engine is made when the first is needed, and each component is loaded once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hostler_model::nearest::nearest;
use hostler_plugin_host::{
    Component, ConfigError, Consents, Engine, EngineOptions, Grants, Info, Limits, PluginSettings,
};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::super::config::Stamp;
use super::declaration::{Declaration, Source};
use super::grants;

/// Loads components.
pub(super) struct Loader {
    code_dir: PathBuf,
    engine: OnceCell<Engine>,
    components: Mutex<HashMap<Source, Place>>,
}

/// A place for a component, with the file as it was; whoever loads it holds the lock, and the others wait for it.
type Place = Arc<tokio::sync::Mutex<Option<(Option<Stamp>, Component)>>>;

impl Loader {
    pub(super) fn new(code_dir: PathBuf) -> Self {
        Self { code_dir, engine: OnceCell::new(), components: Mutex::default() }
    }

    async fn engine(&self) -> Result<&Engine, String> {
        let make = || async {
            let options =
                EngineOptions { cache_dir: Some(self.code_dir.clone()), ..EngineOptions::default() };
            let made = tokio::task::spawn_blocking(move || Engine::new(options)).await;
            made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        };
        self.engine.get_or_try_init(make).await
    }

    /// The component of a source, as the file is now.
    ///
    /// # Errors
    /// When it cannot be read or is no plugin.
    pub(super) async fn component(&self, source: &Source, config_dir: &Path) -> Result<Component, String> {
        let place = {
            let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(components.entry(source.clone()).or_default())
        };
        let mut place = place.lock().await;
        let stamp = source.file(config_dir).and_then(|file| Stamp::of(&file));
        if let Some((of, component)) = &*place
            && *of == stamp
        {
            return Ok(component.clone());
        }
        let (from, dir) = (source.clone(), config_dir.to_owned());
        let reading = tokio::task::spawn_blocking(move || from.read(&dir));
        let wasm = reading.await.map_err(|error| error.to_string())??;
        let engine = self.engine().await?;
        let loaded = Component::load(engine, wasm, &Limits::default()).await;
        let component = loaded.map_err(|error| format!("{source}: {error}"))?;
        *place = Some((stamp, component.clone()));
        Ok(component)
    }
}

/// The settings of a plugin: its configuration checked, and what it is granted. What a built-in one may reach beyond
/// that follows from its configuration.
///
/// # Errors
/// What in the configuration is wrong.
pub(super) fn settings(
    declaration: &Declaration,
    component: &Component,
    own_config: &Map<String, Value>,
    granted: Grants,
) -> Result<PluginSettings, String> {
    let config = declaration.config_with(own_config);
    component.check_config(&config).map_err(|error| in_words(&error, component.info()))?;
    let granted = with_what_follows(granted, &declaration.source, &config)?;
    let consents = Consents::default().with(component.digest(), granted);
    Ok(PluginSettings { config, limits: declaration.limits(), consents, ..PluginSettings::default() })
}

/// What is granted together with what follows from the configuration of a built-in plugin.
///
/// # Errors
/// What in the configuration names nothing that could be granted.
pub(super) fn with_what_follows(
    mut granted: Grants,
    source: &Source,
    config: &Map<String, Value>,
) -> Result<Grants, String> {
    if let Source::Builtin(name) = source {
        let Grants { tcp, http, commands } = grants::follow_from(name, config)?;
        granted.tcp.extend(tcp);
        granted.http.extend(http);
        granted.commands.extend(commands);
    }
    Ok(granted)
}

/// What is wrong with a configuration, and for a key that does not exist, the one that was probably meant.
fn in_words(error: &ConfigError, info: &Info) -> String {
    let schema: Value =
        info.config_schema.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let known: Vec<&str> =
        schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let wrong = error.problems.iter().filter_map(|problem| problem.pointer.strip_prefix('/'));
    let wrong = wrong
        .filter(|key| !known.contains(key) && !key.contains('/'))
        .find_map(|key| nearest(key, known.iter().copied()));
    match wrong {
        Some(near) => format!("{error}; did you mean `{near}`?"),
        None if known.is_empty() => error.to_string(),
        None => format!("{error}; its keys are: {}", known.join(", ")),
    }
}
