//! Edits of a `hostler.toml` and of what it depends on: noticed, told with their place, and carried out in order.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::process::Stdio;

use e2e::{Env, Era, wait_for};
use serde_json::{Value, json};

/// What stands in a file for the program that misbehaves.
fn write(env: &Env, text: &str) {
    env.write("hostler.toml", text.replace("FAULT", &env.fault()));
}

fn plan(env: &Env) -> Value {
    env.cli(&["up", "--dry-run", "--json"]).ok().json()
}

fn up(env: &Env) -> Value {
    let _ = env.cli(&["trust"]).ok();
    env.cli(&["up", "--json"]).ok().json()
}

/// A line of a plan: `update depends_on`.
fn line(result: &Value, process: &str) -> String {
    let changes = result["changes"].as_array().unwrap();
    let change = changes.iter().find(|c| c["process"] == process).unwrap_or_else(|| panic!("{result}"));
    let fields = change["fields"].as_array().cloned().unwrap_or_default();
    let words = std::iter::once(&change["action"]).chain(&fields).map(|word| word.as_str().unwrap());
    words.collect::<Vec<_>>().join(" ")
}

fn pid(env: &Env, name: &str) -> Option<i64> {
    let list = env.cli(&["ps", "--json"]).ok().json();
    list["processes"].as_array()?.iter().find(|p| p["name"] == name)?["pid"].as_i64()
}

/// The value of a variable in a process that runs.
fn variable(env: &Env, process: &str, name: &str) -> Option<String> {
    let environ = std::fs::read(format!("/proc/{}/environ", pid(env, process)?)).ok()?;
    let environ = String::from_utf8_lossy(&environ).into_owned();
    environ.split('\0').find_map(|line| line.strip_prefix(&format!("{name}="))).map(str::to_owned)
}

#[test]
fn what_an_environment_file_says_is_a_part_of_the_declaration() {
    let env = Env::new();
    env.write("app.env", "APP=1\n");
    write(
        &env,
        "[processes.files]\ncommand = \"FAULT run\"\nenv_files = [\"app.env\"]\n\
         [processes.profile]\ncommand = \"FAULT run\"\nenv_profile = \"dev\"\n[processes.none]\ncommand = \"FAULT run\"\n",
    );
    assert_eq!(up(&env)["done"], true);
    env.write("app.env", "# the same\nAPP='1'\n");
    let unchanged = plan(&env);
    assert!(
        ["files", "profile", "none"].iter().all(|name| line(&unchanged, name) == "unchanged"),
        "{unchanged}"
    );

    env.write("app.env", "APP=2\n");
    env.write(".env.dev", "APP=3\n");
    let before = pid(&env, "none");
    for name in ["files", "profile"] {
        assert_eq!(line(&plan(&env), name), "restart content of environment files");
    }
    let shown = env.cli(&["up", "--dry-run"]).ok().stdout;
    assert!(shown.contains("changed: content of environment files"), "{shown}");
    assert_eq!(line(&up(&env), "none"), "unchanged");
    assert_eq!(variable(&env, "files", "APP").as_deref(), Some("2"));
    assert_eq!(variable(&env, "profile", "APP").as_deref(), Some("3"));
    assert_eq!(pid(&env, "none"), before);
    assert_eq!(line(&plan(&env), "files"), "unchanged");

    // Who is restarted by hand has the new values already, and a declaration shows no digest.
    env.write("app.env", "APP=4\n");
    let _ = env.cli(&["restart", "files"]).ok();
    assert_eq!(line(&plan(&env), "files"), "unchanged");
    let info = env.cli(&["info", "files", "--json"]).ok().stdout;
    assert!(info.contains("app.env") && !info.contains("digest"), "{info}");
}

#[test]
fn a_watch_looks_at_the_environment_files_of_processes_too() {
    let env = Env::new();
    env.write("app.env", "APP=1\n");
    write(&env, "[processes.web]\ncommand = \"FAULT run\"\nenv_files = [\"app.env\"]\n");
    let _ = env.cli(&["trust"]).ok();
    let mut watching = env.hostler();
    watching.args(["up", "--watch"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut watching = watching.spawn().unwrap();
    let value = |wanted: &str| (variable(&env, "web", "APP")? == wanted).then_some(());
    wait_for("it is up", || value("1"));
    env.write("app.env", "APP=22\n");
    wait_for("it has the new value", || value("22"));
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn every_mistake_has_its_place() {
    let env = Env::new();
    for (text, wanted) in [
        (
            "[processes.a]\ncommand = \"x\"\nhealth = [{ plugin = \"htpt\" }]\n",
            "line 3, column 11: process `a`: `health[0]`",
        ),
        (
            "[processes.a]\ncommand = \"x\"\n[[processes.a.health]]\nplugin = \"http\"\nconfig = { ulr = \"x\" }\n",
            "line 3, column",
        ),
        ("[processes.a]\ncommand = \"x && y\"\n", "line 2, column 11: process `a`: `command`"),
        ("[processes.a]\ncommand = \"x\"\nstop = { signal = \"TREM\" }\n", "line 3, column 19"),
        ("[processes.a]\ncommand = \"x\"\nlog = { parsers = [\"json\", \"jsno\"] }\n", "line 3, column 28"),
        ("[processes.a]\ncommand = \"x\"\nlease_ms = 7\n", "line 3, column 12"),
        ("[processes.a]\ncommand = \"x\"\n[plugins.b]\nsource = \"builtin:jsno\"\n", "[plugins.b]: "),
        (
            "[processes.db]\ncommand = \"x\"\n[processes.web]\ncommand = \"y\"\ndepends_on = { db = \"healthy\" }\n",
            "line 5, column 16: `web` would wait without end for `db`",
        ),
        ("[processes.web]\ncommand = \"${NOT_SET_ANYWHERE}\"\n", "is not set. It can stand in"),
        ("[processes.web]\ncommand = \"x\"\nlog = \"json\"\n", "expected a table"),
        ("[processes.web]\ncommand = \"x\"\nlimits = { memory = 1 }\n", "did you mean `memory_bytes`?"),
    ] {
        env.write("hostler.toml", text);
        let output = env.cli(&["up", "--dry-run"]);
        assert_eq!(output.code, Some(2), "{text}: {output:?}");
        assert!(
            output.stderr.contains(wanted) && output.stderr.contains("hostler.toml: line "),
            "{text}: {output:?}"
        );
    }
    // What is met when it is carried out has its place as well.
    env.write("hostler.toml", "[processes.a]\ncommand = \"no-such-program-anywhere\"\n");
    let _ = env.cli(&["trust"]).ok();
    let output = env.cli(&["up"]);
    assert!(output.stderr.contains("line 2, column 11: process `a`: no executable"), "{output:?}");
}

#[test]
fn a_plan_tells_of_all_that_changes() {
    let env = Env::new();
    let text = "[processes.db]\ncommand = \"FAULT run\"\n[processes.web]\ncommand = \"FAULT run\"\ndepends_on = [\"db\"]\n\
                [groups.front]\nmembers = [\"web\"]\n[plugins.mine]\nsource = \"builtin:logfmt\"\n";
    write(&env, text);
    let _ = env.cli(&["start", "web", "--", &env.fault(), "run"]).ok();
    let by_hand = pid(&env, "web");
    let first = plan(&env);
    assert_eq!(line(&first, "web"), "update", "{first}");
    assert!(first["changes"].to_string().contains("taken over"), "{first}");
    assert!(env.cli(&["up", "--dry-run"]).ok().stdout.contains("taken over"));
    let parts = |result: &Value| {
        let parts = result["parts"].as_array().cloned().unwrap_or_default();
        let told = parts
            .iter()
            .map(|p| format!("{} {}", p["part"].as_str().unwrap(), p["action"].as_str().unwrap()));
        told.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(parts(&first), "groups.front create, plugins.mine create");
    assert_eq!(up(&env)["done"], true);
    assert_eq!(pid(&env, "web"), by_hand, "what was taken over runs on");
    let again = plan(&env);
    assert_eq!((line(&again, "web"), parts(&again)), ("unchanged".to_owned(), String::new()), "{again}");
    assert!(!again["changes"].to_string().contains("taken over"), "{again}");

    for (from, to, web, of_parts) in [
        (
            "depends_on = [\"db\"]",
            "depends_on = { db = \"ready\" }",
            "update depends_on",
            "groups.front update",
        ),
        (
            "depends_on = [\"db\"]",
            "depends_on = [\"db\"]\ndelay_ms = 5",
            "update delay_ms",
            "groups.front update",
        ),
        ("depends_on = [\"db\"]", "depends_on = [\"db\"]\nautostart = false", "update autostart", ""),
        (
            "members = [\"web\"]",
            "members = [\"web\"]\nstop_strategy = \"parallel\"",
            "unchanged",
            "groups.front update",
        ),
        ("[groups.front]\nmembers = [\"web\"]\n", "", "unchanged", "groups.front remove"),
        ("logfmt", "json", "unchanged", "plugins.mine update"),
    ] {
        assert!(text.contains(from), "{from}");
        write(&env, &text.replace(from, to));
        let plan = plan(&env);
        assert_eq!((line(&plan, "web").as_str(), parts(&plan).as_str()), (web, of_parts), "{to}: {plan}");
    }
}

#[test]
fn a_dry_run_looks_for_the_programs_and_tells_of_sessions() {
    let env = Env::new();
    write(
        &env,
        "[processes.gone]\ncommand = \"no-such-program-anywhere\"\n[processes.nowhere]\ncommand = \"FAULT run\"\ncwd = \"no/dir\"\n\
         [processes.files]\ncommand = \"FAULT run\"\nenv_files = [\"gone.env\"]\n[processes.shell]\ncommand = \"bash run\"\n\
         [processes.short]\ncommand = \"FAULT run\"\nlifetime = \"session\"\n",
    );
    let note = plan(&env)["note"].as_str().unwrap().to_owned();
    for wanted in ["`gone`", "`nowhere`", "`files`", "`shell`", "`short`", "session", "nothing was changed"] {
        assert!(note.contains(wanted), "{wanted}: {note}");
    }
    let shown = env.cli(&["up", "--dry-run"]).ok();
    assert!(shown.stderr.contains("no-such-program-anywhere"), "{shown:?}");
}

#[test]
fn an_analysis_reads_the_file_as_up_does() {
    let env = Env::new();
    write(&env, "[processes.web]\ncommand = \"FAULT ${HOME}/x ${ONLY_IN_A_SHELL}\"\n");
    let mut mcp = env.mcp(Era::Modern);
    let answer = mcp.done("analyze_project", json!({}));
    assert_eq!(answer["declared"], true, "{answer}");
    let command = answer["processes"][0]["command"].as_str().unwrap();
    assert!(!command.contains("HOME") && command.ends_with("${ONLY_IN_A_SHELL}"), "{command}");
    assert!(answer["notes"].to_string().contains("`ONLY_IN_A_SHELL`"), "{answer}");
    assert_eq!(answer["hostler_toml"], Value::Null, "who wants to see the file reads it");
    let file = std::fs::read_to_string(env.in_project("hostler.toml")).unwrap();
    assert_eq!(env.cli(&["analyze", "--toml"]).ok().stdout, file);
}

#[test]
fn the_plugins_of_a_project_are_there_after_a_restart_or_it_is_told() {
    let env = Env::new();
    let text = "[processes.web]\ncommand = \"FAULT run\"\nenv = { A = \"${ONLY_IN_A_SHELL}\" }\n\
                health = [{ plugin = \"mine\" }]\n[plugins.mine]\nsource = \"builtin:process\"\n";
    write(&env, text);
    let _ = env.cli(&["trust"]).ok();
    let up = env.hostler().arg("up").env("ONLY_IN_A_SHELL", "x").stdin(Stdio::null()).output().unwrap();
    assert!(up.status.success(), "{up:?}");
    let degraded = || env.cli(&["daemon", "status", "--json"]).ok().json()["degraded"].to_string();
    let restart = || {
        env.crash_daemon();
        let _ = env.cli(&["daemon", "start"]).ok();
    };
    restart();
    assert_eq!(degraded(), "[]");
    let mut mcp = env.mcp(Era::Modern);
    let health = mcp.done("check_process_health", json!({"process": "web"}));
    assert_eq!(health["checks"][0]["plugin"], "mine", "{health}");
    assert_eq!(health["health"], "healthy", "{health}");
    drop(mcp);

    // One that nobody looked at does not get its plugins, and that is no secret of the log.
    write(&env, &format!("{text}# changed\n"));
    restart();
    assert!(degraded().contains("changed since it was trusted"), "{}", degraded());
    let _ = env.cli(&["trust"]).ok();
    let up = env.hostler().arg("up").env("ONLY_IN_A_SHELL", "x").stdin(Stdio::null()).output().unwrap();
    assert!(up.status.success(), "{up:?}");
    assert_eq!(degraded(), "[]");
}

#[test]
fn two_files_of_a_project_have_no_name_in_common() {
    let env = Env::new();
    write(&env, "[processes.web]\ncommand = \"FAULT run\"\n");
    assert_eq!(up(&env)["done"], true);
    let other = env.in_project("other.toml");
    let first = env.in_project("hostler.toml");
    let text = |name: &str, process: &str| {
        format!("name = \"{name}\"\n[processes.{process}]\ncommand = {:?}\n", format!("{} run", env.fault()))
    };
    for (name, process, wanted) in
        [("second", "web", "process `web`: it came from"), ("shop", "api", "the group `shop` came from")]
    {
        env.write("other.toml", text(name, process));
        let refused = env.cli(&["up", &other, "--dry-run"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let next = format!("hostler down {first}");
        assert!(refused.stderr.contains(wanted) && refused.stderr.contains(&next), "{refused:?}");
    }
    env.write("other.toml", text("second", "api"));
    let _ = env.cli(&["trust", &other]).ok();
    let _ = env.cli(&["up", &other]).ok();
    let _ = env.cli(&["down", &other]).ok();
    assert!(pid(&env, "web").is_some() && pid(&env, "api").is_none());
}

#[test]
fn what_changes_is_ended_dependents_first() {
    let env = Env::new();
    // The web front takes its time to end, and needs the others until then.
    let text = "[defaults]\nenv = { A = \"1\" }\n[processes.db]\ncommand = \"FAULT run\"\n\
                [processes.api]\ncommand = \"FAULT run\"\ndepends_on = [\"db\"]\n\
                [processes.web]\ncommand = \"FAULT stubborn\"\nstop = { grace_ms = 700 }\ndepends_on = [\"api\"]\n\
                [groups.alone]\nmembers = [\"db\"]\n";
    write(&env, text);
    assert_eq!(up(&env)["done"], true);
    write(&env, &text.replace("A = \"1\"", "A = \"2\""));
    assert_eq!(line(&up(&env), "web"), "restart env");
    let ended = |name: &str| {
        let runs = env.cli(&["info", name, "--json"]).ok().json()["runs"].clone();
        let ends =
            runs.as_array().unwrap().iter().filter_map(|run| run["ended_at"].as_str().map(str::to_owned));
        ends.max().unwrap_or_else(|| panic!("{runs}"))
    };
    let (web, api, db) = (ended("web"), ended("api"), ended("db"));
    assert!(web <= api && api <= db, "web {web}, api {api}, db {db}");
}

#[test]
fn what_came_from_a_file_that_is_gone_can_be_taken_down() {
    let env = Env::new();
    write(&env, "[processes.web]\ncommand = \"FAULT run\"\n");
    assert_eq!(up(&env)["done"], true);
    let file = env.in_project("hostler.toml");
    std::fs::remove_file(&file).unwrap();
    let wrong = env.cli(&["down", "other.toml"]);
    assert!(wrong.code == Some(3) && wrong.stderr.contains(&format!("hostler down {file}")), "{wrong:?}");
    let below = env.project().join("src");
    std::fs::create_dir(&below).unwrap();
    let down = env.hostler().args(["down", "--dry-run"]).current_dir(&below).output().unwrap();
    assert!(String::from_utf8_lossy(&down.stdout).contains("web"), "{down:?}");
    let _ = env.cli(&["down"]).ok();
    assert_eq!(env.cli(&["ps", "--json"]).ok().json()["processes"], json!([]));
    let nothing = env.cli(&["down"]);
    assert!(nothing.code == Some(3) && nothing.stderr.contains("nothing is known"), "{nothing:?}");
}

#[test]
fn a_long_plan_is_told_in_short_to_an_agent_and_in_full_to_a_person() {
    let env = Env::new();
    let one = |n: usize| {
        format!("[processes.worker-of-the-shop-{n:02}]\ncommand = \"FAULT run {}\"\n", "x".repeat(150))
    };
    write(&env, &(0..60).map(one).collect::<String>());
    let mut mcp = env.mcp(Era::Modern);
    let short = mcp.call("apply_config", json!({"dry_run": true}));
    assert!(short.text.len() <= 10_000, "{}", short.text.len());
    let note = short.structured["note"].as_str().unwrap();
    assert!(
        note.contains("left out to keep this short")
            || short.structured["changes"].as_array().unwrap().len() == 60
    );
    let full = mcp.done("apply_config", json!({"dry_run": true, "detail": "full"}));
    assert_eq!(full["changes"].as_array().unwrap().len(), 60);
    assert_eq!(env.cli(&["up", "--dry-run"]).ok().stdout.matches("create").count(), 60);
}
