//! The daemon: one per home, and nothing is lost with it.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use e2e::{Env, Era, alive, assert_numbered, in_both_eras, wait_until};
use serde_json::{Value, json};

in_both_eras!(
    a_killed_daemon_loses_no_process_no_line_and_no_exit,
    a_client_goes_on_over_a_restart_of_the_daemon,
    a_call_in_flight_is_told_to_retry,
);

#[test]
fn many_starts_at_once_give_one_daemon() {
    let env = Env::new();
    let children: Vec<_> = (0..6)
        .map(|_| {
            let mut command = env.hostler();
            command.args(["ps", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(list["processes"], json!([]));
    }
    wait_until("those that lost have ended", || {
        env.processes().iter().filter(|(_, command)| command.contains("daemon run")).count() == 1
    });
}

#[test]
fn a_stale_socket_is_no_obstacle_and_nobody_else_can_use_the_new_one() {
    let env = Env::new();
    drop(UnixListener::bind(env.home().join("daemon.sock")).unwrap());
    assert!(env.home().join("daemon.sock").exists());
    let _ = env.cli(&["ps"]).ok();
    let mode = |path: &str| std::fs::metadata(env.home().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("daemon.sock")), (0o700, 0o600));
    for private in ["hostler.db", "daemon.log", "daemon.lock"] {
        assert_eq!(mode(private) & 0o077, 0, "{private} can be read by others");
    }
    env.crash_daemon();
    let _ = env.cli(&["ps"]).ok();
}

#[test]
fn a_home_with_a_long_path_works() {
    let mut env = Env::new();
    env.move_home(&"deep".repeat(30));
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("web", &env.fault(), &["run"]);
    assert_eq!(mcp.view("web")["status"], "running");
}

#[test]
fn start_stop_and_status_of_the_daemon() {
    let env = Env::new();
    let status = env.cli(&["daemon", "status"]);
    assert_eq!(status.code, Some(5), "{status:?}");
    let _ = env.cli(&["daemon", "start"]).ok();
    let status = env.cli(&["daemon", "status", "--json"]).ok().json();
    for key in ["pid", "version", "socket", "home", "uptime_ms", "processes", "degraded"] {
        assert!(!status[key].is_null(), "{key} is missing: {status}");
    }
    let pid = status["pid"].as_i64().unwrap();
    let _ = env.cli(&["start", "web", "--", &env.fault(), "run"]).ok();
    let _ = env.cli(&["daemon", "stop"]).ok();
    wait_until("it ends", || !alive(pid));
    let survivors = env.processes();
    assert!(survivors.iter().any(|(_, command)| command.contains("e2e-fault run")), "{survivors:?}");
    let _ = env.cli(&["daemon", "stop"]).ok();
}

fn a_killed_daemon_loses_no_process_no_line_and_no_exit(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let names: Vec<String> = (0..10).map(|n| format!("w{n}")).collect();
    let pids = mcp.start_all(&names, &env.fault(), &["count", "5"]);
    // One ends while no daemon is there.
    let ending = mcp.start("ending", &env.fault(), &["count", "5", "200", "6"])["pid"].as_i64().unwrap();
    for _ in 0..2 {
        let daemon = env.crash_daemon();
        assert!(pids.iter().all(|pid| alive(pid.as_i64().unwrap())), "a process ended with its daemon");
        wait_until("the one that ends has ended", || !alive(ending));
        let mut next = env.mcp(era);
        assert_ne!(env.daemon(), Some(daemon));
        let list = next.done("list_processes", json!({"status": "running"}));
        let found: Vec<Value> =
            list["processes"].as_array().unwrap().iter().map(|p| p["pid"].clone()).collect();
        assert_eq!(found, pids);
        let view = next.view("ending");
        assert_eq!((&view["status"], &view["exit"]["code"]), (&json!("exited"), &json!(6)), "{view}");
    }
    let mut next = env.mcp(era);
    assert_numbered(&next.all_lines("ending"), Some(200));
    for name in &names {
        next.done("tail_logs", json!({"process": name, "until_pattern": "^n [0-9]{3}$", "wait_ms": 30000}));
        next.done("kill_process", json!({"process": name}));
        assert_numbered(&next.all_lines(name), None);
    }
}

fn a_client_goes_on_over_a_restart_of_the_daemon(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let pid = mcp.start("web", &env.fault(), &["run"])["pid"].clone();
    let before = env.daemon();
    let _ = env.cli(&["daemon", "restart"]).ok();
    assert_ne!(env.daemon(), before);
    assert_eq!(mcp.view("web")["pid"], pid);
    env.crash_daemon();
    assert_eq!(mcp.view("web")["pid"], pid);
    let _ = env.cli(&["daemon", "stop"]).ok();
    assert_eq!(mcp.view("web")["pid"], pid);
    let tools = mcp.request("tools/list", json!({}))["result"]["tools"].clone();
    assert!(tools.as_array().is_some_and(|t| !t.is_empty()));
}

fn a_call_in_flight_is_told_to_retry(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    let cursor = mcp.done("tail_logs", json!({"process": "web"}))["cursor"].clone();
    let follow = json!({"process": "web", "cursor": cursor, "follow": true, "wait_ms": 50000});
    let waiting = mcp.begin_call("tail_logs", follow);
    // It was read when a later one is answered.
    mcp.done("list_processes", json!({}));
    env.crash_daemon();
    let error = mcp.answer(waiting)["error"].clone();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("retry") && message.contains("processes run on"), "{message}");
    assert_eq!(mcp.view("web")["status"], "running");
    // A daemon that is told to end answers what waits.
    let waiting = mcp.begin_call(
        "tail_logs",
        json!({"process": "web", "cursor": cursor, "follow": true, "wait_ms": 50000}),
    );
    mcp.done("list_processes", json!({}));
    let _ = env.cli(&["daemon", "stop"]).ok();
    let answer = mcp.answer(waiting);
    assert_eq!(answer["result"]["structuredContent"]["done"], false, "{answer}");
}
