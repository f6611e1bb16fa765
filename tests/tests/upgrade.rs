//! Another version takes the place of the one that runs.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Env, Era, Mcp, alive, assert_numbered, kill, wait_until};
use serde_json::{Value, json};

/// The shim of the first version, as it was released.
#[cfg(target_arch = "x86_64")]
fn first_shim(env: &Env) -> PathBuf {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostler-shim-1-x86_64.gz");
    let path = env.home().join("shim-of-the-first-version");
    let unpack = r#"gzip -dc "$0" > "$1""#;
    assert!(Command::new("sh").args(["-c", unpack]).arg(packed).arg(&path).status().unwrap().success());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn await_line(mcp: &mut Mcp, name: &str, n: u32) {
    let pattern = format!("^n {n}$");
    mcp.done("tail_logs", json!({"process": name, "until_pattern": pattern, "wait_ms": 30000}));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_shim_of_the_first_version_works_with_this_daemon() {
    let env = Env::new();
    let mut command = env.hostler();
    command.args(["daemon", "start"]).env("HOSTLER_SHIM", first_shim(&env));
    assert!(command.output().unwrap().status.success());
    let mut mcp = env.mcp(Era::Modern);
    let names = ["stopped", "killed", "ends"].map(str::to_owned);
    let pids = mcp.start_all(&names[..2], &env.fault(), &["count", "3"]);
    let ending = mcp.start("ends", &env.fault(), &["count", "3", "400", "6"])["pid"].as_i64().unwrap();
    let shim = env.shim_of("killed").unwrap();
    let program = std::fs::read_link(format!("/proc/{shim}/exe")).unwrap();
    assert!(program.ends_with("shim-of-the-first-version"), "{}", program.display());

    // The upgrade: the next daemon has a shim of its own.
    env.crash_daemon();
    wait_until("it ends while no daemon is there", || !alive(ending));
    let mut mcp = env.mcp(Era::Modern);
    for (name, pid) in names.iter().zip(&pids) {
        assert_eq!(mcp.view(name)["pid"], *pid);
        await_line(&mut mcp, name, 500);
    }
    assert_eq!(mcp.view("ends")["exit"]["code"], 6);
    assert_numbered(&mcp.all_lines("ends"), Some(400));

    let stopped = mcp.done("stop_process", json!({"process": "stopped"}));
    assert_eq!(stopped["process"]["exit"]["signal"], "SIGTERM", "{stopped}");
    assert_numbered(&mcp.all_lines("stopped"), None);

    // A shim of today takes over from one of then. Then, what was read and not yet written could be lost.
    kill(shim);
    wait_until("another shim", || env.shim_of("killed").is_some_and(|other| other != shim));
    assert_eq!(mcp.view("killed")["pid"], pids[1]);
    let stopped = mcp.done("stop_process", json!({"process": "killed"}));
    assert_eq!(stopped["process"]["exit"]["signal"], "SIGTERM", "{stopped}");
}

#[test]
fn the_program_is_replaced_under_a_client_and_its_processes() {
    let env = Env::new();
    let program = env.home().join("hostler");
    let install = || {
        let fresh = program.with_extension("new");
        // Not by this process: a sibling of this test that forks would keep the file open for writing.
        assert!(Command::new("cp").arg(env.hostler().get_program()).arg(&fresh).status().unwrap().success());
        std::fs::rename(&fresh, &program).unwrap();
    };
    install();
    let hostler = |words: &[&str]| {
        let mut command = env.hostler_at(&program);
        command.args(words);
        command
    };
    let mut mcp = Mcp::spawn(hostler(&["mcp"]), Era::Modern);
    mcp.handshake();
    let pid = mcp.start("web", &env.fault(), &["count", "3"])["pid"].clone();
    let before = env.daemon().unwrap();
    install();
    assert!(hostler(&["daemon", "restart"]).output().unwrap().status.success());
    let after = env.daemon().unwrap();
    assert_ne!(before, after);
    let exe = |pid: i64| std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert_eq!(exe(after), program, "the new daemon runs the new file");
    assert_eq!(mcp.view("web")["pid"], pid);
    await_line(&mut mcp, "web", 300);
    // The client's own file is gone, and it still finds the new one when it has to start a daemon.
    env.crash_daemon();
    assert_eq!(mcp.view("web")["pid"], pid);
    let stopped: Value = mcp.done("stop_process", json!({"process": "web"}));
    assert_eq!(stopped["process"]["status"], "stopped");
    assert_numbered(&mcp.all_lines("web"), None);
}
