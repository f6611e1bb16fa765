//! What the tools say of themselves, and what it costs to hear it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail where it stands, and show figures"
)]

use e2e::{Env, Era, Mcp, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(
    every_tool_is_described_in_full_and_in_few_words,
    both_forms_of_an_answer_carry_the_same,
    an_answer_has_its_limits,
    what_was_cut_leads_to_its_resource,
    only_the_command_line_ends_the_daemon,
    what_no_method_is_is_said_with_those_that_there_are,
    members_of_a_group_are_named,
);

/// What a client pays for the list of tools.
const LIST_TOKENS: usize = 9_000;
/// What an answer costs that nobody asked to be longer.
const ANSWER_TOKENS: usize = 2_500;
const INSTRUCTIONS_CHARS: usize = 2_048;
/// Tools begin with one of these words when they change something.
const CHANGES: [&str; 11] = [
    "start_", "stop_", "restart_", "kill_", "check_", "clear_", "mark_", "create_", "add_", "apply_", "send_",
];

/// An estimate on the safe side: four bytes a token. The vocabularies of current models (cl100k, o200k) need one for
/// 4.2 to 4.3 bytes of these lists.
fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

fn tools(mcp: &mut Mcp) -> Vec<Value> {
    mcp.request("tools/list", json!({}))["result"]["tools"].as_array().unwrap().clone()
}

fn every_tool_is_described_in_full_and_in_few_words(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let tools = tools(&mut mcp);
    let names: Vec<&str> = tools.iter().map(|t| t["name"].as_str().unwrap()).collect();
    for name in [
        "start_process",
        "stop_process",
        "restart_process",
        "kill_process",
        "list_processes",
        "get_process_info",
        "get_process_stats",
        "get_system_stats",
        "check_process_health",
        "get_logs",
        "tail_logs",
        "search_logs",
        "clear_logs",
        "get_errors",
        "get_latest_errors",
        "mark_error_resolved",
        "create_group",
        "add_to_group",
        "start_group",
        "stop_group",
    ] {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
    let mut said = Vec::new();
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name}: {hint} is not said");
        }
        let reads = !CHANGES.iter().any(|word| name.starts_with(word));
        assert_eq!(tool["annotations"]["readOnlyHint"], reads, "{name}");
        let description = tool["description"].as_str().unwrap();
        assert!((40..=450).contains(&description.len()), "{name}: {} {description}", description.len());
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{name}");
            assert_plain(&tool[schema], &format!("{name}.{schema}"));
        }
        assert_terse(&tool["inputSchema"], name, &mut said);
        println!("{:7} bytes  {name}", tool.to_string().len());
    }
    let whole = Value::from(tools.clone()).to_string();
    println!(
        "{era:?}: tools/list has {} tools, {} bytes, {} tokens",
        tools.len(),
        whole.len(),
        tokens(&whole)
    );
    assert!(tokens(&whole) <= LIST_TOKENS, "tools/list has grown to {} tokens", tokens(&whole));
    assert_eq!(self::tools(&mut env.mcp(era)), tools, "the list differs between connections");
}

/// Arguments are explained in one line, and nothing is explained twice.
fn assert_terse(schema: &Value, path: &str, said: &mut Vec<(String, String)>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if let Some(text) = field["description"].as_str() {
            assert!(text.len() <= 150, "{path}: {} characters: {text}", text.len());
            let key = (name.clone(), text.to_owned());
            assert!(!said.contains(&key), "{path} is explained once more: {text}");
            said.push(key);
        }
        assert_terse(field, &path, said);
        assert_terse(&field["items"], &path, said);
    }
}

/// No references, no nulls, no unions: some clients understand none of them.
fn assert_plain(schema: &Value, path: &str) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                assert!(
                    !["$ref", "$defs", "anyOf", "oneOf", "allOf"].contains(&key.as_str()),
                    "{path}.{key}"
                );
                if key == "type" && value.is_array() {
                    panic!("{path} has several types: {value}");
                }
                assert_plain(value, &format!("{path}.{key}"));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_plain(item, path)),
        Value::Null => panic!("{path} is null"),
        Value::String(text) => assert_ne!(text, "null", "{path}"),
        Value::Bool(_) | Value::Number(_) => {}
    }
}

fn both_forms_of_an_answer_carry_the_same(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["lines", "3"]);
    for (tool, arguments) in [
        ("list_processes", json!({})),
        ("get_process_info", json!({"process": "web"})),
        ("get_logs", json!({"process": "web", "format": "records"})),
    ] {
        let answer = mcp.call(tool, arguments);
        let text: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(text, answer.structured, "{tool}");
    }
    let logs = mcp.call("get_logs", json!({"process": "web"}));
    assert!(logs.text.starts_with(logs.structured["text"].as_str().unwrap()), "{}", logs.text);
    assert!(logs.text.contains("lines: 6"), "{}", logs.text);
}

fn an_answer_has_its_limits(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("noisy", &env.fault(), &["lines", "3000"]);
    mcp.done(
        "start_process",
        json!({"name": "long", "command": env.fault(), "args": ["long", "300000"], "wait_for": "exited"}),
    );
    let names: Vec<String> = (0..60).map(|n| format!("worker-{n:02}")).collect();
    mcp.start_all(&names, &env.fault(), &["run"]);
    let line = |n: usize| {
        format!(
            "{{\"time\":\"2026-01-02T03:04:05Z\",\"level\":\"info\",\"msg\":\"served {n}\",\"user\":\"ann\",\"ms\":{n}}}\n"
        )
    };
    env.write("timed.log", (0..300).map(line).collect::<String>());
    mcp.done(
        "start_process",
        json!({"name": "timed", "command": "cat", "args": ["timed.log"], "wait_for": "exited"}),
    );
    e2e::wait_until("its lines have fields and times", || {
        let page = mcp.done(
            "get_logs",
            json!({"process": "timed", "min_level": "info", "limit": 1, "format": "records"}),
        );
        page["lines"][0]["event_time"].is_string() && page["lines"][0]["seq"] == 300
    });
    mcp.start("trace", &env.fault(), &["trace"]);
    let checks = json!([{"plugin": "process", "config": {"memory_mib": {"unhealthy": 1024}}}]);
    mcp.done("restart_process", json!({"process": "trace", "health": checks}));
    e2e::wait_until("its traces are errors", || {
        mcp.done("get_errors", json!({}))["errors"].as_array().is_some_and(|errors| !errors.is_empty())
    });
    let members: Vec<Value> = names.iter().map(|name| json!({"process": name})).collect();
    mcp.done("create_group", json!({"name": "all", "members": members}));
    let declared = names
        .iter()
        .map(|name| format!("[processes.{name}]\ncommand = {:?}\n", format!("{} run", env.fault())));
    env.write("hostler.toml", declared.collect::<String>());
    let _ = env.cli(&["trust"]).ok();
    for (tool, arguments) in [
        ("list_processes", json!({})),
        ("list_processes", json!({"detail": "full"})),
        ("get_process_info", json!({"process": "noisy"})),
        ("get_logs", json!({"process": "noisy"})),
        ("get_logs", json!({"process": "noisy", "format": "records"})),
        ("get_logs", json!({"process": "timed", "format": "records"})),
        ("get_logs", json!({"process": "timed", "format": "records", "raw": true})),
        ("search_logs", json!({"query": "served"})),
        ("get_logs", json!({"process": "long"})),
        ("get_logs", json!({"group": "all"})),
        ("tail_logs", json!({"process": "noisy"})),
        ("search_logs", json!({"query": "out"})),
        ("search_logs", json!({"query": "out", "summarize": true})),
        ("get_errors", json!({})),
        ("get_errors", json!({"error_id": "e1"})),
        ("get_latest_errors", json!({})),
        ("check_process_health", json!({"process": "trace", "history": 5})),
        ("get_process_info", json!({"process": "trace"})),
        ("get_process_stats", json!({"process": "noisy"})),
        ("get_system_stats", json!({})),
        ("start_group", json!({"group": "all"})),
        ("analyze_project", json!({})),
        ("apply_config", json!({"dry_run": true})),
        ("apply_config", json!({})),
        ("apply_config", json!({})),
        (
            "start_process",
            json!({"name": "bad", "command": env.fault(), "args": ["exit", "3", "x".repeat(9_000)]}),
        ),
    ] {
        let answer = mcp.call(tool, arguments.clone());
        let (text, structured) = (tokens(&answer.text), tokens(&answer.structured.to_string()));
        let call: String = format!("{tool} {arguments}").chars().take(80).collect();
        println!("{era:?}: {text:5} tokens of text, {structured:5} structured: {call}");
        assert!(text.max(structured) <= ANSWER_TOKENS, "{call}: {text} and {structured} tokens");
    }
}

fn what_was_cut_leads_to_its_resource(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("noisy", &env.fault(), &["lines", "300"]);
    mcp.await_status("noisy", "exited");
    let links = |mcp: &mut Mcp, tool: &str, arguments: Value| -> Vec<Value> {
        let answer = mcp.request("tools/call", json!({"name": tool, "arguments": arguments}));
        let content = answer["result"]["content"].as_array().unwrap().clone();
        assert_eq!(content[0]["type"], "text", "the text comes first");
        content.into_iter().filter(|c| c["type"] == "resource_link").collect()
    };
    let found = links(&mut mcp, "get_logs", json!({"process": "noisy"}));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["uri"], &found[0]["mimeType"]),
        (&json!("logs://noisy"), &json!("application/json"))
    );
    let read = mcp.request("resources/read", json!({"uri": found[0]["uri"]}));
    assert_eq!(read["result"]["contents"][0]["uri"], "logs://noisy", "{read}");
    assert!(links(&mut mcp, "tail_logs", json!({"process": "noisy", "lines": 5})).len() == 1);
    // What is whole needs none.
    assert_eq!(
        links(
            &mut mcp,
            "get_logs",
            json!({"process": "noisy", "since": "1s", "stream": "stderr", "limit": 1000})
        )
        .len(),
        0
    );
    assert_eq!(links(&mut mcp, "list_processes", json!({})).len(), 0);
}

/// A client whose revision of the protocol knows no links gets none.
#[test]
fn a_client_of_an_old_revision_gets_no_links() {
    let env = Env::new();
    env.mcp(Era::Modern).start("noisy", &env.fault(), &["lines", "300"]);
    let mut mcp = env.mcp_silent(Era::Legacy);
    let info = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}});
    let agreed = mcp.request("initialize", info)["result"]["protocolVersion"].clone();
    assert_eq!(agreed, "2025-03-26");
    mcp.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    e2e::wait_until("its lines are there", || {
        mcp.done("get_logs", json!({"process": "noisy"}))["truncated"] == true
    });
    let answer = mcp.request("tools/call", json!({"name": "get_logs", "arguments": {"process": "noisy"}}));
    let content = answer["result"]["content"].as_array().unwrap();
    assert!(content.iter().all(|c| c["type"] == "text"), "{answer}");
}

fn only_the_command_line_ends_the_daemon(era: Era) {
    let env = Env::new();
    let pid = env.mcp(era).start("web", &env.fault(), &["run"])["pid"].clone();
    let daemon = env.daemon();
    for args in [&["--read-only"][..], &["--tools", "logs"], &[]] {
        let mut command = env.hostler();
        command.arg("mcp").args(args);
        let mut mcp = Mcp::spawn(command, era);
        mcp.handshake();
        for (method, params, instead) in [
            ("hostler/daemon/stop", json!({}), "hostler daemon stop"),
            ("hostler/attach", json!({"process": "web"}), "hostler attach"),
            ("hostler/resize", json!({"process": "web", "rows": 10, "columns": 10}), "hostler attach"),
        ] {
            let error = mcp.request(method, params)["error"].clone();
            assert_eq!(error["code"], -32601, "{args:?} {method}: {error}");
            assert!(error["message"].as_str().unwrap().contains(instead), "{error}");
        }
        // What only reads is open to all.
        assert_eq!(mcp.request("hostler/daemon/status", json!({}))["result"]["pid"].as_i64(), daemon);
    }
    // Nor does a second preamble make a command line of a client.
    let mut mcp = env.mcp(era);
    mcp.send(&json!({"hostler": 1, "cwd": env.project(), "client": "cli"}));
    let error = mcp.request("hostler/daemon/stop", json!({}))["error"].clone();
    assert_eq!(error["code"], -32601, "{error}");
    assert_eq!((env.daemon(), &mcp.view("web")["pid"]), (daemon, &pid));
}

fn what_no_method_is_is_said_with_those_that_there_are(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let other = match era {
        Era::Legacy => "subscriptions/listen",
        Era::Modern => "resources/subscribe",
    };
    let of_era = match era {
        Era::Legacy => "resources/subscribe",
        Era::Modern => "subscriptions/listen",
    };
    for (method, params, wanted) in [
        ("tools/lists", json!({}), "did you mean `tools/list`"),
        ("logging/setLevel", json!({"level": "info"}), "no method `logging/setLevel`"),
        ("tasks/get", json!({"taskId": "1"}), "no method `tasks/get`"),
        (other, json!({"uri": "logs://web", "notifications": {}}), "the other era"),
    ] {
        let error = mcp.request(method, params)["error"].clone();
        assert_eq!(error["code"], -32601, "{method}: {error}");
        let message = error["message"].as_str().unwrap();
        for part in [wanted, "tools/call", "prompts/get", of_era] {
            assert!(message.contains(part), "{method}: {part} is missing: {message}");
        }
    }
    let error = mcp.request("resources/read", json!({"url": "logs://web"}))["error"].clone();
    assert_eq!(error["code"], -32602, "{error}");
    assert!(error["message"].as_str().unwrap().contains("uri"), "{error}");
    for method in ["tools/list", "prompts/list", "resources/templates/list"] {
        let error = mcp.request(method, json!({"cursor": "o5"}))["error"].clone();
        assert_eq!(error["code"], -32602, "{method}: {error}");
        assert!(error["message"].as_str().unwrap().contains("`o5`"), "{error}");
    }
}

fn members_of_a_group_are_named(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    for members in [json!(["web"]), json!("web"), json!([{"process": "web"}])] {
        let group = mcp.done("create_group", json!({"name": "all", "members": members}));
        assert_eq!(group["group"]["members"][0]["process"], "web", "{group}");
    }
    let refused = mcp.refused("create_group", json!({"name": "all", "members": ["wbe"]}));
    assert!(refused.contains("`wbe`") || refused.contains("did you mean `web`"), "{refused}");
}

#[test]
fn the_instructions_are_short() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let discovered = mcp.request("server/discover", json!({}))["result"].clone();
    let instructions = discovered["instructions"].as_str().unwrap();
    println!("instructions: {} bytes, {} tokens", instructions.len(), tokens(instructions));
    assert!(instructions.chars().count() <= INSTRUCTIONS_CHARS, "{}", instructions.len());
    // Reviewed when they change, like the descriptions.
    insta::assert_snapshot!("instructions", instructions);
}

/// Each is reviewed when it changes: `just snapshots` writes them anew.
#[test]
fn the_descriptions_are_those_that_were_reviewed() {
    let env = Env::new();
    for tool in tools(&mut env.mcp(Era::Modern)) {
        let name = format!("tool_{}", tool["name"].as_str().unwrap());
        insta::assert_snapshot!(name, serde_json::to_string_pretty(&tool).unwrap());
    }
    for method in ["resources/list", "resources/templates/list", "prompts/list"] {
        let result = env.mcp(Era::Modern).request(method, json!({}))["result"].clone();
        insta::assert_snapshot!(method.replace('/', "_"), serde_json::to_string_pretty(&result).unwrap());
    }
}

#[test]
fn the_documentation_is_that_of_these_tools() {
    let env = Env::new();
    let made = env.cli(&["reference"]).ok().stdout;
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tools.md")).unwrap();
    assert!(made == kept, "docs/tools.md is not up to date: run `just reference`");
}

#[test]
fn a_client_may_have_some_of_the_tools() {
    let env = Env::new();
    let names = |args: &[&str]| -> Vec<String> {
        let mut command = env.hostler();
        command.arg("mcp").args(args);
        let mut mcp = Mcp::spawn(command, Era::Modern);
        tools(&mut mcp).iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = names(&[]);
    let logs = names(&["--tools", "logs"]);
    assert!(logs.contains(&"get_logs".to_owned()) && !logs.contains(&"start_process".to_owned()), "{logs:?}");
    let some = names(&["--tools", "logs,list_processes"]);
    assert_eq!(some.len(), logs.len() + 1, "{some:?}");
    assert!(all.iter().filter(|name| some.contains(name)).eq(&some), "their order is that of all");
    let reading = names(&["--read-only"]);
    assert!(reading.iter().all(|name| !CHANGES.iter().any(|word| name.starts_with(word))), "{reading:?}");

    let mut command = env.hostler();
    command.args(["mcp", "--read-only"]);
    let mut mcp = Mcp::spawn(command, Era::Modern);
    let text = mcp.refused("start_process", json!({"name": "web", "command": env.fault(), "args": ["run"]}));
    assert!(text.contains("start_process") && text.contains("--read-only"), "{text}");
    assert_eq!(mcp.done("list_processes", json!({}))["processes"], json!([]));

    let refused = env.cli(&["mcp", "--tools", "log"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("`log`") && refused.stderr.contains("`logs`"), "{}", refused.stderr);
}
