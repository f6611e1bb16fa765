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

/// What a plugin in use may connect to.
fn tcp_of(loaded: &Loaded) -> Vec<String> {
    loaded.plugin.status().granted.tcp.iter().map(ToString::to_string).collect()
}

/// A declaration of `mine.wasm`, which is the check of ports, with these further keys.
fn declared_tcp(more: &str) -> String {
    let digest = hostler_plugin_host::Digest::of(wasm("tcp"));
    format!("[plugins.mine]\nsource = 'mine.wasm'\nsha256 = '{digest}'\n{more}\n")
}

/// Every way in which a user takes a grant back while the plugin is in use.
#[tokio::test]
async fn a_grant_that_is_taken_back_is_gone_whatever_comes_of_the_rest() {
    let granted = declared_tcp("grants = { tcp = ['localhost:1', 'localhost:2'] }");
    let world = World::new(&granted);
    std::fs::write(world.path("mine.wasm"), wasm("tcp")).unwrap();
    let mine = world.find("mine", json!({"address": "localhost:1"}), Kind::HealthCheck).await.unwrap();
    let other_digest = hostler_plugin_host::Digest::of(wasm("redis")).to_string();
    let digest = hostler_plugin_host::Digest::of(wasm("tcp")).to_string();
    for (config, expected) in [
        (declared_tcp("grants = { tcp = ['localhost:2'] }"), &["localhost:2"][..]),
        (declared_tcp(""), &[]),
        // What else is declared cannot be taken over: it is as before, without the grant.
        (declared_tcp("config = { adress = 'localhost:1' }"), &[]),
        (declared_tcp("").replace("mine.wasm", "gone.wasm"), &[]),
        (declared_tcp("grants = { tcp = ['localhost:1'] }").replace(&digest, &other_digest), &[]),
        ("[plugins.mine]\nsource = 'builtin:json'\n".to_owned(), &[]),
        ("# nothing is declared any more\n".to_owned(), &[]),
        // The consent is to the content of a file: where it is does not count.
        (
            declared_tcp("grants = { tcp = ['localhost:1'] }").replace("mine.wasm", "gone.wasm"),
            &["localhost:1"],
        ),
    ] {
        std::fs::write(world.path("config.toml"), &granted).unwrap();
        world.look().await;
        assert_eq!(tcp_of(&mine), ["localhost:1", "localhost:2"], "before {config}");
        std::fs::write(world.path("config.toml"), &config).unwrap();
        world.look().await;
        assert_eq!(tcp_of(&mine), expected, "{config}");
        assert_eq!(mine.plugin.status().digest.to_string(), digest, "{config}");
    }
}

#[tokio::test]
async fn a_built_in_check_reaches_what_is_configured_as_long_as_somebody_says_so() {
    let declared = "[plugins.web]\nsource = 'builtin:http'\nconfig = { url = 'http://localhost:80/' }\n\
                    grants = { http = ['example.org:80'] }\n";
    let world = World::new(declared);
    let http_of = |loaded: &Loaded| {
        let granted = loaded.plugin.status().granted.http;
        granted.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let web = world.find("web", json!({}), Kind::HealthCheck).await.unwrap();
    let own = world.find("web", json!({"url": "http://localhost:81/"}), Kind::HealthCheck).await.unwrap();
    assert_eq!(http_of(&web), ["example.org:80", "localhost:80"]);
    assert_eq!(http_of(&own), ["example.org:80", "localhost:81"]);
    std::fs::write(world.path("config.toml"), "").unwrap();
    world.look().await;
    assert_eq!(http_of(&web), [""; 0], "nobody asks for it any more");
    assert_eq!(http_of(&own), ["localhost:81"], "who declares the process does");
    let list = world.plugins.list().await;
    let view = list.plugins.iter().find(|view| view.name == "web").unwrap();
    assert!(view.reason.as_ref().unwrap().contains("no longer declared, so it has no grants"), "{view:?}");
}

#[tokio::test]
async fn what_a_failure_means_is_known_of_a_plugin_that_cannot_be_loaded() {
    let world = World::new(
        "[plugins.strict]\nsource = 'gone.wasm'\non_failure = 'closed'\n[plugins.lax]\nsource = 'gone.wasm'\n",
    );
    assert!(world.find("strict", json!({}), Kind::HealthCheck).await.is_err());
    let of = |name: &str| world.plugins.on_failure(name);
    assert_eq!((of("strict"), of("lax")), (OnFailure::Closed, OnFailure::Open));
    assert_eq!((of("http"), of("unheard-of")), (OnFailure::Open, OnFailure::Open));
}
