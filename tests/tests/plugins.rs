//! Plugins in a running daemon: declared in the configuration, named by processes.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::Write;
use std::path::{Path, PathBuf};

use e2e::{Env, Era, Mcp, wait_for};
use serde_json::{Value, json};

fn component(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/built").join(format!("{name}.wasm"))
}

/// What `plugin list` says of one.
fn listed(env: &Env, name: &str) -> Value {
    let list = env.cli(&["plugin", "list", "--json"]).ok().json();
    let plugins = list["plugins"].as_array().unwrap();
    plugins.iter().find(|plugin| plugin["name"] == name).cloned().unwrap_or_default()
}

#[test]
fn a_plugin_is_added_and_listed_with_and_without_a_daemon() {
    let env = Env::new();
    std::fs::write(env.home().join("config.toml"), "# my plugins\n").unwrap();
    std::fs::copy(component("logfmt"), env.project().join("mine.wasm")).unwrap();
    let output = env.cli(&["plugin", "add", "mine.wasm", "--name", "mine"]).ok();
    assert!(output.stdout.contains("granted  nothing beyond computing"), "{}", output.stdout);
    assert!(
        output.stdout.contains("use it   hostler start NAME --parser mine -- COMMAND"),
        "{}",
        output.stdout
    );
    let text = std::fs::read_to_string(env.home().join("config.toml")).unwrap();
    assert!(text.starts_with("# my plugins\n[plugins.mine]\nsource = "), "{text}");

    let before = listed(&env, "mine");
    assert_eq!((&before["kind"], &before["status"]), (&json!("log-parser"), &json!("idle")));
    assert_eq!(listed(&env, "redis")["source"], "builtin:redis");
    assert_eq!(env.daemon(), None);
    let _ = env.cli(&["daemon", "start"]).ok();
    let daemon = listed(&env, "mine");
    assert_eq!(daemon, before);

    let conflict = env.cli(&["plugin", "add", "builtin:json", "--name", "mine"]);
    assert_eq!(conflict.code, Some(1));
    assert!(conflict.stderr.contains("is /") && conflict.stderr.contains("--name"), "{}", conflict.stderr);
    for (name, how) in
        [("process", "--health my -- COMMAND"), ("rules", "categorizers = [\"my\", \"generic\"]")]
    {
        std::fs::write(env.home().join("config.toml"), "").unwrap();
        std::fs::copy(component(name), env.project().join("my.wasm")).unwrap();
        let output = env.cli(&["plugin", "add", "my.wasm", "--name", "my"]).ok();
        assert!(output.stdout.contains(how), "{}", output.stdout);
    }
    let bad = env.cli(&["plugin", "add", "config.toml"]);
    assert!(bad.stderr.contains("cannot read"), "{}", bad.stderr);
}

#[test]
fn parsers_are_checked_when_a_process_names_them() {
    let env = Env::new();
    std::fs::write(env.home().join("config.toml"), "[plugins.mine]\nsource = \"gone.wasm\"\n").unwrap();
    let mut mcp = env.mcp(Era::Legacy);
    let with = |parsers: Value| json!({"name": "p", "command": "sleep 60", "log": {"parsers": parsers}});
    for (parsers, wanted) in [
        (json!(["jsno"]), "`log.parsers[0]`: there is no plugin `jsno`; did you mean `json`?"),
        (json!(["json", "mine"]), "`log.parsers[1]`: the plugin `mine`: cannot read"),
        (json!(["tcp"]), "is a health-check, expected a log-parser"),
    ] {
        let message = mcp.refused("start_process", with(parsers));
        assert!(message.contains(wanted), "{message}");
    }
    mcp.done("start_process", with(json!(["json"])));
    assert_eq!(listed(&env, "json")["status"], "active");
}

#[test]
fn a_broken_configuration_is_told_and_stops_nothing() {
    let env = Env::new();
    std::fs::write(env.home().join("config.toml"), "[plugins.a]\nsorce = \"x\"\n").unwrap();
    let _ = env.cli(&["start", "web", "--", "sleep", "60"]).ok();
    let degraded = || env.cli(&["daemon", "status", "--json"]).ok().json()["degraded"].to_string();
    assert!(degraded().contains("did you mean `source`?"), "{}", degraded());
    std::fs::write(env.home().join("config.toml"), "[plugins.a]\nsource = \"builtin:json\"\n").unwrap();
    assert_eq!(listed(&env, "a")["kind"], "log-parser");
    wait_for("the daemon is well", || (degraded() == "[]").then_some(()));
}

/// A project with plugins of its own: a parser, and a check that wants to connect to a port.
fn project_with_plugins(env: &Env, port: u16) {
    for (file, name) in [("mine.wasm", "logfmt"), ("reach.wasm", "tcp")] {
        env.write(file, std::fs::read(component(name)).unwrap());
    }
    env.write("web.log", "level=error msg=gone n=1\n");
    let file = format!(
        "[plugins.mine]\nsource = 'mine.wasm'\n\
         [plugins.reach]\nsource = 'reach.wasm'\nconfig = {{ address = '127.0.0.1:{port}' }}\n\
         [processes.web]\ncommand = 'tail -n +1 -f web.log'\nlog = {{ parsers = ['mine'] }}\n\
         health = [{{ plugin = 'reach', interval_ms = 100, on_unhealthy = 'none' }}]\n"
    );
    env.write("hostler.toml", file);
}

#[test]
fn a_project_brings_its_own_plugins_with_the_rights_that_its_user_gives() {
    let env = Env::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    project_with_plugins(&env, port);
    let plan = env.cli(&["up", "--dry-run", "--json"]).ok().json();
    assert_eq!(plan["trusted"], false, "{plan}");
    let _ = env.cli(&["trust"]).ok();
    let _ = env.cli(&["up"]).ok();

    let mut mcp = env.mcp(Era::Legacy);
    let errors = |mcp: &mut Mcp| {
        let request = json!({"process": "web", "format": "records", "min_level": "error"});
        mcp.done("get_logs", request)["lines"].as_array().unwrap().clone()
    };
    let found = wait_for("its parser finds the level", || errors(&mut mcp).pop());
    assert_eq!(found["fields"]["n"], "1", "{found}");
    let project = mcp.view("web")["project"].as_str().unwrap().to_owned();
    assert_eq!(listed(&env, &format!("{project}/mine"))["status"], "active");

    // What the project's file names is no consent of the user's.
    let health = |mcp: &mut Mcp| mcp.done("check_process_health", json!({"process": "web"}));
    let report = health(&mut mcp);
    assert_ne!(report["status"], "healthy", "{report}");
    let sha256 = listed(&env, &format!("{project}/reach"))["sha256"].as_str().unwrap().to_owned();
    let grants = format!(
        "[plugins.reviewed]\nsource = {:?}\nsha256 = '{sha256}'\ngrants = {{ tcp = ['127.0.0.1:{port}'] }}\n",
        env.in_project("reach.wasm")
    );
    std::fs::write(env.home().join("config.toml"), grants).unwrap();
    wait_for("the user's grant reaches it", || (health(&mut mcp)["status"] == "healthy").then_some(()));

    // The next daemon knows them as well.
    env.crash_daemon();
    let mut log = std::fs::OpenOptions::new().append(true).open(env.in_project("web.log")).unwrap();
    log.write_all(b"level=error msg=again n=2\n").unwrap();
    wait_for("the parser of the next daemon", || (errors(&mut mcp).len() == 2).then_some(()));

    // Rights are not taken by a file, however it is trusted.
    let file = std::fs::read_to_string(env.in_project("hostler.toml")).unwrap();
    env.write(
        "hostler.toml",
        file.replace("source = 'reach.wasm'", "source = 'reach.wasm'\ngrants = { tcp = ['a:1'] }"),
    );
    let _ = env.cli(&["trust"]).ok();
    let refused = env.cli(&["up"]);
    assert!(refused.stderr.contains("[plugins.reach]: `grants` are the user's to give"), "{refused:?}");
    assert_eq!(mcp.view("web")["status"], "running");
    let _ = env.cli(&["kill", "web"]).ok();
}

#[test]
fn what_the_user_takes_back_is_gone_from_a_plugin_at_work() {
    let env = Env::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    env.write("reach.wasm", std::fs::read(component("tcp")).unwrap());
    let _ = env.cli(&["plugin", "add", "reach.wasm", "--name", "reach", "--grant-tcp", &address]).ok();
    let config = env.home().join("config.toml");
    let granted = std::fs::read_to_string(&config).unwrap();
    let without = granted.lines().filter(|line| !line.starts_with("grants")).collect::<Vec<_>>().join("\n");
    assert_ne!(granted.trim(), without.trim(), "{granted}");

    let mut mcp = env.mcp(Era::Legacy);
    let checks = json!([{"plugin": "reach", "config": {"address": address}, "interval_ms": 3_600_000}]);
    mcp.done("start_process", json!({"name": "p", "command": "sleep 600", "health": checks}));
    let status = |mcp: &mut Mcp| {
        let report = mcp.done("check_process_health", json!({"process": "p"}));
        report["checks"][0]["status"].as_str().unwrap().to_owned()
    };
    let gone = [
        ("the grant is taken back", without.clone()),
        ("what else is written is wrong", format!("{without}\nconfig = {{ adress = 1 }}\n")),
        ("the file is another one", without.replace("reach.wasm", "gone.wasm")),
        ("the plugin is not declared any more", String::new()),
    ];
    for (what, text) in gone {
        std::fs::write(&config, &granted).unwrap();
        wait_for("what is granted is reached", || (status(&mut mcp) == "healthy").then_some(()));
        assert_eq!(listed(&env, "reach")["granted"]["tcp"], json!([address]), "before {what}");
        std::fs::write(&config, text).unwrap();
        wait_for(what, || (status(&mut mcp) != "healthy").then_some(()));
        assert_eq!(listed(&env, "reach")["granted"], Value::Null, "{what}");
    }
    let shown = listed(&env, "reach");
    assert!(shown["reason"].as_str().unwrap().contains("no longer declared"), "{shown}");
}

#[test]
fn a_plugin_under_the_name_of_a_built_in_one_takes_its_place() {
    let env = Env::new();
    let trace =
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: no\n";
    env.write("app.log", format!("{trace}>> 17 is late\n"));
    // Every process has `multiline` without asking for it. This one knows lines of one kind, and no traces.
    let declared = "[plugins.multiline]\nsource = 'builtin:regex'\n\
                    config = { patterns = ['^>> (?<order>\\d+) (?<message>.*)$'] }\n";
    std::fs::write(env.home().join("config.toml"), declared).unwrap();
    let mut mcp = env.mcp(Era::Legacy);
    let start = json!({"name": "app", "command": "tail", "args": ["-n", "+1", "-f", "app.log"]});
    mcp.done("start_process", start);
    let lines = |mcp: &mut Mcp| {
        let request = json!({"process": "app", "format": "records", "order": "asc"});
        mcp.done("get_logs", request)["lines"].as_array().unwrap().clone()
    };
    let found = wait_for("its line is understood", || {
        lines(&mut mcp).pop().filter(|line| line["fields"]["order"] == "17")
    });
    assert_eq!(found["message"], "is late", "{found}");
    let errors = |mcp: &mut Mcp| lines(mcp).iter().filter(|line| line["level"] == "error").count();
    assert_eq!(errors(&mut mcp), 1, "nobody joins the trace to one event: its last line alone is an error");
    let shown = listed(&env, "multiline");
    assert_eq!((&shown["source"], &shown["status"]), (&json!("builtin:regex"), &json!("active")), "{shown}");
    // Without the section, the built-in one is back.
    std::fs::write(env.home().join("config.toml"), "").unwrap();
    wait_for("the built-in one serves again", || {
        let now = listed(&env, "multiline");
        (now["source"] == "builtin:multiline" && now["sha256"] != shown["sha256"]).then_some(())
    });
    let mut log = std::fs::OpenOptions::new().append(true).open(env.in_project("app.log")).unwrap();
    log.write_all(trace.as_bytes()).unwrap();
    wait_for("all lines of a trace are one error again", || (errors(&mut mcp) == 5).then_some(()));
}
