//! `hostler plugin check`: would a daemon take this file, and does it stand what comes?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostler_api::ToolError;
use hostler_plugin_host::{
    BreakerPolicy, CallError, Capability, Component, Grants, Inspection, Instance, Kind, Limits, LoadError,
    Nowhere, Plugin, PluginSettings, inspect,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::source::Source;
use super::{awkward, declaration, workbench};
use crate::daemon::home::Home;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    /// As it should be.
    Ok,
    /// Something for a person to decide or to know.
    Note,
    /// The plugin cannot be used so.
    Fail,
}

/// What one check found.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) check: &'static str,
    /// How it is.
    pub(crate) result: Mark,
    /// In words.
    pub(crate) text: String,
}

/// What all checks found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether none failed.
    pub(crate) ok: bool,
    /// As a configuration names it.
    pub(crate) source: String,
    /// What is known of it, as far as the checks came.
    #[serde(flatten)]
    pub(crate) facts: Facts,
    /// In their order; those after one that makes them impossible are not there.
    pub(crate) checks: Vec<Finding>,
    /// The lines that declare it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) declaration: Option<String>,
}

/// What is known of a plugin.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Facts {
    /// Its size.
    pub(crate) bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) world: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contract: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) imports: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wants: Option<Wants>,
    /// Compiling and describing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compile_ms: Option<f64>,
    /// The same when the machine code is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) load_ms: Option<f64>,
    /// The most memory that it had in a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
}

/// What it asks to be granted.
#[derive(Debug, Serialize)]
pub(crate) struct Wants {
    pub(crate) tcp: Vec<String>,
    pub(crate) http: Vec<String>,
    pub(crate) commands: Vec<String>,
}

impl Report {
    fn add(&mut self, check: &'static str, result: Mark, text: impl Into<String>) {
        self.ok &= result != Mark::Fail;
        self.checks.push(Finding { check, result, text: text.into() });
    }
}

/// Checks a component. A configuration that was not given is the plugin's own sample, or an empty one.
///
/// # Errors
/// When the check itself cannot be made.
pub(crate) fn check(
    source: &Source,
    config: Option<Map<String, Value>>,
    home: &Home,
) -> Result<Report, ToolError> {
    let runtime = workbench::runtime()?;
    let cache = PrivateDir::make(home).map_err(ToolError::internal)?;
    let facts = Facts { bytes: source.wasm.len(), ..Facts::default() };
    let mut report =
        Report { ok: true, source: source.name.clone(), facts, checks: Vec::new(), declaration: None };
    runtime.block_on(examine(&mut report, source, config, &cache.0))?;
    Ok(report)
}

/// A directory for machine code, so that compiling is measured as it is the first time.
struct PrivateDir(PathBuf);

impl PrivateDir {
    fn make(home: &Home) -> Result<Self, String> {
        home.create().map_err(|error| format!("cannot use {}: {error}", home.root().display()))?;
        Ok(Self(home.root().join(format!("plugin-check-{}", std::process::id()))))
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // What stays behind is of no use to anybody, and harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One check after the other, as far as they are possible.
async fn examine(
    report: &mut Report,
    source: &Source,
    config: Option<Map<String, Value>>,
    cache: &Path,
) -> Result<(), ToolError> {
    let engine =
        workbench::engine(Some(cache.to_owned())).map_err(|error| ToolError::internal(error.to_string()))?;
    let inspection = match inspect(&source.wasm, engine_limit()) {
        Ok(inspection) => inspection,
        Err(error) => {
            report.add("component", Mark::Fail, error.to_string());
            return Ok(());
        }
    };
    tell_inspection(report, &inspection);
    let limits = Limits::default();
    let component = match Component::load(&engine, Arc::clone(&source.wasm), &limits).await {
        Ok(component) => component,
        Err(error) => {
            report.add(place_of(&error), Mark::Fail, error.to_string());
            return Ok(());
        }
    };
    let again = Component::load(&engine, Arc::clone(&source.wasm), &limits).await;
    tell_description(report, &component);
    tell_times(report, &component, again.as_ref().ok().filter(|again| again.is_from_cache()));
    tell_grants(report, &component);
    let Some((config, is_needed)) = choose_config(report, &component, config) else { return Ok(()) };
    report.declaration = Some(declaration::lines(source, &component, &config, is_needed));
    // Every call is to be made, whatever came of the ones before.
    let quarantine = BreakerPolicy { max_faults: u32::MAX, ..BreakerPolicy::default() };
    let settings = PluginSettings { config, quarantine, ..PluginSettings::default() };
    let name = component.info().name.clone();
    match Plugin::new(&name, component, settings).await {
        Ok(plugin) => {
            report.add("configure", Mark::Ok, "takes its configuration");
            call_awkwardly(report, &plugin).await;
        }
        Err(error) => report.add("configure", Mark::Fail, error.to_string()),
    }
    Ok(())
}

fn engine_limit() -> usize {
    hostler_plugin_host::EngineOptions::default().max_component_bytes
}

fn tell_inspection(report: &mut Report, inspection: &Inspection) {
    let Inspection { digest, bytes, kind, contract, imports, .. } = inspection;
    report.facts.sha256 = Some(digest.to_string());
    report.facts.world = Some(kind.world());
    report.facts.contract = Some(contract.clone());
    report.facts.imports = Some(imports.clone());
    report.add("component", Mark::Ok, format!("{:.1} KiB, sha256 {digest}", *bytes as f64 / 1024.0));
    report.add("world", Mark::Ok, format!("{kind} of hostler:plugin@{contract}"));
    report.add("imports", Mark::Ok, imports_in_words(imports));
}

/// The interfaces by package, without versions, which were found to be right.
fn imports_in_words(imports: &[String]) -> String {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for import in imports {
        let path = import.split_once('@').map_or(import.as_str(), |(path, _)| path);
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        let interfaces = packages.entry(package).or_default();
        if interface != "types" {
            interfaces.push(interface);
        }
    }
    packages.retain(|_, interfaces| !interfaces.is_empty());
    if packages.is_empty() {
        return "none".to_owned();
    }
    let one = |(package, interfaces): (&&str, &Vec<&str>)| format!("{package} ({})", interfaces.join(", "));
    packages.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Which check an error of loading belongs to.
fn place_of(error: &LoadError) -> &'static str {
    match error {
        LoadError::Describe(why) if why.contains("config-schema") => "schema",
        LoadError::Describe(_) | LoadError::Call { .. } => "describe",
        _ => "component",
    }
}

fn tell_description(report: &mut Report, component: &Component) {
    let info = component.info();
    report.facts.name = Some(info.name.clone());
    report.facts.version = Some(info.version.clone());
    report.facts.summary = Some(info.summary.clone());
    report.add("describe", Mark::Ok, format!("{} {}: {}", info.name, info.version, info.summary));
    let text = match &info.config_schema {
        None => "none: there is nothing to configure".to_owned(),
        Some(schema) => match keys_of(schema)[..] {
            [] => "valid; no key of its own".to_owned(),
            ref keys => format!("valid; {}", keys.join(", ")),
        },
    };
    report.add("schema", Mark::Ok, text);
}

/// The keys that a schema names, the required ones marked.
fn keys_of(schema: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    properties
        .keys()
        .map(|key| {
            if required.contains(&Value::from(key.as_str())) {
                format!("{key} (required)")
            } else {
                key.clone()
            }
        })
        .collect()
}

fn tell_times(report: &mut Report, component: &Component, again: Option<&Component>) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let compiled = ms(component.load_time());
    report.facts.compile_ms = Some(compiled);
    report.facts.load_ms = again.map(|again| ms(again.load_time()));
    match report.facts.load_ms {
        Some(loaded) => {
            report.add(
                "load",
                Mark::Ok,
                format!("{compiled:.0} ms the first time, {loaded:.1} ms from the cache"),
            );
        }
        None => {
            report.add("load", Mark::Note, format!("{compiled:.0} ms; the machine code could not be kept"))
        }
    }
}

fn tell_grants(report: &mut Report, component: &Component) {
    let wants = &component.info().wants;
    report.facts.wants = Some(Wants {
        tcp: wants.tcp.iter().map(ToString::to_string).collect(),
        http: wants.http.iter().map(ToString::to_string).collect(),
        commands: wants.commands.clone(),
    });
    let (result, text) = grants_in_words(&component.inspection().requests, wants);
    report.add("grants", result, text);
}

/// What would have to be granted, and what does not fit together.
fn grants_in_words(requests: &[Capability], wants: &Grants) -> (Mark, String) {
    let peers = |patterns: &[hostler_plugin_host::PeerPattern]| -> Vec<String> {
        patterns.iter().map(ToString::to_string).collect()
    };
    let all = [
        (Capability::Sockets, "tcp", "wasi:sockets", peers(&wants.tcp)),
        (Capability::Http, "http", "wasi:http", peers(&wants.http)),
        (Capability::Commands, "commands", "hostler:plugin/commands", wants.commands.clone()),
    ];
    let mut parts = Vec::new();
    for (capability, key, import, wishes) in all {
        let list = wishes.join(", ");
        match (requests.contains(&capability), wishes.is_empty()) {
            (true, false) if list.contains(":*") && key != "commands" => {
                parts.push(format!(
                    "wants {key} to {list}: grant it with the port that its configuration names"
                ));
            }
            (true, false) => parts.push(format!("wants {key}: {list}")),
            (true, true) => parts.push(format!(
                "imports {import} without saying for what: grant under `{key}` what its configuration names"
            )),
            (false, false) => parts.push(format!("wants {key}: {list}, but does not import {import}")),
            (false, true) => {}
        }
    }
    if parts.is_empty() { (Mark::Ok, "needs none".to_owned()) } else { (Mark::Note, parts.join("; ")) }
}

/// The configuration to go on with, and whether the plugin needs it; none when there is no valid one.
fn choose_config(
    report: &mut Report,
    component: &Component,
    given: Option<Map<String, Value>>,
) -> Option<(Map<String, Value>, bool)> {
    let can_be_empty = component.check_config(&Map::new()).is_ok();
    if let Some(config) = given {
        return match component.check_config(&config) {
            Ok(()) => {
                report.add("config", Mark::Ok, "the given one fits the schema");
                Some((config, true))
            }
            Err(error) => {
                report.add("config", Mark::Fail, error.to_string());
                None
            }
        };
    }
    let sample = component.info().sample_config.clone();
    match sample.as_ref().map(|sample| component.check_config(sample)) {
        Some(Err(error)) => {
            report.add("config", Mark::Fail, format!("`sample-config` does not fit the schema: {error}"));
            return None;
        }
        Some(Ok(())) => report.add("config", Mark::Ok, "its own `sample-config` fits the schema"),
        None if can_be_empty => report.add("config", Mark::Ok, "can do without"),
        None => {
            let why =
                component.check_config(&Map::new()).err().map(|error| error.to_string()).unwrap_or_default();
            report.add(
                "config",
                Mark::Note,
                format!("not tried further, for it needs a configuration: give one with --config ({why})"),
            );
            report.declaration = None;
            return None;
        }
    }
    Some((sample.unwrap_or_default(), !can_be_empty))
}

/// What came of the awkward calls.
#[derive(Default)]
struct Calls {
    made: usize,
    refused: Vec<String>,
    failed: Vec<String>,
    slowest: Duration,
    slowest_what: &'static str,
}

impl Calls {
    fn count<T>(&mut self, what: &'static str, took: Duration, answer: Result<T, CallError>) {
        self.made += 1;
        if took >= self.slowest {
            (self.slowest, self.slowest_what) = (took, what);
        }
        match answer {
            Err(error) if error.is_fault() => self.failed.push(format!("{what}: {error}")),
            Err(error) => self.refused.push(format!("{what}: {error}")),
            Ok(_) => {}
        }
    }
}

async fn call_awkwardly(report: &mut Report, plugin: &Plugin) {
    let mut instance = plugin.instance(Arc::new(Nowhere));
    let mut calls = Calls::default();
    match plugin.component().kind() {
        Kind::HealthCheck => {
            for what in ["without facts and grants", "once more"] {
                let began = Instant::now();
                let answer = instance.check(Limits::default().call).await;
                calls.count(what, began.elapsed(), answer);
            }
        }
        kind => {
            for input in awkward::inputs() {
                let mut began = Instant::now();
                let mut answer = call(&mut instance, kind, &input).await;
                // Time is measured by the clock: that the machine was busy is not the plugin's fault.
                if matches!(answer, Err(CallError::Timeout { .. })) {
                    began = Instant::now();
                    answer = call(&mut instance, kind, &input).await;
                }
                calls.count(input.what, began.elapsed(), answer);
            }
        }
    }
    report.facts.memory_bytes = Some(plugin.stats().memory_peak);
    let memory = plugin.stats().memory_peak as f64 / f64::from(1 << 20);
    let slowest = format!("{:.1} ms ({})", calls.slowest.as_secs_f64() * 1e3, calls.slowest_what);
    let made = format!("{} calls with awkward input", calls.made);
    if calls.failed.is_empty() {
        let mut text = format!("{made}, the slowest {slowest}; {memory:.1} MiB of memory");
        if let Some(first) = calls.refused.first() {
            text += &format!("; {} answered with an error ({first})", calls.refused.len());
        }
        report.add("calls", Mark::Ok, text);
    }
    for failure in calls.failed {
        report.add("calls", Mark::Fail, failure);
    }
}

async fn call(instance: &mut Instance, kind: Kind, input: &awkward::Awkward) -> Result<(), CallError> {
    if kind == Kind::LogParser {
        instance.parse(&input.texts, input.end).await.map(drop)
    } else {
        instance.categorize(&input.texts).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_asked_for_in_words() {
        let wants = |tcp: &str, commands: &[&str]| Grants {
            tcp: tcp.split(' ').filter(|p| !p.is_empty()).map(|p| p.parse().unwrap()).collect(),
            commands: commands.iter().map(|&c| c.to_owned()).collect(),
            ..Grants::default()
        };
        let words = |requests: &[Capability], wants: Grants| grants_in_words(requests, &wants);
        assert_eq!(words(&[Capability::ProcessFacts], wants("", &[])), (Mark::Ok, "needs none".to_owned()));
        let (mark, text) = words(&[Capability::Sockets], wants("db.example.org:5432", &[]));
        assert_eq!((mark, text.as_str()), (Mark::Note, "wants tcp: db.example.org:5432"));
        assert!(words(&[Capability::Sockets], wants("db.example.org:*", &[])).1.contains("with the port"));
        assert!(words(&[Capability::Commands], wants("", &[])).1.contains("grant under `commands`"));
        assert!(words(&[], wants("", &["pg_isready"])).1.contains("does not import hostler:plugin/commands"));
    }

    #[test]
    fn imports_are_grouped() {
        let imports = [
            "hostler:plugin/types@1.0.0",
            "hostler:plugin/log@1.0.0",
            "wasi:io/poll@0.2.6",
            "wasi:io/error@0.2.6",
        ];
        let imports: Vec<String> = imports.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(imports_in_words(&imports), "hostler:plugin (log), wasi:io (poll, error)");
        assert_eq!(imports_in_words(&[]), "none");
    }

    #[test]
    fn a_trap_fails_and_an_answer_with_an_error_does_not() {
        let mut calls = Calls::default();
        calls.count("a", Duration::from_millis(3), Ok(()));
        calls.count("b", Duration::from_millis(9), Err::<(), _>(CallError::Trap("unreachable".to_owned())));
        calls.count(
            "c",
            Duration::from_millis(1),
            Err::<(), _>(CallError::Unavailable("not granted".to_owned())),
        );
        assert_eq!((calls.made, calls.slowest_what), (3, "b"));
        assert_eq!(calls.failed, ["b: trapped: unreachable"]);
        assert_eq!(calls.refused, ["c: is unavailable: not granted"]);
    }

    #[test]
    fn required_keys_are_marked() {
        let schema = r#"{"properties": {"url": {}, "limit": {}}, "required": ["url"]}"#;
        assert_eq!(keys_of(schema), ["url (required)", "limit"]);
        assert!(keys_of("true").is_empty());
    }

    #[test]
    fn nothing_of_a_check_stays_behind() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home")).unwrap();
        let source = Source::open("builtin:level").unwrap();
        let report = check(&source, None, &home).unwrap();
        assert!(report.ok, "{report:#?}");
        let left: Vec<_> = std::fs::read_dir(home.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["runs"]);
    }
}
