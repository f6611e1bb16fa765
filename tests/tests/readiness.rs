//! `wait_for: ready`: what says that a process serves, and what is said when nothing does.

use e2e::{Env, Era};
use serde_json::json;

#[test]
fn a_port_of_its_tree_says_so_and_the_list_shows_it() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let go = env.in_project("go");
    let started = mcp.done(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["listen", "0", go], "wait_for": "ready", "timeout_ms": 300}),
    );
    assert_eq!(started["done"], false, "{started}");
    let note = started["note"].as_str().unwrap_or_default();
    for choice in ["no health checks", "listens on no TCP port", "READY=1", "wait_for_log"] {
        assert!(note.contains(choice), "{choice}: {note}");
    }
    assert_eq!(mcp.view("web")["ready"], json!(null));
    env.write("go", "");
    let again = json!({"name": "web", "wait_for": "ready"});
    let ready = mcp.done("start_process", again.clone());
    assert_eq!((&ready["done"], &ready["process"]["ready"]), (&json!(true), &json!(true)), "{ready}");
    // It stays so, and for another daemon as well.
    env.crash_daemon();
    let mut mcp = env.mcp(Era::Modern);
    assert_eq!(mcp.view("web")["ready"], true);
    assert_eq!(mcp.done("start_process", again)["done"], true);
}

#[test]
fn a_port_of_a_child_says_so_too() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let ready = mcp.done(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["parent", "listen", "0"], "wait_for": "ready"}),
    );
    assert_eq!((&ready["done"], &ready["process"]["ready"]), (&json!(true), &json!(true)), "{ready}");
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    let child = info["tree"].as_array().unwrap().iter().find(|p| p["ppid"] == info["process"]["pid"]);
    assert!(child.is_some_and(|child| child["command"].as_str().unwrap().ends_with(" listen 0")), "{info}");
    let listening = mcp
        .done("tail_logs", json!({"process": "web", "until_pattern": "listening on", "format": "records"}));
    let listening = listening["lines"][0]["message"].as_str().unwrap();
    let port: u16 = listening.strip_prefix("listening on ").unwrap().parse().unwrap();
    assert_eq!(info["process"]["ports"], json!([port]), "{info}");
}

#[test]
fn a_process_says_so_itself_also_to_a_daemon_that_came_later() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let go = env.in_project("go");
    let started = mcp.done(
        "start_process",
        json!({"name": "job", "command": env.fault(), "args": ["notify", go], "wait_for_log": "told of /"}),
    );
    assert_eq!(
        (&started["done"], &started["process"]["ready"]),
        (&json!(true), &json!(true)),
        "the line says so"
    );
    let started = mcp.done("restart_process", json!({"process": "job", "wait_for": "started"}));
    assert_eq!(started["process"]["ready"], json!(null), "{started}");
    env.crash_daemon();
    let mut mcp = env.mcp(Era::Modern);
    mcp.await_status("job", "running");
    env.write("go", "");
    let ready = mcp.done("start_process", json!({"name": "job", "wait_for": "ready"}));
    assert_eq!(ready["done"], true, "{ready}");
}

#[test]
fn a_run_that_ends_instead_is_explained_and_what_nothing_can_say_is_refused() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let failed = mcp.call(
        "start_process",
        json!({"name": "job", "command": env.fault(), "args": ["exit", "3", "no configuration"], "wait_for": "ready"}),
    );
    assert!(failed.is_error, "{failed:?}");
    assert_eq!(failed.structured["evidence"]["exit"]["code"], 3);
    let refused = mcp.call(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["run"], "wait_for": "healthy"}),
    );
    assert!(refused.is_error, "{refused:?}");
    for choice in ["health checks", "`ready`", "wait_for_log"] {
        assert!(refused.text.contains(choice), "{choice}: {}", refused.text);
    }
    assert!(mcp.call("get_process_info", json!({"process": "web"})).is_error, "nothing was declared");
}
