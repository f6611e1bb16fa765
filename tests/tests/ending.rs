//! Every end of a process: asked for, forced, by its client's leaving, by its policy.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Instant;

use e2e::{Env, Era, alive, in_both_eras, wait_until};
use serde_json::{Value, json};

in_both_eras!(
    descendants_that_forked_twice_end_with_it,
    descendants_that_do_not_obey_are_killed_and_counted,
    a_stubborn_process_is_killed_at_the_end_of_its_grace,
    signals_reach_the_process_and_kill_ends_it,
    a_session_ends_with_its_client,
    a_session_stays_with_the_client_that_has_it,
    a_lease_ends_when_nobody_asks,
    a_crash_loop_ends_in_failed,
    a_restart_waits_its_backoff,
    what_was_stopped_on_purpose_is_not_restarted,
);

fn descendants_that_forked_twice_end_with_it(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let request =
        json!({"name": "web", "command": env.fault(), "args": ["family", "2"], "wait_for_log": "^ready"});
    assert_eq!(mcp.done("start_process", request)["done"], true);
    let lines = mcp.all_lines("web");
    let leaves: Vec<i64> =
        lines.iter().filter_map(|l| l["message"].as_str()?.strip_prefix("leaf ")?.parse().ok()).collect();
    assert!(leaves.len() == 2 && leaves.iter().all(|pid| alive(*pid)), "{lines:?}");
    let tree = mcp.done("get_process_info", json!({"process": "web"}))["tree"].clone();
    assert_eq!(tree.as_array().unwrap().len(), 3, "{tree}");
    let stopped = mcp.done("stop_process", json!({"process": "web"}));
    assert_eq!(stopped["done"], true);
    // They obey the signal.
    assert_eq!((&stopped["descendants_ended"], &stopped["descendants_killed"]), (&json!(2), &json!(0)));
    assert!(leaves.iter().all(|pid| !alive(*pid)), "a descendant is left");
}

fn descendants_that_do_not_obey_are_killed_and_counted(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let start = json!({"name": "web", "command": env.fault(), "args": ["family", "2", "stubborn"],
        "wait_for_log": "^ready", "stop": {"grace_ms": 300}});
    mcp.done("start_process", start.clone());
    let stopped = mcp.done("stop_process", json!({"process": "web"}));
    assert_eq!((&stopped["descendants_ended"], &stopped["descendants_killed"]), (&json!(2), &json!(2)));
    mcp.done("start_process", start);
    let killed = mcp.done("kill_process", json!({"process": "web"}));
    assert_eq!((&killed["descendants_ended"], &killed["descendants_killed"]), (&json!(2), &json!(2)));
}

fn a_stubborn_process_is_killed_at_the_end_of_its_grace(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let request =
        json!({"name": "web", "command": env.fault(), "args": ["stubborn"], "wait_for_log": "^ready"});
    mcp.done("start_process", request);
    let began = Instant::now();
    let stopped = mcp.done("stop_process", json!({"process": "web", "grace_ms": 400}));
    let took = began.elapsed().as_millis();
    assert_eq!((&stopped["done"], &stopped["process"]["status"]), (&json!(true), &json!("stopped")));
    assert_eq!(stopped["process"]["exit"]["signal"], "SIGKILL", "{stopped}");
    assert!(took >= 400, "killed after {took} ms already");
    assert!(took < 8_000, "killed after {took} ms only");
}

fn signals_reach_the_process_and_kill_ends_it(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let request =
        json!({"name": "web", "command": env.fault(), "args": ["signals"], "wait_for_log": "^ready"});
    let pid = mcp.done("start_process", request)["process"]["pid"].clone();
    for (signal, said) in [("HUP", "got HUP"), ("SIGUSR1", "got USR1")] {
        let sent = mcp.done("kill_process", json!({"process": "web", "signal": signal}));
        assert_eq!(sent["process"]["pid"], pid, "{signal} ended it");
        let tail = mcp.done("tail_logs", json!({"process": "web", "until_pattern": said}));
        assert_eq!(tail["done"], true, "{tail}");
    }
    let text = mcp.refused("kill_process", json!({"process": "web", "signal": "HUPP"}));
    assert!(text.contains("`signal`") && text.contains("HUP"), "{text}");
    let killed = mcp.done("kill_process", json!({"process": "web"}));
    assert_eq!(killed["process"]["exit"]["signal"], "SIGKILL", "{killed}");
    assert!(!alive(pid.as_i64().unwrap()));
    let text = mcp.refused("kill_process", json!({"process": "web", "signal": "HUP"}));
    assert!(text.contains("start_process"), "{text}");
    let again = mcp.done("kill_process", json!({"process": "web"}));
    assert_eq!(again["done"], true, "killing what is dead is no error: {again}");
}

fn a_session_ends_with_its_client(era: Era) {
    let env = Env::new();
    let mut owner = env.mcp(era);
    let request = json!({"name": "mine", "command": env.fault(), "args": ["run"], "lifetime": "session"});
    let pid = owner.done("start_process", request)["process"]["pid"].as_i64().unwrap();
    let mut other = env.mcp(era);
    let kept = other.start("kept", &env.fault(), &["run"])["pid"].as_i64().unwrap();
    assert_eq!(other.view("mine")["status"], "running");
    drop(owner);
    wait_until("the session's process ends", || !alive(pid));
    other.await_status("mine", "stopped");
    assert!(alive(kept), "a persistent process ended with a session");
}

fn a_session_stays_with_the_client_that_has_it(era: Era) {
    let env = Env::new();
    let request =
        |name: &str| json!({"name": name, "command": env.fault(), "args": ["run"], "lifetime": "session"});
    let mut owner = env.mcp(era);
    owner.done("start_process", request("mine"));
    owner.done("create_group", json!({"name": "all", "members": [{"process": "mine"}]}));
    // Another one repeats the start, restarts it, starts its group, and leaves. Its own process tells when that is seen.
    let mut other = env.mcp(era);
    let theirs = other.done("start_process", request("theirs"))["process"]["pid"].as_i64().unwrap();
    other.done("start_process", request("mine"));
    let pid = other.done("restart_process", json!({"process": "mine"}))["process"]["pid"].as_i64().unwrap();
    other.done("start_group", json!({"group": "all"}));
    drop(other);
    wait_until("the leaver's process ends", || !alive(theirs));
    let view = owner.view("mine");
    assert_eq!((&view["status"], &view["pid"]), (&json!("running"), &json!(pid)), "{view}");
    drop(owner);
    wait_until("it ends with the client that has it", || !alive(pid));
    // Whoever starts it after that has it.
    let mut next = env.mcp(era);
    let pid = next.done("start_process", json!({"name": "mine"}))["process"]["pid"].as_i64().unwrap();
    drop(next);
    wait_until("it ends with its next client", || !alive(pid));
}

#[test]
fn a_session_outlives_the_daemon_and_ends_with_its_client_all_the_same() {
    let env = Env::new();
    let mut owner = env.mcp(Era::Modern);
    let mut leaver = env.mcp(Era::Modern);
    let request =
        |name: &str| json!({"name": name, "command": env.fault(), "args": ["run"], "lifetime": "session"});
    let pid = owner.done("start_process", request("mine"))["process"]["pid"].as_i64().unwrap();
    let left = leaver.done("start_process", request("left"))["process"]["pid"].as_i64().unwrap();
    let _ = env.cli(&["daemon", "restart"]).ok();
    assert!(alive(pid) && alive(left), "a restart of the daemon is not the end of a session");
    env.crash_daemon();
    // One client ends while no daemon is there, the other one lives and says nothing.
    drop(leaver);
    let _ = env.cli(&["daemon", "start"]).ok();
    wait_until("the ended client's process ends", || !alive(left));
    let view = env.cli(&["info", "mine", "--json"]).ok().json()["process"].clone();
    assert_eq!((&view["status"], &view["pid"]), (&json!("running"), &json!(pid)), "{view}");
    drop(owner);
    wait_until("the session's process ends", || !alive(pid));
}

#[test]
fn a_lease_goes_on_in_the_next_daemon_and_does_not_begin_anew() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let request = json!({"name": "tmp", "command": env.fault(), "args": ["run"], "lifetime": "lease", "lease_ms": 4000});
    let began = Instant::now();
    let pid = mcp.done("start_process", request)["process"]["pid"].as_i64().unwrap();
    drop(mcp);
    // No daemon lives as long as the lease.
    wait_until("the lease ends", || {
        env.crash_daemon();
        let _ = env.cli(&["daemon", "start"]).ok();
        !alive(pid)
    });
    let took = began.elapsed().as_millis();
    assert!(took >= 4_000, "ended after {took} ms already");
    let _ = env.cli(&["daemon", "start"]).ok();
    let mut mcp = env.mcp(Era::Modern);
    mcp.await_status("tmp", "stopped");
}

fn a_lease_ends_when_nobody_asks(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let request = json!({"name": "tmp", "command": env.fault(), "args": ["run"], "lifetime": "lease", "lease_ms": 4000});
    let began = Instant::now();
    let pid = mcp.done("start_process", request)["process"]["pid"].as_i64().unwrap();
    let mut asked = 0;
    while began.elapsed().as_millis() < 6_000 {
        // Each call about it renews it.
        assert_eq!(mcp.view("tmp")["status"], "running", "after {asked} calls, {:?}", began.elapsed());
        asked += 1;
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    wait_until("the lease ends", || !alive(pid));
    mcp.await_status("tmp", "stopped");
}

fn crashing(env: &Env, restart: Value) -> Value {
    json!({"name": "api", "command": env.fault(), "args": ["exit", "9", "boom"], "restart": restart})
}

fn a_crash_loop_ends_in_failed(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let restart = json!({"policy": "on_failure", "max_restarts": 3, "window_ms": 60000, "backoff_initial_ms": 1, "backoff_max_ms": 5});
    mcp.call("start_process", crashing(&env, restart));
    let failed = mcp.await_status("api", "failed");
    let reason = failed["status_reason"].as_str().unwrap();
    assert!(reason.contains("crash loop") && reason.contains("4 times") && reason.contains('9'), "{reason}");
    assert_eq!((&failed["restarts"], &failed["exit"]["code"]), (&json!(3), &json!(9)));
    let info = mcp.done("get_process_info", json!({"process": "api", "runs": 50}));
    assert_eq!(info["runs"].as_array().unwrap().len(), 4, "{info}");
    assert_eq!(mcp.all_lines("api").len(), 4);
    // The way out is by hand.
    let again = mcp.call("start_process", json!({"name": "api"}));
    assert_eq!(again.structured["evidence"]["exit"]["code"], 9, "{}", again.text);
    mcp.await_status("api", "failed");
}

fn a_restart_waits_its_backoff(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let restart = json!({"policy": "always", "backoff_initial_ms": 60000, "backoff_max_ms": 60000});
    let first = mcp.call("start_process", crashing(&env, restart));
    assert!(first.is_error && first.text.contains("boom"), "{}", first.text);
    let view = mcp.await_status("api", "backoff");
    assert!(view["status_reason"].as_str().unwrap().contains("restart 1 in"), "{view}");
    let stopped = mcp.done("stop_process", json!({"process": "api"}));
    assert_eq!(stopped["process"]["status"], "stopped", "a stop ends a backoff: {stopped}");
    let quick = json!({"process": "api", "args": ["count", "20", "3", "0"], "restart": {"backoff_initial_ms": 10, "backoff_max_ms": 10}});
    mcp.done("restart_process", quick);
    wait_until("`always` restarts after success as well", || {
        mcp.view("api")["restarts"].as_u64().unwrap() >= 1
    });
}

fn what_was_stopped_on_purpose_is_not_restarted(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let request = json!({"name": "web", "command": env.fault(), "args": ["run"], "restart": {"policy": "always", "backoff_initial_ms": 0}});
    let pid = mcp.done("start_process", request)["process"]["pid"].as_i64().unwrap();
    e2e::kill(pid);
    wait_until("it is restarted after a kill from outside", || {
        let view = mcp.view("web");
        view["status"] == "running" && view["pid"] != pid
    });
    mcp.done("stop_process", json!({"process": "web"}));
    let generation = mcp.view("web")["generation"].clone();
    // A new daemon leaves it stopped too.
    let _ = env.cli(&["daemon", "restart"]).ok();
    let view = mcp.view("web");
    assert_eq!((&view["status"], &view["generation"]), (&json!("stopped"), &generation));
}
