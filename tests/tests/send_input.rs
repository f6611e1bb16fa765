//! Input for processes: lines, keys, ends, and those who do not read.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, Mcp, in_both_eras, wait_until};
use serde_json::{Value, json};

in_both_eras!(
    a_line_is_answered_with_the_output_that_follows,
    keys_are_typed_at_a_terminal,
    who_does_not_read_is_told_and_nothing_is_lost,
    what_takes_no_input_says_why,
);

fn start(mcp: &mut Mcp, env: &Env, name: &str, args: &[&str], pty: bool) {
    mcp.done(
        "start_process",
        json!({"name": name, "command": env.fault(), "args": args, "pty": pty, "wait_for_log": "ready"}),
    );
}

fn a_line_is_answered_with_the_output_that_follows(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    start(&mut mcp, &env, "echo", &["echo"], false);
    let sent = mcp.done("send_input", json!({"process": "echo", "text": "one", "wait_ms": 20_000}));
    assert_eq!(
        (&sent["written_bytes"], &sent["done"], &sent["live"]),
        (&json!(4), &json!(true), &json!(true)),
        "{sent}"
    );
    assert!(
        sent["text"].as_str().unwrap().ends_with("<one>")
            && !sent["text"].as_str().unwrap().contains("ready"),
        "{sent}"
    );

    // Without a wait it answers at once, and the cursor is that of what follows.
    let sent = mcp.done("send_input", json!({"process": "echo", "text": "tw", "newline": false}));
    assert_eq!((&sent["written_bytes"], &sent["text"]), (&json!(2), &Value::Null), "{sent}");
    mcp.done("send_input", json!({"process": "echo", "base64": "bwo="}));
    let tail =
        mcp.done("tail_logs", json!({"process": "echo", "cursor": sent["cursor"], "until_pattern": "<two>"}));
    assert_eq!(tail["done"], true, "{tail}");

    let sent = mcp.done(
        "send_input",
        json!({"process": "echo", "text": "last", "eof": true, "until_pattern": "the end"}),
    );
    assert_eq!((&sent["eof"], &sent["done"]), (&json!(true), &json!(true)), "{sent}");
    mcp.await_status("echo", "exited");
    let messages: Vec<Value> =
        mcp.all_lines("echo").into_iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["ready", "<one>", "<two>", "<last>", "the end"]);
    // What was typed stands nowhere but where the process put it.
    assert!(!env.daemon_log().contains("last"));
}

fn keys_are_typed_at_a_terminal(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    start(&mut mcp, &env, "repl", &["prompt"], true);
    let sent =
        mcp.done("send_input", json!({"process": "repl", "text": "hello", "until_pattern": "^<hello>$"}));
    assert_eq!(sent["done"], true, "{sent}");
    // The prompt has no end of line, and is seen all the same.
    let sent = mcp.done(
        "send_input",
        json!({"process": "repl", "keys": ["a", "b", "backspace", "enter"], "wait_ms": 20_000}),
    );
    assert!(sent["text"].as_str().unwrap().contains("<a>") && sent["unfinished"] == "> ", "{sent}");
    let long = mcp.refused("send_input", json!({"process": "repl", "text": "x".repeat(5_000)}));
    assert!(long.contains("at most 4095 bytes"), "{long}");
    mcp.done("send_input", json!({"process": "repl", "eof": true}));
    mcp.await_status("repl", "exited");
}

fn who_does_not_read_is_told_and_nothing_is_lost(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let lines: String = (0..40_000).map(|n| format!("line {n:>8}\n")).collect();
    start(&mut mcp, &env, "deaf", &["run"], false);
    let answer = mcp.done("send_input", json!({"process": "deaf", "text": lines, "timeout_ms": 300}));
    let written = answer["written_bytes"].as_u64().unwrap();
    assert_eq!((&answer["done"], &answer["total_bytes"]), (&json!(false), &json!(lines.len())), "{answer}");
    assert!(written > 0 && written < lines.len() as u64, "{answer}");
    assert_eq!(answer["unread_bytes"], 65_536, "{answer}");
    assert!(answer["note"].as_str().unwrap().contains("does not read"), "{answer}");

    // One that only is slow gets all of it, in order and once, from two who write by turns as well.
    start(&mut mcp, &env, "slow", &["slow", "300"], false);
    let (first, second) = lines.split_at(lines.find("line    20000").unwrap());
    let half = mcp.done("send_input", json!({"process": "slow", "text": first, "timeout_ms": 30_000}));
    assert_eq!(half["written_bytes"], first.len(), "{half}");
    let end = json!({"process": "slow", "text": second, "eof": true, "timeout_ms": 30_000, "until_pattern": "right: true"});
    let answer = mcp.done("send_input", end);
    assert_eq!(answer["done"], true, "{answer}");
    assert!(
        answer["text"].as_str().unwrap().contains(&format!("{} bytes, right: true", lines.len())),
        "{answer}"
    );
}

fn what_takes_no_input_says_why(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    start(&mut mcp, &env, "echo", &["echo"], false);
    start(&mut mcp, &env, "closed", &["closed"], false);
    for (arguments, wanted) in [
        (json!({"process": "ecoh", "text": "x"}), vec!["did you mean `echo`"]),
        (json!({"process": "echo"}), vec!["`text`", "`keys`"]),
        (json!({"process": "echo", "text": "x", "keys": ["a"]}), vec!["one of"]),
        (json!({"process": "echo", "keys": ["ctrl-c"]}), vec!["pty: true", "kill_process"]),
        (json!({"process": "echo", "base64": "%"}), vec!["`base64`"]),
        (json!({"process": "echo", "text": "x".repeat(2 << 20)}), vec!["1048576", "parts"]),
        (json!({"process": "echo", "text": "x", "until_pattern": "("}), vec!["`until_pattern`"]),
        (json!({"process": "closed", "text": "x"}), vec!["input of `closed` is closed", "restart_process"]),
    ] {
        let text = mcp.refused("send_input", arguments);
        assert!(wanted.iter().all(|word| text.contains(word)), "{wanted:?}: {text}");
    }
    mcp.done("send_input", json!({"process": "echo", "eof": true}));
    mcp.await_status("echo", "exited");
    assert!(mcp.refused("send_input", json!({"process": "echo", "text": "x"})).contains("does not run"));
}

#[test]
fn input_goes_on_over_a_restart_of_the_daemon_and_so_does_its_end() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    start(&mut mcp, &env, "echo", &["echo"], false);
    mcp.done("send_input", json!({"process": "echo", "text": "one", "until_pattern": "<one>"}));
    env.crash_daemon();
    let sent = mcp.done("send_input", json!({"process": "echo", "text": "two", "until_pattern": "<two>"}));
    assert_eq!(sent["done"], true, "{sent}");
    env.crash_daemon();
    mcp.done("send_input", json!({"process": "echo", "eof": true}));
    mcp.await_status("echo", "exited");
    wait_until("the last line", || mcp.all_lines("echo").iter().any(|line| line["message"] == "the end"));
}
