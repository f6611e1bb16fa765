//! Limits: who is beyond one is ended, and the reason is on record.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, Mcp, TightGroup, in_both_eras, wait_for, wait_until};
use serde_json::{Value, json};

in_both_eras!(a_memory_hog_is_stopped_at_its_limit_with_the_reason_on_record);

const LIMIT: u64 = 64 << 20;

/// The process, once it is at rest.
fn ended(mcp: &mut Mcp, name: &str) -> Value {
    wait_for("its end", || {
        let info = mcp.done("get_process_info", json!({"process": name}));
        let status = info["process"]["status"].as_str().unwrap().to_owned();
        ["exited", "failed"].contains(&status.as_str()).then_some(info)
    })
}

/// The error that explains its end.
fn error_of(mcp: &mut Mcp, name: &str) -> Value {
    wait_for("the error that explains it", || {
        let errors = mcp.done("get_errors", json!({"process": name}))["errors"].clone();
        errors.get(0).cloned()
    })
}

fn limited(mcp: &mut Mcp, env: &Env, name: &str, args: &[&str], limits: &Value) -> Value {
    let request =
        json!({"name": name, "command": env.fault(), "args": args, "limits": limits, "wait_for": "started"});
    mcp.done("start_process", request)
}

fn a_memory_hog_is_stopped_at_its_limit_with_the_reason_on_record(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    limited(&mut mcp, &env, "hog", &["hog", "4000", "15"], &json!({"memory_bytes": LIMIT}));
    let info = ended(&mut mcp, "hog");
    let process = &info["process"];
    for text in [&process["status_reason"], &process["exit"]["reason"], &info["runs"][0]["reason"]] {
        assert!(text.as_str().is_some_and(|text| text.contains("memory limit exceeded")), "{info:#}");
    }
    assert!(process["exit"]["max_rss_bytes"].as_u64().unwrap() < 4 * LIMIT, "{info:#}");
    let group = error_of(&mut mcp, "hog");
    assert_eq!(
        (&group["title"], &group["category"]),
        (&json!("memory limit exceeded"), &json!("out-of-memory")),
        "{group}"
    );
    let limit = &info["limits"][0];
    assert_eq!((&limit["limit"], &limit["value"]), (&json!("memory_bytes"), &json!(LIMIT)));
    assert!(!limit["enforced_by"].as_str().unwrap().is_empty());
}

#[test]
fn whoever_grows_faster_than_anybody_looks_is_stopped_too() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    limited(&mut mcp, &env, "hog", &["hog", "8000", "0"], &json!({"memory_bytes": LIMIT}));
    let info = ended(&mut mcp, "hog");
    assert!(info["process"]["status_reason"].as_str().unwrap().contains("memory limit exceeded"), "{info:#}");
    assert!(info["process"]["exit"]["max_rss_bytes"].as_u64().unwrap() < 4 * LIMIT, "{info:#}");
}

#[test]
fn whom_the_kernel_kills_for_want_of_memory_is_told_so_without_a_limit_of_its_own() {
    let Some(group) = TightGroup::new(LIMIT) else { return };
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    limited(&mut mcp, &env, "hog", &["hog", "400", "0", &group.path()], &json!({}));
    let info = ended(&mut mcp, "hog");
    assert_eq!(info["process"]["exit"]["signal"], "SIGKILL", "{info:#}");
    for text in
        [&info["process"]["status_reason"], &info["process"]["exit"]["reason"], &info["runs"][0]["reason"]]
    {
        assert!(text.as_str().is_some_and(|text| text.contains("probably out of memory")), "{info:#}");
    }
    let group = error_of(&mut mcp, "hog");
    assert_eq!(group["title"], "probably out of memory, killed by the kernel", "{group}");
    assert_eq!(group["category"], "out-of-memory", "{group}");
}

#[test]
fn a_lack_of_memory_while_no_daemon_runs_is_told_by_the_next_one() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let go = env.in_project("go");
    let args = ["after", &go, "hog", "4000", "0"];
    let started = limited(&mut mcp, &env, "hog", &args, &json!({"memory_bytes": LIMIT}));
    env.crash_daemon();
    env.write("go", "");
    let pid = started["process"]["pid"].as_i64().unwrap();
    wait_until("it is beyond what it may have", || !e2e::alive(pid));
    let info = ended(&mut mcp, "hog");
    assert!(info["process"]["status_reason"].as_str().unwrap().contains("memory limit exceeded"), "{info:#}");
}

#[test]
fn a_breach_is_a_failure_to_the_restart_policy() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let request = json!({
        "name": "hog", "command": env.fault(), "args": ["hog", "4000", "15"], "limits": {"memory_bytes": LIMIT},
        "restart": {"policy": "on_failure", "max_restarts": 1, "backoff_initial_ms": 0}, "wait_for": "started",
    });
    mcp.done("start_process", request);
    let info = ended(&mut mcp, "hog");
    assert_eq!(info["process"]["status"], "failed", "{info:#}");
    let reason = info["process"]["status_reason"].as_str().unwrap();
    assert!(reason.contains("crash loop") && reason.contains("memory limit exceeded"), "{reason}");
    assert_eq!(info["runs"].as_array().unwrap().len(), 2, "{info:#}");
}

#[test]
fn whoever_is_within_its_limits_goes_on() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let limits = json!({"memory_bytes": LIMIT, "cpu_percent": 900, "processes": 500});
    limited(&mut mcp, &env, "modest", &["hog", "16", "0"], &limits);
    mcp.done("tail_logs", json!({"process": "modest", "until_pattern": "has 16 MiB", "wait_ms": 20_000}));
    let info = mcp.done("get_process_info", json!({"process": "modest"}));
    assert_eq!(info["process"]["status"], "running", "{info:#}");
    let names: Vec<&str> =
        info["limits"].as_array().unwrap().iter().map(|l| l["limit"].as_str().unwrap()).collect();
    assert_eq!(names, ["memory_bytes", "cpu_percent", "processes"]);
    let nothing = json!({"name": "no", "command": env.fault(), "limits": {"cpu_percent": 0}});
    let refused = mcp.call("start_process", nothing);
    assert!(refused.is_error && refused.text.contains("limits.cpu_percent"), "{}", refused.text);
}

#[test]
fn open_files_are_limited_for_each_process_and_processes_of_the_user_are_not() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let started = limited(&mut mcp, &env, "web", &["run"], &json!({"open_files": 64, "processes": 50}));
    let of = |pid: &str, name: &str| {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let pid = started["process"]["pid"].to_string();
    assert_eq!(of(&pid, "Max open files"), ["64", "64", "files"]);
    assert_eq!(of(&pid, "Max processes"), of("self", "Max processes"));
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    let by = info["limits"].as_array().unwrap().iter().find(|limit| limit["limit"] == "open_files");
    assert!(by.is_some_and(|by| by["enforced_by"].as_str().unwrap().contains("RLIMIT_NOFILE")), "{info:#}");
}

#[test]
fn a_busy_loop_and_a_large_family_are_held_to_their_limits() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    limited(&mut mcp, &env, "loop", &["spin"], &json!({"cpu_percent": 3}));
    let info = mcp.done("get_process_info", json!({"process": "loop"}));
    let by = info["limits"][0]["enforced_by"].as_str().unwrap().to_owned();
    if by.contains("cpu.max") {
        // The kernel throttles it, and it goes on.
        assert_eq!(info["process"]["status"], "running");
    } else {
        let info = ended(&mut mcp, "loop");
        assert!(
            info["process"]["status_reason"].as_str().unwrap().contains("CPU limit exceeded"),
            "{info:#}"
        );
    }
    let limits = json!({"processes": 4});
    limited(&mut mcp, &env, "alone", &["run"], &limits);
    let info = mcp.done("get_process_info", json!({"process": "alone"}));
    let by = info["limits"][0]["enforced_by"].as_str().unwrap().to_owned();
    limited(&mut mcp, &env, "family", &["family", "6"], &limits);
    let info = ended(&mut mcp, "family");
    let reason = info["process"]["status_reason"].as_str().unwrap();
    // Where the kernel counts those of the group, a fork fails.
    let wanted = if by.contains("pids.max") { "exit code" } else { "process limit exceeded" };
    assert!(reason.contains(wanted), "held by {by}: {info:#}");
}
