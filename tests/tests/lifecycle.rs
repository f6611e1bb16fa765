//! The life of a process as an agent drives it.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, in_both_eras};
use serde_json::json;

in_both_eras!(starts_shows_restarts_and_stops, a_process_outlives_its_client);

fn starts_shows_restarts_and_stops(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let started = mcp.start("web", &env.fault(), &["count", "20"]);
    assert_eq!((&started["status"], &started["project"]), (&json!("running"), &json!("shop")));
    let pid = started["pid"].as_i64().unwrap();
    assert!(e2e::alive(pid));

    let list = mcp.done("list_processes", json!({}));
    assert_eq!(list["processes"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list["processes"][0]["pid"], pid);
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    assert_eq!(info["process"]["id"], started["id"]);
    assert_eq!(info["runs"][0]["pid"], pid, "{info}");
    assert_eq!(info["tree"][0]["pid"], pid, "{info}");

    let tail = mcp.done("tail_logs", json!({"process": "web", "lines": 1000, "until_pattern": "^n 3$"}));
    assert_eq!(tail["done"], true, "{tail}");
    let page = mcp.done("get_logs", json!({"process": "web", "order": "asc", "limit": 2}));
    assert_eq!(page["count"], 2);
    assert!(page["text"].as_str().unwrap().contains("n 1\n"), "{page}");

    let again = mcp.done("restart_process", json!({"process": "web"}))["process"].clone();
    assert_eq!((&again["status"], &again["id"]), (&json!("running"), &started["id"]));
    assert_ne!(again["pid"], pid);
    assert!(!e2e::alive(pid), "the old run goes on");
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    assert_eq!(info["runs"][0]["reason"], "restarted on request", "{info}");
    assert_eq!(info["runs"][1]["reason"], "started on request", "{info}");

    let stopped = mcp.done("stop_process", json!({"process": "web"}));
    assert_eq!((&stopped["done"], &stopped["process"]["status"]), (&json!(true), &json!("stopped")));
    assert!(!e2e::alive(again["pid"].as_i64().unwrap()));
    let twice = mcp.done("stop_process", json!({"process": "web"}));
    assert_eq!(twice["process"]["status"], "stopped");

    let by_name = mcp.done("start_process", json!({"name": "web"}));
    assert_eq!((&by_name["done"], &by_name["process"]["status"]), (&json!(true), &json!("running")));
    assert_eq!(by_name["process"]["args"], json!(["count", "20"]));
}

fn a_process_outlives_its_client(era: Era) {
    let env = Env::new();
    let mut first = env.mcp(era);
    let started = first.start("web", &env.fault(), &["run"]);
    drop(first);
    let mut second = env.mcp(era);
    let view = second.view("web");
    assert_eq!((&view["pid"], &view["status"]), (&started["pid"], &json!("running")));
    assert!(view["uptime_ms"].is_u64(), "{view}");

    // What is written, and how one ends, while no client is there.
    let go = env.in_project("go");
    let job = second.start("job", &env.fault(), &["later", &go, "7"])["pid"].as_i64().unwrap();
    drop(second);
    env.write("go", "");
    e2e::wait_until("the job ends", || !e2e::alive(job));
    let mut third = env.mcp(era);
    let info = third.done("get_process_info", json!({"process": "job"}));
    assert_eq!((&info["process"]["exit"]["code"], &info["runs"][0]["exit"]["code"]), (&json!(7), &json!(7)));
    let lines = third.all_lines("job");
    let messages: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["ready", "afterwards"]);
}
