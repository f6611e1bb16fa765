//! Finding, summing up and removing what was written.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::File;
use std::io::Read;

use e2e::{Env, Era, Mcp, in_both_eras, wait_until};
use serde_json::{Value, json};

in_both_eras!(
    a_word_is_found_with_its_surroundings,
    matches_are_paged_without_repeating_any,
    a_summary_tells_what_many_lines_say,
    what_is_cleared_is_counted_and_gone,
    wrong_questions_are_answered_with_what_is_wrong,
);

/// Two processes that are over: `a` wrote 3,000 lines, half of them on each stream, `b` 50.
fn written(env: &Env, era: Era) -> Mcp {
    let mut mcp = env.mcp(era);
    for (name, lines) in [("a", "1500"), ("b", "25")] {
        let request =
            json!({"name": name, "command": env.fault(), "args": ["lines", lines], "wait_for": "exited"});
        assert_eq!(mcp.done("start_process", request)["process"]["exit"]["code"], 0);
    }
    mcp
}

/// The numbers of the lines that were found, as they stand in the answer.
fn seqs(answer: &Value) -> Vec<u64> {
    answer["matches"].as_array().unwrap().iter().map(|found| found["seq"].as_u64().unwrap()).collect()
}

fn a_word_is_found_with_its_surroundings(era: Era) {
    let env = Env::new();
    let mut mcp = written(&env, era);
    let all = mcp.all_lines("a");
    let text = all[1233]["message"].as_str().unwrap().to_uppercase();
    let found = mcp.done("search_logs", json!({"query": text, "process": "a", "context": 2}));
    let found = found["matches"].as_array().unwrap();
    let hit = found.iter().find(|hit| hit["seq"] == 1234).unwrap();
    assert_eq!(hit["message"], all[1233]["message"]);
    assert_eq!(hit["before"].as_array().unwrap()[..], all[1231..1233]);
    assert_eq!(hit["after"].as_array().unwrap()[..], all[1234..1236]);
    let exact = json!({"query": text, "process": "a", "case_sensitive": true, "mode": "text"});
    let is_upper = all[1233]["message"] == text.as_str();
    assert_eq!(mcp.done("search_logs", exact)["total"].as_u64().unwrap() > 0, is_upper);
    let everywhere = mcp.done("search_logs", json!({"query": "^[^\\n]*$", "mode": "regex", "limit": 1}));
    assert!(everywhere["total"].as_u64().unwrap() >= 50, "{everywhere}");
    assert_eq!(everywhere["matches"][0]["process"].as_str().unwrap().rsplit('/').next(), Some("b"));
}

fn matches_are_paged_without_repeating_any(era: Era) {
    let env = Env::new();
    let mut mcp = written(&env, era);
    let (mut cursor, mut seen) = (Value::Null, Vec::new());
    loop {
        let request = json!({"query": "7", "process": "a", "limit": 100, "cursor": cursor});
        let page = mcp.done("search_logs", request);
        seen.extend(seqs(&page));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            assert_eq!(page["total_exact"], true);
            break;
        }
    }
    let all = mcp.all_lines("a");
    let expected = all.iter().filter(|line| line["message"].as_str().unwrap().contains('7'));
    let mut expected: Vec<u64> = expected.map(|line| line["seq"].as_u64().unwrap()).collect();
    expected.reverse();
    assert_eq!(seen, expected);
}

fn a_summary_tells_what_many_lines_say(era: Era) {
    let env = Env::new();
    let mut mcp = written(&env, era);
    let answer = mcp.done("search_logs", json!({"query": "", "process": "a", "summarize": true}));
    let templates = answer["templates"].as_array().unwrap();
    let told: u64 = templates.iter().map(|template| template["count"].as_u64().unwrap()).sum();
    assert!(templates.len() <= 20 && told == 3000, "{answer}");
    assert_eq!((&answer["total"], &answer["total_exact"]), (&json!(3000), &json!(true)));
}

fn what_is_cleared_is_counted_and_gone(era: Era) {
    let env = Env::new();
    let mut mcp = written(&env, era);
    let would = mcp.done("clear_logs", json!({"process": "a", "dry_run": true}));
    assert_eq!(would["removed_lines"], 3000);
    assert_eq!(mcp.all_lines("a").len(), 3000);
    let old = mcp.done("clear_logs", json!({"process": "a", "before": "1h"}));
    assert_eq!(old["removed_lines"], 0);
    // The background packs the lines between two calls, until there is nothing more to pack: then their bytes are known.
    let packed = || {
        let database = rusqlite::Connection::open(env.home().join("hostler.db")).unwrap();
        let open = "SELECT count(*) FROM log_chunks WHERE sealed = 0";
        let unread = "SELECT count(*) FROM runs WHERE annotated_seq < next_seq";
        [open, unread].iter().all(|sql| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() == 0)
    };
    wait_until("all is parsed and sealed", packed);
    let would = mcp.done("clear_logs", json!({"process": "a", "dry_run": true}));
    let done = mcp.done("clear_logs", json!({"process": "a"}));
    assert_eq!(done["removed_lines"], 3000);
    assert_eq!(done["freed_bytes"], would["freed_bytes"], "what a dry run says is what is freed");
    assert!(done["freed_bytes"].as_u64().unwrap() > 0, "{done}");
    assert_eq!(mcp.all_lines("a"), Vec::<Value>::new());
    assert_eq!(mcp.all_lines("b").len(), 50);
    assert_eq!(mcp.done("clear_logs", json!({"all": true}))["removed_lines"], 50);
    assert_eq!(mcp.done("search_logs", json!({"query": ""}))["total"], 0);
}

fn wrong_questions_are_answered_with_what_is_wrong(era: Era) {
    let env = Env::new();
    let mut mcp = written(&env, era);
    for (tool, arguments, wanted) in [
        ("search_logs", json!({"query": "(", "mode": "regex"}), "unclosed group"),
        ("search_logs", json!({"query": "x{1000000000}", "mode": "regex"}), "`query`"),
        ("search_logs", json!({"query": "x", "process": "a", "cursor": "p99:1.1"}), "`cursor`"),
        ("search_logs", json!({"query": "x", "process": "nobody"}), "nobody"),
        ("clear_logs", json!({}), "`all: true`"),
        ("clear_logs", json!({"process": "a", "all": true}), "not both"),
    ] {
        let answer = mcp.call(tool, arguments.clone());
        assert!(answer.text.contains(wanted), "{tool} {arguments}: {}", answer.text);
    }
    assert_eq!(mcp.all_lines("a").len(), 3000);
}

#[test]
fn the_command_line_searches_exports_and_clears() {
    let env = Env::new();
    let mut mcp = written(&env, Era::Modern);
    let found = env.cli(&["search", "out 1499", "a"]).ok();
    assert_eq!(found.stdout.lines().count(), 1, "{}", found.stdout);
    let summary = env.cli(&["logs", "a", "--summary"]).ok();
    assert!(summary.stdout.contains("1500   out <*>"), "{}", summary.stdout);
    let both = env.cli(&["logs", "a", "b", "-n", "40"]).ok();
    assert_eq!(both.stdout.lines().filter(|line| line.starts_with("b ")).count(), 40, "{}", both.stdout);
    let plain = env.in_project("plain.ndjson");
    for name in ["plain.ndjson", "packed.gz", "packed.zst"] {
        let _ = env.cli(&["logs", "a", "--export", &env.in_project(name)]).ok();
    }
    let plain = std::fs::read_to_string(plain).unwrap();
    let lines: Vec<Value> = plain.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, mcp.all_lines("a"));
    let packed = |name: &str| File::open(env.in_project(name)).unwrap();
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(packed("packed.gz")).read_to_string(&mut unpacked).unwrap();
    assert!(unpacked == plain, "gzip holds something else");
    let unpacked = zstd::decode_all(packed("packed.zst")).unwrap();
    assert!(unpacked == plain.as_bytes(), "zstd holds something else");
    let cleared = env.cli(&["clear", "a", "--dry-run"]).ok();
    assert!(cleared.stdout.starts_with("3000 lines would be removed"), "{}", cleared.stdout);
    assert_eq!(env.cli(&["clear"]).code, Some(2));
}

/// What is exported is what was written, whatever it was and whatever parsers made of it.
#[test]
fn an_export_has_the_bytes_that_were_written() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let request = json!({"name": "job", "command": env.fault(), "args": ["garbage"], "wait_for": "exited"});
    mcp.done("start_process", request);
    let path = env.in_project("job.ndjson.zst");
    let _ = env.cli(&["logs", "job", "--export", &path]).ok();
    let text = String::from_utf8(zstd::decode_all(File::open(path).unwrap()).unwrap()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |at: usize| {
        let field = |name: &str| lines[at][name].as_str().map(str::to_owned);
        (field("message").unwrap(), field("raw"), field("raw_base64"))
    };
    let is = |message: &str, raw: Option<&str>, base64: Option<&str>| {
        (message.to_owned(), raw.map(str::to_owned), base64.map(str::to_owned))
    };
    assert_eq!(of(0), is("bad \u{fffd}\u{fffd} utf-8", None, Some("YmFkIP/+IHV0Zi04")));
    assert_eq!(of(1), is("nul \u{2400} nul", Some("nul \0 nul"), None));
    assert_eq!(of(2), is("whole \u{e4}\u{20ac}\u{1f600}", None, None));
    assert_eq!(of(3), is("red", Some("\u{1b}[31mred\u{1b}[0m"), None));
}

/// The store is kept within its bounds while a process writes, by the configuration as it is at that moment.
#[test]
fn a_process_that_writes_for_long_keeps_its_newest_lines() {
    let env = Env::new();
    std::fs::create_dir_all(env.home()).unwrap();
    std::fs::write(env.home().join("config.toml"), "[logs]\nmax_total_bytes = 1\n").unwrap();
    let mut mcp = written(&env, Era::Modern);
    wait_until("the oldest lines go", || {
        mcp.done("get_logs", json!({"process": "a", "format": "records"}))["count"] == 0
    });
    let again = json!({"name": "b", "wait_for": "exited"});
    mcp.done("start_process", again);
    let info = mcp.done("get_process_info", json!({"process": "b"}));
    assert_eq!(info["process"]["exit"]["code"], 0);
}
