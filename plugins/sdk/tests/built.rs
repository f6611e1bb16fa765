//! The components that are committed are those of the sources.

use std::process::Command;

#[test]
fn components_are_what_their_sources_say() {
    let check = Command::new("bash").args(["../build.sh", "check"]).output();
    let output = check.unwrap_or_else(|error| panic!("build.sh could not be started: {error}"));
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
