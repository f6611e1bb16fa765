//! The daemon and the shims are killed at random instants under load, and nothing is lost: every line exactly once and
//! in order, every exit status, no process twice or left over, counters right.
//!
//! The seed is fixed; `HOSTLER_CHAOS_SEED` sets another one, `HOSTLER_CHAOS_SECONDS` lets it go on for so long.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail where it stands, and says what it did"
)]

mod first_version;
mod storm;
mod verdict;

use std::process::Stdio;
use std::time::Duration;

use e2e::{Env, Era, alive, assert_numbered, kill, wait_for, wait_until};
use serde_json::json;

use storm::{Random, Storm, daemon_pid};

const WORKERS: usize = 20;
const DAEMON_KILLS: u32 = 30;
const SHIM_KILLS: u32 = 10;

#[test]
fn nothing_is_lost_whoever_is_killed() {
    let env = Env::new();
    let seed = setting("HOSTLER_CHAOS_SEED").unwrap_or(20_261_122);
    let workers: Vec<String> = (0..WORKERS).map(|n| format!("worker{n:02}x")).collect();
    let mut storm = Storm::begin(&env, &workers, seed);
    match setting("HOSTLER_CHAOS_SECONDS") {
        Some(seconds) => storm.rage_for(Duration::from_secs(seconds)),
        None => storm.rage(DAEMON_KILLS, SHIM_KILLS),
    }
    let raged = storm.end();
    let mut mcp = env.mcp(Era::Modern);
    for name in &workers {
        mcp.done("stop_process", json!({"process": name}));
    }
    let left =
        env.processes().into_iter().filter(|(_, command)| command.contains("e2e-fault")).collect::<Vec<_>>();
    assert!(left.is_empty(), "left behind: {left:?}");
    let counts = verdict::verdict(&env, &workers);
    println!("seed {seed}: {raged}; {counts}");
    assert!(counts.runs > WORKERS && counts.lines > 10_000, "there was no load: {counts}");
}

#[test]
fn a_daemon_that_is_killed_while_it_makes_its_database_is_followed_by_one_that_works() {
    let mut random = Random::new(setting("HOSTLER_CHAOS_SEED").unwrap_or(7));
    for _ in 0..12 {
        let env = Env::new();
        for _ in 0..3 {
            let mut starting = env.hostler();
            starting.args(["daemon", "start"]).stdout(Stdio::null()).stderr(Stdio::null());
            let mut starting = starting.spawn().unwrap();
            // From before the database exists until after it is complete.
            random.pause(Duration::from_millis(25));
            if let Some(pid) = daemon_pid(&env) {
                kill(pid);
            }
            starting.wait().unwrap();
        }
        wait_until("a daemon that works", || env.cli(&["ps"]).code == Some(0));
        let _ = env.cli(&["start", "job", "--wait-for", "exited", "--", &env.fault(), "lines", "3"]).ok();
        assert_eq!(env.cli(&["logs", "job"]).ok().stdout.lines().count(), 6);
    }
}

#[test]
fn a_daemon_that_is_killed_while_it_migrates_its_database_is_followed_by_one_that_goes_on() {
    const LINES: i64 = 60_000;
    let mut random = Random::new(setting("HOSTLER_CHAOS_SEED").unwrap_or(11));
    let env = Env::new();
    let _ = env.cli(&["start", "job", "--wait-for", "exited", "--", &env.fault(), "lines", "0"]).ok();
    let _ = env.cli(&["daemon", "stop"]).ok();
    first_version::turn_back(&env, LINES);
    let (mut before, mut kills) = (1, 0);
    // A little more time each round, so that one of them gets through.
    while kills < 40 {
        let mut starting = env.hostler();
        starting.args(["daemon", "start"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut starting = starting.spawn().unwrap();
        let pid = wait_for("a daemon", || daemon_pid(&env));
        random.pause(Duration::from_millis(25 * (kills + 1)));
        // First who would start another one.
        starting.kill().unwrap();
        kill(pid);
        wait_until("the daemon is gone", || !alive(pid));
        starting.wait().unwrap();
        kills += 1;
        let version = first_version::version(&env);
        assert!(version >= before, "from {before} back to {version}");
        if version > 4 {
            break;
        }
        before = version;
    }
    let mut mcp = env.mcp(Era::Modern);
    assert_eq!(mcp.view("job")["exit"]["code"], 0);
    assert_numbered(&mcp.all_lines("job"), Some(LINES as usize));
    println!("migrated after {kills} kills");
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}
