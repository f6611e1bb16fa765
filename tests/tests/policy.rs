//! What may run is the user's decision.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::os::unix::fs::symlink;

use e2e::{Env, Era, in_both_eras};
use serde_json::json;

in_both_eras!(a_shell_needs_a_word_of_the_user, a_broken_policy_lets_nothing_run);

fn a_shell_needs_a_word_of_the_user(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    symlink("/bin/sh", env.project().join("innocent")).unwrap();
    let policy = env.home().join("policy.toml").display().to_string();
    for command in [
        "sh -c 'echo hi'",
        "/bin/sh -c 'echo hi'",
        "./innocent -c 'echo hi'",
        "/usr/bin/env sh -c 'echo hi'",
        "env -i FOO=bar bash",
        "nohup setsid dash",
    ] {
        let text = mcp.refused("start_process", json!({"name": "x", "command": command}));
        assert!(text.contains("shell") && text.contains("shells = true"), "{command}: {text}");
        assert!(text.contains(&policy), "the file of the policy is not named: {text}");
    }
    let output = env.cli(&["start", "x", "--", "sh", "-c", "echo hi"]);
    assert_eq!(output.code, Some(4), "{output:?}");

    env.policy("shells = true");
    let request = json!({"name": "x", "command": "sh -c 'echo hi | cat'", "wait_for": "exited"});
    assert_eq!(mcp.done("start_process", request)["process"]["exit"]["code"], 0);
    assert_eq!(mcp.all_lines("x")[0]["message"], "hi");

    // A start by name alone is judged anew.
    env.policy("");
    let text = mcp.refused("start_process", json!({"name": "x"}));
    assert!(text.contains("shells = true"), "{text}");
    env.policy("path = false");
    let text = mcp.refused("start_process", json!({"name": "y", "command": "sleep 5"}));
    assert!(text.contains("allow = ") && text.contains(&policy), "{text}");
}

fn a_broken_policy_lets_nothing_run(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    env.policy("shels = true");
    let text = mcp.refused("start_process", json!({"name": "x", "command": env.fault(), "args": ["run"]}));
    assert!(text.contains("policy.toml") && text.contains("shels"), "{text}");
}
