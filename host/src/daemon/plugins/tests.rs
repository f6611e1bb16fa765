use std::path::PathBuf;

use hostler_api::process::LogArgs;
use hostler_plugin_host::{Nowhere, TextBatch};
use serde_json::json;

use super::*;
use crate::daemon::degraded::Degraded;

/// A home with a configuration.
struct World {
    dir: tempfile::TempDir,
    plugins: Plugins,
}

impl World {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        let file = ConfigFile::open(dir.path().join("config.toml"), Degraded::default());
        let plugins = Plugins::new(file, &dir.path().join("code"));
        Self { dir, plugins }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn find(&self, name: &str, config: Value, kind: Kind) -> Result<Arc<Loaded>, String> {
        let config = config.as_object().unwrap().clone();
        self.plugins.find(name, &config, kind).await.map_err(|error| error.message)
    }

    /// Looks at the files, whenever that was done before.
    async fn look(&self) {
        for loaded in self.plugins.all_loaded() {
            self.plugins.follow(&loaded).await;
        }
    }
}

async fn severity(loaded: &Loaded, line: &str) -> Option<u8> {
    let batch: TextBatch = std::iter::once(line.as_bytes()).collect();
    let parsed = loaded.instance(Arc::new(Nowhere)).parse(&batch, true).await.unwrap();
    parsed.rows.first().map(|row| row.severity)
}

fn wasm(name: &str) -> &'static [u8] {
    builtin::find(name).unwrap().wasm
}

#[tokio::test]
async fn built_in_plugins_need_no_declaration_and_are_made_once() {
    let world = World::new("");
    assert!(!world.path("code").exists(), "nobody asked yet");
    let json = world.find("json", json!({}), Kind::LogParser).await.unwrap();
    assert_eq!(severity(&json, r#"{"level":"error","msg":"x"}"#).await, Some(17));
    let again = world.find("json", json!({}), Kind::LogParser).await.unwrap();
    assert!(Arc::ptr_eq(&json, &again));
    let grants =
        world.find("http", json!({"url": "http://localhost:8080/"}), Kind::HealthCheck).await.unwrap();
    let granted = grants.plugin.status().granted;
    assert_eq!(granted.http.iter().map(ToString::to_string).collect::<Vec<_>>(), ["localhost:8080"]);
}

#[tokio::test]
async fn what_does_not_fit_is_named_with_what_would() {
    let world = World::new("[plugins.mine]\nsource = 'mine.wasm'\n[plugins.text]\nsource = 'config.toml'\n");
    for (name, config, kind, wanted) in [
        (
            "jsno",
            json!({}),
            Kind::LogParser,
            "did you mean `json`? There are: access-log, json, level, logfmt, mine",
        ),
        ("http", json!({"ulr": "http://a/"}), Kind::HealthCheck, "did you mean `url`?"),
        ("http", json!({"url": "https://a/"}), Kind::HealthCheck, "no TLS"),
        (
            "json",
            json!({}),
            Kind::HealthCheck,
            "is a log-parser, expected a health-check. There are: command, http",
        ),
        ("mine", json!({}), Kind::LogParser, "the plugin `mine`: cannot read"),
        ("text", json!({}), Kind::LogParser, "this is not WebAssembly"),
    ] {
        let message = world.find(name, config, kind).await.unwrap_err();
        assert!(message.contains(wanted), "{name}: {message}");
    }
    let parsers = vec!["level".to_owned(), "jsn".to_owned()];
    let args = SpecArgs { log: Some(LogArgs { parsers }), ..SpecArgs::default() };
    let message = world.plugins.check(&args).await.unwrap_err().message;
    assert!(
        message.starts_with("`log.parsers[1]`: there is no plugin `jsn`; did you mean `json`?"),
        "{message}"
    );
}

#[tokio::test]
async fn a_changed_file_takes_over_and_a_broken_one_does_not() {
    let world = World::new("[plugins.mine]\nsource = 'mine.wasm'\n");
    std::fs::write(world.path("mine.wasm"), wasm("json")).unwrap();
    let mine = world.find("mine", json!({}), Kind::LogParser).await.unwrap();
    let (as_json, as_logfmt) = (r#"{"level":"warn","msg":"x"}"#, "level=error msg=x");
    assert_eq!((severity(&mine, as_json).await, severity(&mine, as_logfmt).await), (Some(13), None));

    std::fs::write(world.path("mine.wasm"), &wasm("json")[..1000]).unwrap();
    world.look().await;
    assert!(mine.plugin.status().reload_error.unwrap().contains("cut short"));
    assert_eq!(severity(&mine, as_json).await, Some(13));

    std::fs::write(world.path("mine.wasm"), wasm("tcp")).unwrap();
    world.look().await;
    assert!(mine.plugin.status().reload_error.is_some());
    assert_eq!(severity(&mine, as_json).await, Some(13));

    std::fs::remove_file(world.path("mine.wasm")).unwrap();
    world.look().await;
    assert_eq!(severity(&mine, as_json).await, Some(13));

    std::fs::write(world.path("mine.wasm"), wasm("logfmt")).unwrap();
    world.look().await;
    assert_eq!((severity(&mine, as_json).await, severity(&mine, as_logfmt).await), (None, Some(17)));
    assert_eq!(mine.plugin.status().reload_error, None);
}

#[tokio::test]
async fn a_changed_configuration_takes_over() {
    let declared = |code: &str| {
        format!(
            "[plugins.mine]\nsource = 'builtin:regex'\nconfig = {{ patterns = ['^(?<level>{code}) (?<message>.*)$'] }}\n"
        )
    };
    let world = World::new(&declared("ERROR"));
    let mine = world.find("mine", json!({}), Kind::LogParser).await.unwrap();
    assert_eq!((severity(&mine, "ERROR x").await, severity(&mine, "WARN x").await), (Some(17), None));
    std::fs::write(world.path("config.toml"), declared("WARN")).unwrap();
    world.look().await;
    assert_eq!((severity(&mine, "ERROR x").await, severity(&mine, "WARN x").await), (None, Some(13)));
    std::fs::write(world.path("config.toml"), declared("WARN").replace("patterns", "pattens")).unwrap();
    world.look().await;
    let why = mine.plugin.status().reload_error.unwrap();
    assert!(why.contains("did you mean `patterns`?"), "{why}");
    assert_eq!(severity(&mine, "WARN x").await, Some(13));
}

#[tokio::test]
async fn a_file_has_its_grants_by_its_digest() {
    let digest = hostler_plugin_host::Digest::of(wasm("tcp"));
    let declared = format!(
        "[plugins.mine]\nsource = 'mine.wasm'\nsha256 = '{digest}'\ngrants = {{ tcp = ['localhost:1'] }}\n"
    );
    let world = World::new(&declared);
    std::fs::write(world.path("mine.wasm"), wasm("tcp")).unwrap();
    // What the configuration names is granted to built-in plugins only.
    let mine = world.find("mine", json!({"address": "localhost:2"}), Kind::HealthCheck).await.unwrap();
    assert_eq!(mine.plugin.status().granted.tcp, ["localhost:1".parse().unwrap()]);
    std::fs::write(world.path("mine.wasm"), wasm("redis")).unwrap();
    let other = world.find("mine", json!({"address": "localhost:3"}), Kind::HealthCheck).await.unwrap();
    assert!(other.plugin.status().granted.is_empty());
}
