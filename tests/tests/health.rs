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

/// Declares a plugin that lets nothing pass, and one that lets everything pass, when they have no answer.
fn open_and_closed(env: &Env, file: &std::path::Path) {
    let config = ["open", "closed"]
        .map(|meaning| format!("[plugins.{meaning}]\nsource = {file:?}\non_failure = '{meaning}'\n"));
    std::fs::write(env.home().join("config.toml"), config.concat()).unwrap();
}

/// Starts a process for each of them, that one is its check.
fn start_checked_by_each(env: &Env, mcp: &mut Mcp, schedule: &Value) {
    for plugin in ["open", "closed"] {
        let mut check = schedule.clone();
        check["plugin"] = json!(plugin);
        let start = json!({"name": plugin, "command": env.fault(), "args": ["run"], "health": [check],
            "restart": {"backoff_initial_ms": 0}, "wait_for": "started"});
        mcp.done("start_process", start);
    }
}

/// What the check of a process found last, and what it said.
fn found_by(mcp: &mut Mcp, name: &str) -> (String, String) {
    let check = check(mcp, name)["checks"][0].clone();
    let text = |key: &str| check[key].as_str().unwrap().to_owned();
    (text("status"), text("message"))
}

#[test]
fn the_user_says_what_a_check_without_an_answer_means() {
    let env = Env::new();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile/checks");
    open_and_closed(&env, &fixtures.join("trap.wasm"));
    let mut mcp = env.mcp(Era::Modern);
    start_checked_by_each(&env, &mut mcp, &json!({"interval_ms": 3_600_000, "start_period_ms": 0}));
    // It traps three times; then it is in quarantine, and has no answer either.
    for wanted in ["trap", "trap", "trap", "quarantine"] {
        let (status, message) = found_by(&mut mcp, "open");
        assert_eq!(status, "unknown", "{message}");
        assert!(message.starts_with("no verdict: the plugin's fault, not the process's"), "{message}");
        assert!(wanted == "trap" || message.contains(wanted), "{message}");
        let (status, message) = found_by(&mut mcp, "closed");
        assert_eq!(status, "unhealthy", "{message}");
        let said = "taken for unhealthy, as `on_failure = \"closed\"` says: the plugin's fault";
        assert!(message.starts_with(said), "{message}");
        assert!(wanted == "trap" || message.contains(wanted), "{message}");
    }
}

#[test]
fn a_plugin_that_cannot_be_loaded_means_what_its_user_says() {
    let env = Env::new();
    let built = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/built/process.wasm");
    env.write("mine.wasm", std::fs::read(built).unwrap());
    open_and_closed(&env, std::path::Path::new(&env.in_project("mine.wasm")));
    let mut mcp = env.mcp(Era::Modern);
    let schedule = json!({"interval_ms": 100, "failure_threshold": 1, "start_period_ms": 0,
        "on_unhealthy": "restart"});
    start_checked_by_each(&env, &mut mcp, &schedule);
    for name in ["open", "closed"] {
        wait_until("it is healthy", || mcp.view(name)["health"] == "healthy");
    }
    let pid = mcp.view("open")["pid"].clone();
    // The next daemon finds no plugin to load.
    std::fs::remove_file(env.in_project("mine.wasm")).unwrap();
    env.crash_daemon();
    let mut mcp = env.mcp(Era::Modern);
    let (status, message) = found_by(&mut mcp, "open");
    assert_eq!(status, "unknown", "{message}");
    assert!(message.starts_with("no verdict: ") && message.contains("mine.wasm"), "{message}");
    wait_until("the one that lets nothing pass is restarted", || {
        mcp.view("closed")["restarts"].as_u64() > Some(0)
    });
    // It is restarted until that is a loop of crashes, and it is on record why its runs were ended.
    let runs = info(&mut mcp, "closed").to_string();
    assert!(runs.contains("taken for unhealthy, as `on_failure") && runs.contains("mine.wasm"), "{runs}");
    let view = mcp.view("open");
    assert_eq!((&view["pid"], &view["restarts"]), (&pid, &json!(0)), "{view}");
    mcp.done("stop_process", json!({"process": "closed"}));
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
    let schedule = json!({"interval_ms": 100, "failure_threshold": 1, "on_unhealthy": "restart"});
    let mut start = web(&env, port, &schedule);
    start["restart"] =
        json!({"policy": "on_failure", "max_restarts": 2, "window_ms": 600_000, "backoff_initial_ms": 0});
    start["wait_for"] = json!("healthy");
    let first = mcp.done("start_process", start)["process"]["pid"].as_i64().unwrap();
    let mut healthy_after = |pid: i64| {
        wait_for("another run is healthy", || {
            let view = mcp.view("web");
            let other = view["pid"].as_i64().filter(|other| *other != pid);
            other.filter(|_| view["health"] == "healthy")
        })
    };
    // The first run crashes, the others are unhealthy: each is well until then.
    e2e::kill(first);
    let second = healthy_after(first);
    env.write("ill", "503 Service Unavailable");
    healthy_after(second);
    env.write("ill", "503 Service Unavailable");
    let failed = mcp.await_status("web", "failed");
    assert_eq!(failed["restarts"], 2, "{failed}");
    let reason = failed["status_reason"].as_str().unwrap();
    assert!(reason.contains("crash loop: ended 3 times") && reason.contains("unhealthy (http"), "{reason}");
    let info = info(&mut mcp, "web");
    let [third, second, first] = info["runs"].as_array().unwrap().as_slice() else { panic!("{info}") };
    assert_eq!(first["exit"]["signal"], "SIGKILL", "{first}");
    assert!(!first["reason"].as_str().unwrap().contains("unhealthy"), "{first}");
    assert_eq!(second["exit"]["signal"], "SIGTERM", "{second}");
    let reason = second["reason"].as_str().unwrap();
    assert!(reason.starts_with("restarted by its policy; ended because it was unhealthy: http"), "{reason}");
    assert_eq!(third["exit"]["signal"], "SIGTERM", "{third}");
    let reason = third["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("restarted because it was unhealthy; ended because it was unhealthy"),
        "{reason}"
    );
    assert!(info["evidence"]["last_lines"].as_array().is_some_and(|lines| !lines.is_empty()), "{info}");
    let recovered = mcp.done("start_process", json!({"name": "web", "wait_for": "healthy"}));
    assert_eq!(
        (&recovered["process"]["status"], &recovered["process"]["restarts"]),
        (&json!("running"), &json!(0))
    );
}

#[test]
fn who_waits_for_health_in_vain_is_told_why_the_run_was_ended() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let checks = json!([{
        "plugin": "tcp", "config": {"address": format!("127.0.0.1:{}", free_port())}, "interval_ms": 100,
        "failure_threshold": 1, "start_period_ms": 0, "on_unhealthy": "restart",
    }]);
    let answer = mcp.call(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["run"], "health": checks, "wait_for": "healthy",
               "restart": {"backoff_initial_ms": 60_000, "backoff_max_ms": 60_000}}),
    );
    assert!(answer.is_error && answer.text.contains("`web` did not start"), "{}", answer.text);
    let reason = answer.structured["evidence"]["exit"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("ended because it was unhealthy: tcp failed 1 times"), "{}", answer.structured);
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

/// Numbers that look random, the same for each seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// What supervisors get wrong: two runs at once, a call without an answer, or a stop that is forgotten.
#[test]
fn random_calls_of_several_clients_leave_one_process_or_none() {
    (1..=3).for_each(interleave);
}

/// Clients that do what they like with one process, which also ends by itself at times.
fn interleave(seed: u64) {
    const CLIENTS: u64 = 4;
    let env = Env::new();
    let (lock, truth) = (env.in_project("lock"), env.in_project("truth"));
    let declared = |seed: u64| {
        json!({"name": "job", "command": env.fault(), "args": ["alone", lock, truth, seed.to_string()], "wait_for": "started",
            "restart": {"policy": "always", "backoff_initial_ms": 0, "max_restarts": 1000}})
    };
    let mut mcp = env.mcp(Era::Modern);
    mcp.call("start_process", declared(seed));
    let at_once = |act: &(dyn Fn(&mut Mcp, u64) + Sync)| {
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let env = &env;
                scope.spawn(move || act(&mut env.mcp(Era::Modern), client));
            }
        });
    };
    at_once(&|mcp, client| {
        let mut draw = Draw(seed * 1_000 + client);
        for n in 0..15 {
            let (tool, arguments) = match draw.below(6) {
                0 | 1 => ("start_process", json!({"name": "job", "wait_for": "started"})),
                2 => ("restart_process", json!({"process": "job", "wait_for": "started"})),
                3 => ("restart_process", declared(seed + n).as_object().map(redeclared).unwrap()),
                4 => ("kill_process", json!({"process": "job"})),
                _ => ("stop_process", json!({"process": "job"})),
            };
            let answer = mcp.call(tool, arguments);
            // A start that another client's stop overtook is told as such; nothing is refused as "busy".
            assert!(answer.structured.is_object(), "seed {seed}, {tool}: {answer:?}");
        }
    });
    at_once(&|mcp, _| {
        let stopped = mcp.done("stop_process", json!({"process": "job"}));
        assert_eq!(
            (&stopped["done"], &stopped["process"]["status"]),
            (&json!(true), &json!("stopped")),
            "{stopped}"
        );
    });
    let generation = mcp.view("job")["generation"].clone();
    let written = std::fs::read_to_string(&truth).unwrap();
    assert!(!written.contains("overlap"), "seed {seed}: two runs at once: {written}");
    // Each that began wrote so: none of them is alive.
    for pid in written.lines().filter_map(|line| line.strip_prefix("start ")?.parse::<i64>().ok()) {
        assert!(!e2e::alive(pid), "seed {seed}: {pid} is alive, and the process is stopped");
    }
    assert_eq!(mcp.view("job")["generation"], generation, "nothing comes after the stop");
    // The same start from all of them is one run.
    at_once(&|mcp, _| {
        mcp.done("start_process", declared(0));
    });
    let pid = mcp.view("job")["pid"].as_i64().unwrap();
    wait_until("it wrote that it is alone", || {
        let now = std::fs::read_to_string(&truth).unwrap();
        now.strip_prefix(&written) == Some(&format!("start {pid}\n"))
    });
}

/// The arguments of a restart that declares anew.
fn redeclared(start: &serde_json::Map<String, Value>) -> Value {
    let mut restart = start.clone();
    restart.remove("name");
    restart.insert("process".to_owned(), json!("job"));
    Value::Object(restart)
}
