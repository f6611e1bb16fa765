//! A disk that is full or read-only, as a small file system of its own.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::File;
use std::io::Write;
use std::process::Command;

use e2e::{Env, Era, Mcp, alive, assert_numbered, kill, wait_until};
use rustix::mount::{MountFlags, mount_remount};
use serde_json::{Value, json};

/// Takes all the room that is left in the home.
fn fill(env: &Env) -> File {
    let mut file = File::create(env.home().join("filler")).unwrap();
    for size in [65_536, 4_096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    file
}

fn degraded(env: &Env) -> Vec<Value> {
    env.cli(&["daemon", "status", "--json"]).ok().json()["degraded"].as_array().unwrap().clone()
}

fn run(mcp: &mut Mcp, name: &str) -> Value {
    mcp.done("get_process_info", json!({"process": name}))["runs"][0].clone()
}

#[test]
fn a_full_disk_delays_the_records_and_loses_none() {
    let mut env = Env::new();
    // The journals have room: that is what they are for.
    if !env.mount("", c"size=16m") || !env.mount("runs", c"size=64m") {
        return;
    }
    let mut mcp = env.mcp(Era::Modern);
    let web = mcp.start("web", &env.fault(), &["count", "5"])["pid"].clone();
    let other = mcp.start("other", &env.fault(), &["count", "5"])["pid"].as_i64().unwrap();
    let again = json!({"name": "again", "command": env.fault(), "args": ["run"],
        "restart": {"policy": "always", "backoff_initial_ms": 0}});
    let again = mcp.done("start_process", again)["process"]["pid"].as_i64().unwrap();
    let job = mcp.start("job", &env.fault(), &["count", "5", "400", "9"])["pid"].as_i64().unwrap();
    let filler = fill(&env);
    wait_until("it is told", || !degraded(&env).is_empty());

    // What runs runs on, can be seen and stopped, and its end is known.
    wait_until("the job ends", || !alive(job));
    assert_eq!(mcp.await_status("job", "exited")["exit"]["code"], 9);
    let of_other = json!({"process": "other"});
    for (tool, arguments) in [
        ("list_processes", json!({})),
        ("get_process_info", of_other.clone()),
        ("get_logs", of_other.clone()),
        ("tail_logs", of_other.clone()),
        ("search_logs", json!({"query": "n 1"})),
        ("get_process_stats", of_other),
        ("get_system_stats", json!({})),
        ("get_errors", json!({})),
    ] {
        let answer = mcp.done(tool, arguments);
        assert!(answer["note"].as_str().is_some_and(|note| note.contains("degraded")), "{tool}: {answer}");
    }
    assert_eq!(mcp.view("web")["pid"], web);
    let stopped = mcp.done("stop_process", json!({"process": "other"}));
    assert_eq!(stopped["process"]["exit"]["signal"], "SIGTERM", "{stopped}");
    assert!(!alive(other));
    // A run that cannot be recorded is not begun: it would be nobody's after the next crash.
    kill(again);
    wait_until("it waits for the disk", || {
        let view = mcp.view("again");
        view["status"] == "backoff" && view["status_reason"].as_str().unwrap().contains("cannot be recorded")
    });
    let refused = mcp.call("start_process", json!({"name": "new", "command": env.fault(), "args": ["run"]}));
    assert!(refused.is_error && refused.text.contains("no room left"), "{}", refused.text);

    filler.set_len(0).unwrap();
    wait_until("it heals", || degraded(&env).is_empty());
    let back = mcp.await_status("again", "running");
    assert_eq!(back["restarts"], 1, "{back}");
    assert_numbered(&mcp.all_lines("job"), Some(400));
    mcp.done("stop_process", json!({"process": "web"}));
    assert_numbered(&mcp.all_lines("web"), None);
    assert_numbered(&mcp.all_lines("other"), None);

    // It is on record, not only in memory.
    env.crash_daemon();
    let mut mcp = env.mcp(Era::Modern);
    assert_eq!(run(&mut mcp, "job")["exit"]["code"], 9);
    assert_eq!(run(&mut mcp, "other")["exit"]["signal"], "SIGTERM");
    assert_eq!(
        (&mcp.view("job")["status"], &mcp.view("other")["status"]),
        (&json!("exited"), &json!("stopped"))
    );
    assert_eq!(mcp.view("again")["pid"], back["pid"]);
}

#[test]
fn where_the_journal_has_no_room_either_the_loss_is_counted() {
    let mut env = Env::new();
    if !env.mount("", c"size=16m") {
        return;
    }
    let mut mcp = env.mcp(Era::Modern);
    let job = mcp.start("job", &env.fault(), &["count", "2", "3000", "9"])["pid"].as_i64().unwrap();
    mcp.done("tail_logs", json!({"process": "job", "until_pattern": "^n 50$", "wait_ms": 30000}));
    let filler = fill(&env);
    wait_until("it is told", || degraded(&env).iter().any(|part| part.as_str().unwrap().contains("job")));
    wait_until("the job ends", || !alive(job));
    filler.set_len(0).unwrap();
    wait_until("it heals", || degraded(&env).is_empty());
    assert_eq!(mcp.await_status("job", "exited")["exit"]["code"], 9);

    let lines = mcp.all_lines("job");
    let (mut next, mut lost, mut cut) = (1, 0, 0);
    for line in &lines {
        let message = line["message"].as_str().unwrap();
        let expected = format!("n {next}");
        if message == expected {
            next += 1;
        } else if expected.starts_with(message) {
            // The disk took the beginning of what was written; the gap has the rest.
            cut = message.len();
        } else {
            let (bytes, count) = gap(message);
            // One that lost nothing but its end has been counted as whole.
            if cut == 0 && size(next, count) != bytes {
                next -= 1;
                cut = format!("n {next}").len();
            }
            assert_eq!(size(next, count) - cut, bytes, "{line}");
            next += count;
            lost += count;
            cut = 0;
        }
    }
    assert_eq!(next, 3001, "{:?}", lines.last());
    assert!(lost > 0, "the disk was not full for long enough");
}

/// What "[1234 bytes of output in 56 lines were lost here]" says.
fn gap(message: &str) -> (usize, usize) {
    let words: Vec<&str> = message.trim_start_matches('[').split(' ').collect();
    let before =
        |unit: &str| words[words.iter().position(|word| *word == unit).unwrap() - 1].parse().unwrap();
    (before("bytes"), before("lines"))
}

/// Bytes of so many numbered lines.
fn size(from: usize, count: usize) -> usize {
    (from..from + count).map(|number| format!("n {number}\n").len()).sum()
}

#[test]
fn a_read_only_disk_is_named_and_nothing_is_started() {
    let mut env = Env::new();
    if !env.mount("", c"size=4m") {
        return;
    }
    mount_remount(env.home(), MountFlags::RDONLY, c"").unwrap();
    for arguments in [["ps"].as_slice(), &["daemon", "start"], &["mcp"]] {
        let output = env.cli(arguments);
        assert_eq!(output.code, Some(5), "{output:?}");
        let home = env.home().display().to_string();
        assert!(output.stderr.contains("Read-only") && output.stderr.contains(&home), "{output:?}");
    }
}

#[test]
fn a_disk_that_breaks_at_work_ends_nothing_that_runs() {
    let mut env = Env::new();
    let Some(trigger) = env.mount_breakable() else { return };
    if !env.mount("runs", c"size=64m") {
        return;
    }
    let mut mcp = env.mcp(Era::Modern);
    let web = mcp.start("web", &env.fault(), &["count", "5"])["pid"].clone();
    let rests = json!({"name": "rests", "command": env.fault(), "args": ["count", "5"],
        "restart": {"policy": "always", "backoff_initial_ms": 0}});
    mcp.done("start_process", rests);
    let job = mcp.start("job", &env.fault(), &["count", "5", "400", "9"])["pid"].as_i64().unwrap();
    // What the disk has it keeps; what the kernel had yet to write to it is lost with it.
    let synced = Command::new("sync").arg("-f").arg(env.home()).status().unwrap();
    assert!(synced.success());
    std::fs::write(trigger, "broken by a test").unwrap();
    wait_until("it is told", || !degraded(&env).is_empty());

    // What runs runs on, can be seen and stopped, and its end is known.
    wait_until("the job ends", || !alive(job));
    assert_eq!(mcp.await_status("job", "exited")["exit"]["code"], 9);
    assert_eq!(mcp.view("web")["pid"], web);
    let stopped = mcp.done("stop_process", json!({"process": "web"}));
    assert_eq!(stopped["process"]["exit"]["signal"], "SIGTERM", "{stopped}");
    mcp.done("stop_process", json!({"process": "rests"}));
    let refused = mcp.call("start_process", json!({"name": "new", "command": env.fault(), "args": ["run"]}));
    assert!(refused.is_error && refused.text.contains("database"), "{}", refused.text);
    let note = mcp.done("list_processes", json!({}))["note"].as_str().unwrap().to_owned();
    assert!(note.contains("degraded") && note.contains("disk"), "{note}");
    // The output of all waits in the journals, for a daemon with a disk.
    let journals = |env: &Env| std::fs::read_dir(env.home().join("runs")).unwrap().count();
    assert_eq!(journals(&env), 3);
    drop(mcp);
    env.crash_daemon();
    env.mend();
    let mut mcp = env.mcp(Era::Modern);
    assert_eq!(run(&mut mcp, "job")["exit"]["code"], 9);
    assert_eq!(run(&mut mcp, "web")["exit"]["signal"], "SIGTERM");
    assert_numbered(&mcp.all_lines("job"), Some(400));
    assert_numbered(&mcp.all_lines("web"), None);
    // What was stopped on purpose stays so, though that could not be put on record.
    let view = mcp.view("rests");
    assert_eq!((&view["status"], &view["exit"]["signal"]), (&json!("stopped"), &json!("SIGTERM")), "{view}");
    assert_numbered(&mcp.all_lines("rests"), None);
    wait_until("the directories go", || journals(&env) == 0);
}
