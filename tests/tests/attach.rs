//! `hostler attach` on a pseudo terminal and in a pipeline.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::Write;
use std::process::Stdio;

use e2e::{Env, OnTerminal};

fn start(env: &Env, name: &str, pty: bool, args: &[&str]) {
    let fault = env.fault();
    let mut all = vec!["start", name];
    all.extend(pty.then_some("--pty"));
    all.extend(["--", &fault]);
    all.extend(args);
    let _ = env.cli(&all).ok();
}

fn attach(env: &Env, args: &[&str]) -> OnTerminal {
    let mut command = env.hostler();
    command.arg("attach").args(args);
    OnTerminal::run(command)
}

#[test]
fn a_terminal_is_typed_at_resized_and_left() {
    let env = Env::new();
    start(&env, "repl", true, &["prompt"]);
    start(&env, "window", true, &["window"]);
    let mut repl = attach(&env, &["repl"]);
    repl.sees("ctrl-p ctrl-q detaches");
    // What was there before, the unfinished line included.
    repl.sees("ready\r\n> ");
    repl.press("hello\r");
    repl.sees("<hello>");
    // The beginning of the keys that detach is the process's, when no end of them follows: its terminal shows ^P.
    repl.press("\u{10}x\r");
    repl.sees("^Px");
    repl.press("\u{10}\u{11}");
    repl.sees("detached; repl runs on");
    assert!(repl.ends().success());
    assert!(repl.is_as_it_was());
    assert_eq!(env.cli(&["ps", "repl", "--json"]).ok().json()["processes"][0]["status"], "running");

    let mut window = attach(&env, &["--detach-keys", "ctrl-x", "window"]);
    window.sees("window 40 x 120");
    window.resize(21, 77);
    window.sees("window 21 x 77");
    window.press("\u{18}");
    assert!(window.ends().success());

    // Another end: the process's own, by the interrupt key of its terminal.
    let mut repl = attach(&env, &["repl"]);
    repl.sees("> ");
    repl.press("\u{3}");
    assert_eq!(repl.ends().code(), Some(1));
    repl.sees("was ended by");
    assert!(repl.is_as_it_was());
}

#[test]
fn a_process_at_pipes_is_given_lines_and_an_end() {
    let env = Env::new();
    start(&env, "echo", false, &["echo"]);
    let mut echo = attach(&env, &["echo"]);
    echo.sees("Ctrl-D ends its input");
    echo.press("one\n");
    echo.sees("<one>");
    echo.press("\u{4}");
    echo.sees("the end");
    assert!(echo.ends().success());
    echo.sees("echo has ended");
}

#[test]
fn what_is_piped_in_is_sent() {
    let env = Env::new();
    start(&env, "slow", false, &["slow", "200"]);
    let lines: String = (0..30_000).map(|n| format!("line {n:>8}\n")).collect();
    let mut command = env.hostler();
    command
        .args(["attach", "--eof", "slow"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.contains(&format!("{} bytes, right: true", lines.len())), "{stdout} {output:?}");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn who_is_not_there_cannot_be_attached_to() {
    let env = Env::new();
    let _ = env.cli(&["start", "job", "--", &env.fault(), "exit", "3"]);
    let refused = env.cli(&["attach", "job"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("does not run") && refused.stderr.contains("hostler start job"),
        "{refused:?}"
    );
    assert_eq!(env.cli(&["attach", "jbo"]).code, Some(3));
    let keys = env.cli(&["attach", "job", "--detach-keys", "ctlr-p"]);
    assert!(keys.code == Some(2) && keys.stderr.contains("--detach-keys"), "{keys:?}");
}
