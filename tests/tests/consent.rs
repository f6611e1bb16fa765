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
fn call(mcp: &mut Mcp, era: Era, arguments: &Value, answer: &Value) -> Value {
    let params = json!({"name": "clear_logs", "arguments": arguments});
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

    let refused = call(&mut mcp, era, &json!({"all": true}), &json!({"action": "decline"}));
    assert_eq!(refused["isError"], true, "{refused}");
    assert_eq!(other.done("get_logs", json!({"process": "web"}))["count"], 6, "nothing was removed");
    let yes = json!({"action": "accept", "content": {"confirm": true}});
    let cleared = call(&mut mcp, era, &json!({"all": true}), &yes);
    assert_eq!(cleared["structuredContent"]["removed_lines"], 6, "{cleared}");

    // Who says yes beforehand, or cannot ask, is not held up.
    let (id, message) =
        composed(&mut mcp, era, &json!({"name": "clear_logs", "arguments": {"all": true, "confirm": true}}));
    mcp.send(&message);
    assert_eq!(mcp.answer(id)["result"]["isError"], false);
    other.done("clear_logs", json!({"all": true}));
}

e2e::in_both_eras!(a_person_decides);
