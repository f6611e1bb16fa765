//! Following several processes at once, merged in the order of time.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use e2e::{Env, Era, Mcp, in_both_eras, wait_for};
use serde_json::{Value, json};

in_both_eras!(
    lines_of_several_processes_come_in_the_order_of_time,
    a_group_is_followed_until_all_its_members_have_ended,
    only_lines_of_a_level_are_waited_for_and_none_is_missed,
    a_cursor_of_others_is_refused_and_one_of_a_former_member_is_not,
    what_has_no_line_end_yet_is_shown,
);

/// Processes that write `ready`, and a line for each signal.
fn listeners(env: &Env, mcp: &mut Mcp, names: &[&str], group: Value) {
    for name in names {
        let request = json!({
            "name": name, "command": env.fault(), "args": ["signals"], "wait_for_log": "^ready", "group": group,
        });
        assert_eq!(mcp.done("start_process", request)["done"], true);
    }
}

/// The lines of an answer as `process message`.
fn told(answer: &Value) -> Vec<String> {
    let lines = answer["lines"].as_array().unwrap().iter();
    let name = |line: &Value| line["process"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    lines.map(|line| format!("{} {}", name(line), line["message"].as_str().unwrap())).collect()
}

fn lines_of_several_processes_come_in_the_order_of_time(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    listeners(&env, &mut mcp, &["a", "b", "c"], Value::Null);
    let first = mcp.done("tail_logs", json!({"process": "a, b", "format": "records"}));
    assert_eq!(told(&first), ["a ready", "b ready"]);
    let mut follow = json!({
        "process": "a,b", "format": "records", "follow": true, "wait_ms": 30000, "cursor": first["cursor"],
    });
    let mut wanted = Vec::new();
    for name in ["b", "a", "c", "b", "a"] {
        mcp.done("kill_process", json!({"process": name, "signal": "USR1"}));
        // Each line is there before the next is written, so that their order is known.
        let until = json!({"process": name, "until_pattern": "got USR1", "wait_ms": 30000, "lines": 1});
        assert_eq!(mcp.done("tail_logs", until)["done"], true);
        wanted.extend((name != "c").then(|| format!("{name} got USR1")));
    }
    let mut came = Vec::new();
    while came.len() < wanted.len() {
        let tail = mcp.done("tail_logs", follow.clone());
        assert_eq!((&tail["done"], &tail["live"]), (&json!(true), &json!(true)), "{tail}");
        came.extend(told(&tail));
        follow["cursor"] = tail["cursor"].clone();
    }
    came.sort();
    wanted.sort();
    assert_eq!(came, wanted);
    let both = mcp.done("tail_logs", json!({"process": "a,b", "lines": 2}));
    let text = both["text"].as_str().unwrap();
    assert!(text.lines().all(|line| line.starts_with("a ") || line.starts_with("b ")), "{text}");
    // Page by page, as get_logs goes: all of both, in one order.
    let (mut all, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page =
            json!({"process": "a,b", "order": "asc", "limit": 2, "format": "records", "cursor": cursor});
        let page = mcp.done("get_logs", page);
        all.extend(page["lines"].as_array().unwrap().clone());
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let times: Vec<&str> = all.iter().map(|line| line["time"].as_str().unwrap()).collect();
    assert!(times.len() == 6 && times.is_sorted(), "{times:?}");
}

fn a_group_is_followed_until_all_its_members_have_ended(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.done("create_group", json!({"name": "shop"}));
    let empty = mcp.refused("tail_logs", json!({"group": "shop"}));
    assert!(empty.contains("no members"), "{empty}");
    listeners(&env, &mut mcp, &["a", "b"], json!("shop"));
    let first = mcp.done("tail_logs", json!({"group": "shop", "format": "records"}));
    assert_eq!(told(&first), ["a ready", "b ready"]);
    let mut follow = json!({
        "group": "shop", "cursor": first["cursor"], "follow": true, "wait_ms": 30000, "format": "records",
    });
    let waiting = mcp.begin_call("tail_logs", follow.clone());
    mcp.done("kill_process", json!({"process": "b", "signal": "HUP"}));
    let tail = mcp.answer(waiting)["result"]["structuredContent"].clone();
    assert_eq!(told(&tail), ["b got HUP"]);
    mcp.done("stop_process", json!({"process": "a"}));
    follow["cursor"] = tail["cursor"].clone();
    follow["wait_ms"] = json!(100);
    let tail = mcp.done("tail_logs", follow.clone());
    assert_eq!(tail["live"], true, "one of them may write: {tail}");
    let note = tail["note"].as_str().unwrap();
    assert!(note.contains("tail_logs {\"group\": \"shop\", \"cursor\""), "{note}");
    follow["wait_ms"] = json!(30000);
    let waiting = mcp.begin_call("tail_logs", follow);
    mcp.done("stop_process", json!({"process": "b"}));
    let tail = mcp.answer(waiting)["result"]["structuredContent"].clone();
    assert_eq!((&tail["live"], &tail["done"]), (&json!(false), &json!(false)), "{tail}");
    assert!(tail["note"].as_str().unwrap().contains("have ended"), "{tail}");
}

fn only_lines_of_a_level_are_waited_for_and_none_is_missed(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let script = "for n in 1 2 3; do echo INFO $n; echo WARN $n; sleep 0.1; done; echo ERROR last";
    env.policy("shells = true");
    mcp.done("start_process", json!({"name": "job", "command": "sh", "args": ["-c", script]}));
    let mut follow = json!({
        "process": "job", "follow": true, "wait_ms": 30000, "min_level": "warn", "format": "records",
        "cursor": "0.0",
    });
    let mut came = Vec::new();
    loop {
        let tail = mcp.done("tail_logs", follow.clone());
        let lines = tail["lines"].as_array().unwrap();
        came.extend(lines.iter().map(|line| line["level"].as_str().unwrap().to_owned()));
        follow["cursor"] = tail["cursor"].clone();
        if tail["live"] == false && lines.is_empty() {
            break;
        }
    }
    assert_eq!(came, ["warn", "warn", "warn", "error"]);
}

fn a_cursor_of_others_is_refused_and_one_of_a_former_member_is_not(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    listeners(&env, &mut mcp, &["a", "b", "c"], Value::Null);
    let cursor = mcp.done("tail_logs", json!({"process": "a,b"}))["cursor"].clone();
    let other = mcp.refused("tail_logs", json!({"process": "c", "cursor": cursor}));
    assert!(other.contains("`cursor`"), "{other}");
    mcp.done("kill_process", json!({"process": "b", "signal": "HUP"}));
    let follow =
        json!({"process": "b,c", "cursor": cursor, "follow": true, "wait_ms": 30000, "format": "records"});
    // What `c` wrote was not in the cursor, so it is new.
    let mut came = told(&mcp.done("tail_logs", follow));
    came.retain(|line| line != "b got HUP");
    assert_eq!(came, ["c ready"]);
}

fn what_has_no_line_end_yet_is_shown(era: Era) {
    let env = Env::new();
    env.policy("shells = true");
    let mut mcp = env.mcp(era);
    let script = "echo ready; printf '10 %%\\r20 %%\\rName: '; read name; echo hello";
    mcp.done("start_process", json!({"name": "job", "command": "sh", "args": ["-c", script], "pty": true}));
    let tail = wait_for("the prompt is there", || {
        let tail = mcp.done("tail_logs", json!({"process": "job"}));
        tail["unfinished"].is_string().then_some(tail)
    });
    assert_eq!((&tail["unfinished"], &tail["count"]), (&json!("Name: "), &json!(1)), "{tail}");
}

/// What `logs -f` prints of two processes and of a group, as it comes, and that it ends with them.
#[test]
fn the_command_line_follows_several_and_a_group() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    mcp.done("create_group", json!({"name": "shop"}));
    listeners(&env, &mut mcp, &["web", "api"], json!("shop"));
    for whose in [&["web", "api"][..], &["--group", "shop"]] {
        let mut command = env.hostler();
        command.args(["logs", "-f", "-n", "1"]).args(whose);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let _newest = lines.next().unwrap();
        for name in ["api", "web"] {
            mcp.done("kill_process", json!({"process": name, "signal": "USR1"}));
            let line = lines.next().unwrap();
            assert!(line.starts_with(&format!("{name} ")) && line.ends_with("got USR1"), "{line}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut command = env.hostler();
    command.args(["logs", "-f", "-n", "0", "--grep", "HUP", "web", "api"]).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let signal = |mcp: &mut Mcp, signal| {
        mcp.done("kill_process", json!({"process": "web", "signal": signal}));
    };
    signal(&mut mcp, "USR1");
    signal(&mut mcp, "HUP");
    wait_for("the lines are there", || {
        let found = mcp.done("search_logs", json!({"query": "got HUP", "process": "web"}));
        (found["total"] == 1).then_some(())
    });
    mcp.done("stop_process", json!({"process": "web"}));
    mcp.done("stop_process", json!({"process": "api"}));
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.lines().count() <= 1 && !text.contains("USR1"), "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("have ended"));
    let grepped = env.cli(&["logs", "web", "api", "--grep", "got U", "-n", "3"]).ok().stdout;
    assert_eq!(grepped.lines().filter(|line| line.ends_with("got USR1")).count(), 3, "{grepped}");
}
