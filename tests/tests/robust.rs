//! What clients do to a server: calls without patience, ids used twice, ears that do not listen.
//!
//! Garbage, overlong lines, a notification first and hundreds of calls at once are in `input`; the end of input with
//! calls in flight is in `bridge`; the daemon that is killed in the middle of a call is in `daemon` and here.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::{Duration, Instant};

use e2e::{DEADLINE, Env, Era, in_both_eras, kill};
use serde_json::{Value, json};

in_both_eras!(
    a_cancelled_wait_ends_at_once,
    progress_is_told_to_who_asked,
    an_id_that_is_used_twice_harms_nobody,
    a_client_that_never_reads_is_bounded,
    a_daemon_that_is_killed_in_a_call_costs_this_call,
);

fn a_cancelled_wait_ends_at_once(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    let cursor = mcp.done("tail_logs", json!({"process": "web"}))["cursor"].clone();
    let wait = json!({"process": "web", "cursor": cursor, "follow": true, "wait_ms": 50_000});
    let id = mcp.begin_call("tail_logs", wait);
    // The call is at work: what is asked later is answered.
    mcp.done("list_processes", json!({}));
    mcp.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    let began = Instant::now();
    // Whose wait was cut short is not in the way at the end.
    let (status, rest, _) = mcp.close();
    assert!(status.success() && began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(rest.iter().all(|message| message["id"] != id), "{rest:?}");
}

fn progress_is_told_to_who_asked(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    let cursor = mcp.done("tail_logs", json!({"process": "web"}))["cursor"].clone();
    let arguments = json!({"process": "web", "cursor": cursor, "follow": true, "wait_ms": 5_000});
    let (id, mut call) = mcp.compose("tools/call", json!({"name": "tail_logs", "arguments": arguments}));
    call["params"]["_meta"]["progressToken"] = json!("wait-1");
    mcp.send(&call);
    let mut told: Vec<f64> = Vec::new();
    loop {
        let message = mcp.next_message(DEADLINE).expect("an answer");
        if message["id"] == id {
            break;
        }
        assert_eq!(message["method"], "notifications/progress", "{message}");
        assert_eq!(message["params"]["progressToken"], "wait-1", "{message}");
        told.push(message["params"]["progress"].as_f64().unwrap());
    }
    assert!(!told.is_empty() && told.is_sorted(), "{told:?}");
}

fn an_id_that_is_used_twice_harms_nobody(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let (id, call) = mcp.compose("tools/call", json!({"name": "list_processes", "arguments": {}}));
    for _ in 0..20 {
        mcp.send(&call);
    }
    assert!(mcp.answer(id)["result"].is_object());
    mcp.done("list_processes", json!({}));
    mcp.start("web", &env.fault(), &["run"]);
}

fn a_client_that_never_reads_is_bounded(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("noisy", &env.fault(), &["lines", "3000"]);
    let daemon = env.cli(&["daemon", "status", "--json"]).ok().json()["pid"].as_i64().unwrap();
    let before = resident(daemon);
    let (_, hello) = mcp.compose("tools/call", json!({"name": "list_processes", "arguments": {}}));
    assert!(hello.is_object());
    // Straight to the daemon: nothing between us takes answers off its hands.
    let mut deaf = env.socket();
    let stream = deaf.get_mut();
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    if era == Era::Legacy {
        let info = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "deaf", "version": "1"}});
        write(stream, &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": info}));
    }
    // Each answer has some ten thousand bytes; all of them would be two hundred million.
    let mut sent = 0;
    for id in 1..20_000 {
        let arguments = json!({"process": "noisy", "limit": 300, "format": "records"});
        let mut call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "get_logs", "arguments": arguments}});
        if era == Era::Modern {
            call["params"]["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "deaf", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        if !write(stream, &call) {
            break;
        }
        sent = id;
    }
    assert!(sent < 19_999, "it read on without end");
    let grown = resident(daemon).saturating_sub(before);
    assert!(grown < 100 << 20, "{} MiB more for a client that never reads", grown >> 20);
    // The others are served meanwhile.
    mcp.done("list_processes", json!({}));
}

/// Whether it could be written.
fn write(stream: &mut std::os::unix::net::UnixStream, message: &Value) -> bool {
    use std::io::Write;
    writeln!(stream, "{message}").is_ok()
}

fn resident(pid: i64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn a_daemon_that_is_killed_in_a_call_costs_this_call(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let pid = mcp.start("web", &env.fault(), &["run"])["pid"].clone();
    let daemon = env.cli(&["daemon", "status", "--json"]).ok().json()["pid"].as_i64().unwrap();
    let cursor = mcp.done("tail_logs", json!({"process": "web"}))["cursor"].clone();
    let wait = json!({"process": "web", "cursor": cursor, "follow": true, "wait_ms": 50_000});
    let id = mcp.begin_call("tail_logs", wait);
    mcp.done("list_processes", json!({}));
    kill(daemon);
    let answer = mcp.answer(id);
    assert_eq!(answer["error"]["code"], -32001, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("retry"), "{answer}");
    // The next call finds another daemon, and the process as it was.
    assert_eq!(mcp.view("web")["pid"], pid);
}
