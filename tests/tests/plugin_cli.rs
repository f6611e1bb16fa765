//! The plugin author's commands: begin, check and try a plugin, without a daemon.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use e2e::Env;
use serde_json::{Value, json};

fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/built")
}

fn component(name: &str) -> Vec<u8> {
    std::fs::read(built().join(format!("{name}.wasm"))).unwrap()
}

/// A component with a text in it replaced by another of the same length.
fn patched(name: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = component(name);
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|piece| piece == from.as_bytes()) {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    assert!(at > 0, "{from} is not in {name}");
    bytes
}

#[test]
fn every_built_in_plugin_passes() {
    let env = Env::new();
    let mut names: Vec<String> = std::fs::read_dir(built())
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str().unwrap().strip_suffix(".wasm").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() >= 15);
    for name in names {
        let report = env.cli(&["plugin", "check", &format!("builtin:{name}"), "--json"]).ok().json();
        assert_eq!((&report["ok"], &report["name"]), (&json!(true), &json!(name)), "{report}");
        let calls = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "calls");
        assert_eq!(calls.unwrap()["result"], "ok", "{report}");
        let declared = format!("[plugins.{name}]\nsource = \"builtin:{name}\"\n");
        assert!(report["declaration"].as_str().unwrap().starts_with(&declared), "{report}");
    }
}

#[test]
fn a_file_is_checked_and_declared() {
    let env = Env::new();
    env.write("tcp.wasm", component("tcp"));
    let output =
        env.cli(&["plugin", "check", "tcp.wasm", "--config", r#"{"address": "localhost:8080"}"#]).ok();
    for line in [
        "ok    world      health-check of hostler:plugin@1.0.0",
        "ok    describe   tcp 0.1.0: Connects to a port",
        "note  grants     imports wasi:sockets without saying for what: grant under `tcp` what its configuration names",
        "ok    config     the given one fits the schema",
        "ok    calls      2 calls with awkward input",
        "\n[plugins.tcp]\n",
        "# grants = { tcp = [\"…\"] }",
        "\nconfig = { address = \"localhost:8080\" }",
    ] {
        assert!(output.stdout.contains(line), "{line}: {}", output.stdout);
    }
    assert!(
        output.stdout.contains(&format!("source = {:?}", env.in_project("tcp.wasm"))),
        "{}",
        output.stdout
    );
    let digest = output.stdout.split("sha256 = \"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(digest.len(), 64);
    assert!(output.stdout.contains(&format!("KiB, sha256 {digest}")));
}

#[test]
fn what_is_no_plugin_fails_with_the_reason() {
    let env = Env::new();
    let whole = component("json");
    env.write("sample.log", "{}\n");
    let _ = env.cli(&["plugin", "run", "builtin:json", "--input", "sample.log"]).ok();
    let mut code = std::fs::read_dir(env.plugin_code()).unwrap().map(|entry| entry.unwrap().path());
    let code = code.find(|path| path.extension().is_some_and(|e| e == "cwasm")).unwrap();
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("empty.wasm", Vec::new(), "the file is empty"),
        ("text.wasm", b"fn main() {}\n".to_vec(), "this is not WebAssembly but a text"),
        ("page.wasm", b"<!DOCTYPE html>\n".to_vec(), "an HTML or XML page"),
        ("module.wasm", b"\0asm\x01\0\0\0".to_vec(), "this is a core WebAssembly module, not a component"),
        ("short.wasm", whole[..whole.len() / 2].to_vec(), "the component is cut short"),
        ("other.wasm", b"\0asm\x0d\0\x01\0".to_vec(), "exports none of the interfaces of a plugin"),
        ("code.wasm", std::fs::read(&code).unwrap(), "precompiled machine code (.cwasm)"),
        ("new.wasm", patched("json", "@1.0.0", "@2.0.0"), "this host speaks hostler:plugin@1.0.0"),
        ("wasi.wasm", patched("json", "@0.2.", "@0.3."), "built for WASI 0.3"),
    ];
    for (name, bytes, why) in cases {
        env.write(name, bytes);
        let output = env.cli(&["plugin", "check", name]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stdout.contains("FAIL  component") && output.stdout.contains(why), "{output:?}");
        assert!(output.stderr.contains("1 of 1 checks of"), "{output:?}");
        let output = env.cli(&["plugin", "check", name, "--json"]);
        let report = output.json();
        assert_eq!((output.code, &report["ok"]), (Some(1), &json!(false)));
        assert!(report["checks"][0]["text"].as_str().unwrap().contains(why), "{report}");
        let output = env.cli(&["plugin", "run", name, "--input", "sample.log"]);
        assert!(output.code == Some(1) && output.stderr.contains(why), "{output:?}");
    }
}

#[test]
fn a_parser_shows_what_it_finds() {
    let env = Env::new();
    env.write(
        "sample.log",
        "{\"level\":\"warn\",\"time\":\"2026-01-02T03:04:05Z\",\"msg\":\"slow\",\"ms\":1200}\nhello\n{\"level\":50,\"msg\":\"gone\"}\n",
    );
    let found = env.cli(&["plugin", "run", "builtin:json", "--input", "sample.log", "--json"]).ok().json();
    let event = &found["events"][0];
    assert_eq!((&event["level"], &event["message"]), (&json!("warn"), &json!("slow")), "{found}");
    assert_eq!((&event["fields"]["ms"], &event["first_line"]), (&json!("1200"), &json!(1)));
    assert!(event["time"].as_str().unwrap().starts_with("2026-01-02T03:04:05"), "{event}");
    assert_eq!(
        (&found["events"][1]["level"], &found["events"][1]["last_line"]),
        (&json!("error"), &json!(3))
    );
    assert_eq!((&found["lines"], &found["not_understood"]), (&json!(3), &json!([2])));
    assert!(found["speed"]["ns_per_line"].as_f64().unwrap() > 0.0);

    let table = env.cli(&["plugin", "run", "builtin:json", "--input", "sample.log"]).ok().stdout;
    for text in [
        "LINES  LEVEL  TIME",
        "1      warn",
        "slow",
        "ms=1200",
        "2 of 3 lines understood",
        "1 not understood: line 2\n",
    ] {
        assert!(table.contains(text), "{text}: {table}");
    }
    assert!(table.contains("ns per line") && table.contains("lines per second"), "{table}");
}

#[test]
fn a_parser_joins_lines() {
    let env = Env::new();
    env.write(
        "sample.log",
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: no\n",
    );
    let found =
        env.cli(&["plugin", "run", "builtin:multiline", "--input", "sample.log", "--json"]).ok().json();
    let lines = (&found["events"][0]["first_line"], &found["events"][0]["last_line"]);
    assert_eq!(lines, (&json!(1), &json!(4)), "{found}");
    let table = env.cli(&["plugin", "run", "builtin:multiline", "--input", "sample.log"]).ok().stdout;
    assert!(table.contains("1-4    error"), "{table}");
}

#[test]
fn a_categorizer_shows_its_verdicts() {
    let env = Env::new();
    env.write("errors.txt", "Traceback (most recent call last):\n  File \"/app/a.py\", line 7, in load\n    x()\nKeyError: 'id'\n\norder 5 is locked\n");
    let found = env.cli(&["plugin", "run", "builtin:generic", "--input", "errors.txt", "--json"]).ok().json();
    let verdict = &found["errors"][0]["verdict"];
    assert_eq!(verdict["exceptions"][0]["kind"], "KeyError", "{found}");
    assert_eq!(verdict["exceptions"][0]["frames"][0]["line"], 7, "{found}");
    let text = env.cli(&["plugin", "run", "builtin:generic", "--input", "errors.txt"]).ok().stdout;
    assert!(text.contains("lines 1-4: ") && text.contains("    load /app/a.py:7"), "{text}");

    env.write("rules.json", r#"{"rules": [{"pattern": "order (\\d+) is locked", "category": "database", "title": "locked", "fingerprint": "lock", "suggestion": "wait"}]}"#);
    let text = env
        .cli(&["plugin", "run", "builtin:rules", "--input", "errors.txt", "--config", "@rules.json"])
        .ok()
        .stdout;
    for part in [
        "lines 1-4: not understood",
        "line 6: database (100 %): locked",
        "fingerprint  lock",
        "suggestion   wait",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_check_reaches_what_was_granted() {
    let env = Env::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let config = json!({"address": address}).to_string();
    let run = ["plugin", "run", "builtin:tcp", "--config", &config, "--json"];
    let output = env.cli(&run);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("no verdict"), "{output:?}");
    let found = env.cli(&[&run[..], &["--grant-tcp", &address]].concat()).ok().json();
    assert_eq!(found["status"], "healthy", "{found}");
    assert_eq!(found["metrics"][0]["name"], "connect_time");
    assert!(found["latency_ms"].as_f64().unwrap() > 0.0);

    let fault = env.fault();
    let config = json!({"command": [fault, "exit", "2"]}).to_string();
    let run = ["plugin", "run", "builtin:command", "--config", &config];
    let output = env.cli(&run);
    assert_eq!(output.code, Some(1), "{output:?}");
    let output = env.cli(&[&run[..], &["--grant-command", &fault]].concat()).ok();
    assert!(output.stdout.starts_with("unhealthy: "), "{output:?}");

    env.write("facts.json", r#"{"pid": 7, "uptime_ms": 1000, "memory_bytes": 2147483648}"#);
    let limits = r#"{"memory_mib": {"unhealthy": 1024}}"#;
    let output =
        env.cli(&["plugin", "run", "builtin:process", "--config", limits, "--input", "facts.json"]).ok();
    assert!(output.stdout.starts_with("unhealthy: "), "{output:?}");
}

#[test]
fn bad_arguments_are_named() {
    let env = Env::new();
    env.write("sample.log", "{}\n");
    let cases: [(&[&str], &str); 11] = [
        (&["run", "builtin:jsno", "--input", "sample.log"], "did you mean `builtin:json`?"),
        (&["check", "builtin:zzzzzz"], "There are the parsers access-log, json, level"),
        (&["check", "json"], "the built-in plugin is `builtin:json`"),
        (&["check", "gone.wasm"], "gone.wasm`: No such file"),
        (&["run", "builtin:json"], "name a file with lines"),
        (&["run", "builtin:json", "--input", "gone.log"], "cannot read the input `gone.log`"),
        (&["run", "builtin:json", "--input", "sample.log", "--config", "{"], "--config is not JSON"),
        (
            &["run", "builtin:json", "--input", "sample.log", "--config", r#"{"time_key": 1}"#],
            "/time_key is 1, expected no such key",
        ),
        (&["run", "builtin:tcp"], "/address is missing"),
        (&["run", "builtin:tcp", "--grant-tcp", "localhost"], "the port is missing"),
        (&["run", "builtin:process", "--input", "sample.log", "--timeout-ms", "0"], "--timeout-ms"),
    ];
    for (args, why) in cases {
        let output = env.cli(&[&["plugin"], args].concat());
        assert!(output.code == Some(2) && output.stderr.contains(why), "{why}: {output:?}");
    }
    let output = env.cli(&["plugin", "check", "builtin:tcp", "--config", r#"{"address": 5}"#]);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.contains("FAIL  config") && output.stdout.contains("/address is 5"), "{output:?}");
}

#[test]
fn a_new_plugin_is_complete() {
    let env = Env::new();
    for (world, sample) in
        [("log-parser", "sample.log"), ("health-check", "sample.json"), ("error-categorizer", "sample.txt")]
    {
        let name = format!("my-{world}");
        let output = env.cli(&["plugin", "new", "--world", world, &name]).ok();
        let next = format!(
            "hostler plugin run target/wasm32-wasip2/release/{}.wasm --input {sample}",
            name.replace('-', "_")
        );
        assert!(output.stdout.contains(&next), "{output:?}");
        let dir = env.project().join(&name);
        for file in
            [".gitignore", "Cargo.toml", "README.md", sample, "src/lib.rs", "hostler-plugin/Cargo.toml"]
        {
            assert!(dir.join(file).is_file(), "{world}: {file}");
        }
        // Every file of the SDK and of the contract, so that nothing but crates.io is needed.
        for (from, to) in [("../plugins/sdk/src", "hostler-plugin/src"), ("../wit", "hostler-plugin/wit")] {
            for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(from)).unwrap() {
                let file = entry.unwrap().file_name();
                if file != "README.md" {
                    assert!(dir.join(to).join(&file).exists(), "{world}: {}", file.display());
                }
            }
        }
        let again = env.cli(&["plugin", "new", "--world", world, &name]);
        assert!(again.code == Some(2) && again.stderr.contains("is there already"), "{again:?}");
    }
    let _ = env.cli(&["plugin", "new", "--world", "log-parser", "third", "--dir", "plugins/3"]).ok();
    assert!(env.project().join("plugins/3/src/lib.rs").is_file());
    let bad = env.cli(&["plugin", "new", "--world", "log-parser", "MyParser"]);
    assert!(
        bad.code == Some(2) && bad.stderr.contains("`MyParser`") && bad.stderr.contains("`my-parser`"),
        "{bad:?}"
    );
    let bad = env.cli(&["plugin", "new", "--world", "log-parsers", "x"]);
    assert!(
        bad.code == Some(2) && bad.stderr.contains("log-parser") && bad.stderr.contains("health-check"),
        "{bad:?}"
    );
}

/// None of it starts a daemon.
#[test]
fn no_daemon_is_needed() {
    let env = Env::new();
    let report: Value = env.cli(&["plugin", "check", "builtin:level", "--json"]).ok().json();
    assert_eq!(report["ok"], true);
    assert!(!env.home().join("daemon.sock").exists());
}
