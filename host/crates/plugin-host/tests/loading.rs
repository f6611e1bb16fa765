//! What is taken for a plugin and what is refused, with which words; what a plugin says of itself; cache and reload.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{About, Guest, engine, instance, load};
use hostler_plugin_host::{
    CallError, Capability, Component, ComponentError, Consents, Digest, Engine, EngineOptions, Grants, Kind,
    Limits, LoadError, Nowhere, Plugin, PluginSettings, TextBatch, Trust, inspect,
};
use serde_json::{Map, Value, json};

const LIMIT: usize = 1024 * 1024;

fn component(items: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {items})")).unwrap()
}

/// A component that has the interfaces by their names, with nothing in them.
fn exporting(interfaces: &[&str], imports: &[&str]) -> Vec<u8> {
    let imports: String = imports.iter().map(|name| format!("(import \"{name}\" (instance))")).collect();
    let exports: String =
        interfaces.iter().map(|name| format!("(export \"{name}\" (instance $i))")).collect();
    component(&format!("{imports} (instance $i) {exports}"))
}

const PARSER: [&str; 3] =
    ["hostler:plugin/metadata@1.0.0", "hostler:plugin/lifecycle@1.0.0", "hostler:plugin/log-parsing@1.0.0"];
const CHECK: [&str; 3] = [
    "hostler:plugin/metadata@1.0.0",
    "hostler:plugin/lifecycle@1.0.0",
    "hostler:plugin/health-checking@1.0.0",
];

fn refused(wasm: &[u8]) -> String {
    inspect(wasm, LIMIT).unwrap_err().to_string()
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn what_is_no_component_is_named_and_what_to_do_as_well() {
    assert_says(&refused(b""), &["empty"]);
    assert_says(&refused(b"\0a"), &["cut short"]);
    assert_says(&refused(b"\0asm\x0d\0"), &["cut short"]);
    assert_says(&refused(b"#!/bin/sh\n"), &["not WebAssembly but a text", ".wasm file"]);
    assert_says(&refused(b"\x7fELF\x02\x01"), &["native program"]);
    assert_says(&refused(b"PK\x03\x04"), &["zip archive"]);
    assert_says(&refused(b"<!DOCTYPE html>"), &["HTML"]);
    assert_says(&refused(b"(component)"), &["text form"]);
    assert_says(&refused(b"\xff\xfe\xfd"), &["data of another kind"]);
    let module = wat::parse_str("(module)").unwrap();
    assert_says(&refused(&module), &["core WebAssembly module", "wasm32-wasip2"]);
    assert_says(&refused(&vec![0; LIMIT + 1]), &["more than the limit", "1048577"]);
}

#[test]
fn a_component_cut_anywhere_is_refused_or_lacks_nothing_that_counts() {
    let whole = Guest::echo().build();
    let inspection = inspect(&whole, LIMIT).unwrap();
    for end in 0..whole.len() {
        // Behind the last export there are names for debuggers only.
        match inspect(&whole[..end], LIMIT) {
            Ok(cut) => assert_eq!((cut.kind, &cut.imports), (inspection.kind, &inspection.imports)),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn machine_code_is_never_taken_from_outside() {
    let engine = wasmtime::Engine::default();
    let code = engine.precompile_component(&component("")).unwrap();
    assert_says(&refused(&code), &[".cwasm", "never accepted"]);
}

#[test]
fn components_that_are_no_plugins_are_named() {
    assert_says(&refused(&component("")), &["none of the interfaces", "but nothing"]);
    assert_says(
        &refused(&exporting(&["wasi:cli/run@0.2.6"], &[])),
        &["wasi:cli/run@0.2.6", "hostler:plugin@1.0.0"],
    );
    let both = exporting(&[PARSER[0], PARSER[1], PARSER[2], CHECK[2]], &[]);
    assert_says(&refused(&both), &["a log-parser and a health-check", "one world"]);
    assert_says(&refused(&exporting(&PARSER[1..], &[])), &["log-parser", "hostler:plugin/metadata"]);
}

#[test]
fn versions_are_compared_as_semantic_versioning_has_it() {
    let at = |version: &str| {
        let names: Vec<_> = PARSER.iter().map(|name| name.replace("1.0.0", version)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        inspect(&exporting(&names, &[]), LIMIT)
    };
    assert_eq!(at("1.2.3").unwrap().contract, "1.2.3");
    assert_says(&at("2.0.0").unwrap_err().to_string(), &["2.0.0", "hostler:plugin@1.0.0"]);
    assert_says(&at("0.1.0").unwrap_err().to_string(), &["0.1.0"]);
    assert!(matches!(at("1.0.0-draft.1"), Err(ComponentError::WrongVersion { .. })));
}

#[test]
fn imports_are_known_or_refused() {
    let with = |exports: &[&str], import: &str| inspect(&exporting(exports, &[import]), LIMIT);
    let error = with(&PARSER, "wasi:clocks/monotonic-clock@0.3.0").unwrap_err().to_string();
    assert_says(&error, &["WASI 0.3", "wasi:clocks/monotonic-clock@0.3.0", "wasm32-wasip2"]);
    assert_says(
        &with(&PARSER, "wasi:nn/graph@0.2.0").unwrap_err().to_string(),
        &["wasi:nn/graph", "may import"],
    );
    assert!(with(&PARSER, "acme:db/query@1.0.0").is_err());
    // What only checks may have is refused for parsers.
    assert_says(
        &with(&PARSER, "hostler:plugin/commands@1.0.0").unwrap_err().to_string(),
        &["log-parser", "hostler:plugin/commands"],
    );
    assert_eq!(with(&CHECK, "hostler:plugin/commands@1.0.0").unwrap().requests, [Capability::Commands]);
    assert_eq!(with(&CHECK, "wasi:http/outgoing-handler@0.2.9").unwrap().requests, [Capability::Http]);
    assert_eq!(with(&PARSER, "wasi:filesystem/types@0.2.3").unwrap().requests, []);
}

#[test]
fn an_inspection_says_what_a_plugin_is() {
    let wasm = Guest::echo().build();
    let inspection = inspect(&wasm, LIMIT).unwrap();
    assert_eq!((inspection.kind, inspection.bytes), (Kind::LogParser, wasm.len()));
    assert_eq!(inspection.digest, Digest::of(&wasm));
}

#[tokio::test]
async fn right_names_with_wrong_types_do_not_fit() {
    let wasm = exporting(&PARSER, &[]);
    let error = Component::load(&engine(), wasm.into(), &Limits::default()).await.unwrap_err().to_string();
    assert_says(&error, &["does not fit hostler:plugin@1.0.0", "describe"]);
}

#[tokio::test]
async fn bytes_that_only_look_like_a_component_are_invalid() {
    let mut wasm = Guest::echo().build().to_vec();
    let middle = wasm.len() / 3;
    for byte in &mut wasm[middle..middle + 40] {
        *byte ^= 0x5a;
    }
    assert!(Component::load(&engine(), wasm.into(), &Limits::default()).await.is_err());
}

async fn load_error(guest: &Guest) -> String {
    let limits = Limits { cpu: Duration::from_millis(50), ..Limits::default() };
    let settings = PluginSettings { limits, ..PluginSettings::default() };
    Plugin::load(&engine(), "fixture", guest.build(), settings).await.unwrap_err().to_string()
}

fn described(about: &About<'_>) -> Guest {
    let mut guest = Guest::echo();
    guest.about(about);
    guest
}

#[tokio::test]
async fn describe_has_to_be_acceptable() {
    let guest = described(&About { name: "Not Kebab", ..About::default() });
    assert_says(&load_error(&guest).await, &["`name` is `Not Kebab`", "kebab-case"]);
    let guest = described(&About { version: "one", ..About::default() });
    assert_says(&load_error(&guest).await, &["`version` is `one`"]);
    let guest = described(&About { schema: Some("{\"type\": 7}"), ..About::default() });
    assert_says(&load_error(&guest).await, &["not a JSON Schema"]);
    let guest = described(&About { schema: Some("nonsense"), ..About::default() });
    assert_says(&load_error(&guest).await, &["not JSON"]);
    let guest = described(&About { extra: &[("tcp", "everything")], ..About::default() });
    assert_says(&load_error(&guest).await, &["`tcp`", "port is missing"]);
    let mut guest = Guest::echo();
    guest.describe = "unreachable".into();
    assert_says(&load_error(&guest).await, &["failed in `describe`", "unreachable"]);
    let mut guest = Guest::echo();
    guest.describe = "(loop $forever (br $forever)) unreachable".into();
    assert_says(&load_error(&guest).await, &["failed in `describe`", "did not answer"]);
    // Before there is anything to call.
    let mut guest = Guest::echo();
    guest.items = "(func $begin (loop $forever (br $forever))) (start $begin)".into();
    assert_says(&load_error(&guest).await, &["did not answer within 50 ms of computing"]);
}

#[tokio::test]
async fn describe_has_to_be_the_same_each_time() {
    let mut guest = Guest::echo();
    let first = guest.info;
    let second = guest.about(&About { name: "somebody-else", ..About::default() }).info;
    guest.describe = format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))
         (select (i32.const {first}) (i32.const {second}) (i32.eq (global.get $count) (i32.const 1)))"
    );
    assert_says(&load_error(&guest).await, &["not the same each time"]);
}

#[tokio::test]
async fn an_instance_that_needs_too_much_at_once_does_not_load() {
    let mut guest = Guest::echo();
    guest.table = 1_000_000;
    let error = load_error(&guest).await;
    assert_says(&error, &["table"]);
    let limits = Limits { memory_bytes: usize::MAX, ..Limits::default() };
    let error = Component::load(&engine(), Guest::echo().build(), &limits).await.unwrap_err();
    assert!(matches!(error, LoadError::Limits(_)), "{error}");
}

#[tokio::test]
async fn a_plugin_is_what_its_file_is_and_not_what_it_says_it_is() {
    // It calls itself as a built-in one, and says what everybody else would have to ask for.
    let extra = [("granted", "everything"), ("kind", "health-check"), ("http", "localhost:*")];
    let guest = described(&About { name: "json", version: "99.0.0", extra: &extra, ..About::default() });
    let plugin = load(&guest).await;
    assert_eq!((plugin.name(), plugin.component().kind()), ("fixture", Kind::LogParser));
    let status = plugin.status();
    assert!(status.granted.is_empty(), "{:?}", status.granted);
    assert_eq!(status.ungranted.http[0].to_string(), "localhost:*");
    assert_eq!(status.digest, Digest::of(&guest.build()));
}

fn config(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object") };
    map
}

#[tokio::test]
async fn the_configuration_is_checked_before_the_plugin_sees_it() {
    let schema = r#"{"type": "object", "properties": {"depth": {"type": "integer", "maximum": 9}}, "additionalProperties": false}"#;
    let mut guest = described(&About { schema: Some(schema), ..About::default() });
    let with = |value: Value| PluginSettings { config: config(value), ..PluginSettings::default() };
    let wasm = guest.build();
    let error = Plugin::load(&engine(), "p", wasm.clone(), with(json!({"depth": 10}))).await.unwrap_err();
    assert_says(&error.to_string(), &["/depth is 10", "at most 9"]);
    let plugin = Plugin::load(&engine(), "p", wasm, with(json!({"depth": 9}))).await.unwrap();
    assert_eq!(plugin.config()["depth"], 9);
    guest.configure = guest.error(0, "depth: 9 is odd; choose 2, 4, 6 or 8");
    let error = Plugin::load(&engine(), "p", guest.build(), with(json!({"depth": 9}))).await.unwrap_err();
    assert_says(&error.to_string(), &["`configure`", "refuses its configuration: depth: 9 is odd"]);
}

#[tokio::test]
async fn one_component_is_several_plugins() {
    let schema = r#"{"type": "object"}"#;
    let guest = described(&About { schema: Some(schema), ..About::default() });
    let component = Component::load(&engine(), guest.build(), &Limits::default()).await.unwrap();
    let with = |value: Value| PluginSettings { config: config(value), ..PluginSettings::default() };
    let one = Plugin::new("one", component.clone(), with(json!({"a": 1}))).await.unwrap();
    let two = Plugin::new("two", component.clone(), with(json!({"b": 2}))).await.unwrap();
    assert_eq!((one.config().len(), two.config()["b"].as_u64()), (1, Some(2)));
    one.replace(component, with(json!({}))).await.unwrap();
    assert_eq!((one.status().revision, two.status().revision), (2, 1));
    let elsewhere = Component::load(&engine(), guest.build(), &Limits::default()).await.unwrap();
    let error = one.replace(elsewhere, with(json!({}))).await.unwrap_err().to_string();
    assert_says(&error, &["another engine"]);
}

#[tokio::test]
async fn a_plugin_that_refuses_its_configuration_later_is_not_asked_again() {
    let mut guest = Guest::echo();
    guest.main = guest.error(0, "now I mind");
    let (plugin, mut instance) = instance(&guest).await;
    let batch: TextBatch = [b"x".as_slice()].into_iter().collect();
    for _ in 0..3 {
        let error = instance.parse(&batch, false).await.unwrap_err();
        assert_eq!(error, CallError::InvalidConfig("now I mind".into()));
    }
    assert_eq!(plugin.stats().calls, 1);
    plugin.reload(Guest::echo().build(), PluginSettings::default()).await.unwrap();
    assert!(instance.parse(&batch, false).await.is_ok());
}

#[tokio::test]
async fn grants_go_to_a_file_and_wishes_are_shown() {
    let guest =
        described(&About { extra: &[("tcp", "localhost:5432"), ("command", "true")], ..About::default() });
    let wasm = guest.build();
    let grants = Grants { commands: vec!["true".into()], ..Grants::default() };
    let consents = Consents::default().with(Digest::of(&wasm), grants.clone());
    let settings = PluginSettings { consents, ..PluginSettings::default() };
    let plugin = Plugin::load(&engine(), "p", wasm, settings.clone()).await.unwrap();
    let status = plugin.status();
    assert_eq!(status.granted, grants);
    assert_eq!(status.ungranted.tcp[0].to_string(), "localhost:5432");
    assert!(status.ungranted.commands.is_empty());
    // Another file under the same name has no grants.
    plugin.reload(Guest::echo().build(), settings).await.unwrap();
    assert!(plugin.status().granted.is_empty());
}

#[tokio::test]
async fn a_good_file_takes_over_and_a_broken_one_does_not() {
    let mut guest = Guest::parser();
    guest.answer_rows(&[(0, 0, 0, 1)]);
    let (plugin, mut instance) = instance(&guest).await;
    let batch: TextBatch = [b"one".as_slice(), b"two"].into_iter().collect();
    assert_eq!(instance.parse(&batch, false).await.unwrap().rows.len(), 1);

    plugin.reload(Guest::echo().build(), PluginSettings::default()).await.unwrap();
    assert_eq!(instance.parse(&batch, false).await.unwrap().rows.len(), 2);
    assert_eq!((plugin.status().revision, plugin.status().reload_error), (2, None));

    let mut broken = Guest::echo();
    broken.configure = "unreachable".into();
    for (wasm, why) in [
        (broken.build(), "failed in `configure`"),
        (Arc::from(b"half a file".as_slice()), "not WebAssembly"),
        (Guest::checker().build(), "is a health-check, the plugin was a log-parser"),
    ] {
        assert!(plugin.reload(wasm, PluginSettings::default()).await.is_err());
        assert_says(&plugin.status().reload_error.unwrap(), &[why]);
        assert_eq!(plugin.status().revision, 2);
        assert_eq!(instance.parse(&batch, false).await.unwrap().rows.len(), 2);
    }
    plugin.reload(Guest::echo().build(), PluginSettings::default()).await.unwrap();
    assert_eq!(plugin.status().reload_error, None);
}

#[tokio::test]
async fn a_reload_ends_a_quarantine() {
    let mut guest = Guest::parser();
    guest.main = "unreachable".into();
    let plugin = load(&guest).await;
    let mut instance = plugin.instance(Arc::new(Nowhere));
    let batch = TextBatch::new();
    while !matches!(instance.parse(&batch, false).await, Err(CallError::Quarantined { .. })) {}
    plugin.reload(Guest::echo().build(), PluginSettings::default()).await.unwrap();
    assert!(instance.parse(&batch, false).await.is_ok());
    assert_eq!(plugin.status().trust, Trust::Trusted { recent_faults: 0 });
}

fn cached(dir: &Path) -> Engine {
    Engine::new(EngineOptions {
        cache_dir: Some(dir.to_owned()),
        warm_instances: 2,
        ..EngineOptions::default()
    })
    .unwrap()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

async fn is_from_cache(dir: &Path, wasm: &Arc<[u8]>) -> bool {
    let component = Component::load(&cached(dir), Arc::clone(wasm), &Limits::default()).await.unwrap();
    component.is_from_cache()
}

#[tokio::test]
async fn machine_code_is_kept_and_a_damaged_file_is_compiled_again() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("cache");
    let wasm = Guest::echo().build();
    assert!(!is_from_cache(&dir, &wasm).await);
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(is_from_cache(&dir, &wasm).await);
    let [file] = &entries(&dir)[..] else { panic!("one file") };

    // Every kind of damage: changed, cut short, empty.
    let good = std::fs::read(file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bad in [&flipped[..], &good[..good.len() / 2], b""] {
        std::fs::write(file, bad).unwrap();
        assert!(!is_from_cache(&dir, &wasm).await);
        assert_eq!(std::fs::read(file).unwrap().len(), good.len());
        assert!(is_from_cache(&dir, &wasm).await);
    }
}

#[tokio::test]
async fn a_cache_that_others_could_write_to_is_closed_and_one_that_cannot_be_is_done_without() {
    let home = tempfile::tempdir().unwrap();
    let wasm = Guest::echo().build();
    let open = home.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    is_from_cache(&open, &wasm).await;
    assert_eq!(std::fs::metadata(&open).unwrap().permissions().mode() & 0o777, 0o700);
    let file = home.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    assert!(!is_from_cache(&file, &wasm).await);
}
