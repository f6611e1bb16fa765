//! What processes use, now and over time.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, OnTerminal, in_both_eras, wait_for, wait_until};
use serde_json::{Value, json};

in_both_eras!(use_over_time_is_told_with_its_extremes, the_machine_and_the_busiest_are_told);

const QUANTITIES: [&str; 6] =
    ["cpu_percent", "memory_bytes", "threads", "open_files", "read_bytes", "written_bytes"];

/// Each series has a value for each point, and its extremes are in order.
fn assert_sound(stats: &Value) -> usize {
    let points = stats["series"]["times"].as_array().unwrap().len();
    for name in QUANTITIES {
        assert_eq!(stats["series"][name].as_array().unwrap().len(), points, "{name}: {stats}");
        let of = |what: &str| stats["summary"][name][what].as_f64().unwrap();
        assert!(of("min") <= of("mean") && of("mean") <= of("max"), "{name}: {stats}");
        assert!(of("min") <= of("p95") && of("p95") <= of("max"), "{name}: {stats}");
    }
    points
}

fn use_over_time_is_told_with_its_extremes(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("busy", &env.fault(), &["spin"]);
    let window = json!({"process": "busy", "window_ms": 60_000, "points": 60});
    let first = mcp.done("get_process_stats", window.clone());
    assert!(assert_sound(&first) >= 1, "there is a point at once: {first}");
    assert_eq!(first["step_ms"], 1_000);
    // Who asks is shown more: looks come each second now, without further questions.
    let stats = wait_for("five points", || {
        let stats = mcp.done("get_process_stats", window.clone());
        (assert_sound(&stats) >= 5).then_some(stats)
    });
    let summary = &stats["summary"];
    assert!(summary["cpu_percent"]["max"].as_f64().unwrap() > 5.0, "{stats}");
    assert!(summary["memory_bytes"]["min"].as_u64().is_none_or(|n| n > 0), "{stats}");
    assert!(summary["threads"]["max"].as_f64().unwrap() >= 1.0, "{stats}");
    // Fewer points say the same in fewer values.
    let one = mcp.done("get_process_stats", json!({"process": "busy", "window_ms": 3_600_000, "points": 1}));
    assert!((1..=2).contains(&assert_sound(&one)), "{one}");
    for wrong in [json!(0), json!(9_999_999_999_u64)] {
        let answer = mcp.call("get_process_stats", json!({"process": "busy", "window_ms": wrong}));
        assert!(answer.is_error && answer.text.contains("2592000000"), "{}", answer.text);
    }
}

fn the_machine_and_the_busiest_are_told(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("idle", &env.fault(), &["run"]);
    mcp.start("busy", &env.fault(), &["spin"]);
    let stats = wait_for("the busy one on top", || {
        let stats = mcp.done("get_system_stats", json!({"top": 1}));
        (stats["top"][0]["process"] == "shop/busy").then_some(stats)
    });
    assert_eq!(stats["top"].as_array().unwrap().len(), 1);
    assert!(stats["cpu"]["cores"].as_u64().unwrap() > 0, "{stats}");
    let memory = &stats["memory"];
    assert!(memory["used_bytes"].as_u64() <= memory["total_bytes"].as_u64(), "{stats}");
    assert!(stats["daemon"]["memory_bytes"].as_u64().unwrap() > 0, "{stats}");
    assert_eq!((&stats["daemon"]["shims"], &stats["running"]), (&json!(2), &json!(2)));
    assert!(stats["store_bytes"].as_u64().unwrap() > 0, "{stats}");
}

#[test]
fn the_history_outlives_the_daemon() {
    let env = Env::new();
    let _ = env.cli(&["start", "idle", "--", &env.fault(), "run"]).ok();
    let stats = || env.cli(&["stats", "idle", "--window", "1h", "--points", "500", "--json"]).ok().json();
    let database = rusqlite::Connection::open(env.home().join("hostler.db")).unwrap();
    wait_until("ten seconds are on record", || {
        database.query_row("SELECT count(*) FROM usage_frames", [], |row| row.get::<_, i64>(0)).unwrap() > 0
    });
    let oldest = stats()["series"]["times"][0].clone();
    env.crash_daemon();
    let after = stats();
    assert!(after["series"]["times"][0].as_str() <= oldest.as_str(), "{oldest} {after}");
    assert_sound(&after);
}

#[test]
fn people_see_tables_and_pipes_plain_text() {
    let env = Env::new();
    let _ = env.cli(&["start", "idle", "--", &env.fault(), "run"]).ok();
    let one = env.cli(&["stats", "idle", "-w", "30s"]).ok().stdout;
    for word in ["shop/idle, the last 30s", "MEAN", "CPU %", "memory", "open files"] {
        assert!(one.contains(word), "{word}: {one}");
    }
    assert!(!one.contains(['\u{1b}', '▁', '█']), "{one}");
    let all = env.cli(&["stats"]).ok().stdout;
    for word in ["cpu ", "memory ", "hostler ", "shop/idle"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    assert_eq!(env.cli(&["stats", "nobody"]).code, Some(3));
    assert_eq!(env.cli(&["stats", "idle", "--window", "soon"]).code, Some(2));
}

#[test]
fn people_at_a_terminal_see_lines_of_columns() {
    let env = Env::new();
    let _ = env.cli(&["start", "busy", "--", &env.fault(), "spin"]).ok();
    let mut command = env.hostler();
    command.args(["stats", "busy", "-w", "30s"]).env_remove("NO_COLOR");
    let mut terminal = OnTerminal::run(command);
    let has_graph =
        |name: &str| terminal.drawn().lines().any(|line| line.starts_with(name) && line.contains('█'));
    // The largest value has the highest column: of what it used at all, there is one.
    wait_until("lines of columns", || has_graph("CPU %") && has_graph("memory") && has_graph("threads"));
    assert!(terminal.ends().success());
}

#[test]
fn prometheus_reads_what_runs() {
    let env = Env::new();
    let _ = env.cli(&["start", "idle", "--", &env.fault(), "run"]).ok();
    let text = env.cli(&["stats", "--prometheus"]).ok().stdout;
    let up = "hostler_process_up{project=\"shop\",process=\"idle\"} 1";
    for line in ["hostler_processes{status=\"running\"} 1", up] {
        assert!(text.lines().any(|l| l == line), "{line}: {text}");
    }
    assert!(text.contains("hostler_process_memory_bytes{project=\"shop\",process=\"idle\"} "), "{text}");
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_back() {
    let env = Env::new();
    let config = |text: &str| std::fs::write(env.home().join("config.toml"), text).unwrap();
    config("[limits]\nreads_per_minute = 12\nstarts_per_minute = 4\n");
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("one", &env.fault(), &["run"]);
    let second = mcp.call("start_process", json!({"name": "two", "command": env.fault(), "args": ["run"]}));
    assert!(second.is_error && second.text.contains("try again in"), "{}", second.text);
    for _ in 0..3 {
        mcp.done("list_processes", json!({}));
    }
    let fourth = mcp.call("list_processes", json!({}));
    assert!(fourth.is_error && fourth.text.contains("`limits.reads_per_minute`"), "{}", fourth.text);
    mcp.done("get_system_stats", json!({}));
    // Another client has calls of its own, and there is a cap on what is declared.
    config("[limits]\nprocesses_per_project = 1\n");
    let mut other = env.mcp(Era::Modern);
    let third = other.call("start_process", json!({"name": "three", "command": env.fault()}));
    assert!(third.is_error && third.text.contains("processes_per_project"), "{}", third.text);
    other.done("start_process", json!({"name": "one"}));
    env.write("hostler.toml", "[processes.four]\ncommand = \"sleep 60\"\n");
    let stack = other.refused("apply_config", json!({"dry_run": true}));
    assert!(stack.contains("`limits.processes_per_project`"), "{stack}");
}
