//! What parsers make of lines, through the whole of it: levels, messages, fields, traces; and with daemons that are
//! killed.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::OpenOptions;
use std::io::Write;

use e2e::{Env, Era, Mcp, wait_for};
use serde_json::{Value, json};

/// Starts a process that writes what is appended to a file.
fn start(env: &Env, mcp: &mut Mcp, name: &str, text: &str, parsers: Value) {
    env.write(&format!("{name}.log"), text);
    let args = json!(["-n", "+1", "-f", format!("{name}.log")]);
    let log = json!({"parsers": parsers});
    mcp.done("start_process", json!({"name": name, "command": "tail", "args": args, "log": log}));
}

fn append(env: &Env, name: &str, text: &str) {
    let path = env.project().join(format!("{name}.log"));
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn records(mcp: &mut Mcp, name: &str, more: Value) -> Vec<Value> {
    let mut request = json!({"process": name, "format": "records", "order": "asc", "limit": 1000});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    mcp.done("get_logs", request)["lines"].as_array().unwrap().clone()
}

/// The records, once there are so many of a level and above.
fn leveled(mcp: &mut Mcp, name: &str, level: &str, count: usize) -> Vec<Value> {
    wait_for("the lines are parsed", || {
        let found = records(mcp, name, json!({"min_level": level}));
        (found.len() >= count).then_some(found)
    })
}

#[test]
fn structured_lines_have_level_message_and_fields() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Legacy);
    let text = "{\"level\":\"info\",\"msg\":\"listening\",\"port\":8080}\nplain\nWARN disk is nearly full\n\
                {\"level\":50,\"msg\":\"payment failed\",\"order\":{\"id\":17}}\n";
    start(&env, &mut mcp, "web", text, json!(["json"]));
    leveled(&mut mcp, "web", "info", 3);
    let lines = records(&mut mcp, "web", json!({}));
    let of = |index: usize| {
        let line = &lines[index];
        (line["level"].as_str(), line["message"].as_str().unwrap(), line["fields"].clone())
    };
    assert_eq!(of(0), (Some("info"), "listening", json!({"port": "8080"})));
    assert_eq!(of(1), (None, "plain", Value::Null));
    assert_eq!(of(2), (Some("warn"), "disk is nearly full", Value::Null));
    assert_eq!(of(3), (Some("error"), "payment failed", json!({"order.id": "17"})));
    assert_eq!(records(&mut mcp, "web", json!({"min_level": "error"})).len(), 1);
    // As text, each line is what was written.
    let text = mcp.done("get_logs", json!({"process": "web"}))["text"].as_str().unwrap().to_owned();
    assert!(text.contains("{\"level\":50,\"msg\":\"payment failed\""), "{text}");
}

#[test]
fn a_stack_trace_is_one_event_although_it_comes_in_pieces() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Legacy);
    start(&env, &mut mcp, "app", "INFO ready\n", json!([]));
    leveled(&mut mcp, "app", "info", 1);
    // The parsers are at work: they see each piece as it comes.
    append(&env, "app", "Traceback (most recent call last):\n");
    wait_for("the first piece is stored", || {
        let text = mcp.done("get_logs", json!({"process": "app"}))["text"].to_string();
        text.contains("Traceback").then_some(())
    });
    append(&env, "app", "  File \"a.py\", line 1, in <module>\n    f()\nValueError: boom\n");
    let lines = leveled(&mut mcp, "app", "error", 4);
    let messages: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!((messages[0], messages[3]), ("Traceback (most recent call last):", "ValueError: boom"));
    append(&env, "app", "ERROR and on it goes\n");
    leveled(&mut mcp, "app", "error", 5);
}

/// Each line is looked at once, however often the daemon is killed meanwhile.
#[test]
fn killed_daemons_parse_each_line_once() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Legacy);
    start(&env, &mut mcp, "web", "", json!(["json"]));
    const EACH: usize = 2_000;
    for round in 0..4 {
        let line = |n: usize| format!("{{\"level\":\"info\",\"msg\":\"line\",\"n\":{}}}\n", round * EACH + n);
        append(&env, "web", &(1..=EACH).map(line).collect::<String>());
        wait_for("some of it is stored", || {
            let page = mcp.done("get_logs", json!({"process": "web", "limit": 1, "format": "records"}));
            let seq = page["lines"][0]["seq"].as_u64().unwrap_or(0);
            (seq > (round * EACH) as u64).then_some(())
        });
        env.crash_daemon();
    }
    let all = 4 * EACH;
    let last = all.to_string();
    wait_for("all of it is parsed", || {
        let newest = json!({"process": "web", "limit": 1, "format": "records"});
        let page = mcp.done("get_logs", newest);
        (page["lines"][0]["fields"]["n"].as_str() == Some(&*last)).then_some(())
    });
    let database = rusqlite::Connection::open(env.home().join("hostler.db")).unwrap();
    let events: i64 = database.query_row("SELECT sum(count) FROM log_events", [], |row| row.get(0)).unwrap();
    assert_eq!(events, all as i64);
    for (at, line) in records(&mut mcp, "web", json!({})).iter().enumerate() {
        assert_eq!(line["fields"]["n"], (at + 1).to_string(), "{line}");
    }
}

/// What a line says of itself goes beside what was written, never in its place.
#[test]
fn a_line_keeps_its_own_time_and_what_was_written() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let json =
        "{\"time\":\"2020-01-02T03:04:05.678Z\",\"level\":\"info\",\"msg\":\"listening\",\"port\":8080}";
    start(&env, &mut mcp, "web", &format!("{json}\n\u{1b}[33mWARN\u{1b}[0m slow\nplain\n"), json!([]));
    leveled(&mut mcp, "web", "info", 2);
    let lines = records(&mut mcp, "web", json!({"raw": true}));
    let of = |index: usize| (lines[index]["message"].as_str().unwrap(), lines[index]["raw"].as_str());
    assert_eq!(of(0), ("listening", Some(json)));
    assert_eq!(of(1), ("slow", Some("\u{1b}[33mWARN\u{1b}[0m slow")));
    assert_eq!(of(2), ("plain", None));
    assert_eq!(lines[0]["event_time"], "2020-01-02T03:04:05.678Z");
    assert!(lines[0]["time"].as_str().unwrap() > "2026", "when it was received: {}", lines[0]);
    assert_eq!(lines[1]["event_time"], Value::Null);
    // Only for who asks, in each of the tools.
    assert_eq!(records(&mut mcp, "web", json!({}))[0]["raw"], Value::Null);
    let tail = json!({"process": "web", "format": "records", "raw": true});
    assert_eq!(mcp.done("tail_logs", tail)["lines"][0]["raw"], json);
    let found = mcp.done("search_logs", json!({"query": "8080", "raw": true}));
    assert_eq!((&found["matches"][0]["raw"], &found["total"]), (&json!(json), &json!(1)));
    let found = mcp.done("search_logs", json!({"query": "8080"}));
    assert_eq!(found["matches"][0]["raw"], Value::Null);
}
