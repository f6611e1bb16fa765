//! A database that this hostler cannot read is refused and left as it was found.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::Env;

/// Where a SQLite file keeps its `user_version`, which is hostler's schema version.
const VERSION: std::ops::Range<usize> = 60..64;

fn refused(env: &Env, content: &[u8], wanted: &[&str]) {
    let file = env.home().join("hostler.db");
    std::fs::write(&file, content).unwrap();
    for arguments in [["ps"].as_slice(), &["daemon", "start"], &["mcp"]] {
        let output = env.cli(arguments);
        assert_eq!(output.code, Some(5), "{output:?}");
        for word in wanted.iter().chain(&["hostler.db", "Nothing was changed"]) {
            assert!(output.stderr.contains(word), "{arguments:?}: {word} is missing: {}", output.stderr);
        }
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    assert!(std::fs::read(&file).unwrap() == content, "the file was changed");
    assert!(!env.home().join("hostler.db-wal").exists(), "there is a side file");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn it_is_refused_and_left_untouched() {
    let env = Env::new();
    refused(
        &env,
        b"this is no database at all, and somebody may still want it",
        &["is not a SQLite database"],
    );
    let _ = env.cli(&["start", "job", "--wait-for", "exited", "--", &env.fault(), "lines", "5"]).ok();
    let _ = env.cli(&["daemon", "stop"]).ok();
    let good = std::fs::read(env.home().join("hostler.db")).unwrap();
    std::fs::remove_file(env.home().join("hostler.db")).unwrap();

    let mut newer = good.clone();
    newer[VERSION].copy_from_slice(&9_999_u32.to_be_bytes());
    refused(&env, &newer, &["newer hostler", "9999"]);
    refused(&env, &good[..good.len() / 2], &["damaged"]);
    let mut foreign = good.clone();
    foreign[68..72].fill(0);
    refused(&env, &foreign, &["another program"]);

    std::fs::write(env.home().join("hostler.db"), &good).unwrap();
    let logs = env.cli(&["logs", "job", "-n", "3"]).ok();
    assert_eq!(logs.stdout.lines().count(), 3, "{logs:?}");
}
