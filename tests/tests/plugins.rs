//! Plugins in a running daemon: declared in the configuration, named by processes.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::{Path, PathBuf};

use e2e::{Env, Era, wait_for};
use serde_json::{Value, json};

fn component(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/built").join(format!("{name}.wasm"))
}

/// What `plugin list` says of one.
fn listed(env: &Env, name: &str) -> Value {
    let list = env.cli(&["plugin", "list", "--json"]).ok().json();
    let plugins = list["plugins"].as_array().unwrap();
    plugins.iter().find(|plugin| plugin["name"] == name).cloned().unwrap_or_default()
}

#[test]
fn a_plugin_is_added_and_listed_with_and_without_a_daemon() {
    let env = Env::new();
    std::fs::write(env.home().join("config.toml"), "# my plugins\n").unwrap();
    std::fs::copy(component("logfmt"), env.project().join("mine.wasm")).unwrap();
    let output = env.cli(&["plugin", "add", "mine.wasm", "--name", "mine"]).ok();
    assert!(output.stdout.contains("granted  nothing beyond computing"), "{}", output.stdout);
    let text = std::fs::read_to_string(env.home().join("config.toml")).unwrap();
    assert!(text.starts_with("# my plugins\n[plugins.mine]\nsource = "), "{text}");

    let before = listed(&env, "mine");
    assert_eq!((&before["kind"], &before["status"]), (&json!("log-parser"), &json!("idle")));
    assert_eq!(listed(&env, "redis")["source"], "builtin:redis");
    assert_eq!(env.daemon(), None);
    let _ = env.cli(&["daemon", "start"]).ok();
    let daemon = listed(&env, "mine");
    assert_eq!(daemon, before);

    let conflict = env.cli(&["plugin", "add", "builtin:json", "--name", "mine"]);
    assert_eq!(conflict.code, Some(1));
    assert!(conflict.stderr.contains("is /") && conflict.stderr.contains("--name"), "{}", conflict.stderr);
    let bad = env.cli(&["plugin", "add", "config.toml"]);
    assert!(bad.stderr.contains("cannot read"), "{}", bad.stderr);
}

#[test]
fn parsers_are_checked_when_a_process_names_them() {
    let env = Env::new();
    std::fs::write(env.home().join("config.toml"), "[plugins.mine]\nsource = \"gone.wasm\"\n").unwrap();
    let mut mcp = env.mcp(Era::Legacy);
    let with = |parsers: Value| json!({"name": "p", "command": "sleep 60", "log": {"parsers": parsers}});
    for (parsers, wanted) in [
        (json!(["jsno"]), "`log.parsers[0]`: there is no plugin `jsno`; did you mean `json`?"),
        (json!(["json", "mine"]), "`log.parsers[1]`: the plugin `mine`: cannot read"),
        (json!(["tcp"]), "is a health-check, expected a log-parser"),
    ] {
        let message = mcp.refused("start_process", with(parsers));
        assert!(message.contains(wanted), "{message}");
    }
    mcp.done("start_process", with(json!(["json"])));
    assert_eq!(listed(&env, "json")["status"], "active");
}

#[test]
fn a_broken_configuration_is_told_and_stops_nothing() {
    let env = Env::new();
    std::fs::write(env.home().join("config.toml"), "[plugins.a]\nsorce = \"x\"\n").unwrap();
    let _ = env.cli(&["start", "web", "--", "sleep", "60"]).ok();
    let degraded = || env.cli(&["daemon", "status", "--json"]).ok().json()["degraded"].to_string();
    assert!(degraded().contains("did you mean `source`?"), "{}", degraded());
    std::fs::write(env.home().join("config.toml"), "[plugins.a]\nsource = \"builtin:json\"\n").unwrap();
    assert_eq!(listed(&env, "a")["kind"], "log-parser");
    wait_for("the daemon is well", || (degraded() == "[]").then_some(()));
}
