//! `hostler mcp`: stdin and stdout as clients use them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail where it stands, and show figures"
)]

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::{Env, Era, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(ends_with_its_input, a_wait_is_answered_at_the_end_of_input, piped_requests_lose_no_answer);

fn ends_with_its_input(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.done("list_processes", json!({}));
    let (status, rest, took) = mcp.close();
    println!("{era:?}: hostler mcp ended {took:?} after its input");
    assert!(status.success() && rest.is_empty(), "{status} {rest:?}");
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

fn a_wait_is_answered_at_the_end_of_input(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    let cursor = mcp.done("tail_logs", json!({"process": "web"}))["cursor"].clone();
    let follow = json!({"process": "web", "cursor": cursor, "follow": true, "wait_ms": 50000});
    let waiting = mcp.begin_call("tail_logs", follow);
    let (status, rest, took) = mcp.close();
    println!("{era:?}: with a call that waits it ended {took:?} after its input");
    assert!(status.success() && took < Duration::from_secs(3), "{status} after {took:?}");
    let [answer] = rest.as_slice() else { panic!("{rest:?}") };
    assert_eq!(
        (&answer["id"], &answer["result"]["structuredContent"]["done"]),
        (&json!(waiting), &json!(false))
    );
}

fn piped_requests_lose_no_answer(era: Era) {
    let env = Env::new();
    let mut composer = env.mcp_silent(era);
    let mut script = String::new();
    if era == Era::Legacy {
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "printf", "version": "1"}});
        script.push_str(&format!("{}\n", composer.compose("initialize", hello).1));
        script.push_str("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
    }
    let start = json!({"name": "start_process", "arguments": {"name": "web", "command": env.fault(), "args": ["run"]}});
    let mut last = composer.compose("tools/call", start);
    for _ in 0..40 {
        script.push_str(&format!("{}\n", last.1));
        last = composer.compose("tools/call", json!({"name": "list_processes", "arguments": {}}));
    }
    let mut command = env.hostler();
    let mut piped = command.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    // The end of input follows at once.
    piped.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = piped.wait_with_output().unwrap();
    assert!(output.status.success() && began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut ids: Vec<u64> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .inspect(|answer| assert!(answer["result"].is_object(), "{answer}"))
        .map(|answer| answer["id"].as_u64().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..last.0).collect::<Vec<u64>>());
}
