//! A person is asked before what cannot be taken back, where the client can ask.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{DEADLINE, Env, Era, Mcp};
use serde_json::{Value, json};

/// A client that can ask a person.
fn asking(env: &Env, era: Era) -> Mcp {
    let mut mcp = env.mcp_silent(era);
    if era == Era::Legacy {
        let info = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "e2e", "version": "1"}});
        assert!(mcp.request("initialize", info)["result"].is_object());
        mcp.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }
    mcp
}

/// Calls a tool, answers the question with this, and gives the result.
fn call(mcp: &mut Mcp, era: Era, tool: &str, arguments: &Value, answer: &Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let (id, message) = composed(mcp, era, &params);
    mcp.send(&message);
    if era == Era::Legacy {
        let question = mcp.next_message(DEADLINE).unwrap();
        assert_eq!(question["method"], "elicitation/create", "{question}");
        mcp.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}));
        return mcp.answer(id)["result"].clone();
    }
    let asked = mcp.answer(id)["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(asked["inputRequests"]["confirm"]["method"], "elicitation/create", "{asked}");
    let mut again = params;
    again["inputResponses"] = json!({"confirm": answer});
    let (id, message) = composed(mcp, era, &again);
    mcp.send(&message);
    mcp.answer(id)["result"].clone()
}

fn composed(mcp: &mut Mcp, era: Era, params: &Value) -> (u64, Value) {
    let (id, mut message) = mcp.compose("tools/call", params.clone());
    if era == Era::Modern {
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
            json!({"elicitation": {"form": {}}});
    }
    (id, message)
}

fn a_person_decides(era: Era) {
    let env = Env::new();
    let mut mcp = asking(&env, era);
    let mut other = env.mcp(era);
    other.start("web", &env.fault(), &["lines", "3"]);
    other.await_status("web", "exited");

    let all = json!({"all": true});
    let refused = call(&mut mcp, era, "clear_logs", &all, &json!({"action": "decline"}));
    assert_eq!(refused["isError"], true, "{refused}");
    assert_eq!(other.done("get_logs", json!({"process": "web"}))["count"], 6, "nothing was removed");
    let yes = json!({"action": "accept", "content": {"confirm": true}});
    let cleared = call(&mut mcp, era, "clear_logs", &all, &yes);
    assert_eq!(cleared["structuredContent"]["removed_lines"], 6, "{cleared}");

    // Who says yes beforehand, or cannot ask, is not held up.
    let (id, message) =
        composed(&mut mcp, era, &json!({"name": "clear_logs", "arguments": {"all": true, "confirm": true}}));
    mcp.send(&message);
    assert_eq!(mcp.answer(id)["result"]["isError"], false);
    other.done("clear_logs", json!({"all": true}));
}

fn a_person_decides_about_a_whole_group(era: Era) {
    let env = Env::new();
    let mut other = env.mcp(era);
    for name in ["web", "api"] {
        other.start(name, &env.fault(), &["stubborn"]);
    }
    let members = json!([{"process": "web"}, {"process": "api", "depends_on": ["web"]}]);
    other.done("create_group", json!({"name": "stack", "members": members}));
    let mut mcp = asking(&env, era);
    let group = json!({"group": "stack"});
    let refused = call(&mut mcp, era, "kill_process", &group, &json!({"action": "cancel"}));
    assert_eq!(refused["isError"], true, "{refused}");
    assert_eq!(other.view("web")["status"], "running");

    let yes = json!({"action": "accept", "content": {"confirm": true}});
    let killed = call(&mut mcp, era, "kill_process", &group, &yes)["structuredContent"].clone();
    assert_eq!(killed["done"], true, "{killed}");
    let statuses: Vec<&Value> = killed["members"].as_array().unwrap().iter().map(|m| &m["status"]).collect();
    assert_eq!(statuses, ["stopped", "stopped"], "{killed}");
    for name in ["web", "api"] {
        assert_eq!(other.view(name)["exit"]["signal"], "SIGKILL");
    }

    // A client that cannot ask is not held up; and what nobody gets is said.
    let started = other.done("start_group", group.clone());
    assert_eq!(started["done"], true, "{started}");
    other.done("kill_process", json!({"group": "stack", "signal": "CONT"}));
    let killed = env.cli(&["kill", "--group", "stack", "--json"]).ok().json();
    assert_eq!(killed["members"][1]["status"], "stopped", "{killed}");
    let refused = other.refused("kill_process", json!({"group": "stack", "signal": "HUP"}));
    assert!(refused.contains("start_group"), "{refused}");
    let refused = other.refused("kill_process", json!({}));
    assert!(refused.contains("`process`") && refused.contains("`group`"), "{refused}");
}

/// However a call spells it: what it will do is what is asked about.
fn no_spelling_passes_by_the_question(era: Era) {
    let env = Env::new();
    let mut other = env.mcp(era);
    other.start("web", &env.fault(), &["lines", "3"]);
    other.await_status("web", "exited");
    other.start("api", &env.fault(), &["run"]);
    other.done("create_group", json!({"name": "7", "members": ["api"]}));
    let mut mcp = asking(&env, era);
    let no = json!({"action": "decline"});
    for arguments in [json!({"all": "true"}), json!({"all": "TRUE", "confirm": "false"})] {
        assert_eq!(call(&mut mcp, era, "clear_logs", &arguments, &no)["isError"], true, "{arguments}");
    }
    assert_eq!(call(&mut mcp, era, "kill_process", &json!({"group": 7}), &no)["isError"], true);
    assert_eq!(other.done("get_logs", json!({"process": "web"}))["count"], 6, "nothing was removed");
    let pid = other.view("api")["pid"].clone();
    // What ends nothing, or was confirmed, is not asked about.
    for (tool, arguments) in [
        ("kill_process", json!({"group": "7", "signal": "CONT"})),
        ("clear_logs", json!({"all": true, "dry_run": "true"})),
        ("clear_logs", json!({"all": "true", "confirm": "true"})),
    ] {
        let (id, message) = composed(&mut mcp, era, &json!({"name": tool, "arguments": arguments}));
        mcp.send(&message);
        let answer = mcp.answer(id);
        assert_eq!(answer["result"]["isError"], false, "{tool} {arguments}: {answer}");
    }
    assert_eq!(other.view("api")["pid"], pid);
    assert_eq!(other.done("get_logs", json!({"process": "web"}))["count"], 0);
}

e2e::in_both_eras!(
    a_person_decides,
    a_person_decides_about_a_whole_group,
    no_spelling_passes_by_the_question
);
