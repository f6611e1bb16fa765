//! From the output of a process to groups of errors: found, explained, resolved, seen again.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::Path;

use e2e::{Env, Era, Mcp, in_both_eras, wait_for};
use serde_json::{Value, json};

in_both_eras!(
    a_trace_in_pieces_is_one_group,
    a_group_that_comes_back_is_a_regression,
    a_failed_start_names_its_error,
    a_crash_without_a_word_is_an_error,
    a_trace_is_one_error_whatever_stands_between_its_lines,
    a_process_that_turns_unhealthy_is_an_error,
    what_is_new_since_a_time_is_found,
    what_differs_by_its_wording_is_similar,
    wrong_arguments_are_explained,
);

/// The groups of a process, once they are as they should be.
fn groups(mcp: &mut Mcp, process: &str, right: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    wait_for(&format!("the errors of {process}"), || {
        let list = mcp.done("get_errors", json!({"process": process}));
        let groups = list["errors"].as_array().cloned().unwrap_or_default();
        right(&groups).then_some(groups)
    })
}

fn a_trace_in_pieces_is_one_group(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["trace"]);
    let groups = groups(&mut mcp, "web", |groups| !groups.is_empty());
    assert_eq!(groups.len(), 1, "{groups:?}");
    let group = &groups[0];
    assert_eq!(
        (&group["title"], &group["category"], &group["count"]),
        (&json!("ConnectionRefusedError: [Errno 111] Connection refused"), &json!("network"), &json!(1))
    );
    assert_eq!(group["culprit"], "load_orders (/app/shop/db.py:42)");
    assert!(group["suggestion"].is_string() && group["new_since_restart"] == true, "{group}");
    let full = mcp.done("get_errors", json!({"error_id": group["id"]}));
    let frames = full["errors"][0]["sample"]["frames"].as_array().unwrap();
    assert_eq!(
        (&frames[0]["function"], &frames[0]["in_app"], &frames[1]["function"]),
        (&json!("create_connection"), &json!(false), &json!("load_orders"))
    );
    // The occurrence is a place in the log: its lines are those of the trace.
    let place = &full["occurrences"][0];
    let lines = mcp.all_lines("web");
    let line = |seq: &Value| lines.iter().find(|line| &line["seq"] == seq).unwrap()["message"].clone();
    assert_eq!(place["stream"], "stderr");
    assert_eq!(line(&place["first_seq"]), "Traceback (most recent call last):");
    assert_eq!(line(&place["last_seq"]), "ConnectionRefusedError: [Errno 111] Connection refused");
}

fn a_group_that_comes_back_is_a_regression(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["trace"]);
    let id = groups(&mut mcp, "web", |groups| !groups.is_empty())[0]["id"].clone();
    let latest = mcp.done("get_latest_errors", json!({}));
    assert_eq!(latest["summary"], json!([{"category": "network", "groups": 1}]));
    let resolved =
        mcp.done("mark_error_resolved", json!({"error_id": id, "resolution": "the database is up"}));
    assert_eq!((&resolved["errors"][0]["resolved"], &resolved["errors"][0]["id"]), (&json!(true), &id));
    assert_eq!(mcp.done("get_latest_errors", json!({}))["errors"], json!([]));
    mcp.done("restart_process", json!({"process": "web"}));
    let back = groups(&mut mcp, "web", |groups| groups[0]["count"] == 2).remove(0);
    assert_eq!((&back["id"], &back["regression"], &back["resolved"]), (&id, &json!(true), &json!(false)));
    assert_eq!((&back["resolution"]["text"], &back["runs"]), (&json!("the database is up"), &json!(2)));
    assert_eq!(back["resolution"]["by"], "e2e", "the name that the client gave itself");
    assert_eq!(back["new_since_restart"], false);
    let since = mcp.done("get_latest_errors", json!({"since_restart": true, "process": "web"}));
    assert_eq!(since["errors"][0]["id"], id);
    // The command line sees the same.
    let shown = env.cli(&["errors"]).ok().stdout;
    assert!(shown.contains("regression") && shown.contains("network"), "{shown}");
    let id = id.as_str().unwrap();
    assert!(env.cli(&["errors", "show", id]).ok().stdout.contains("load_orders (/app/shop/db.py:42)"));
    let _ = env.cli(&["resolve", id, "-m", "again"]).ok();
    assert!(env.cli(&["errors"]).ok().stdout.is_empty());
}

fn a_failed_start_names_its_error(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let answer = mcp.call(
        "start_process",
        json!({"name": "api", "command": env.fault(), "args": ["trace", "1"], "wait_for": "exited"}),
    );
    let groups = groups(&mut mcp, "api", |groups| groups.first().is_some_and(|g| g["ended_runs"] == 1));
    assert_eq!(groups.len(), 1, "the trace explains the end: {groups:?}");
    let answer = match answer.structured["evidence"].is_null() {
        false => answer,
        true => {
            mcp.call("start_process", json!({"name": "api", "command": env.fault(), "args": ["trace", "1"]}))
        }
    };
    let group = &answer.structured["evidence"]["error_group"];
    assert_eq!((&group["id"], &group["category"]), (&groups[0]["id"], &json!("network")), "{}", answer.text);
}

fn a_crash_without_a_word_is_an_error(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    for _ in 0..2 {
        mcp.call("start_process", json!({"name": "api", "command": env.fault(), "args": ["signal", "11"]}));
        mcp.await_status("api", "exited");
    }
    let groups = groups(&mut mcp, "api", |groups| groups.first().is_some_and(|g| g["count"] == 2));
    assert_eq!((groups.len(), &groups[0]["category"], &groups[0]["runs"]), (1, &json!("crash"), &json!(2)));
    assert!(groups[0]["title"].as_str().unwrap().contains("SIGSEGV"), "{}", groups[0]);
    // An end that was asked for is no error.
    mcp.start("web", &env.fault(), &["run"]);
    mcp.done("stop_process", json!({"process": "web"}));
    assert_eq!(mcp.done("get_errors", json!({"process": "web"}))["errors"], json!([]));
}

fn a_trace_is_one_error_whatever_stands_between_its_lines(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let between = "Traceback (most recent call last):
  File \"/app/main.py\", line 3, in main
2026-05-01 12:00:00,001 INFO [worker-2] app.pool: 3 of 8 at work
    load()
  File \"/app/main.py\", line 9, in load
2026-05-01 12:00:00,002 INFO [worker-3] app.pool: 4 of 8 at work
    return orders[key]
KeyError: 'a17'";
    // The second time it is cut: the process ends, and another run begins with other lines.
    let cut = "Exception in thread \"main\" java.lang.IllegalStateException: no orders
\tat com.example.Orders.load(Orders.java:42)
\tat com.example.App.ma";
    for (name, text, culprit) in
        [("web", between, "load (/app/main.py:9)"), ("api", cut, "com.example.Orders.load (Orders.java:42)")]
    {
        let once =
            json!({"policy": "on_failure", "max_restarts": 1, "window_ms": 60_000, "backoff_initial_ms": 0});
        let start =
            json!({"name": name, "command": env.fault(), "args": ["exit", "1", text], "restart": once});
        mcp.call("start_process", start);
        let groups = groups(&mut mcp, name, |groups| groups.first().is_some_and(|g| g["ended_runs"] == 2));
        assert_eq!((groups.len(), &groups[0]["count"]), (1, &json!(2)), "{groups:?}");
        assert_eq!(groups[0]["culprit"], culprit);
    }
}

fn a_process_that_turns_unhealthy_is_an_error(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    mcp.done(
        "start_process",
        json!({
            "name": "web", "command": env.fault(), "args": ["run"],
            "health": [{"plugin": "tcp", "config": {"address": format!("127.0.0.1:{port}")}, "interval_ms": 100, "failure_threshold": 2}],
        }),
    );
    let groups = groups(&mut mcp, "web", |groups| !groups.is_empty());
    assert_eq!(
        (groups.len(), &groups[0]["count"], &groups[0]["category"]),
        (1, &json!(1), &json!("network"))
    );
    assert!(groups[0]["title"].as_str().unwrap().starts_with("health check tcp failed: "), "{groups:?}");
}

fn what_is_new_since_a_time_is_found(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["trace"]);
    let old = groups(&mut mcp, "web", |groups| !groups.is_empty()).remove(0);
    mcp.call("start_process", json!({"name": "api", "command": env.fault(), "args": ["signal", "11"]}));
    let new = groups(&mut mcp, "api", |groups| !groups.is_empty()).remove(0);
    // The old one is seen again, and is not new for that.
    mcp.done("restart_process", json!({"process": "web"}));
    groups(&mut mcp, "web", |groups| groups[0]["count"] == 2);
    let ids = |list: &Value| {
        list["errors"].as_array().unwrap().iter().map(|group| group["id"].clone()).collect::<Vec<_>>()
    };
    let since = &new["first_seen"];
    assert_eq!(ids(&mcp.done("get_errors", json!({"since": since}))), [old["id"].clone(), new["id"].clone()]);
    assert_eq!(ids(&mcp.done("get_errors", json!({"new_since": since}))), [new["id"].clone()]);
    assert!(mcp.refused("get_errors", json!({"new_since": "soon"})).contains("`new_since`"));
    let shown = env.cli(&["errors", "--new-since", since.as_str().unwrap()]).ok().stdout;
    assert!(shown.contains("SIGSEGV") && !shown.contains("Connection refused"), "{shown}");
}

fn what_differs_by_its_wording_is_similar(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    for what in ["amount", "price"] {
        let trace = format!(
            "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in check\n    \
             raise ValueError('...')\nValueError: the {what} of the order is missing"
        );
        mcp.call(
            "start_process",
            json!({"name": what, "command": env.fault(), "args": ["exit", "1", trace], "wait_for": "exited"}),
        );
        groups(&mut mcp, what, |groups| groups.first().is_some_and(|g| g["ended_runs"] == 1));
    }
    let [amount, price] = ["amount", "price"].map(|name| groups(&mut mcp, name, |g| g.len() == 1).remove(0));
    assert_ne!(amount["id"], price["id"]);
    let full = mcp.done("get_errors", json!({"error_id": amount["id"]}));
    assert_eq!(full["errors"][0]["similar"], json!([price["id"]]));
    let shown = env.cli(&["errors", "show", amount["id"].as_str().unwrap()]).ok().stdout;
    assert!(shown.contains(&format!("similar    {}", price["id"].as_str().unwrap())), "{shown}");
}

fn wrong_arguments_are_explained(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    assert!(mcp.refused("get_errors", json!({"error_id": "12"})).contains("\"e12\""));
    assert!(mcp.refused("get_errors", json!({"error_id": "e99"})).contains("no error e99"));
    assert!(mcp.refused("mark_error_resolved", json!({"error_id": ["e1"]})).contains("no error e1"));
    assert!(mcp.refused("get_errors", json!({"sort": "size"})).contains("last_seen"));
    assert!(mcp.refused("get_errors", json!({"cursor": "x"})).contains("`cursor`"));
}

#[test]
fn a_flood_is_counted_and_bounded() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("web", &env.fault(), &["errors", "100000"]);
    let groups = groups(&mut mcp, "web", |groups| groups.first().is_some_and(|g| g["count"] == 100_000));
    assert_eq!(groups.len(), 1);
    let full = mcp.done("get_errors", json!({"error_id": groups[0]["id"], "limit": 1000}));
    let occurrences = full["occurrences"].as_array().unwrap();
    assert_eq!((occurrences.len(), &full["next_cursor"]), (1_000, &Value::Null));
    assert!(occurrences.windows(2).all(|pair| pair[0]["first_seq"].as_u64() > pair[1]["first_seq"].as_u64()));
}

#[test]
fn errors_are_counted_once_however_the_daemon_dies() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("web", &env.fault(), &["errors", "30000"]);
    for _ in 0..3 {
        env.crash_daemon();
        mcp = env.mcp(Era::Modern);
        mcp.view("web");
    }
    let groups =
        groups(&mut mcp, "web", |groups| groups.first().is_some_and(|g| g["count"].as_u64() >= Some(30_000)));
    assert_eq!((groups.len(), &groups[0]["count"]), (1, &json!(30_000)));
}

/// One that is cheating or broken costs how well errors are told apart, and each of them says so.
#[test]
fn a_hostile_categorizer_costs_the_grouping_and_no_error() {
    let env = Env::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile/categorizers");
    let plugin = |name: &str| {
        let file = fixtures.join(format!("{name}.wasm"));
        format!("[plugins.{name}-it]\nsource = {file:?}\nlimits = {{ cpu_ms = 50 }}\n")
    };
    let declared = ["trap", "loop"].map(plugin).concat();
    let text = declared + "[errors]\ncategorizers = [\"trap-it\", \"loop-it\"]\n";
    std::fs::write(env.home().join("config.toml"), text).unwrap();
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("web", &env.fault(), &["errors", "500"]);
    let all = groups(&mut mcp, "web", |groups| groups.first().is_some_and(|g| g["count"] == 500));
    assert_eq!((all.len(), &all[0]["category"]), (1, &json!("unknown")));
    let note = all[0]["note"].as_str().unwrap();
    assert!(note.contains("trap-it") && note.contains("loop-it"), "{note}");
    mcp.start("api", &env.fault(), &["trace"]);
    assert_eq!(groups(&mut mcp, "api", |groups| !groups.is_empty()).len(), 1);
}

/// Whoever else understands an error, the group tells who did not get to it; so do those of ends and of checks.
#[test]
fn a_failed_categorizer_is_named_whoever_answers_in_its_place() {
    let env = Env::new();
    std::fs::write(env.home().join("config.toml"), "[errors]\ncategorizers = [\"nobody\", \"generic\"]\n")
        .unwrap();
    let mut mcp = env.mcp(Era::Modern);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let check = json!({
        "plugin": "tcp", "config": {"address": format!("127.0.0.1:{port}")}, "interval_ms": 100, "failure_threshold": 1
    });
    mcp.start("trace", &env.fault(), &["trace"]);
    mcp.call(
        "start_process",
        json!({"name": "end", "command": env.fault(), "args": ["exit", "3", "cannot go on"]}),
    );
    mcp.done(
        "start_process",
        json!({"name": "check", "command": env.fault(), "args": ["run"], "health": [check]}),
    );
    for (name, category) in [("trace", "network"), ("end", "crash"), ("check", "network")] {
        let group = groups(&mut mcp, name, |groups| !groups.is_empty()).remove(0);
        let note = group["note"].as_str().unwrap_or_default();
        assert!(group["category"] == category && note.contains("`nobody` failed"), "{group}");
    }
}

/// A trace is an error on either stream, and when its program calls it information.
#[test]
fn a_trace_on_standard_output_is_an_error() {
    let env = Env::new();
    env.write(
        "shop.py",
        "import logging, sys, time\nlogging.basicConfig(level=20, stream=sys.stdout)\ndef load(orders):\n    \
         return orders['a']\ntry:\n    load({})\nexcept KeyError:\n    \
         logging.info('no orders', exc_info=True)\nprint('ready', flush=True)\ntime.sleep(600)\n",
    );
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("shop", "python3", &["shop.py"]);
    let group = groups(&mut mcp, "shop", |groups| !groups.is_empty()).remove(0);
    assert!(group["culprit"].as_str().unwrap().starts_with("load ("), "{group}");
    let full = mcp.done("get_errors", json!({"error_id": group["id"]}));
    assert_eq!(full["occurrences"][0]["stream"], "stdout");
}

/// Real programs in the languages that are here: the file and the function are those of the user's code.
#[test]
fn real_programs_are_read() {
    let env = Env::new();
    env.write("shop.py", "def load(orders):\n    return orders['a']\n\nload({})\n");
    env.write("shop.js", "function total(order) {\n  return order.items.length;\n}\ntotal({});\n");
    let mut mcp = env.mcp(Era::Modern);
    let programs =
        [("python3", "shop.py", "load", "missing-key"), ("node", "shop.js", "total", "null-reference")];
    for (program, file, function, category) in programs {
        let there = std::process::Command::new(program).arg("--version").output();
        if !there.is_ok_and(|output| output.status.success()) {
            continue;
        }
        mcp.call(
            "start_process",
            json!({"name": program, "command": program, "args": [file], "wait_for": "exited"}),
        );
        let groups = groups(&mut mcp, program, |groups| groups.first().is_some_and(|g| g["ended_runs"] == 1));
        assert_eq!(groups.len(), 1, "{groups:?}");
        let culprit = groups[0]["culprit"].as_str().unwrap();
        assert!(culprit.starts_with(function) && culprit.contains(&format!("{file}:2")), "{culprit}");
        assert_eq!(groups[0]["category"], category);
    }
}
