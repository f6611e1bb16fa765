//! What survives the death of a shim and of the machine, and programs that want a terminal.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::path::Path;

use e2e::{Env, Era, adopt_orphans, alive, kill, reap, wait_until};
use serde_json::{Value, json};

fn started(mcp: &mut e2e::Mcp, env: &Env, name: &str, restart: &str) -> Value {
    let request = json!({"name": name, "command": env.fault(), "args": ["run"],
        "restart": {"policy": restart, "backoff_initial_ms": 0}});
    mcp.done("start_process", request)["process"].clone()
}

/// The main process and its parent, the shim.
fn tree(mcp: &mut e2e::Mcp, name: &str) -> (i64, i64) {
    let info = mcp.done("get_process_info", json!({"process": name}));
    let main = &info["tree"][0];
    (main["pid"].as_i64().unwrap(), main["ppid"].as_i64().unwrap())
}

/// Numbered lines for as long as it runs.
fn count(mcp: &mut e2e::Mcp, env: &Env, name: &str, restart: &str) -> i64 {
    let request = json!({"name": name, "command": env.fault(), "args": ["count", "1"],
        "restart": {"policy": restart, "backoff_initial_ms": 0}});
    mcp.done("start_process", request)["process"]["pid"].as_i64().unwrap()
}

/// Waits until so many lines are stored.
fn await_line(mcp: &mut e2e::Mcp, name: &str, n: u32) {
    let pattern = format!("^n {n}$");
    mcp.done("tail_logs", json!({"process": name, "until_pattern": pattern, "wait_ms": 30000}));
}

fn newest_run(mcp: &mut e2e::Mcp, name: &str) -> Value {
    mcp.done("get_process_info", json!({"process": name}))["runs"][0].clone()
}

#[test]
fn a_killed_shim_costs_nothing() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let pid = count(&mut mcp, &env, "web", "always");
    for round in 1..=3 {
        await_line(&mut mcp, "web", round * 100);
        let shim = env.shim_of("web").unwrap();
        kill(shim);
        wait_until("another shim", || {
            newest_run(&mut mcp, "web")["reason"]
                .as_str()
                .is_some_and(|r| r.contains("another one took over"))
                && env.shim_of("web").is_some_and(|other| other != shim)
        });
    }
    let view = mcp.view("web");
    assert_eq!((&view["pid"], &view["restarts"]), (&json!(pid), &json!(0)), "{view}");
    assert_eq!(pids(&mut mcp, "web"), [pid]);
    // The next daemon finds the successor.
    env.crash_daemon();
    let mut mcp = env.mcp(Era::Modern);
    assert_eq!(mcp.view("web")["pid"], pid);
    let stopped = mcp.done("stop_process", json!({"process": "web"}));
    assert_eq!(stopped["process"]["exit"]["signal"], "SIGTERM", "{stopped}");
    assert!(!alive(pid));
    e2e::assert_numbered(&mcp.all_lines("web"), None);
}

#[test]
fn an_exit_is_known_though_the_shim_was_killed() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let request = json!({"name": "job", "command": env.fault(), "args": ["count", "5", "300", "23"], "wait_for_log": "n 20"});
    mcp.done("start_process", request);
    kill(env.shim_of("job").unwrap());
    let view = mcp.await_status("job", "exited");
    assert_eq!(view["exit"]["code"], 23, "{view}");
    e2e::assert_numbered(&mcp.all_lines("job"), Some(300));
    // What another one killed is no less known.
    let pid = count(&mut mcp, &env, "victim", "never");
    let shim = env.shim_of("victim").unwrap();
    kill(shim);
    wait_until("another shim", || env.shim_of("victim").is_some_and(|other| other != shim));
    kill(pid);
    let view = mcp.await_status("victim", "exited");
    assert_eq!(view["exit"]["signal"], "SIGKILL", "{view}");
    assert_eq!(newest_run(&mut mcp, "victim")["exit"]["signal"], "SIGKILL");
}

#[test]
fn shim_and_daemon_killed_together_leave_a_process_that_is_taken_over() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    // It writes nothing while nobody is there: a pipe without a reader would end it.
    started(&mut mcp, &env, "web", "always");
    let (main, shim) = tree(&mut mcp, "web");
    drop(mcp);
    let daemon = env.daemon().unwrap();
    kill(daemon);
    kill(shim);
    wait_until("both are gone", || !alive(daemon) && !alive(shim));
    let mut mcp = env.mcp(Era::Modern);
    wait_until("it was taken over", || env.shim_of("web").is_some());
    assert_eq!(mcp.view("web")["pid"], main);
    let reason = newest_run(&mut mcp, "web")["reason"].clone();
    assert!(reason.as_str().unwrap().contains("another one took over"), "{reason}");
    mcp.done("stop_process", json!({"process": "web"}));
    assert!(!alive(main));
}

#[test]
fn shim_and_daemon_killed_together_hang_up_a_terminal_and_end_the_input() {
    adopt_orphans();
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let mut start = |name: &str, pty: bool| {
        let request = json!({"name": name, "command": env.fault(), "args": ["echo"], "pty": pty,
            "wait_for_log": "^ready"});
        mcp.done("start_process", request)["process"]["pid"].as_i64().unwrap()
    };
    let pids = [start("tty", true), start("reader", false)];
    // A shim alone is replaced here, too.
    for name in ["tty", "reader"] {
        let shim = env.shim_of(name).unwrap();
        kill(shim);
        wait_until("another shim", || env.shim_of(name).is_some_and(|other| other != shim));
        let said = json!({"process": name, "text": "still there", "until_pattern": "<still there>"});
        assert_eq!(mcp.done("send_input", said)["done"], true);
    }
    let shims = ["tty", "reader"].map(|name| env.shim_of(name).unwrap());
    drop(mcp);
    kill(env.daemon().unwrap());
    shims.into_iter().for_each(kill);
    pids.into_iter().for_each(reap);
    let mut mcp = env.mcp(Era::Modern);
    for name in ["tty", "reader"] {
        mcp.await_status(name, "exited");
        assert_unknown(&newest_run(&mut mcp, name), "took over");
        assert!(messages_of_run(&mut mcp, name, 1).iter().any(|line| line.contains("<still there>")));
    }
}

#[test]
fn a_process_that_was_lost_is_recorded_so_and_its_orphans_are_ended_before_its_policy_starts_it_again() {
    adopt_orphans();
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let request = json!({"name": "web", "command": env.fault(), "args": ["family", "2"],
        "restart": {"policy": "always", "backoff_initial_ms": 0}});
    mcp.done("start_process", request);
    await_count(&mut mcp, "web", 3);
    mcp.done("tail_logs", json!({"process": "web", "until_pattern": "^ready$"}));
    let leaves: Vec<i64> = pids(&mut mcp, "web");
    let (main, shim) = tree(&mut mcp, "web");
    drop(mcp);
    let daemon = env.daemon().unwrap();
    for pid in [daemon, shim, main] {
        kill(pid);
    }
    wait_until("all are gone", || ![daemon, shim, main].into_iter().any(alive));
    reap(main);
    assert!(leaves.iter().filter(|pid| alive(**pid)).count() >= 2, "the orphans run on");
    let mut mcp = env.mcp(Era::Modern);
    wait_until("another run", || mcp.view("web")["pid"].as_i64().is_some_and(|pid| pid != main));
    assert!(!leaves.into_iter().any(alive), "orphans run on beside the next run");
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    let lost = &info["runs"][1];
    assert_eq!((&lost["run"], &info["process"]["restarts"]), (&json!(1), &json!(1)), "{info}");
    assert_unknown(lost, "its shim was killed, and another one took over");
    assert_eq!(messages_of_run(&mut mcp, "web", 1).last().unwrap(), "ready", "what it wrote before is kept");
}

/// Nobody knows how it ended, and the answer says that, and what is known.
fn assert_unknown(run: &Value, known: &str) {
    let exit = &run["exit"];
    assert!(exit["unknown"] == true && exit["code"].is_null() && exit["signal"].is_null(), "{run}");
    assert!(exit["at"].is_string() && run["reason"].as_str().unwrap().contains(known), "{run}");
}

fn messages_of_run(mcp: &mut e2e::Mcp, name: &str, run: u32) -> Vec<String> {
    let lines = mcp.all_lines(name).into_iter().filter(|line| line["run"] == run);
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

fn pids(mcp: &mut e2e::Mcp, name: &str) -> Vec<i64> {
    let info = mcp.done("get_process_info", json!({"process": name}));
    info["tree"].as_array().unwrap().iter().filter_map(|p| p["pid"].as_i64()).collect()
}

fn await_count(mcp: &mut e2e::Mcp, name: &str, count: usize) {
    wait_until("the whole family", || pids(mcp, name).len() == count);
}

#[test]
fn a_journal_that_nobody_reads_keeps_the_newest_and_says_what_went() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    mcp.done("start_process", json!({"name": "idle", "command": env.fault(), "args": ["run"]}));
    drop(mcp);
    // The flood begins when no daemon is there any more.
    let go = env.in_project("go");
    let flood = json!({"name": "flood", "command": env.fault(), "args": ["flood", go]});
    let pid = env.mcp(Era::Modern).done("start_process", flood)["process"]["pid"].as_i64().unwrap();
    let dir = env.run_dir_of(env.shim_of("flood").unwrap()).unwrap();
    env.crash_daemon();
    env.write("go", "");
    let segment = |n: u32| dir.join(format!("journal/{n:016}.seg"));
    wait_until("the oldest segment goes", || segment(16).exists() && !segment(1).exists());
    kill(pid);
    wait_until("the end is on record", || {
        std::fs::read(dir.join("exit")).is_ok_and(|b| b.get(7) == Some(&2))
    });

    let _ = env.cli(&["daemon", "start"]).ok();
    let database = rusqlite::Connection::open(env.home().join("hostler.db")).unwrap();
    let run = "(SELECT runs.id FROM runs JOIN processes ON process_id = processes.id WHERE name = 'flood')";
    let drained = format!("SELECT drained FROM runs WHERE id = {run}");
    wait_until("it is stored", || database.query_row(&drained, [], |row| row.get::<_, i64>(0)) == Ok(1));
    let sql = format!(
        "SELECT data FROM log_chunks JOIN log_data USING (id) WHERE run_id = {run} ORDER BY first_seq"
    );
    let mut chunks = database.prepare(&sql).unwrap();
    let chunks = chunks.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let rows: Vec<String> = chunks
        .flat_map(|data| {
            let rows = hostler_store::Rows::decode(&data.unwrap()).unwrap();
            rows.iter().map(|row| String::from_utf8(row.raw.to_vec()).unwrap()).collect::<Vec<_>>()
        })
        .collect();
    // [1234 bytes of output in 56 lines were lost here], each at the place where the journal went on.
    let (markers, lines): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row.contains(" bytes of output in "));
    let count = |marker: &&String| -> u64 {
        let (_, rest) = marker.split_once(" bytes of output in ").unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    let told: u64 = markers.iter().map(count).sum();
    // The first line and the last one may be pieces of lines.
    let whole = &lines[1..lines.len() - 1];
    let numbers: Vec<u64> =
        whole.iter().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "lines are missing among those that are kept"
    );
    assert!(numbers.len() > 100_000, "{}", numbers.len());
    assert!(told.abs_diff(numbers[0]) <= 1, "{told} lines are said to be lost, {} are", numbers[0]);
    let run = newest_run(&mut env.mcp(Era::Modern), "flood");
    assert_eq!(run["exit"]["signal"], "SIGKILL", "{run}");
}

#[test]
fn a_journal_that_cannot_be_read_waits_and_is_told() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let pid = mcp.start("job", &env.fault(), &["count", "5", "1000", "9"])["pid"].as_i64().unwrap();
    let dir = env.run_dir_of(env.shim_of("job").unwrap()).unwrap();
    drop(mcp);
    env.crash_daemon();
    wait_until("it ends while no daemon is there", || !alive(pid));
    // What is there and cannot be read: a directory in place of the file.
    let (segment, away) = (dir.join("journal/0000000000000001.seg"), dir.join("away"));
    std::fs::rename(&segment, &away).unwrap();
    std::fs::create_dir(&segment).unwrap();

    let mut mcp = env.mcp(Era::Modern);
    let mut told = || mcp.done("list_processes", json!({}))["note"].as_str().unwrap_or_default().to_owned();
    wait_until("it is told", || {
        let note = told();
        note.contains("a journal cannot be read") && note.contains(dir.to_str().unwrap())
    });
    assert!(dir.exists());
    std::fs::remove_dir(&segment).unwrap();
    std::fs::rename(&away, &segment).unwrap();
    wait_until("it is read", || told().is_empty());
    assert_eq!(mcp.view("job")["exit"]["code"], 9);
    e2e::assert_numbered(&mcp.all_lines("job"), Some(1000));
    wait_until("its directory goes", || !dir.exists());
}

#[test]
fn after_a_reboot_what_should_run_does_and_what_was_stopped_does_not() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    started(&mut mcp, &env, "web", "never");
    started(&mut mcp, &env, "rests", "never");
    mcp.done("stop_process", json!({"process": "rests"}));
    mcp.done("tail_logs", json!({"process": "web", "until_pattern": "^ready$"}));
    let (main, shim) = tree(&mut mcp, "web");
    drop(mcp);
    // All that a reset of the machine leaves: the files, with the boot id of before.
    env.crash_daemon();
    kill(shim);
    kill(main);
    wait_until("the process to be gone", || !alive(main) && !alive(shim));
    let database = rusqlite::Connection::open(env.home().join("hostler.db")).unwrap();
    database.execute("UPDATE runs SET boot_id = 'another'", []).unwrap();
    drop(database);
    let mut mcp = env.mcp(Era::Modern);
    let web = mcp.await_status("web", "running");
    assert_ne!(web["pid"].as_i64(), Some(main));
    assert_eq!(mcp.view("rests")["status"], "stopped");
    let info = mcp.done("get_process_info", json!({"process": "web"}));
    assert_unknown(&info["runs"][1], "the machine was restarted");
    wait_until("the next run says something", || !messages_of_run(&mut mcp, "web", 2).is_empty());
    assert_eq!(messages_of_run(&mut mcp, "web", 1), ["ready"], "what it wrote before is kept");
    assert_eq!(mcp.view("rests")["exit"]["signal"], "SIGTERM", "of before the restart it is known");
}

#[test]
fn a_program_that_wants_a_terminal_gets_one() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let request = json!({"name": "tty", "command": "tty", "pty": true, "wait_for": "exited"});
    assert_eq!(mcp.done("start_process", request)["process"]["exit"]["code"], 0);
    let text = mcp.done("get_logs", json!({"process": "tty"}))["text"].clone();
    assert!(text.as_str().unwrap().contains("/dev/pts/"), "{text}");
}

/// The table in the README says what is so, for each line of it names a test.
#[test]
fn what_survives_what_is_proved_by_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("../README.md")).unwrap();
    let (_, section) = readme.split_once("## What survives what").unwrap();
    let lines: Vec<&str> = section
        .lines()
        .skip_while(|l| !l.starts_with("|---"))
        .skip(1)
        .take_while(|l| l.starts_with('|'))
        .collect();
    assert!(lines.len() >= 10, "{lines:#?}");
    for line in lines {
        let proofs = line.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let names: Vec<(&str, &str)> =
            proofs.split(',').map(|name| name.trim().trim_matches('`').split_once("::").unwrap()).collect();
        for (file, test) in names {
            let source = [format!("tests/{file}.rs"), format!("tests/{file}/main.rs")];
            let source = source.iter().find_map(|path| std::fs::read_to_string(root.join(path)).ok());
            let exists = source.is_some_and(|source| source.contains(&format!("fn {test}(")));
            assert!(exists, "there is no {file}::{test}, which the README names: {line}");
        }
    }
}

#[test]
fn what_a_killed_daemon_had_not_removed_yet_goes_with_the_next_one() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let job = json!({"name": "job", "command": env.fault(), "args": ["lines", "3"], "wait_for": "exited"});
    mcp.done("start_process", job);
    let runs = env.home().join("runs");
    wait_until("it is stored", || std::fs::read_dir(&runs).unwrap().count() == 0);
    drop(mcp);
    env.crash_daemon();
    for name in ["p1-1", "p77-1", "notes"] {
        std::fs::create_dir(runs.join(name)).unwrap();
    }
    let mut mcp = env.mcp(Era::Modern);
    wait_until("the stored one is gone", || !runs.join("p1-1").exists());
    assert_eq!(mcp.all_lines("job").len(), 6);
    // Of this nobody knows whether it is over; and that is none of ours.
    assert!(runs.join("p77-1").exists() && runs.join("notes").exists());
}
