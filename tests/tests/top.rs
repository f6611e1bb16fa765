//! `hostler top` on a pseudo terminal, as a person at one uses it.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, OnTerminal, wait_until};

#[test]
fn processes_are_watched_and_led_by_keys() {
    let env = Env::new();
    let _ = env.cli(&["start", "first", "--", &env.fault(), "lines", "3"]).ok();
    let _ = env.cli(&["start", "second", "--", &env.fault(), "run"]).ok();
    let pid = || env.cli(&["ps", "second", "--json"]).ok().json()["processes"][0]["pid"].clone();
    let status = || env.cli(&["ps", "second", "--json"]).ok().json()["processes"][0]["status"].clone();
    let before = pid();
    let mut command = env.hostler();
    command.arg("top");
    let mut top = OnTerminal::run(command);
    // Blanks are skipped by moving on, so single words are looked for.
    for text in ["hostler top", "first", "exited", "second", "running", "err"] {
        top.sees(text);
    }
    top.press("j");
    top.sees("ready");
    top.press("r");
    wait_until("another run", || pid().is_number() && pid() != before);
    top.press("x");
    wait_until("its end", || status() == "stopped");
    top.press("s");
    wait_until("its start", || status() == "running");
    top.press("q");
    assert!(top.ends().success());
    // The terminal is given back as it was: out of the alternate screen.
    top.sees("\u{1b}[?1049l");
}

#[test]
fn top_without_a_terminal_says_what_to_use() {
    let env = Env::new();
    let output = env.cli(&["top"]);
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("hostler ps"), "{output:?}");
}
