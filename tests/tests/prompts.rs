//! Prompts: what is known now, and the calls to go on with.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail where it stands, and show figures"
)]

use e2e::{Env, Era, Mcp, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(
    a_failure_is_shown_with_its_evidence,
    what_is_proposed_fits,
    checks_and_plugins_are_part_of_the_evidence,
    a_wrong_name_is_refused_clearly,
    prompts_stay_within_their_budget,
    a_group_is_shown_with_what_holds_it_up,
    the_form_of_lines_is_that_in_which_they_were_written,
    every_call_can_be_carried_out_as_it_stands,
);

/// Ten thousand characters.
const BUDGET: usize = 10_000;

fn prompt(mcp: &mut Mcp, name: &str, arguments: Value) -> String {
    let answer = mcp.request("prompts/get", json!({"name": name, "arguments": arguments}));
    let text = answer["result"]["messages"][0]["content"]["text"].as_str();
    text.unwrap_or_else(|| panic!("{name}: {answer}")).to_owned()
}

/// The calls that a prompt ends with.
fn calls(text: &str) -> Vec<(String, Value)> {
    let (_, steps) = text.rsplit_once("## What to do next").unwrap();
    let call = |line: &str| {
        let (tool, arguments) = line.split_once('`')?.1.trim_end_matches('`').split_once(' ')?;
        // What is in front of the call may quote a name.
        let (tool, arguments) = match arguments.rsplit_once(": `") {
            Some((_, call)) => call.split_once(' ')?,
            None => (tool, arguments),
        };
        Some((tool.to_owned(), serde_json::from_str(arguments).ok()?))
    };
    steps.lines().filter_map(call).collect()
}

fn a_failure_is_shown_with_its_evidence(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let arguments = json!({"name": "web", "command": env.fault(), "args": ["exit", "7", "error: DATABASE_URL is not set"]});
    mcp.call("start_process", arguments);
    let text = prompt(&mut mcp, "debug_process", json!({"process": "web"}));
    for wanted in ["`web`", "\"code\":7", "DATABASE_URL is not set"] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
    let calls = calls(&text);
    assert_eq!(calls[0].0, "get_logs", "{calls:?}");
    let page = mcp.done("get_logs", calls[0].1.clone());
    assert!(page["text"].as_str().unwrap().contains("DATABASE_URL"), "{page}");
}

fn what_is_proposed_fits(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let started =
        json!({"name": "web", "command": env.fault(), "args": ["listen", "0"], "wait_for_log": "."});
    mcp.done("start_process", started);
    e2e::wait_until("it listens", || {
        mcp.done("list_processes", json!({"detail": "full"}))["processes"][0]["ports"][0].is_u64()
    });
    let text = prompt(&mut mcp, "setup_monitoring", json!({"process": "web"}));
    let (tool, arguments) = calls(&text).remove(0);
    assert_eq!(tool, "restart_process", "{text}");
    assert_eq!(arguments["health"][0]["plugin"], "tcp", "{arguments}");
    assert!(!text.contains("not valid here"), "{text}");
    let port = mcp.done("list_processes", json!({"detail": "full"}))["processes"][0]["ports"][0].clone();
    assert_eq!(arguments["health"][0]["config"]["address"], format!("127.0.0.1:{port}"), "{arguments}");
    // It is accepted as it stands.
    mcp.done("restart_process", arguments);
    assert_eq!(mcp.done("check_process_health", json!({"process": "web"}))["checks"][0]["plugin"], "tcp");
}

fn checks_and_plugins_are_part_of_the_evidence(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let nobody = json!({"address": "127.0.0.1:1"});
    let health = json!([{"plugin": "tcp", "config": nobody, "interval_ms": 100, "start_period_ms": 0, "failure_threshold": 1}]);
    let log = json!({"parsers": ["json"]});
    mcp.done(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["count", "50"], "health": health, "log": log}),
    );
    e2e::wait_until("its check has failed", || mcp.view("web")["health"] == "unhealthy");
    let text = prompt(&mut mcp, "debug_process", json!({"process": "web"}));
    for wanted in ["## check_process_health", "\"history\":[{", "## plugins", "tcp (health-check): active"] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
    let text = prompt(&mut mcp, "setup_monitoring", json!({"process": "web"}));
    for wanted in ["json (log-parser): active", "redis (health-check): idle"] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
}

fn a_wrong_name_is_refused_clearly(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    for (name, arguments, wanted) in [
        ("debug_proces", json!({}), "did you mean `debug_process`"),
        ("debug_process", json!({}), "`process` is missing"),
        ("debug_process", json!({"process": "wbe"}), "did you mean `web`"),
        ("troubleshoot_group", json!({"group": "nowhere"}), "group"),
    ] {
        let error =
            mcp.request("prompts/get", json!({"name": name, "arguments": arguments}))["error"].clone();
        assert_eq!(error["code"], -32602, "{name}: {error}");
        assert!(error["message"].as_str().unwrap().contains(wanted), "{name}: {error}");
    }
    let reference = json!({"type": "ref/prompt", "name": "debug_process"});
    let completed = mcp.request(
        "completion/complete",
        json!({"ref": reference, "argument": {"name": "process", "value": "w"}}),
    );
    assert_eq!(completed["result"]["completion"]["values"], json!(["web"]), "{completed}");
}

/// A database that fails, and two who wait for it; and one that works, with a check.
fn broken_stack(env: &Env, mcp: &mut Mcp) {
    let check = json!([{"plugin": "command", "config": {"command": [env.fault(), "exit", "2", "no queue"]},
        "interval_ms": 100, "failure_threshold": 1, "start_period_ms": 0}]);
    let mail = json!({"name": "mail", "command": env.fault(), "args": ["run"], "health": check});
    mcp.done("start_process", mail);
    let words = ["exit", "3", "error: cannot open the data directory"];
    mcp.call("start_process", json!({"name": "db", "command": env.fault(), "args": words}));
    for name in ["api", "web"] {
        mcp.start(name, &env.fault(), &["run"]);
        mcp.done("stop_process", json!({"process": name}));
    }
    let waits = |name: &str, on: &str| json!({"process": name, "depends_on": [on], "condition": "completed"});
    let members = json!(["mail", "db", waits("api", "db"), waits("web", "api")]);
    mcp.done("create_group", json!({"name": "stack", "members": members}));
    mcp.done("start_group", json!({"group": "stack"}));
    e2e::wait_until("the others are blocked", || {
        let answer = mcp.done("start_group", json!({"group": "stack"}));
        (2..4).all(|at| answer["members"][at]["blocked_by"] == "db")
    });
    e2e::wait_until("mail is unhealthy", || mcp.view("mail")["health"] == "unhealthy");
    e2e::wait_until("the error of db is known", || {
        !mcp.done("get_errors", json!({"process": "db"}))["errors"].as_array().unwrap().is_empty()
    });
}

fn a_group_is_shown_with_what_holds_it_up(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    broken_stack(&env, &mut mcp);
    let text = prompt(&mut mcp, "troubleshoot_group", json!({"group": "stack"}));
    assert!(text.chars().count() <= BUDGET, "{}", text.chars().count());
    for wanted in [
        "## groups://stack",
        "\"blocked_by\":\"db\"",
        "\"depends_on\":[\"api\"]",
        "cannot open the data directory",
        "## get_errors",
        "## check_process_health",
        "no queue",
        "## get_process_stats",
        "## plugins",
        "command (health-check): active",
        "holds up api, web: begin with it",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
    let calls = calls(&text);
    assert_eq!(calls[0], ("get_process_info".to_owned(), json!({"process": "db"})), "{text}");
    assert_eq!(calls[1], ("get_process_info".to_owned(), json!({"process": "mail"})), "{text}");
    assert!(
        calls[2..].iter().all(|(tool, _)| tool != "get_process_info"),
        "who is blocked is no cause: {text}"
    );
}

fn the_form_of_lines_is_that_in_which_they_were_written(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let access = r#"10.0.0.1 - - [01/Dec/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 512"#;
    let json_line = format!("{{\"level\":\"info\",\"msg\":\"{access}\"}}");
    let plain = access.replace('\\', "");
    for (name, line, parser) in [
        ("json", json_line.as_str(), Some("json")),
        ("logfmt", "level=info msg=served path=/ status=200", Some("logfmt")),
        ("access", plain.as_str(), Some("access-log")),
        ("words", "nothing in particular", None),
    ] {
        let args = json!(["exit", "0", line, line, line]);
        mcp.done(
            "start_process",
            json!({"name": name, "command": env.fault(), "args": args, "wait_for": "exited"}),
        );
        // Parsers that every process has see the line before this prompt does.
        mcp.done("get_logs", json!({"process": name, "format": "records"}));
        let text = prompt(&mut mcp, "setup_monitoring", json!({"process": name}));
        let restart = calls(&text).into_iter().find(|(tool, _)| tool == "restart_process").unwrap().1;
        assert_eq!(restart["log"]["parsers"][0].as_str(), parser, "{name}: {text}");
    }
}

/// Whether a call was carried out. That a process failed again is an answer; that a call is not understood, that there
/// is nothing of a name, or that it cannot be so is none.
fn is_carried_out(mcp: &mut Mcp, tool: &str, arguments: &Value) -> Result<(), String> {
    let answer = mcp.request("tools/call", json!({"name": tool, "arguments": arguments}));
    match answer["result"]["_meta"]["hostler/error"].is_null() && answer["error"].is_null() {
        true => Ok(()),
        false => Err(format!("{tool} {arguments}: {answer}")),
    }
}

fn every_call_can_be_carried_out_as_it_stands(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    broken_stack(&env, &mut mcp);
    mcp.start("quiet", &env.fault(), &["run"]);
    mcp.start("rest", &env.fault(), &["run"]);
    mcp.done("stop_process", json!({"process": "rest"}));
    mcp.start("trace", &env.fault(), &["trace"]);
    e2e::wait_until("its error is known", || {
        !mcp.done("get_errors", json!({"process": "trace"}))["errors"].as_array().unwrap().is_empty()
    });
    mcp.done("create_group", json!({"name": "empty"}));
    mcp.done("create_group", json!({"name": "resting", "members": "rest"}));
    let asked = [
        ("debug_process", json!({"process": "db"})),
        ("debug_process", json!({"process": "trace"})),
        ("debug_process", json!({"process": "mail"})),
        ("debug_process", json!({"process": "shop/rest"})),
        ("optimize_performance", json!({"process": "rest"})),
        ("optimize_performance", json!({"process": "quiet"})),
        ("optimize_performance", json!({})),
        ("setup_monitoring", json!({"process": "trace"})),
        ("setup_monitoring", json!({"process": "rest"})),
        ("troubleshoot_group", json!({"group": "empty"})),
        ("troubleshoot_group", json!({"group": "resting"})),
        ("troubleshoot_group", json!({"group": "stack"})),
    ];
    for args in
        [&[][..], &["--read-only"], &["--tools", "logs"], &["--tools", "monitoring"], &["--tools", "groups"]]
    {
        let mut command = env.hostler();
        command.arg("mcp").args(args);
        let mut mcp = Mcp::spawn(command, era);
        mcp.handshake();
        let mut shown = 0;
        for (name, arguments) in &asked {
            let text = prompt(&mut mcp, name, arguments.clone());
            let (_, end) = text.rsplit_once("## What to do next").unwrap();
            let numbered = end.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count();
            let calls = calls(&text);
            assert_eq!(calls.len(), numbered, "a call that cannot be read: {end}");
            assert!(!end.contains("NAME") && !end.contains("\"ID\""), "something is to be filled in: {end}");
            if calls.is_empty() {
                assert!(end.contains("does not have"), "{args:?} {name} {arguments} ends in nothing: {end}");
            }
            if args.is_empty() || args[0] == "--read-only" || args[1] == "logs" {
                assert!(
                    !calls.is_empty() || *name == "troubleshoot_group",
                    "{args:?} {name} {arguments}: {end}"
                );
            }
            shown += calls.len();
            for (tool, arguments) in calls {
                is_carried_out(&mut mcp, &tool, &arguments)
                    .unwrap_or_else(|why| panic!("{args:?} {name}: {why}"));
            }
        }
        assert!(shown > 0, "{args:?}");
    }
}

fn prompts_stay_within_their_budget(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let long = "x".repeat(5_000);
    let arguments =
        json!({"name": "web", "command": env.fault(), "args": ["exit", "1", &long, &long, &long]});
    mcp.call("start_process", arguments);
    let names: Vec<String> = (0..30).map(|n| format!("worker-{n:02}")).collect();
    mcp.start_all(&names, &env.fault(), &["run"]);
    let waits = |name: &String| json!({"process": name, "depends_on": ["web"], "condition": "healthy"});
    let members: Vec<Value> = std::iter::once(json!("web")).chain(names.iter().map(waits)).collect();
    mcp.done("create_group", json!({"name": "all", "members": members}));
    mcp.call("start_group", json!({"group": "all"}));
    for (name, arguments) in [
        ("debug_process", json!({"process": "web"})),
        ("optimize_performance", json!({"process": "web"})),
        ("optimize_performance", json!({})),
        ("setup_monitoring", json!({"process": "web"})),
        ("troubleshoot_group", json!({"group": "all"})),
    ] {
        let text = prompt(&mut mcp, name, arguments.clone());
        println!("{era:?}: {name} {arguments}: {} characters", text.chars().count());
        assert!(text.chars().count() <= BUDGET, "{name} {arguments}: {} characters", text.chars().count());
        assert!(text.contains("xxxxxxxx") || arguments == json!({}), "{name} shows none of its lines");
        assert!(!calls(&text).is_empty(), "{name}: {text}");
    }
}
