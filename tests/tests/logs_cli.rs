//! What `hostler logs`, `search` and `summary` print: filters, forms and colours.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use e2e::{Env, Era, Mcp, OnTerminal, wait_for};
use serde_json::{Value, json};

/// Lines of which parsers make something else than what was written.
const LINES: &str = "{\"level\":\"info\",\"msg\":\"listening\",\"port\":8080}\n\
                     {\"level\":\"warn\",\"msg\":\"slow\",\"path\":\"/cart\",\"ms\":913}\n\
                     ERROR disk is full\n\
                     nothing to see\n\
                     {\"level\":\"error\",\"msg\":\"payment failed\",\"path\":\"/pay\",\"ms\":20}\n";

/// A process that writes what is appended to a file, once its first lines were read by parsers.
fn shop(env: &Env) -> Mcp {
    let mut mcp = env.mcp(Era::Modern);
    env.write("web.log", LINES);
    let args = ["-n", "+1", "-f", "web.log"];
    mcp.done("start_process", json!({"name": "web", "command": "tail", "args": args}));
    wait_for("the lines are parsed", || {
        let page = mcp.done("get_logs", json!({"process": "web", "min_level": "info", "format": "records"}));
        (page["count"] == 4).then_some(())
    });
    mcp
}

fn append(env: &Env, text: &str) {
    let path = env.project().join("web.log");
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// What a command prints, without the times of its lines.
fn printed(env: &Env, args: &[&str]) -> Vec<String> {
    let output = env.cli(args).ok().stdout;
    output.lines().map(|line| line["00:00:00.000   ".len()..].to_owned()).collect()
}

fn written(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|n| LINES.lines().nth(*n).unwrap().to_owned()).collect()
}

#[test]
fn a_filter_looks_at_what_was_written_and_not_at_what_parsers_made_of_it() {
    let env = Env::new();
    let _mcp = shop(&env);
    // Both words stand in no message: one is a field, the other one a level.
    assert_eq!(printed(&env, &["logs", "web", "--grep", "8080"]), written(&[0]));
    assert_eq!(printed(&env, &["logs", "web", "--grep", "^ERROR"]), written(&[2]));
    assert_eq!(printed(&env, &["logs", "web", "--grep", "\"path\":", "-n", "1"]), written(&[4]));
    let json = env.cli(&["logs", "web", "--grep", "8080", "--json"]).ok().json();
    assert_eq!((&json["count"], &json["lines"][0]["message"]), (&json!(1), &json!("listening")));
    let fields = printed(&env, &["logs", "web", "--grep", "/cart", "--fields"]);
    assert_eq!(fields, ["WARN slow path=/cart ms=913"]);
    let found = env.cli(&["search", "8080", "web"]).ok().stdout;
    assert!(found.contains("\"port\":8080"), "a match shows what it matched: {found}");
}

#[test]
fn a_filter_of_what_is_to_come_looks_at_what_was_written() {
    let env = Env::new();
    let _mcp = shop(&env);
    for form in [None, Some("--fields"), Some("--json"), Some("--raw")] {
        let mut command = env.hostler();
        command.args(["logs", "-f", "web", "-n", "0", "--level", "info", "--grep", "\"port\""]).args(form);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // It may not be there yet: so it is written until it is.
        let (printed, lines) = std::thread::scope(|scope| {
            let first = scope.spawn(move || (lines.next().unwrap(), lines));
            while !first.is_finished() {
                append(
                    &env,
                    "{\"level\":\"info\",\"msg\":\"quiet\"}\n{\"level\":\"info\",\"msg\":\"open\",\"port\":1}\n",
                );
                std::thread::park_timeout(std::time::Duration::from_millis(50));
            }
            first.join().unwrap()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        drop(lines);
        match form {
            Some("--json") => {
                let record: Value = serde_json::from_str(&printed).unwrap();
                assert_eq!((&record["message"], &record["raw"]), (&json!("open"), &Value::Null), "{record}");
            }
            Some("--fields") => assert!(printed.ends_with("  INFO open port=1"), "{printed}"),
            _ => assert!(printed.ends_with("{\"level\":\"info\",\"msg\":\"open\",\"port\":1}"), "{printed}"),
        }
    }
}

#[test]
fn levels_and_times_narrow_and_forms_differ() {
    let env = Env::new();
    let mut mcp = shop(&env);
    assert_eq!(printed(&env, &["logs", "web"]), written(&[0, 1, 2, 3, 4]));
    assert_eq!(printed(&env, &["logs", "web", "-n", "2"]), written(&[3, 4]));
    assert_eq!(printed(&env, &["logs", "web", "--level", "warn"]), written(&[1, 2, 4]));
    assert_eq!(printed(&env, &["logs", "web", "--level", "error", "-n", "1"]), written(&[4]));
    assert_eq!(printed(&env, &["logs", "web", "--since", "10m"]), written(&[0, 1, 2, 3, 4]));
    assert_eq!(printed(&env, &["logs", "web", "--until", "10m"]), written(&[]));
    // Since the time of a line that came later.
    append(&env, "later\n");
    let later = wait_for("the line is there", || {
        let page = mcp.done("get_logs", json!({"process": "web", "format": "records", "limit": 1}));
        (page["lines"][0]["message"] == "later")
            .then(|| page["lines"][0]["time"].as_str().unwrap().to_owned())
    });
    assert_eq!(printed(&env, &["logs", "web", "--since", &later]), ["later"]);
    assert_eq!(
        printed(&env, &["logs", "web", "--fields", "-n", "6"]),
        [
            "INFO listening port=8080",
            "WARN slow path=/cart ms=913",
            "ERROR disk is full",
            "nothing to see",
            "ERROR payment failed path=/pay ms=20",
            "later",
        ]
    );
    assert_eq!(env.cli(&["logs", "web", "--raw", "-n", "6"]).ok().stdout, format!("{LINES}later\n"));
    let page = env.cli(&["logs", "web", "--json", "--level", "warn"]).ok().json();
    let lines = page["lines"].as_array().unwrap();
    let levels: Vec<&str> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["warn", "error", "error"]);
    assert_eq!((&lines[0]["fields"]["path"], &lines[0]["raw"]), (&json!("/cart"), &Value::Null));
    let page = env.cli(&["logs", "web", "--json", "--raw", "--level", "warn"]).ok().json();
    assert_eq!(page["lines"][0]["raw"], written(&[1])[0]);
    for (args, wanted) in [
        (&["logs", "web", "--level", "loud"][..], "warn"),
        (&["logs", "web", "--since", "soon"], "`since`"),
        (&["logs", "web", "--grep", "("], "--grep"),
        (&["logs", "web", "--raw", "--fields"], "--fields"),
    ] {
        let output = env.cli(args);
        assert!(output.code == Some(2) && output.stderr.contains(wanted), "{args:?}: {output:?}");
    }
}

#[test]
fn bytes_come_back_as_they_were_written() {
    let env = Env::new();
    let fault = env.fault();
    let _ = env.cli(&["start", "job", "--wait-for", "exited", "--", &fault, "garbage"]).ok();
    let _ = env.cli(&["start", "long", "--wait-for", "exited", "--", &fault, "long", "600000"]).ok();
    let raw = |name: &str| env.hostler().args(["logs", name, "--raw"]).output().unwrap().stdout;
    let mut wanted = b"bad \xff\xfe utf-8\nnul \0 nul\n".to_vec();
    wanted.extend_from_slice("whole \u{e4}\u{20ac}\u{1f600}\n".as_bytes());
    wanted.extend_from_slice(b"\x1b[31mred\x1b[0m\n\nlast without line feed\n");
    assert_eq!(String::from_utf8_lossy(&raw("job")), String::from_utf8_lossy(&wanted));
    assert_eq!(raw("job"), wanted);
    // A line that is kept in pieces is one line again.
    let long = raw("long");
    let ends = long.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!((long.len(), ends), (600_000 + "\nafter\n".len(), 2));
}

#[test]
fn each_process_has_a_colour_on_a_terminal() {
    let env = Env::new();
    let fault = env.fault();
    for name in ["web", "api", "db"] {
        let _ = env.cli(&["start", name, "--wait-for", "exited", "--", &fault, "lines", "1"]).ok();
    }
    let _ = env.cli(&["group", "create", "shop", "web", "api", "db"]).ok();
    let on_terminal = |args: &[&str], plain: bool| {
        let mut command = env.hostler();
        command.args(args);
        match plain {
            true => command.env("NO_COLOR", "1"),
            false => command.env_remove("NO_COLOR"),
        };
        let mut screen = OnTerminal::run(command);
        assert!(screen.ends().success());
        screen.sees("err 1");
        wait_for("all of it is drawn", || {
            Some(screen.drawn()).filter(|text| text.matches("out 1").count() == 3)
        })
    };
    for args in [&["logs", "web", "api", "db"][..], &["logs", "-f", "--group", "shop"]] {
        let drawn = on_terminal(args, false);
        for (colour, name) in ["36", "33", "32"].iter().zip(["web", "api", "db"]) {
            let lines = drawn.matches(&format!("\x1b[{colour}m{name:<3}\x1b[0m ")).count();
            assert_eq!(lines, 2, "{name} in {drawn:?}");
        }
        assert_eq!(drawn.matches("\x1b[31merr 1").count(), 3, "{drawn:?}");
        let plain = on_terminal(args, true);
        assert!(!plain.contains('\x1b') && plain.contains("api "), "{plain:?}");
    }
    let mut piped = env.hostler();
    let mut child = piped.args(["logs", "web", "api"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success() && !text.contains('\x1b'), "{text:?}");
}

#[test]
fn a_summary_is_a_command() {
    let env = Env::new();
    let fault = env.fault();
    for (name, lines) in [("web", "40"), ("api", "10")] {
        let _ = env.cli(&["start", name, "--wait-for", "exited", "--", &fault, "lines", lines]).ok();
    }
    let rows = |args: &[&str]| {
        let output = env.cli(args).ok();
        assert!(output.stderr.contains("lines match"), "{output:?}");
        output.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows(&["summary", "web"])[0], "LINES  WHAT THEY SAY");
    let mut both = rows(&["summary"]);
    both.sort();
    assert_eq!(both, ["50     err <*>", "50     out <*>", "LINES  WHAT THEY SAY"]);
    assert_eq!(rows(&["summary", "web", "api", "--stream", "stderr"])[1..], ["50     err <*>"]);
    let examples = rows(&["summary", "api", "--grep", "^out", "--examples"]);
    assert!(examples.len() == 3 && examples[1] == "10     out <*>", "{examples:?}");
    assert!(examples[2].trim_start().starts_with("out "), "{examples:?}");
    assert_eq!(rows(&["summary", "web", "--until", "10m"]).len(), 1);
    let json = env.cli(&["summary", "web", "--json"]).ok().json();
    assert_eq!((&json["total"], &json["templates"][0]["count"]), (&json!(80), &json!(40)));
    let help = env.cli(&["summary", "--help"]).ok().stdout;
    assert!(help.contains("hostler summary --group shop --since 1h --level warn"), "{help}");
    assert_eq!(env.cli(&["summary", "nobody"]).code, Some(3));
    assert_eq!(env.cli(&["summary", "web", "--grep", "("]).code, Some(2));
}
