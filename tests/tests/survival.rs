//! What survives the death of a shim and of the machine, and programs that want a terminal.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, alive, kill, wait_until};
use serde_json::{Value, json};

fn started(mcp: &mut e2e::Mcp, env: &Env, name: &str, restart: &str) -> Value {
    let request = json!({"name": name, "command": env.fault(), "args": ["run"],
        "restart": {"policy": restart, "backoff_initial_ms": 0}});
    mcp.done("start_process", request)["process"].clone()
}

/// The main process and its parent, the shim.
fn tree(mcp: &mut e2e::Mcp, name: &str) -> (i64, i64) {
    let info = mcp.done("get_process_info", json!({"process": name}));
    let main = &info["tree"][0];
    (main["pid"].as_i64().unwrap(), main["ppid"].as_i64().unwrap())
}

#[test]
fn a_killed_shim_costs_its_own_run_only_and_the_policy_starts_the_next() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    started(&mut mcp, &env, "web", "always");
    let other = started(&mut mcp, &env, "api", "never");
    let (main, shim) = tree(&mut mcp, "web");
    kill(shim);
    wait_until("another run", || mcp.view("web")["pid"].as_i64().is_some_and(|pid| pid != main));
    assert!(!alive(main), "the orphan runs on, beside its successor");
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    assert_eq!(info["runs"][1]["exit"]["unknown"], true, "{info}");
    assert!(info["runs"][1]["reason"].as_str().unwrap().contains("its shim was killed"), "{info}");
    assert_eq!(mcp.view("api")["pid"], other["pid"]);
}

#[test]
fn after_a_reboot_what_should_run_does_and_what_was_stopped_does_not() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    started(&mut mcp, &env, "web", "never");
    started(&mut mcp, &env, "rests", "never");
    mcp.done("stop_process", json!({"process": "rests"}));
    let (main, shim) = tree(&mut mcp, "web");
    drop(mcp);
    // All that a reset of the machine leaves: the files, with the boot id of before.
    env.crash_daemon();
    kill(shim);
    kill(main);
    wait_until("the process to be gone", || !alive(main) && !alive(shim));
    let database = rusqlite::Connection::open(env.home().join("hostler.db")).unwrap();
    database.execute("UPDATE runs SET boot_id = 'another'", []).unwrap();
    drop(database);
    let mut mcp = env.mcp(Era::Modern);
    let web = mcp.await_status("web", "running");
    assert_ne!(web["pid"].as_i64(), Some(main));
    assert_eq!(mcp.view("rests")["status"], "stopped");
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    assert!(info["runs"][1]["reason"].as_str().unwrap().contains("the machine was restarted"), "{info}");
}

#[test]
fn a_program_that_wants_a_terminal_gets_one() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let request = json!({"name": "tty", "command": "tty", "pty": true, "wait_for": "exited"});
    assert_eq!(mcp.done("start_process", request)["process"]["exit"]["code"], 0);
    let text = mcp.done("get_logs", json!({"process": "tty"}))["text"].clone();
    assert!(text.as_str().unwrap().contains("/dev/pts/"), "{text}");
}
