//! The built binary answers. What it does is tested in the package `e2e`.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::process::{Command, Output};

fn hostler(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hostler")).args(args).output().unwrap()
}

#[test]
fn it_tells_its_version() {
    let output = hostler(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("hostler {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_command_is_wrong_usage() {
    let output = hostler(&["strat"]);
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("strat") && complaint.contains("start"), "{complaint}");
    assert!(output.stdout.is_empty());
}
