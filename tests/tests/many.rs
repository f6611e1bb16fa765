//! Two hundred processes at once.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Instant;

use e2e::{Env, Era, alive};
use serde_json::{Value, json};

const MANY: usize = 200;

#[test]
fn two_hundred_processes_start_are_listed_and_stop() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let names: Vec<String> = (0..MANY).map(|n| format!("p{n:03}x")).collect();
    let began = Instant::now();
    let mut pids: Vec<i64> = Vec::new();
    for pid in mcp.start_all(&names, &env.fault(), &["run"]) {
        pids.push(pid.as_i64().unwrap());
    }
    let started = began.elapsed();
    assert!(pids.iter().all(|pid| alive(*pid)));

    let mut listed: Vec<Value> = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let page = mcp.done("list_processes", json!({"status": "running", "limit": 77, "cursor": cursor}));
        listed.extend(page["processes"].as_array().unwrap().iter().map(|p| p["name"].clone()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(listed, names);

    let began = Instant::now();
    let ids: Vec<u64> =
        names.iter().map(|name| mcp.begin_call("stop_process", json!({"process": name}))).collect();
    for id in ids {
        assert_eq!(mcp.answer(id)["result"]["structuredContent"]["done"], true);
    }
    println!("{MANY} processes: started in {started:?}, stopped in {:?}", began.elapsed());
    assert!(!pids.iter().any(|pid| alive(*pid)), "a process is left");
    let list = mcp.done("list_processes", json!({"status": "running"}));
    assert_eq!(list["processes"], json!([]));
}
