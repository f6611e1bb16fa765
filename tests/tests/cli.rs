//! The command line: the same answers as the tools, and exit codes that scripts can rely on.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era};
use serde_json::{Value, json};

/// The shape of a value: its keys, without what changes from one moment to the next.
fn keys(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| walk(value, &format!("{path}.{key}"), found));
            }
            Value::Array(items) => {
                items.iter().take(1).for_each(|item| walk(item, &format!("{path}[]"), found))
            }
            _ => found.push(path.to_owned()),
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found.sort();
    found
}

#[test]
fn json_is_the_result_of_the_tool() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    let fault = env.fault();
    let cli = |args: &[&str]| env.cli(args).ok().json();

    let by_cli = cli(&["start", "a", "--json", "--", &fault, "run"]);
    let by_tool = mcp
        .done("start_process", json!({"name": "b", "command": fault, "args": ["run"], "cwd": env.project()}));
    assert_eq!(keys(&by_cli), keys(&by_tool));
    let again = cli(&["start", "a", "--json"]);
    assert_eq!(again["process"]["pid"], by_cli["process"]["pid"]);

    let by_tool = mcp.done("list_processes", json!({"detail": "full", "limit": 500}));
    assert_eq!(keys(&cli(&["ps", "--json"])), keys(&by_tool));
    assert_eq!(cli(&["ps", "--json", "--status", "exited"])["processes"], json!([]));
    assert_eq!(cli(&["ps", "--json", "a*"])["processes"][0]["name"], "a");
    let by_tool = mcp.done("get_process_info", json!({"process": "a"}));
    assert_eq!(keys(&cli(&["info", "a", "--json"])), keys(&by_tool));
    let by_tool = mcp.done("restart_process", json!({"process": "b"}));
    assert_eq!(keys(&cli(&["restart", "a", "--json"])), keys(&by_tool));
    let by_tool = mcp.done("stop_process", json!({"process": "b"}));
    assert_eq!(keys(&cli(&["stop", "a", "--json"])), keys(&by_tool));
    for name in ["a", "b"] {
        mcp.done("start_process", json!({"name": name}));
    }
    let by_tool = mcp.done("kill_process", json!({"process": "b"}));
    assert_eq!(keys(&cli(&["kill", "a", "--json"])), keys(&by_tool));
    let by_tool = mcp.done("get_logs", json!({"process": "a", "format": "records"}));
    let page = cli(&["logs", "a", "--json"]);
    assert_eq!(keys(&page), keys(&by_tool));
    assert_eq!(keys(&page["lines"][0]), keys(&by_tool["lines"][0]));
}

#[test]
fn exit_codes_are_as_documented() {
    let env = Env::new();
    let help = env.cli(&["--help"]).ok().stdout;
    assert!(help.contains("Exit codes: 0 done; 1 it failed"), "{help}");
    let fault = env.fault();
    for (args, code, wanted) in [
        (["start", "ok", "--", &fault, "run"].as_slice(), 0, ""),
        (&["start", "bad", "--", &fault, "exit", "9", "why it failed"], 1, "why it failed"),
        (&["kill", "bad", "--signal", "HUP"], 1, "no process to send"),
        (&["start", "x", "--", "no-such-program"], 2, "no-such-program"),
        (&["start", "a b", "--", &fault, "run"], 2, "valid name"),
        (&["strat"], 2, "start"),
        (&["logs", "ok", "--since", "soon"], 2, "`since`"),
        (&["stop", "kk"], 3, "no process `kk`"),
        (&["stop", "okk"], 3, "did you mean `ok`"),
        (&["info", "gone"], 3, "gone"),
        (&["logs", "gone"], 3, "gone"),
        (&["start", "unknown"], 3, "command"),
        (&["start", "x", "--", "sh", "-c", "true"], 4, "policy.toml"),
    ] {
        let output = env.cli(args);
        assert_eq!(output.code, Some(code), "{args:?}: {output:?}");
        assert!(output.stderr.contains(wanted), "{args:?}: {output:?}");
    }
    let failed = env.cli(&["start", "bad", "--json"]);
    assert_eq!((failed.code, &failed.json()["evidence"]["exit"]["code"]), (Some(1), &json!(9)));
    let mut nowhere = Env::new();
    nowhere.move_home("other");
    std::fs::create_dir(nowhere.home().join("hostler.db")).unwrap();
    assert_eq!(nowhere.cli(&["ps"]).code, Some(5));
    std::fs::remove_dir(nowhere.home().join("hostler.db")).unwrap();
}

#[test]
fn logs_are_read_over_as_many_pages_as_it_takes() {
    let env = Env::new();
    let _ = env.cli(&["start", "job", "--wait-for", "exited", "--", &env.fault(), "lines", "2500"]).ok();
    for (count, first) in [("7", 2_494), ("2400", 101), ("9999", 1)] {
        let output = env.cli(&["logs", "job", "--stream", "stdout", "-n", count]).ok();
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines.len(), 2_500 - first + 1);
        for (line, n) in lines.iter().zip(first..) {
            assert!(line.ends_with(&format!(" out {n}")), "{line} is not {n}");
        }
    }
    assert_eq!(env.cli(&["logs", "job", "-n", "0"]).ok().stdout, "");
    let followed = env.cli(&["logs", "job", "-f", "-n", "3"]).ok();
    assert_eq!(followed.stdout.lines().count(), 3, "{followed:?}");
}

#[test]
fn following_shows_the_last_line_before_the_end() {
    let env = Env::new();
    let _ = env
        .cli(&["start", "job", "--wait-for-log", "n 1", "--", &env.fault(), "count", "2", "300", "0"])
        .ok();
    let followed = env.cli(&["logs", "job", "-f", "-n", "9999"]).ok();
    let lines: Vec<&str> = followed.stdout.lines().collect();
    assert_eq!(lines.len(), 300, "{:?}", lines.last());
    assert!(lines[299].ends_with(" n 300"), "{}", lines[299]);
}

#[test]
fn people_see_tables_and_projects_are_apart() {
    let env = Env::new();
    let _ = env.cli(&["start", "web", "--", &env.fault(), "arguments", "two\nlines"]);
    assert_eq!(env.cli(&["ps"]).ok().stdout.lines().count(), 2, "one line for each process");
    let _ = env.cli(&["start", "web", "--", &env.fault(), "run"]).ok();
    let table = env.cli(&["ps"]).ok().stdout;
    let (head, row) = table.split_once('\n').unwrap();
    assert!(head.starts_with("NAME") && row.starts_with("web") && row.contains("running"), "{table}");
    assert!(!table.contains('\x1b'), "colour in a pipe: {table:?}");
    std::fs::create_dir(env.project().join("sub")).unwrap();
    let mut elsewhere = env.hostler();
    let output = elsewhere.args(["ps", "--json"]).current_dir(env.project().join("sub")).output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["processes"], json!([]), "another directory is another project");
    env.write("hostler.toml", "");
    let mut inside = env.hostler();
    let output = inside.args(["ps", "--json"]).current_dir(env.project().join("sub")).output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["processes"][0]["name"], "web", "below a hostler.toml it is the same project");
    let removed = env.cli(&["stop", "web", "--remove", "--json"]).ok().json();
    assert_eq!(removed["removed"], true);
    assert_eq!(env.cli(&["info", "web"]).code, Some(3));
}

#[test]
fn install_writes_a_unit_for_systemd_and_says_what_is_next() {
    let env = Env::new();
    let config = env.project().join("config");
    let mut command = env.hostler();
    // With nothing on its PATH nothing is called: to enable it is left to the user.
    let output = command.args(["daemon", "install"]).env("XDG_CONFIG_HOME", &config).env("PATH", "").output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let path = config.join("systemd/user/hostler.service");
    let written = format!("wrote {}", path.display());
    let next = "systemctl --user daemon-reload && systemctl --user enable --now hostler";
    for text in [written.as_str(), next, "loginctl enable-linger"] {
        assert!(said.contains(text), "{text}: {said}");
    }
    let unit = std::fs::read_to_string(&path).unwrap();
    let program = env.hostler().get_program().to_owned();
    for line in [
        format!("ExecStart=\"{}\" daemon run", program.display()).as_str(),
        format!("Environment=\"HOSTLER_HOME={}\"", env.home().display()).as_str(),
        "Restart=on-failure",
        "KillMode=process",
        "Delegate=yes",
        "DelegateSubgroup=daemon",
        "WantedBy=default.target",
    ] {
        assert!(unit.lines().any(|l| l == line), "{line}: {unit}");
    }
    assert_eq!(env.daemon(), None, "it was not started");
}
