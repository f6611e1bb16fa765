//! Processes that are started by the clock, and restarted when files change.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, wait_for, wait_until};
use serde_json::{Value, json};

/// Writes `hostler.toml`, and brings it up.
fn up(env: &Env, text: &str) -> Value {
    env.write("hostler.toml", text.replace("FAULT", &env.fault()));
    let _ = env.cli(&["trust"]).ok();
    env.cli(&["up", "--json"]).ok().json()
}

fn info(env: &Env, name: &str) -> Value {
    env.cli(&["info", name, "--json"]).ok().json()
}

/// How many runs it had, and why the newest began.
fn newest(env: &Env, name: &str) -> (u64, String) {
    let run = info(env, name)["runs"][0].clone();
    (run["run"].as_u64().unwrap_or(0), run["reason"].as_str().unwrap_or_default().to_owned())
}

fn await_runs(env: &Env, name: &str, runs: u64) {
    wait_until(&format!("run {runs} of {name}"), || newest(env, name).0 >= runs);
}

fn reason(env: &Env, name: &str) -> String {
    info(env, name)["process"]["status_reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_schedule_starts_it_until_it_is_stopped_also_under_a_new_daemon() {
    let env = Env::new();
    let text = "[processes.tick]\ncommand = \"FAULT exit 0 tick\"\nschedule = \"* * * * * *\"\n";
    let first = up(&env, text);
    assert_eq!(
        (&first["done"], &first["members"][0]["status"]),
        (&json!(true), &json!("scheduled")),
        "{first}"
    );
    await_runs(&env, "tick", 2);
    assert_eq!(newest(&env, "tick").1, "started by its schedule");
    let next = wait_for("the next run is told", || {
        let process = info(&env, "tick")["process"].clone();
        process["next_run_at"].as_str().map(|at| (at.to_owned(), process["status_reason"].to_string()))
    });
    assert!(next.0.ends_with('Z'), "{next:?}");
    env.crash_daemon();
    let runs = newest(&env, "tick").0;
    await_runs(&env, "tick", runs + 2);

    let _ = env.cli(&["stop", "tick"]).ok();
    wait_until("its schedule is paused", || reason(&env, "tick").contains("its schedule is paused"));
    wait_until("it says no next run", || info(&env, "tick")["process"]["next_run_at"].is_null());
    let runs = newest(&env, "tick").0;
    env.crash_daemon();
    assert_eq!(newest(&env, "tick").0, runs, "what was stopped on purpose stays so");
    // Another schedule is no reason for a restart.
    let changed = up(&env, &text.replace("* * * * * *", "*/2 * * * * *"));
    assert_eq!(changed["changes"][0]["action"], "update", "{changed}");
    await_runs(&env, "tick", runs + 1);
    let _ = env.cli(&["down"]).ok();
}

#[test]
fn a_start_whose_time_comes_while_it_runs_is_skipped_unless_it_is_to_be_a_restart() {
    let env = Env::new();
    up(
        &env,
        r#"
        [processes.tick]
        command = "FAULT exit 0"
        schedule = "* * * * * *"
        [processes.patient]
        command = "FAULT run"
        schedule = "* * * * * *"
        [processes.eager]
        command = "FAULT run"
        schedule = { cron = "* * * * * *", overlap = "restart" }
        "#,
    );
    await_runs(&env, "patient", 1);
    let ticks = newest(&env, "tick").0;
    await_runs(&env, "eager", 3);
    await_runs(&env, "tick", ticks + 2);
    assert_eq!(newest(&env, "patient"), (1, "started by its schedule".to_owned()));
    assert_eq!(newest(&env, "eager").1, "started by its schedule");
}

const WATCHED: &str = r#"
[templates.service]
watch = { paths = ["src/**", "*.conf", "!src/generated"], debounce_ms = 500 }
[processes.web]
command = "FAULT run"
extends = ["service"]
[processes.crashes]
command = "FAULT exit 3 broken"
extends = ["service"]
"#;

#[test]
fn changed_files_restart_it_once_with_the_reason_on_record() {
    let env = Env::new();
    std::fs::create_dir_all(env.project().join("src/node_modules")).unwrap();
    std::fs::create_dir_all(env.project().join("src/generated")).unwrap();
    env.write("hostler.toml", WATCHED.replace("FAULT", &env.fault()));
    let _ = env.cli(&["trust"]).ok();
    assert_eq!(env.cli(&["up"]).code, Some(1), "one of them crashes");
    let watched = || {
        wait_until("its files are watched", || info(&env, "web")["watching"] == "2 directories");
    };
    watched();
    env.write("src/app.py", "1");
    await_runs(&env, "web", 2);
    assert_eq!(newest(&env, "web").1, "restarted: src/app.py changed");
    // Who crashed for want of a correction gets it.
    await_runs(&env, "crashes", 2);

    // A storm is one restart, and what is not wanted is none.
    for n in 0..60 {
        env.write(&format!("src/{n}.py"), "x");
    }
    env.write("src/node_modules/x.js", "x");
    env.write("src/generated/x.py", "x");
    env.write("other.txt", "x");
    await_runs(&env, "web", 3);
    let (run, why) = newest(&env, "web");
    assert!(run == 3 && why.contains("others or more changed"), "{why}");
    env.write("src/generated/x.py", "y");
    env.write("src/node_modules/x.js", "y");
    env.write("web.conf", "x");
    await_runs(&env, "web", 4);
    assert_eq!(newest(&env, "web"), (4, "restarted: web.conf changed".to_owned()));

    // A directory that comes later, with what is in it.
    std::fs::create_dir(env.project().join("src/later")).unwrap();
    env.write("src/later/x.py", "x");
    await_runs(&env, "web", 5);
    assert_eq!(newest(&env, "web").1, "restarted: src/later/x.py changed");
    wait_until("that is watched as well", || info(&env, "web")["watching"] == "3 directories");
    env.write("src/later/x.py", "y");
    await_runs(&env, "web", 6);

    env.crash_daemon();
    wait_until("the new daemon watches", || info(&env, "web")["watching"] == "3 directories");
    let runs = newest(&env, "crashes").0;
    let _ = env.cli(&["stop", "web"]).ok();
    env.write("src/app.py", "2");
    await_runs(&env, "crashes", runs + 1);
    assert_eq!(newest(&env, "web").0, 6, "what was stopped on purpose stays so");
    assert_eq!(info(&env, "web")["watching"], Value::Null);
}

#[test]
fn a_directory_that_is_not_there_yet_is_waited_for() {
    let env = Env::new();
    up(&env, "[processes.web]\ncommand = \"FAULT run\"\nwatch = [\"made/later/**\"]\n");
    wait_until("its files are watched", || info(&env, "web")["watching"] == "1 directory");
    std::fs::create_dir_all(env.project().join("made/later")).unwrap();
    env.write("made/later/x", "x");
    await_runs(&env, "web", 2);
    assert_eq!(newest(&env, "web").1, "restarted: made/later/x changed");
    // It goes and comes again.
    std::fs::remove_dir_all(env.project().join("made")).unwrap();
    await_runs(&env, "web", 3);
    wait_until("nothing of it is left", || info(&env, "web")["watching"] == "1 directory");
    std::fs::create_dir_all(env.project().join("made/later")).unwrap();
    env.write("made/later/y", "y");
    await_runs(&env, "web", 4);
    assert_eq!(newest(&env, "web").1, "restarted: made/later/y changed");
}

#[test]
fn a_program_that_is_gone_does_not_end_the_one_that_runs() {
    let env = Env::new();
    std::fs::copy(env.fault(), env.project().join("server")).unwrap();
    up(&env, "[processes.web]\ncommand = \"./server run\"\nwatch = [\"server\", \"src\"]\n");
    wait_until("its files are watched", || info(&env, "web")["watching"] == "1 directory");
    let pid = info(&env, "web")["process"]["pid"].clone();
    std::fs::remove_file(env.project().join("server")).unwrap();
    wait_until("it says why not", || {
        reason(&env, "web").contains("server changed, but it cannot be restarted")
    });
    assert_eq!(info(&env, "web")["process"]["pid"], pid);
    let new = env.project().join("new");
    std::fs::copy(env.fault(), &new).unwrap();
    std::fs::rename(new, env.project().join("server")).unwrap();
    await_runs(&env, "web", 2);
    assert_eq!(reason(&env, "web"), "");
}

#[test]
fn what_is_no_schedule_and_no_pattern_is_told_with_its_place() {
    let env = Env::new();
    for (line, wanted) in [
        ("schedule = \"61 * * * *\"", "line 3, column 12"),
        ("schedule = \"0 0 30 2 *\"", "there is no such time"),
        ("schedule = { cron = \"* * * * *\", overlp = \"skip\" }", "did you mean `overlap`?"),
        ("schedule = { cron = \"* * * * *\", overlap = \"skp\" }", "did you mean `skip`?"),
        ("schedule = 5", "a cron expression such as"),
        ("watch = [\"src/[a\"]", "line 3, column 9"),
        ("watch = []", "there is nothing to watch"),
        ("watch = { path = [\"src\"] }", "did you mean `paths`?"),
    ] {
        env.write("hostler.toml", format!("[processes.web]\ncommand = \"x\"\n{line}\n"));
        let output = env.cli(&["up", "--dry-run"]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(wanted) && output.stderr.contains("line 3"), "{line}: {output:?}");
    }
}
