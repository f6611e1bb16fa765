//! Plugins that loop, trap, eat memory, wait for ever or lie (`tests/fixtures/hostile`), in a daemon at work: they cost
//! their own verdict, and no line, no process and no other plugin's verdict.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use e2e::{Env, Era, Mcp, wait_for, wait_until};
use serde_json::{Value, json};

const PARSERS: [&str; 10] =
    ["loop", "trap", "deep", "hog", "tables", "million", "outside", "overlap", "no-text", "whim"];
const CHECKS: [&str; 5] = ["loop", "trap", "hog", "wait", "liar"];
const CATEGORIZERS: [&str; 4] = ["loop", "trap", "hog", "liar"];
/// The least memory that a component has, bytes.
const PAGE: u64 = 65_536;

/// What counts a fixture's failures.
fn counter(name: &str) -> &'static str {
    match name {
        "loop" | "wait" => "timeouts",
        "trap" | "deep" | "hog" | "tables" | "whim" => "traps",
        _ => "invalid_answers",
    }
}

/// What a quarantine says of the failure that led to it.
fn cause(name: &str) -> &'static str {
    match name {
        "loop" | "wait" => "did not answer within",
        "trap" | "whim" => "unreachable",
        "deep" => "call stack",
        "hog" => "bytes of memory",
        "tables" => "table elements",
        _ => "breaks the contract",
    }
}

/// Declares all fixtures of a kind, under their own names.
fn declared(kind: &str, names: &[&str]) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile").join(kind);
    let one = |name: &&str| {
        let file = dir.join(format!("{name}.wasm"));
        format!("[plugins.{name}]\nsource = {file:?}\nlimits = {{ cpu_ms = 50 }}\n")
    };
    names.iter().map(one).collect()
}

fn configure(env: &Env, text: &str) {
    std::fs::write(env.home().join("config.toml"), text).unwrap();
}

fn append(env: &Env, name: &str, text: &str) {
    let path = env.project().join(name);
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Starts a process that writes what is appended to a file of its name.
fn follow(env: &Env, mcp: &mut Mcp, name: &str, more: Value) {
    append(env, name, "");
    let mut request = json!({"name": name, "command": "tail", "args": ["-n", "+1", "-f", name]});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    mcp.done("start_process", request);
}

/// The plugins as `plugin list` tells of them.
fn listed(env: &Env) -> impl Fn(&str) -> Value {
    let list = env.cli(&["plugin", "list", "--json"]).ok().json();
    move |name| {
        let plugins = list["plugins"].as_array().unwrap();
        plugins.iter().find(|plugin| plugin["name"] == name).unwrap().clone()
    }
}

/// Each was called until it had failed too often, and is left alone with the reason.
fn assert_quarantined(env: &Env, names: &[&str]) {
    let plugin = listed(env);
    for name in names {
        let shown = plugin(name);
        assert!(shown[counter(name)].as_u64().unwrap() >= 3, "{shown}");
        assert_eq!(shown["status"], "quarantined", "{shown}");
        let reason = shown["reason"].as_str().unwrap();
        let (when, why) = reason.split_once(": ").unwrap();
        let is_told = when.starts_with("left alone for ") || when == "its next call decides";
        assert!(is_told && why.contains(cause(name)), "{name}: {reason}");
        assert!(shown["memory_peak_bytes"].as_u64().unwrap() >= PAGE, "{shown}");
    }
}

fn assert_well(env: &Env, name: &str) {
    let shown = listed(env)(name);
    let faults = ["traps", "timeouts", "invalid_answers"].map(|counter| shown[counter].as_u64().unwrap());
    assert_eq!((&shown["status"], faults), (&json!("active"), [0, 0, 0]), "{shown}");
    // What it cost is told, each item and at most.
    let number = |key: &str| shown[key].as_u64().unwrap_or(0);
    assert!(number("items") > 0 && number("ns_per_item") > 0, "{shown}");
    let memory = number("memory_peak_bytes");
    assert!((PAGE..64 << 20).contains(&memory) && memory.is_multiple_of(PAGE), "{shown}");
}

#[test]
fn hostile_parsers_cost_no_line_and_no_other_parsers_verdict() {
    let env = Env::new();
    configure(&env, &declared("parsers", &PARSERS));
    let mut mcp = env.mcp(Era::Legacy);
    let chain: Vec<&str> = PARSERS.into_iter().chain(["json"]).collect();
    follow(&env, &mut mcp, "victim", json!({"log": {"parsers": chain}}));
    follow(&env, &mut mcp, "other", json!({"log": {"parsers": ["json"]}}));
    let pids = ["victim", "other"].map(|name| mcp.view(name)["pid"].clone());
    // `whim` fails each second time it is asked, the others each time.
    const ROUNDS: usize = 8;
    for n in 1..=ROUNDS {
        for name in ["other", "victim"] {
            append(&env, name, &format!("{{\"level\":\"error\",\"msg\":\"no {n}\",\"n\":{n}}}\n"));
            let lines = wait_for("the lines are parsed", || {
                let request =
                    json!({"process": name, "format": "records", "order": "asc", "min_level": "error"});
                let lines = mcp.done("get_logs", request)["lines"].as_array().unwrap().clone();
                (lines.len() == n).then_some(lines)
            });
            let (last, expected) = (&lines[n - 1], format!("no {n}"));
            assert_eq!((&last["message"], &last["fields"]["n"]), (&json!(expected), &json!(n.to_string())));
        }
    }
    assert_eq!(["victim", "other"].map(|name| mcp.view(name)["pid"].clone()), pids);
    assert_eq!(mcp.all_lines("victim").len(), ROUNDS);
    assert_quarantined(&env, &PARSERS);
    assert_well(&env, "json");
}

#[test]
fn hostile_checks_cost_no_process_and_no_other_checks_verdict() {
    let env = Env::new();
    configure(&env, &declared("checks", &CHECKS));
    let mut mcp = env.mcp(Era::Legacy);
    let check = |name: &&str| json!({"plugin": name, "interval_ms": 100, "timeout_ms": 200, "failure_threshold": 1, "on_unhealthy": "restart"});
    let all: Vec<Value> = CHECKS.iter().chain(&["process"]).map(check).collect();
    follow(&env, &mut mcp, "victim", json!({"health": all}));
    follow(&env, &mut mcp, "other", json!({"health": [check(&"process")]}));
    let pids = ["victim", "other"].map(|name| mcp.view(name)["pid"].clone());
    wait_until("all of them are in quarantine", || {
        let plugin = listed(&env);
        CHECKS.iter().all(|name| plugin(name)["status"] == "quarantined")
    });
    let report = mcp.done("check_process_health", json!({"process": "victim"}));
    for (name, found) in CHECKS.iter().zip(report["checks"].as_array().unwrap()) {
        assert_eq!((&found["plugin"], &found["status"]), (&json!(name), &json!("unknown")), "{found}");
        assert!(found["message"].as_str().unwrap().contains("plugin"), "{found}");
    }
    assert_eq!(report["checks"][CHECKS.len()]["status"], "healthy", "{report}");
    let other = mcp.done("check_process_health", json!({"process": "other"}));
    assert_eq!((&other["status"], &other["health"]), (&json!("healthy"), &json!("healthy")), "{other}");
    for (name, pid) in ["victim", "other"].iter().zip(&pids) {
        let view = mcp.view(name);
        assert_eq!((&view["pid"], &view["restarts"]), (pid, &json!(0)), "{view}");
    }
    assert_quarantined(&env, &CHECKS);
    assert_well(&env, "process");
}

#[test]
fn hostile_categorizers_cost_no_error_and_no_other_categorizers_verdict() {
    let env = Env::new();
    let chain: Vec<&str> = CATEGORIZERS.into_iter().chain(["generic"]).collect();
    let chain = format!("[errors]\ncategorizers = {}\n", json!(chain));
    configure(&env, &(declared("categorizers", &CATEGORIZERS) + &chain));
    let mut mcp = env.mcp(Era::Legacy);
    follow(&env, &mut mcp, "app", json!({}));
    // Errors of different kinds, so that each is read anew.
    let kinds = ["KeyError", "ConnectionRefusedError", "PermissionError", "FileNotFoundError", "MemoryError"];
    for (n, kind) in kinds.iter().enumerate() {
        let name = char::from(b'a' + n as u8);
        let trace = format!(
            "Traceback (most recent call last):\n  File \"/app/{name}.py\", line 7, in {name}\n    x()\n{kind}: no\n"
        );
        append(&env, "app", &trace);
        let groups = wait_for("the error is known", || {
            let groups =
                mcp.done("get_errors", json!({"process": "app"}))["errors"].as_array().unwrap().clone();
            (groups.len() == n + 1).then_some(groups)
        });
        let group = groups.iter().find(|group| group["title"].as_str().unwrap().contains(kind)).unwrap();
        assert!(group["culprit"].as_str().unwrap().starts_with(&name.to_string()), "{group}");
        assert_eq!(group["count"], 1, "{group}");
    }
    assert_eq!(mcp.all_lines("app").len(), 4 * kinds.len());
    assert_quarantined(&env, &CATEGORIZERS);
    assert_well(&env, "generic");
}
