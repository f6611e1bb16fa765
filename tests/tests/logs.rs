//! Output: every byte once, in order, whatever it is.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(
    a_line_of_a_megabyte_comes_in_pieces_that_say_so,
    bytes_that_are_no_text_are_kept_readable,
    both_streams_keep_their_order_without_holes,
    pages_give_every_line_exactly_once,
    following_waits_for_the_next_line,
    streams_times_and_runs_narrow_what_is_shown,
    a_flood_does_not_hold_up_others,
);

fn finished(env: &Env, era: Era, args: &[&str]) -> e2e::Mcp {
    let mut mcp = env.mcp(era);
    let request = json!({"name": "job", "command": env.fault(), "args": args, "wait_for": "exited"});
    assert_eq!(mcp.done("start_process", request)["process"]["exit"]["code"], 0);
    mcp
}

fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|l| l["message"].as_str().unwrap()).collect()
}

/// Numbered from 1 without holes.
fn assert_whole(lines: &[Value]) {
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], at as u64 + 1, "a hole before {line}");
    }
}

fn a_line_of_a_megabyte_comes_in_pieces_that_say_so(era: Era) {
    const LENGTH: usize = 1_000_003;
    const PIECE: usize = 256 * 1024;
    let env = Env::new();
    let mut mcp = finished(&env, era, &["long", &LENGTH.to_string()]);
    let lines = mcp.all_lines("job");
    assert_whole(&lines);
    let continued: Vec<bool> = lines.iter().map(|l| l["continued"] == true).collect();
    assert_eq!(continued, [true, true, true, false, false]);
    assert_eq!(lines[4]["message"], "after");
    let whole: String = (0..=LENGTH / 8).map(|n| format!("{n:07};")).collect();
    let whole = &whole[..LENGTH];
    for (at, line) in lines[..4].iter().enumerate() {
        // Each piece is shown cut, unless it is asked for whole.
        let shown = line["message"].as_str().unwrap();
        assert!(shown.len() < 2_100 && shown[..1_900] == whole[at * PIECE..][..1_900], "{shown:.50}");
    }
    let (mut pieces, mut cursor) = (String::new(), Value::Null);
    loop {
        let request = json!({"process": "job", "order": "asc", "format": "records", "max_line_chars": PIECE, "cursor": cursor});
        let page = mcp.done("get_logs", request);
        pieces.extend(messages(page["lines"].as_array().unwrap()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert!(pieces == format!("{whole}after"), "the pieces do not make the line: {} bytes", pieces.len());
    let by_cli = env.cli(&["logs", "job"]).ok().stdout;
    let shown: usize = by_cli.lines().map(|l| l.len() - "00:00:00.000   ".len()).sum();
    assert_eq!(shown, LENGTH + "after".len());
}

fn bytes_that_are_no_text_are_kept_readable(era: Era) {
    let env = Env::new();
    let mut mcp = finished(&env, era, &["garbage"]);
    let lines = mcp.all_lines("job");
    assert_whole(&lines);
    let wanted =
        ["bad \u{fffd}\u{fffd} utf-8", "nul \u{2400} nul", "whole ä€😀", "red", "", "last without line feed"];
    assert_eq!(messages(&lines), wanted);
    let request = json!({"name": "bar", "command": env.fault(), "args": ["progress"], "wait_for": "exited"});
    mcp.done("start_process", request);
    assert_eq!(messages(&mcp.all_lines("bar")), ["100 %", "finished"]);
}

fn both_streams_keep_their_order_without_holes(era: Era) {
    let env = Env::new();
    let mut mcp = finished(&env, era, &["lines", "10000"]);
    let lines = mcp.all_lines("job");
    assert_eq!(lines.len(), 20_000);
    assert_whole(&lines);
    for (stream, mark) in [("stdout", "out"), ("stderr", "err")] {
        let of_stream: Vec<Value> = lines.iter().filter(|l| l["stream"] == stream).cloned().collect();
        let wanted: Vec<String> = (1..=10_000).map(|n| format!("{mark} {n}")).collect();
        assert_eq!(messages(&of_stream), wanted);
    }
    let counted = mcp.done("get_process_info", json!({"process": "job"}));
    assert_eq!(counted["log_lines"], 20_000);
}

fn pages_give_every_line_exactly_once(era: Era) {
    let env = Env::new();
    let mut mcp = finished(&env, era, &["lines", "150"]);
    for (order, limit) in [("asc", 7), ("desc", 7), ("asc", 1000), ("desc", 100), ("", 7)] {
        let (mut seqs, mut cursor): (Vec<u64>, _) = (Vec::new(), Value::Null);
        loop {
            let order = if order.is_empty() { Value::Null } else { json!(order) };
            let page = mcp.done(
                "get_logs",
                json!({"process": "job", "order": order, "limit": limit, "format": "records", "cursor": cursor}),
            );
            let mut lines: Vec<u64> =
                page["lines"].as_array().unwrap().iter().map(|l| l["seq"].as_u64().unwrap()).collect();
            assert!(lines.len() <= limit, "{page}");
            if order.is_null() {
                lines.reverse();
            }
            seqs.extend(lines);
            assert_eq!(page["truncated"] == true, page["next_cursor"].is_string(), "{page}");
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        if order != "asc" {
            seqs.reverse();
        }
        assert_eq!(seqs, (1..=300).collect::<Vec<u64>>(), "{order} by {limit}");
    }
}

fn following_waits_for_the_next_line(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let request =
        json!({"name": "web", "command": env.fault(), "args": ["signals"], "wait_for_log": "^ready"});
    mcp.done("start_process", request);
    let first = mcp.done("tail_logs", json!({"process": "web"}));
    assert_eq!((&first["count"], &first["live"], &first["done"]), (&json!(1), &json!(true), &json!(true)));
    let nothing = json!({"process": "web", "cursor": first["cursor"], "follow": true, "wait_ms": 50});
    let nothing = mcp.done("tail_logs", nothing);
    assert_eq!((&nothing["count"], &nothing["done"]), (&json!(0), &json!(false)), "{nothing}");
    assert_eq!(nothing["cursor"], first["cursor"]);

    let follow = json!({"process": "web", "cursor": first["cursor"], "follow": true, "wait_ms": 30000});
    let waiting = mcp.begin_call("tail_logs", follow);
    mcp.done("kill_process", json!({"process": "web", "signal": "USR1"}));
    let tail = mcp.answer(waiting)["result"]["structuredContent"].clone();
    assert_eq!((&tail["done"], &tail["count"]), (&json!(true), &json!(1)), "{tail}");
    assert!(tail["text"].as_str().unwrap().ends_with("got USR1"), "{tail}");

    let until = json!({"process": "web", "cursor": tail["cursor"], "until_pattern": "got HUP", "wait_ms": 30000, "format": "records"});
    let waiting = mcp.begin_call("tail_logs", until);
    for signal in ["USR1", "HUP"] {
        mcp.done("kill_process", json!({"process": "web", "signal": signal}));
        let seen = mcp.done(
            "tail_logs",
            json!({"process": "web", "cursor": tail["cursor"], "until_pattern": format!("got {signal}")}),
        );
        assert_eq!(seen["done"], true, "{seen}");
    }
    let tail = mcp.answer(waiting)["result"]["structuredContent"].clone();
    assert_eq!(messages(tail["lines"].as_array().unwrap()), ["got USR1", "got HUP"], "{tail}");

    let end = json!({"process": "web", "cursor": tail["cursor"], "follow": true, "wait_ms": 30000});
    let waiting = mcp.begin_call("tail_logs", end);
    mcp.done("stop_process", json!({"process": "web"}));
    let tail = mcp.answer(waiting)["result"]["structuredContent"].clone();
    assert_eq!((&tail["live"], &tail["done"]), (&json!(false), &json!(false)), "{tail}");
    assert!(tail["note"].as_str().unwrap().contains("has ended"), "{tail}");
}

fn streams_times_and_runs_narrow_what_is_shown(era: Era) {
    let env = Env::new();
    let mut mcp = finished(&env, era, &["lines", "5"]);
    mcp.done("restart_process", json!({"process": "job", "args": ["lines", "2"], "wait_for": "exited"}));
    let mut count = |more: Value| {
        let mut request = json!({"process": "job"});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mcp.done("get_logs", request)["count"].as_u64().unwrap()
    };
    assert_eq!(count(json!({})), 14);
    assert_eq!(count(json!({"run": 1})), 10);
    assert_eq!(count(json!({"run": 2, "stream": "stderr"})), 2);
    assert_eq!(count(json!({"stream": "stdout"})), 7);
    assert_eq!(count(json!({"since": "10m"})), 14);
    assert_eq!(count(json!({"until": "10m"})), 0);
    assert_eq!(count(json!({"since": "2100-01-01T00:00:00Z"})), 0);
}

fn a_flood_does_not_hold_up_others(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("flood", &env.fault(), &["flood"]);
    let request =
        json!({"name": "web", "command": env.fault(), "args": ["lines", "100"], "wait_for": "exited"});
    assert_eq!(mcp.done("start_process", request)["done"], true);
    assert_eq!(mcp.all_lines("web").len(), 200);
    let answer = mcp.call("get_logs", json!({"process": "flood", "limit": 1000}));
    assert!(answer.text.len() < 20_000, "an answer of {} bytes", answer.text.len());
    assert_eq!(answer.structured["truncated"], true);
    let stopped = mcp.done("stop_process", json!({"process": "flood"}));
    assert_eq!(stopped["done"], true, "{stopped}");
}
