//! What clients get wrong, and what they send when they are not clients at all.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::{BufRead, Read, Write};
use std::time::Duration;

use e2e::{Env, Era, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(
    arguments_are_read_leniently_and_refused_clearly,
    odd_names_are_refused_with_a_better_one,
    an_unknown_tool_is_answered_with_those_there_are,
    a_huge_argument_is_answered_and_the_client_lives_on,
    a_message_that_is_too_long_is_answered_and_the_client_lives_on,
    garbage_is_answered_and_the_client_lives_on,
    a_notification_first_is_no_obstacle,
    many_calls_at_once_are_all_answered,
    two_clients_that_start_the_same_get_one_process,
);

fn arguments_are_read_leniently_and_refused_clearly(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["lines", "20"]);
    let page = mcp.done("get_logs", json!({"process": "web", "limit": "5"}));
    assert_eq!(page["count"], 5, "{page}");
    assert_eq!(mcp.done("get_logs", json!({"process": "web", "limit": 5.0}))["count"], 5);
    for (tool, arguments, wanted) in [
        ("get_logs", json!({"process": "web", "limit": "five"}), vec!["`limit`", "five", "number"]),
        ("get_logs", json!({"process": "web", "limt": 5}), vec!["`limt`", "`limit`"]),
        ("get_logs", json!({"process": "web", "cursor": "x"}), vec!["`cursor`", "x"]),
        ("get_logs", json!({"process": "web", "since": "soon"}), vec!["`since`", "soon", "10m"]),
        ("get_logs", json!({"process": "web", "order": "up"}), vec!["`order`", "asc", "desc"]),
        ("get_logs", json!({}), vec!["`process`"]),
        ("start_process", json!({"command": "x"}), vec!["`name`"]),
        ("start_process", json!({"name": "a", "command": ["x"]}), vec!["`command`"]),
        ("start_process", json!({"name": "a", "command": "x", "env": {"A=B": "c"}}), vec!["`env`"]),
        (
            "start_process",
            json!({"name": "a", "command": "x", "restart": {"polcy": "never"}}),
            vec!["`policy`"],
        ),
        ("stop_process", json!({"process": "wbe"}), vec!["wbe", "`web`"]),
        ("stop_process", json!({"process": "web", "project": "nowhere"}), vec!["nowhere", "shop"]),
        ("list_processes", json!({"status": "runing"}), vec!["`status`", "running"]),
        ("tail_logs", json!({"process": "web", "until_pattern": "("}), vec!["`until_pattern`"]),
    ] {
        let text = mcp.refused(tool, arguments.clone());
        for word in wanted {
            assert!(text.contains(word), "{tool} {arguments}: {word} is missing: {text}");
        }
    }
}

fn odd_names_are_refused_with_a_better_one(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let long = "x".repeat(65);
    for name in ["", " ", "../x", "a b", "-x", "ü", "a\nb", "a\u{0}b", "a/b", "$(id)", long.as_str()] {
        let text =
            mcp.refused("start_process", json!({"name": name, "command": env.fault(), "args": ["run"]}));
        assert!(text.contains("valid name"), "{name:?}: {text}");
    }
    for name in ["a", "web.2", "web:test", "A_b-c+d@e", "0"] {
        mcp.start(name, &env.fault(), &["run"]);
        assert_eq!(mcp.view(name)["name"], name);
    }
}

fn an_unknown_tool_is_answered_with_those_there_are(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let text = mcp.refused("start_proces", json!({}));
    assert!(text.contains("did you mean `start_process`") && text.contains("tail_logs"), "{text}");
    let error = mcp.request("tools/cal", json!({}))["error"].clone();
    assert_eq!(error["code"], -32601, "{error}");
    let malformed = mcp.request("tools/call", json!({"tool": "list_processes"}));
    assert!(malformed["error"]["message"].is_string(), "{malformed}");
    mcp.done("list_processes", json!({}));
}

fn a_huge_argument_is_answered_and_the_client_lives_on(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let huge = "x".repeat(10 << 20);
    for arguments in [
        json!({"name": huge, "command": "x"}),
        json!({"name": "a", "command": huge}),
        json!({"name": "a", "command": env.fault(), "args": ["arguments", huge]}),
        json!({"name": "a", "command": "x", huge.as_str(): 1}),
    ] {
        let answer = mcp.call("start_process", arguments);
        assert!(answer.is_error, "{:.300}", answer.text);
        assert!(answer.text.len() < 20_000, "the answer has {} bytes", answer.text.len());
        assert!(answer.structured.to_string().len() < 40_000, "so much comes back");
    }
    let list = mcp.done("list_processes", json!({}));
    assert!(list.to_string().len() < 40_000, "the list carries the huge argument");
    mcp.start("web", &env.fault(), &["run"]);
}

fn a_message_that_is_too_long_is_answered_and_the_client_lives_on(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let huge = "x".repeat(20 << 20);
    let answer = mcp.request("tools/call", json!({"name": "start_process", "arguments": {"name": huge}}));
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("too long") && message.contains("16777216"), "{message}");
    mcp.start("web", &env.fault(), &["run"]);
}

fn garbage_is_answered_and_the_client_lives_on(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    for (garbage, is_answered) in [
        (b"hello\n".as_slice(), true),
        (b"{\"jsonrpc\":\"2.0\",\"id\":\n", true),
        (b"[]\n", true),
        (b"\xff\xfe\n", true),
        (b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unheard-of\"}\n", false),
        (b"\n  \n", false),
    ] {
        mcp.send_raw(garbage);
        if is_answered {
            let answer = mcp.next_message(e2e::DEADLINE).expect("an answer to garbage");
            assert!(answer["error"]["message"].is_string(), "{answer}");
        }
        mcp.done("list_processes", json!({}));
    }
}

fn a_notification_first_is_no_obstacle(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp_silent(era);
    mcp.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    mcp.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}));
    mcp.handshake();
    mcp.done("list_processes", json!({}));
}

fn many_calls_at_once_are_all_answered(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    // More than the daemon has in flight for one client.
    let ids: Vec<u64> = (0..300).map(|_| mcp.begin_call("list_processes", json!({}))).collect();
    for id in ids {
        assert!(mcp.answer(id)["result"]["structuredContent"].is_object());
    }
}

fn two_clients_that_start_the_same_get_one_process(era: Era) {
    let env = Env::new();
    let mut clients: Vec<_> = (0..4).map(|_| env.mcp(era)).collect();
    let request = json!({"name": "web", "command": env.fault(), "args": ["run"]});
    let ids: Vec<u64> = clients.iter_mut().map(|c| c.begin_call("start_process", request.clone())).collect();
    let pids: Vec<Value> = clients
        .iter_mut()
        .zip(ids)
        .map(|(c, id)| c.answer(id)["result"]["structuredContent"]["process"]["pid"].clone())
        .collect();
    assert!(pids[0].is_i64() && pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    let running = env.processes().into_iter().filter(|(_, command)| command.contains("e2e-fault run"));
    assert_eq!(running.count(), 1);
}

#[test]
fn half_a_line_and_a_close_is_no_message() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Legacy);
    let (_, message) = mcp.compose(
        "tools/call",
        json!({"name": "start_process", "arguments": {"name": "web", "command": env.fault(), "args": ["run"]}}),
    );
    let text = message.to_string();
    mcp.send_raw(&text.as_bytes()[..text.len() / 2]);
    let (status, rest, _) = mcp.close();
    assert!(status.success(), "{status}");
    assert!(rest.iter().all(|m| m.get("result").is_none()), "{rest:?}");
    assert_eq!(env.cli(&["ps", "--json"]).ok().json()["processes"], json!([]));
}

#[test]
fn the_end_of_input_first_is_a_clean_end() {
    let env = Env::new();
    let (status, rest, _) = env.mcp_silent(Era::Legacy).close();
    assert!(status.success() && rest.is_empty(), "{status} {rest:?}");
}

#[test]
fn the_socket_withstands_what_is_no_client() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Legacy);
    for bytes in [b"".as_slice(), b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0", b"{\"hostler\":1,", &[0xff; 4096]] {
        let mut socket = env.socket();
        socket.get_mut().write_all(bytes).unwrap();
        socket.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        socket.get_mut().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.read_to_end(&mut answer).unwrap();
    }
    let mut socket = env.socket();
    socket.get_mut().write_all(b"garbage\n").unwrap();
    let mut answer = String::new();
    socket.read_line(&mut answer).unwrap();
    assert!(answer.contains("error") && answer.contains("garbage"), "{answer}");
    // Half a message, and the connection is dropped in the middle of an answer.
    let mut socket = env.socket();
    for id in 0..50 {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": {}});
        writeln!(socket.get_mut(), "{request}").unwrap();
    }
    drop(socket);
    mcp.done("list_processes", json!({}));
}
