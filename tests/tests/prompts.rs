//! Prompts: what is known now, and the calls to go on with.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, Mcp, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(
    a_failure_is_shown_with_its_evidence,
    what_is_proposed_fits,
    checks_and_plugins_are_part_of_the_evidence,
    a_wrong_name_is_refused_clearly,
    prompts_stay_within_their_budget,
);

/// Ten thousand characters.
const BUDGET: usize = 10_000;

fn prompt(mcp: &mut Mcp, name: &str, arguments: Value) -> String {
    let answer = mcp.request("prompts/get", json!({"name": name, "arguments": arguments}));
    let text = answer["result"]["messages"][0]["content"]["text"].as_str();
    text.unwrap_or_else(|| panic!("{name}: {answer}")).to_owned()
}

/// The calls that a prompt ends with.
fn calls(text: &str) -> Vec<(String, Value)> {
    let (_, steps) = text.rsplit_once("## What to do next").unwrap();
    let call = |line: &str| {
        let (tool, arguments) = line.split_once('`')?.1.trim_end_matches('`').split_once(' ')?;
        // What is in front of the call may quote a name.
        let (tool, arguments) = match arguments.rsplit_once(": `") {
            Some((_, call)) => call.split_once(' ')?,
            None => (tool, arguments),
        };
        Some((tool.to_owned(), serde_json::from_str(arguments).ok()?))
    };
    steps.lines().filter_map(call).collect()
}

fn a_failure_is_shown_with_its_evidence(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let arguments = json!({"name": "web", "command": env.fault(), "args": ["exit", "7", "error: DATABASE_URL is not set"]});
    mcp.call("start_process", arguments);
    let text = prompt(&mut mcp, "debug_process", json!({"process": "web"}));
    for wanted in ["`web`", "\"code\":7", "DATABASE_URL is not set"] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
    let calls = calls(&text);
    assert_eq!(calls[0].0, "get_logs", "{calls:?}");
    let page = mcp.done("get_logs", calls[0].1.clone());
    assert!(page["text"].as_str().unwrap().contains("DATABASE_URL"), "{page}");
}

fn what_is_proposed_fits(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let started =
        json!({"name": "web", "command": env.fault(), "args": ["listen", "0"], "wait_for_log": "."});
    mcp.done("start_process", started);
    e2e::wait_until("it listens", || {
        mcp.done("list_processes", json!({"detail": "full"}))["processes"][0]["ports"][0].is_u64()
    });
    let text = prompt(&mut mcp, "setup_monitoring", json!({"process": "web"}));
    let (tool, arguments) = calls(&text).remove(0);
    assert_eq!(tool, "restart_process", "{text}");
    assert_eq!(arguments["health"][0]["plugin"], "tcp", "{arguments}");
    assert!(!text.contains("not valid here"), "{text}");
    let port = mcp.done("list_processes", json!({"detail": "full"}))["processes"][0]["ports"][0].clone();
    assert_eq!(arguments["health"][0]["config"]["address"], format!("127.0.0.1:{port}"), "{arguments}");
    // It is accepted as it stands.
    mcp.done("restart_process", arguments);
    assert_eq!(mcp.done("check_process_health", json!({"process": "web"}))["checks"][0]["plugin"], "tcp");
}

fn checks_and_plugins_are_part_of_the_evidence(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let nobody = json!({"address": "127.0.0.1:1"});
    let health = json!([{"plugin": "tcp", "config": nobody, "interval_ms": 100, "start_period_ms": 0, "failure_threshold": 1}]);
    let log = json!({"parsers": ["json"]});
    mcp.done(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["count", "50"], "health": health, "log": log}),
    );
    e2e::wait_until("its check has failed", || mcp.view("web")["health"] == "unhealthy");
    let text = prompt(&mut mcp, "debug_process", json!({"process": "web"}));
    for wanted in ["## check_process_health", "\"history\":[{", "## plugins", "tcp (health-check): active"] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
    let text = prompt(&mut mcp, "setup_monitoring", json!({"process": "web"}));
    for wanted in ["json (log-parser): active", "redis (health-check): idle"] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
}

fn a_wrong_name_is_refused_clearly(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    for (name, arguments, wanted) in [
        ("debug_proces", json!({}), "did you mean `debug_process`"),
        ("debug_process", json!({}), "`process` is missing"),
        ("debug_process", json!({"process": "wbe"}), "did you mean `web`"),
        ("troubleshoot_group", json!({"group": "nowhere"}), "group"),
    ] {
        let error =
            mcp.request("prompts/get", json!({"name": name, "arguments": arguments}))["error"].clone();
        assert_eq!(error["code"], -32602, "{name}: {error}");
        assert!(error["message"].as_str().unwrap().contains(wanted), "{name}: {error}");
    }
    let reference = json!({"type": "ref/prompt", "name": "debug_process"});
    let completed = mcp.request(
        "completion/complete",
        json!({"ref": reference, "argument": {"name": "process", "value": "w"}}),
    );
    assert_eq!(completed["result"]["completion"]["values"], json!(["web"]), "{completed}");
}

fn prompts_stay_within_their_budget(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let long = "x".repeat(5_000);
    let arguments =
        json!({"name": "web", "command": env.fault(), "args": ["exit", "1", &long, &long, &long]});
    mcp.call("start_process", arguments);
    let names: Vec<String> = (0..30).map(|n| format!("worker-{n:02}")).collect();
    mcp.start_all(&names, &env.fault(), &["run"]);
    for (name, arguments) in [
        ("debug_process", json!({"process": "web"})),
        ("optimize_performance", json!({"process": "web"})),
        ("optimize_performance", json!({})),
        ("setup_monitoring", json!({"process": "web"})),
    ] {
        let text = prompt(&mut mcp, name, arguments.clone());
        assert!(text.chars().count() <= BUDGET, "{name} {arguments}: {} characters", text.chars().count());
        assert!(!calls(&text).is_empty(), "{name}: {text}");
    }
}
