//! What is secret comes back in no answer: not from a tool, a resource or a prompt, and not from a failure.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, Mcp, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(secrets_stay_where_they_are, a_placeholder_is_no_secret);

const SECRET: &str = "hunter2hunter2XYZ";

/// A process that has secrets wherever there can be some, and writes one.
fn careless() -> Value {
    let check = json!({
        "plugin": "http",
        "config": {"url": "http://127.0.0.1:1/", "headers": {"X-Own": SECRET, "Authorization": format!("Bearer {SECRET}")}},
    });
    let program = format!("import sys; sys.exit('error: login failed, password={SECRET}')");
    let (token, url) = (format!("--token={SECRET}"), format!("postgres://app:{SECRET}@db/shop"));
    json!({
        "name": "web", "command": "python3", "args": ["-c", program, "--password", SECRET, token, url],
        "health": [check], "env": {"PASSWORD": SECRET},
    })
}

fn assert_kept(what: &str, text: &str) {
    let place = text.find(SECRET).map(|at| &text[at.saturating_sub(80)..(at + 40).min(text.len())]);
    assert_eq!(place, None, "{what}");
}

fn call(mcp: &mut Mcp, tool: &str, arguments: Value) {
    let answer = mcp.call(tool, arguments);
    assert_kept(tool, &answer.text);
    assert_kept(tool, &answer.structured.to_string());
}

fn secrets_stay_where_they_are(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    call(&mut mcp, "start_process", careless());
    let mut wrong = careless();
    wrong["command"] = json!(format!("no-such-program --token {SECRET}"));
    call(&mut mcp, "start_process", wrong);
    mcp.done("create_group", json!({"name": "all", "members": [{"process": "web"}]}));
    let web = json!({"process": "web"});
    for (tool, arguments) in [
        ("list_processes", json!({"detail": "full"})),
        ("get_process_info", web.clone()),
        ("get_logs", web.clone()),
        ("get_logs", json!({"process": "web", "format": "records"})),
        ("tail_logs", web.clone()),
        ("search_logs", json!({"query": "login", "context": 2})),
        ("search_logs", json!({"query": "login", "summarize": true})),
        ("get_errors", json!({})),
        ("get_latest_errors", json!({})),
        ("check_process_health", json!({"process": "web", "history": 5})),
        ("start_group", json!({"group": "all"})),
        ("restart_process", web.clone()),
    ] {
        call(&mut mcp, tool, arguments);
    }
    let logs = mcp.done("get_logs", web.clone());
    assert!(logs["text"].as_str().unwrap().contains("login failed, password=[redacted]"), "{logs}");
    for uri in [
        "processes://list",
        "processes://web",
        "logs://recent",
        "logs://web",
        "errors://latest",
        "groups://all",
    ] {
        let answer = mcp.request("resources/read", json!({"uri": uri}));
        assert!(answer["result"].is_object(), "{answer}");
        assert_kept(uri, &answer.to_string());
    }
    for (prompt, arguments) in
        [("debug_process", web.clone()), ("troubleshoot_group", json!({"group": "all"}))]
    {
        let answer = mcp.request("prompts/get", json!({"name": prompt, "arguments": arguments}));
        assert!(answer["result"].is_object(), "{answer}");
        assert_kept(prompt, &answer.to_string());
    }
    // The process itself has them.
    mcp.await_status("web", "exited");
    assert_eq!(env.cli(&["info", "web", "--json"]).ok().json()["process"]["exit"]["code"], 1);
}

fn a_placeholder_is_no_secret(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.call("start_process", careless());
    let args = mcp.view("web")["args"].clone();
    assert_eq!(args[3], "[redacted]", "{args}");
    for change in [json!({"args": args}), json!({"env": {"PASSWORD": "[redacted]"}})] {
        let mut request = change.clone();
        request["process"] = json!("web");
        let text = mcp.refused("restart_process", request);
        assert!(text.contains("stands for a secret") && text.contains("leave"), "{change}: {text}");
    }
}
