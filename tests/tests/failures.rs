//! A start that fails explains itself in one answer, and a wait ends with a clear verdict.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;

use e2e::{Env, Era, in_both_eras, wait_for};
use serde_json::json;

in_both_eras!(
    a_crash_answers_with_exit_and_last_lines,
    a_signal_is_named,
    a_dumped_core_is_told,
    the_time_that_it_used_is_told,
    a_taken_port_names_its_holder,
    what_cannot_be_executed_says_why,
    waits_for_the_end_of_a_job,
    waits_for_a_line,
    what_runs_answers_its_state,
    a_declaration_reaches_the_program,
);

fn a_crash_answers_with_exit_and_last_lines(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let answer = mcp.call(
        "start_process",
        json!({"name": "api", "command": env.fault(), "args": ["exit", "7", "no database", "at main"]}),
    );
    assert!(answer.is_error, "{}", answer.text);
    let result = &answer.structured;
    assert_eq!((&result["done"], &result["evidence"]["exit"]["code"]), (&json!(false), &json!(7)));
    let lines =
        json!([{"stream": "stderr", "message": "no database"}, {"stream": "stderr", "message": "at main"}]);
    assert_eq!(result["evidence"]["last_lines"], lines);
    for word in ["`api`", "7", "no database", "at main"] {
        assert!(answer.text.contains(word), "{word} is missing: {}", answer.text);
    }
    let view = mcp.view("api");
    assert_eq!(view["exit"]["code"], 7, "{view}");
}

fn a_signal_is_named(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let answer =
        mcp.call("start_process", json!({"name": "api", "command": env.fault(), "args": ["signal", "11"]}));
    assert!(answer.is_error);
    let exit = &answer.structured["evidence"]["exit"];
    assert!(exit["signal"].as_str().is_some_and(|s| s.contains("SEGV")) && exit["code"].is_null(), "{exit}");
}

fn a_dumped_core_is_told(era: Era) {
    let env = Env::new();
    // What this machine makes of it without anybody between.
    let mut alone = std::process::Command::new(env.fault());
    let dumps = alone.arg("dump").current_dir(env.project()).status().unwrap().core_dumped();
    if !dumps {
        let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
        // Past the test's captured output, so that it is seen.
        let _ = writeln!(std::io::stderr(), "SKIPPED, for no core is dumped here; core_pattern: {pattern}");
    }
    let mut mcp = env.mcp(era);
    mcp.call("start_process", json!({"name": "api", "command": env.fault(), "args": ["dump"]}));
    let exit = mcp.await_status("api", "exited")["exit"].clone();
    assert_eq!(exit["signal"], "SIGABRT", "{exit}");
    assert_eq!(exit["core_dumped"] == true, dumps, "{exit}");
    let group = wait_for("its end is an error", || {
        mcp.done("get_errors", json!({"process": "api"}))["errors"].get(0).cloned()
    });
    assert!(group["category"] == "crash" && group["title"].as_str().unwrap().contains("SIGABRT"), "{group}");
    let suggestion = group["suggestion"].as_str().unwrap_or_default();
    assert_eq!(suggestion.contains("core file"), dumps, "{group}");
    mcp.call("start_process", json!({"name": "bare", "command": env.fault(), "args": ["signal", "9"]}));
    let exit = mcp.await_status("bare", "exited")["exit"].clone();
    assert!(exit["signal"] == "SIGKILL" && exit["core_dumped"].is_null(), "{exit}");
}

fn the_time_that_it_used_is_told(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let job = json!({"name": "job", "command": env.fault(), "args": ["work", "10"], "wait_for": "exited"});
    let exit = mcp.done("start_process", job)["process"]["exit"].clone();
    let (cpu, memory) = (exit["cpu_ms"].as_u64().unwrap(), exit["max_rss_bytes"].as_u64().unwrap());
    assert!((80..10_000).contains(&cpu) && memory > 100_000, "{exit}");
}

fn a_taken_port_names_its_holder(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let first = mcp.done(
        "start_process",
        json!({"name": "web", "command": env.fault(), "args": ["listen", "0"], "wait_for_log": "^listening"}),
    );
    assert_eq!(first["done"], true);
    let list = mcp.done("list_processes", json!({"detail": "full"}));
    let port = list["processes"][0]["ports"][0].as_u64().unwrap().to_string();
    let command = json!({"name": "web-2", "command": env.fault(), "args": ["listen", port]});
    let holder = mcp.call("start_process", command).structured["evidence"]["port_holder"].clone();
    assert_eq!((&holder["process"], &holder["pid"]), (&json!("shop/web"), &first["process"]["pid"]));

    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = foreign.local_addr().unwrap().port();
    let command = json!({"name": "web-3", "command": env.fault(), "args": ["listen", port]});
    let answer = mcp.call("start_process", command);
    let holder = &answer.structured["evidence"]["port_holder"];
    assert_eq!((&holder["port"], &holder["pid"]), (&json!(port), &json!(std::process::id())));
    assert!(holder["process"].is_null() && answer.text.contains(&port.to_string()), "{}", answer.text);
}

fn what_cannot_be_executed_says_why(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    env.write("plain.txt", "no program");
    std::fs::create_dir(env.project().join("folder")).unwrap();
    for (command, cwd, wanted) in [
        ("slep 5", ".", "did you mean `sleep`"),
        ("./gone", ".", "does not exist"),
        ("./plain.txt", ".", "chmod +x"),
        ("./folder", ".", "is a directory"),
        (env.fault().as_str(), "nowhere", "nowhere"),
        (env.fault().as_str(), "plain.txt", "is a file"),
        ("sleep 5 | cat", ".", "|"),
        ("sleep 5 && true", ".", "&&"),
        ("sleep 'open", ".", "`command`"),
        ("", ".", "`command`"),
    ] {
        let text = mcp.refused("start_process", json!({"name": "x", "command": command, "cwd": cwd}));
        assert!(text.contains(wanted), "{command}: {text}");
    }
    let list = mcp.done("list_processes", json!({}));
    assert_eq!(list["processes"], json!([]), "what was refused is not declared");

    // Executable by its mode only: the kernel is the one who refuses.
    env.write("broken", [0x7f, b'E', b'L', b'F', 9, 9, 9]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(env.project().join("broken"), mode).unwrap();
    let answer = mcp.call("start_process", json!({"name": "broken", "command": "./broken"}));
    assert!(answer.is_error && answer.text.contains("broken"), "{}", answer.text);
    assert_eq!(answer.structured["process"]["status"], "failed", "{}", answer.text);
    assert!(answer.structured["evidence"]["error"].is_string(), "{}", answer.structured);
}

fn waits_for_the_end_of_a_job(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let start = |name: &str, code: &str| json!({"name": name, "command": env.fault(), "args": ["count", "30", "5", code], "wait_for": "exited"});
    let good = mcp.done("start_process", start("good", "0"));
    assert_eq!((&good["done"], &good["process"]["status"]), (&json!(true), &json!("exited")), "{good}");
    assert_eq!(good["process"]["exit"]["code"], 0);
    let bad = mcp.call("start_process", start("bad", "3")).structured;
    assert_eq!(bad["evidence"]["exit"]["code"], 3, "{bad}");
    assert_eq!(bad["evidence"]["last_lines"][4]["message"], "n 5", "{bad}");
}

fn waits_for_a_line(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let start = |name: &str, pattern: &str, ms: u64| json!({"name": name, "command": env.fault(), "args": ["count", "10"], "wait_for_log": pattern, "timeout_ms": ms});
    let seen = mcp.done("start_process", start("a", "^n 7$", 20_000));
    assert_eq!((&seen["done"], &seen["evidence"]), (&json!(true), &json!(null)), "{seen}");
    let late = mcp.done("start_process", start("b", "never said", 100));
    assert_eq!((&late["done"], &late["process"]["status"]), (&json!(false), &json!("running")), "{late}");
    assert!(late["note"].as_str().unwrap().contains("tail_logs"), "{late}");
    let job = json!({"name": "c", "command": env.fault(), "args": ["lines", "3"], "wait_for_log": "never"});
    let over = mcp.call("start_process", job);
    assert!(over.is_error, "it ended without the line: {}", over.structured);
    assert_eq!(over.structured["evidence"]["exit"]["code"], 0);
    let text = mcp.refused("start_process", start("d", "(", 100));
    assert!(text.contains("wait_for_log"), "{text}");
}

fn what_runs_answers_its_state(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let first = mcp.start("web", &env.fault(), &["run"]);
    let same = mcp.done("start_process", json!({"name": "web", "command": env.fault(), "args": ["run"]}));
    assert_eq!((&same["process"]["pid"], &same["done"]), (&first["pid"], &json!(true)));
    let note = same["note"].as_str().unwrap();
    assert!(note.contains("already running") && !note.contains("another"), "{note}");
    let other = mcp.done("start_process", json!({"name": "web", "command": env.fault(), "args": ["flood"]}));
    assert_eq!(other["process"]["pid"], first["pid"]);
    let note = other["note"].as_str().unwrap();
    assert!(note.contains("another declaration") && note.contains("restart_process"), "{note}");
    let changed = mcp.done("restart_process", json!({"process": "web", "args": ["count", "50"]}));
    assert_eq!(changed["process"]["args"], json!(["count", "50"]));
    // A restart that cannot work leaves what runs alone.
    let text = mcp.refused("restart_process", json!({"process": "web", "command": "./gone"}));
    assert!(text.contains("does not exist"), "{text}");
    assert_eq!(mcp.view("web")["pid"], changed["process"]["pid"]);
}

fn a_declaration_reaches_the_program(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    std::fs::create_dir(env.project().join("sub")).unwrap();
    env.write("sub/.env", "COLOUR=from-file\nSHAPE=\"round one\"\n");
    let mut said = |name: &str, more: serde_json::Value| {
        let mut request = json!({"name": name, "command": env.fault(), "wait_for": "exited"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mcp.done("start_process", request);
        let lines = mcp.all_lines(name);
        lines.iter().map(|l| l["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(said("a", json!({"args": ["cwd"], "cwd": "sub"})), [env.in_project("sub")]);
    assert_eq!(said("b", json!({"args": ["cwd"]})), [env.in_project("").trim_end_matches('/').to_owned()]);
    let file = json!({"args": ["variable", "SHAPE"], "cwd": "sub", "env_files": [".env"]});
    assert_eq!(said("c", file), ["SHAPE=round one"]);
    let both = json!({"args": ["variable", "COLOUR"], "cwd": "sub", "env_files": [".env"], "env": {"COLOUR": "mine"}});
    assert_eq!(said("d", both), ["COLOUR=mine"]);
    let words = json!({"args": ["arguments", "two words", "", "$HOME", "a;b", "*"]});
    assert_eq!(said("e", words), ["<two words>", "<>", "<$HOME>", "<a;b>", "<*>"]);
    assert_eq!(said("f", json!({"args": ["variable", "HOSTLER_HOME"]})), ["HOSTLER_HOME="]);
    let info = mcp.done("get_process_info", json!({"process": "d"}));
    assert!(!info.to_string().contains("mine"), "values of the environment are shown: {info}");
}
