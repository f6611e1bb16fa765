//! Health checks of real servers by the real plugins: what they say, what follows from it, and what survives a daemon.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::net::TcpListener;

use e2e::{Env, Era, Mcp, wait_for, wait_until};
use serde_json::{Value, json};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server with a check of its own, which is well until the file `ill` is there.
fn web(env: &Env, port: u16, check: &Value) -> Value {
    let mut check = check.clone();
    check["plugin"] = json!("http");
    check["config"] = json!({"url": format!("http://127.0.0.1:{port}/")});
    json!({
        "name": "web", "command": env.fault(), "args": ["serve", port.to_string(), env.in_project("ill")],
        "health": [check],
    })
}

fn check(mcp: &mut Mcp, name: &str) -> Value {
    mcp.done("check_process_health", json!({"process": name}))
}

fn info(mcp: &mut Mcp, name: &str) -> Value {
    mcp.done("get_process_info", json!({"process": name}))
}

#[test]
fn an_unhealthy_server_is_restarted_with_the_reason_on_record() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let port = free_port();
    let schedule = json!({"interval_ms": 100, "failure_threshold": 2, "on_unhealthy": "restart"});
    let mut start = web(&env, port, &schedule);
    start["restart"] = json!({"backoff_initial_ms": 0});
    start["wait_for"] = json!("healthy");
    let started = mcp.done("start_process", start);
    assert_eq!(started["done"], true, "{started}");
    let process = &started["process"];
    assert_eq!((&process["health"], &process["ready"]), (&json!("healthy"), &json!(true)), "{started}");
    let before = process["pid"].clone();

    env.write("ill", "503 Service Unavailable");
    let process = wait_for("the server is restarted and healthy again", || {
        let view = mcp.view("web");
        (view["pid"].is_i64() && view["pid"] != before && view["health"] == "healthy").then_some(view)
    });
    assert_eq!(process["restarts"], 1, "{process}");
    let info = info(&mut mcp, "web");
    let runs = mcp.done("get_process_info", json!({"process": "web", "runs": 2}))["runs"].clone();
    assert_eq!(runs[0]["reason"], "restarted because it was unhealthy", "{runs}");
    let ended = runs[1]["reason"].as_str().unwrap();
    assert!(ended.contains("ended because it was unhealthy: http failed 2 times in a row"), "{ended}");
    assert!(ended.contains("503"), "{ended}");
    assert_eq!(info["plugins"], json!(["http"]));
    assert_eq!(info["health"][0]["health"], "healthy", "{info}");
    let history = mcp.done("check_process_health", json!({"process": "web", "history": 50}));
    let history = history["checks"][0]["history"].as_array().unwrap().clone();
    assert!(
        history.iter().any(|result| result["changed_to"] == "unhealthy" && result["run"] == 1),
        "{history:?}"
    );
}

#[test]
fn what_a_check_finds_now_is_told_with_the_next_step() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let port = free_port();
    let mut start = web(&env, port, &json!({"interval_ms": 3_600_000}));
    start["wait_for"] = json!("ready");
    assert_eq!(mcp.done("start_process", start)["done"], true);
    let report = check(&mut mcp, "web");
    assert_eq!((&report["status"], &report["health"]), (&json!("healthy"), &json!("healthy")), "{report}");
    assert_eq!(report["checks"][0]["breaker"], "closed");
    assert!(
        report["checks"][0]["latency_ms"].is_number() && report["checks"][0]["plugin"] == "http",
        "{report}"
    );
    env.write("ill", "500 Internal Server Error");
    let report = check(&mut mcp, "web");
    assert_eq!((&report["status"], &report["health"]), (&json!("unhealthy"), &json!("healthy")), "{report}");
    assert_eq!(report["checks"][0]["consecutive_failures"], 1, "{report}");
    assert!(report["checks"][0]["message"].as_str().unwrap().contains("500"), "{report}");
    assert!(report["next"].as_str().unwrap().contains("tail_logs"), "{report}");
    // Who asks often does not make it worse.
    for _ in 0..5 {
        check(&mut mcp, "web");
    }
    assert_eq!(mcp.view("web")["health"], "healthy");
    let exit = env.cli(&["health", "web"]);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert!(exit.stdout.contains("web unhealthy") && exit.stdout.contains("500"), "{exit:?}");
    assert!(env.cli(&["health"]).ok().stdout.contains("web"));

    let refused = mcp.refused("check_process_health", json!({"process": "web", "check": "tcp"}));
    assert!(refused.contains("http"), "{refused}");
    mcp.done("stop_process", json!({"process": "web"}));
    let report = check(&mut mcp, "web");
    assert_eq!(report["status"], "unknown", "{report}");
    assert!(report["next"].as_str().unwrap().contains("start_process"), "{report}");
}

#[test]
fn counters_outlive_the_daemon() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let port = free_port();
    let mut start =
        web(&env, port, &json!({"interval_ms": 100, "failure_threshold": 1000, "on_unhealthy": "restart"}));
    start["wait_for"] = json!("healthy");
    mcp.done("start_process", start);
    env.write("ill", "503 Service Unavailable");
    let failures = |report: &Value| report["checks"][0]["consecutive_failures"].as_u64().unwrap();
    wait_until("three failures", || failures(&check(&mut mcp, "web")) >= 3);
    let before = failures(&check(&mut mcp, "web"));
    env.crash_daemon();
    let mut mcp = env.mcp(Era::Modern);
    let report = check(&mut mcp, "web");
    assert!(failures(&report) >= before, "{before} before, and now {report}");
    assert_eq!(mcp.view("web")["restarts"], 0);
}

#[test]
fn a_plugin_without_a_verdict_is_at_fault_and_the_process_runs_on() {
    let env = Env::new();
    // It waits for longer than the check may last, and does not say so.
    let config = "[plugins.slow]\nsource = 'builtin:command'\nconfig = { command = ['sleep', '60'], timeout_ms = 60000 }\n";
    std::fs::write(env.home().join("config.toml"), config).unwrap();
    let mut mcp = env.mcp(Era::Modern);
    let checks = json!([{
        "plugin": "slow", "interval_ms": 100, "timeout_ms": 1, "failure_threshold": 1, "on_unhealthy": "restart",
    }]);
    let started = mcp.done(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["run"], "health": checks, "wait_for": "started"}),
    );
    let report = wait_for("the breaker opens", || {
        let report = check(&mut mcp, "web");
        (report["checks"][0]["breaker"] == "open").then_some(report)
    });
    assert_eq!((&report["status"], &report["health"]), (&json!("unknown"), &json!("unknown")), "{report}");
    let message = report["checks"][0]["message"].as_str().unwrap();
    assert!(message.contains("the plugin's fault, not the process's"), "{message}");
    assert!(report["next"].as_str().unwrap().contains("says nothing about the process"), "{report}");
    let process = mcp.view("web");
    assert_eq!((&process["pid"], &process["restarts"]), (&started["process"]["pid"], &json!(0)), "{process}");
    assert_eq!(process["health"], "unknown", "{process}");
}

#[test]
fn every_kind_of_check_finds_what_is_so() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let (port, closed) = (free_port(), free_port());
    let address = |port: u16| format!("localhost:{port}");
    let checks = json!([
        {"plugin": "tcp", "config": {"address": address(port)}},
        {"plugin": "command", "config": {"command": ["true"]}},
        {"plugin": "process", "config": {"port": port}},
        {"plugin": "command", "config": {"command": ["false"], "codes": "plain"}},
        {"plugin": "redis", "config": {"address": address(closed)}},
        {"plugin": "postgres", "config": {"address": address(closed)}},
    ]);
    mcp.done(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["serve", port.to_string(), env.in_project("ill")],
               "health": checks, "wait_for_log": "listening"}),
    );
    let report = check(&mut mcp, "web");
    let found: Vec<&str> =
        report["checks"].as_array().unwrap().iter().map(|c| c["status"].as_str().unwrap()).collect();
    assert_eq!(found, ["healthy", "healthy", "healthy", "unhealthy", "unhealthy", "unhealthy"], "{report}");
    let one = mcp.done("check_process_health", json!({"process": "web", "check": "tcp"}));
    assert_eq!((&one["status"], one["checks"].as_array().unwrap().len()), (&json!("healthy"), 1), "{one}");
    let refused = mcp.refused(
        "restart_process",
        json!({"process": "web", "health": [{"plugin": "http", "config": {"urll": "http://localhost:1/"}}]}),
    );
    assert!(refused.contains("health[0]") && refused.contains("url"), "{refused}");
    let refused = mcp.refused(
        "restart_process",
        json!({"process": "web", "health": [{"plugin": "process", "interval_ms": 1}]}),
    );
    assert!(refused.contains("health[0].interval_ms"), "{refused}");
}

#[test]
fn a_paused_check_has_no_say_until_it_is_resumed() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let port = free_port();
    let schedule = json!({"interval_ms": 100, "failure_threshold": 1, "on_unhealthy": "restart"});
    let mut start = web(&env, port, &schedule);
    start["wait_for"] = json!("healthy");
    start["restart"] = json!({"backoff_initial_ms": 0});
    mcp.done("start_process", start);
    let paused = mcp.done("check_process_health", json!({"process": "web", "pause": true}));
    assert_eq!(paused["checks"][0]["paused"], true, "{paused}");
    wait_until("its health is unknown", || mcp.view("web")["health"] == "unknown");
    env.crash_daemon();
    let mut mcp = env.mcp(Era::Modern);
    assert_eq!(info(&mut mcp, "web")["health"][0]["paused"], true, "the next daemon knows");
    env.write("ill", "503 Service Unavailable");
    let resumed = env.cli(&["health", "web", "--resume", "--json"]);
    assert_eq!(resumed.json()["checks"][0]["paused"], json!(null), "{resumed:?}");
    wait_until("it is restarted", || mcp.view("web")["restarts"] == 1);
}

#[test]
fn crashes_and_unhealthy_runs_end_in_one_crash_loop_which_is_left_by_hand() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let port = free_port();
    // Nothing ever listens on this port: each run is unhealthy.
    let checks = json!([{
        "plugin": "tcp", "config": {"address": format!("127.0.0.1:{port}")}, "interval_ms": 100, "failure_threshold": 1,
        "on_unhealthy": "restart",
    }]);
    let restart = json!({"policy": "on_failure", "max_restarts": 2, "backoff_initial_ms": 0});
    let started = mcp.done(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["run"], "health": checks, "restart": restart,
               "wait_for": "started"}),
    );
    // One of the runs ends by a crash, as far as it is still there to be killed.
    e2e::kill(started["process"]["pid"].as_i64().unwrap());
    let failed = mcp.await_status("web", "failed");
    assert_eq!(failed["restarts"], 2, "{failed}");
    let reason = failed["status_reason"].as_str().unwrap();
    assert!(reason.contains("crash loop: ended 3 times") && reason.contains("unhealthy (tcp"), "{reason}");
    let info = info(&mut mcp, "web");
    assert_eq!(info["runs"].as_array().unwrap().len(), 3, "{info}");
    assert!(info["evidence"]["last_lines"].as_array().is_some_and(|lines| !lines.is_empty()), "{info}");
    let recovered = mcp.done("start_process", json!({"name": "web", "wait_for": "started"}));
    assert_eq!(
        (&recovered["process"]["status"], &recovered["process"]["restarts"]),
        (&json!("running"), &json!(0))
    );
}

#[test]
fn a_crash_loop_is_tried_again_after_a_time_to_cool_down() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let restart = json!({"policy": "always", "max_restarts": 1, "backoff_initial_ms": 0, "cooldown_ms": 300});
    let _ = mcp.call(
        "start_process",
        json!({"name": "job", "command": env.fault(), "args": ["exit", "1"], "restart": restart}),
    );
    // Two runs are the first loop; with the fourth it has come back from the next one, or the one after.
    wait_until("it came back by itself", || {
        let run = info(&mut mcp, "job")["runs"][0]["run"].as_u64().unwrap_or(0);
        run >= 4
    });
    mcp.done("stop_process", json!({"process": "job"}));
    assert_eq!(mcp.view("job")["status"], "stopped");
}

/// What supervisors get wrong: two runs at once, or a stop that is forgotten.
#[test]
fn clients_that_start_stop_and_restart_at_once_leave_one_process_or_none() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let truth = env.in_project("truth");
    let start = json!({"name": "job", "command": env.fault(), "args": ["worker", truth, "7"], "wait_for": "started",
        "restart": {"policy": "always", "backoff_initial_ms": 0, "max_restarts": 1000}});
    mcp.done("start_process", start);
    std::thread::scope(|scope| {
        for client in 0..4_u32 {
            let env = &env;
            scope.spawn(move || {
                let mut mcp = env.mcp(Era::Modern);
                for n in 0..12 {
                    let (tool, arguments) = match (client + n) % 4 {
                        0 => ("start_process", json!({"name": "job", "wait_for": "started"})),
                        1 => ("restart_process", json!({"process": "job", "wait_for": "started"})),
                        2 => ("kill_process", json!({"process": "job"})),
                        _ => ("stop_process", json!({"process": "job"})),
                    };
                    let answer = mcp.call(tool, arguments);
                    // A start that another client's stop overtook is told as such; nothing is refused as "busy".
                    assert!(answer.structured.is_object(), "{tool}: {answer:?}");
                }
            });
        }
    });
    mcp.done("stop_process", json!({"process": "job"}));
    let stopped = mcp.view("job");
    assert_eq!(stopped["status"], "stopped", "{stopped}");
    let generation = stopped["generation"].clone();
    let text = std::fs::read_to_string(&truth).unwrap();
    // Each that began wrote so: none of them is alive.
    let began = text.lines().filter_map(|line| line.strip_prefix("start ")?.parse::<i64>().ok());
    for pid in began {
        assert!(!e2e::alive(pid), "{pid} is alive, and the process is stopped");
    }
    assert_eq!(mcp.view("job")["generation"], generation, "nothing comes after the stop");
}
