//! A database of a newer hostler or of another program is refused and left as it was found; a damaged one is set aside,
//! and what runs is supervised on.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use e2e::{Env, Era, alive, assert_numbered, wait_until};
use serde_json::json;

/// Where a SQLite file keeps its `user_version`, which is hostler's schema version.
const VERSION: std::ops::Range<usize> = 60..64;

fn refused(env: &Env, content: &[u8], wanted: &[&str]) {
    let file = env.home().join("hostler.db");
    std::fs::write(&file, content).unwrap();
    for arguments in [["ps"].as_slice(), &["daemon", "start"], &["mcp"]] {
        let output = env.cli(arguments);
        assert_eq!(output.code, Some(5), "{output:?}");
        for word in wanted.iter().chain(&["hostler.db", "Nothing was changed"]) {
            assert!(output.stderr.contains(word), "{arguments:?}: {word} is missing: {}", output.stderr);
        }
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    assert!(std::fs::read(&file).unwrap() == content, "the file was changed");
    assert!(!env.home().join("hostler.db-wal").exists(), "there is a side file");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn one_of_somebody_else_is_refused_and_left_untouched() {
    let env = Env::new();
    let _ = env.cli(&["start", "job", "--wait-for", "exited", "--", &env.fault(), "lines", "5"]).ok();
    let _ = env.cli(&["daemon", "stop"]).ok();
    let good = std::fs::read(env.home().join("hostler.db")).unwrap();
    std::fs::remove_file(env.home().join("hostler.db")).unwrap();

    let mut newer = good.clone();
    newer[VERSION].copy_from_slice(&9_999_u32.to_be_bytes());
    refused(&env, &newer, &["newer hostler", "9999"]);
    let mut foreign = good.clone();
    foreign[68..72].fill(0);
    refused(&env, &foreign, &["another program"]);

    std::fs::write(env.home().join("hostler.db"), &good).unwrap();
    let logs = env.cli(&["logs", "job", "-n", "3"]).ok();
    assert_eq!(logs.stdout.lines().count(), 3, "{logs:?}");
}

/// The databases that were set aside.
fn set_aside(env: &Env) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(env.home()).unwrap().flatten().map(|e| e.path());
    let is_database = |p: &PathBuf| {
        let name = p.file_name().unwrap().to_string_lossy().into_owned();
        name.contains(".damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    entries.filter(is_database).collect()
}

#[test]
fn a_damaged_one_is_set_aside_and_what_runs_is_supervised_on() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let request = json!({"name": "web", "command": env.fault(), "args": ["count", "3"], "env": {"COLOUR": "blue"},
        "restart": {"policy": "always", "backoff_initial_ms": 0}});
    let pid = mcp.done("start_process", request)["process"]["pid"].as_i64().unwrap();
    let ending = mcp.start("ends", &env.fault(), &["count", "3", "400", "6"])["pid"].as_i64().unwrap();
    let again = json!({"name": "again", "command": env.fault(), "args": ["count", "3", "400", "7"],
        "restart": {"policy": "always", "backoff_initial_ms": 0}});
    let again = mcp.done("start_process", again)["process"]["pid"].as_i64().unwrap();
    drop(mcp);
    env.crash_daemon();
    wait_until("two end while no daemon is there", || !alive(ending) && !alive(again));
    let directories = || std::fs::read_dir(env.home().join("runs")).unwrap().count();
    assert_eq!(directories(), 3);
    let damaged = b"this is no database at all, and somebody may still want it";
    std::fs::write(env.home().join("hostler.db"), damaged).unwrap();
    for log in ["hostler.db-wal", "hostler.db-shm"] {
        let _ = std::fs::remove_file(env.home().join(log));
    }

    let mut mcp = env.mcp(Era::Modern);
    let view = mcp.view("web");
    assert_eq!((&view["pid"], &view["status"]), (&json!(pid), &json!("running")), "{view}");
    assert_eq!(mcp.view("ends")["exit"]["code"], 6);
    let info = mcp.done("get_process_info", json!({"process": "ends"}));
    assert_eq!(info["runs"][0]["exit"]["code"], 6, "{info}");
    // That one ended meanwhile is the business of its policy as ever.
    wait_until("another run of the one that is restarted", || {
        let info = mcp.done("get_process_info", json!({"process": "again"}));
        let runs = info["runs"].as_array().unwrap();
        let first = runs.iter().find(|run| run["run"] == 1).unwrap();
        assert_eq!(first["exit"]["code"], 7, "{info}");
        runs.len() > 1
    });
    mcp.done("stop_process", json!({"process": "again"}));
    wait_until("only what is at work has a directory", || directories() == 1);
    let list = mcp.done("list_processes", json!({}));
    let note = list["note"].as_str().unwrap();
    assert!(
        note.contains("was damaged") && note.contains("set aside as") && note.contains(".recover"),
        "{note}"
    );
    let status = env.cli(&["daemon", "status"]).ok();
    assert!(status.stdout.contains("set aside as"), "{status:?}");
    let aside = set_aside(&env);
    assert_eq!(std::fs::read(&aside[0]).unwrap(), damaged);

    // Its declaration is there again, so that it can be started anew.
    let restarted = mcp.done("restart_process", json!({"process": "web"}));
    assert_ne!(restarted["process"]["pid"], json!(pid));
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    assert_eq!(info["specification"]["env"]["COLOUR"], "[redacted]", "{info}");
    let lines = mcp.all_lines("ends");
    assert_eq!(lines.last().unwrap()["message"], "n 400");
    assert_numbered(&lines, Some(400));
}

#[test]
fn damage_that_is_met_at_work_is_told_and_set_aside_at_the_next_start() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    // More than is checked at each start, and than the daemon keeps in memory.
    let job =
        json!({"name": "job", "command": env.fault(), "args": ["noise", "100000"], "wait_for": "exited"});
    mcp.done("start_process", job);
    let pid = mcp.start("web", &env.fault(), &["run"])["pid"].clone();
    drop(mcp);
    let _ = env.cli(&["daemon", "stop"]).ok();
    let path = env.home().join("hostler.db");
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size > 4 << 20, "{size} bytes");
    let mut file = std::fs::File::options().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(size / 4)).unwrap();
    file.write_all(&vec![0xa5; usize::try_from(size / 2).unwrap()]).unwrap();
    drop(file);

    let mut mcp = env.mcp(Era::Modern);
    assert_eq!(mcp.view("web")["pid"], pid);
    let mut cursor = json!(null);
    let answer = loop {
        let request =
            json!({"process": "job", "order": "asc", "limit": 1000, "format": "records", "cursor": cursor});
        let answer = mcp.call("get_logs", request);
        cursor = answer.structured["next_cursor"].clone();
        if answer.is_error || cursor.is_null() {
            break answer;
        }
    };
    assert!(answer.is_error && answer.text.contains("damaged"), "{}", answer.text);
    assert!(answer.text.contains("hostler daemon restart"), "{}", answer.text);
    let _ = env.cli(&["daemon", "restart"]).ok();
    assert_eq!(mcp.view("web")["pid"], pid);
    assert_eq!(set_aside(&env).len(), 1);
}
