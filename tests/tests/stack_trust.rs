//! What a person sees of a `hostler.toml` before it runs is what runs, and nothing of a file acts on who looks at it.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, OnTerminal};
use serde_json::json;

fn names(env: &Env) -> Vec<String> {
    let list = env.cli(&["ps", "--json"]).ok().json();
    list["processes"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect()
}

fn declared(env: &Env, names: &[&str]) -> String {
    let one = |name: &&str| format!("[processes.{name}]\ncommand = {:?}\n", format!("{} run", env.fault()));
    names.iter().map(one).collect()
}

#[test]
fn what_is_added_while_the_question_is_open_is_not_trusted() {
    let env = Env::new();
    env.write("hostler.toml", declared(&env, &["web"]));
    let up = || {
        let mut command = env.hostler();
        command.arg("up");
        let up = OnTerminal::run(command);
        up.sees("Run what it says? [y/N]");
        up
    };
    let mut asked = up();
    env.write("hostler.toml", declared(&env, &["web", "added"]));
    asked.press("y\n");
    assert_eq!(asked.ends().code(), Some(1));
    asked.sees("changed meanwhile");
    assert!(asked.drawn().contains("look again"), "{}", asked.drawn());
    assert!(names(&env).is_empty());
    assert_eq!(env.cli(&["up"]).code, Some(4), "and neither of the two is trusted");

    // Looked at again, it is.
    let mut asked = up();
    assert!(asked.drawn().contains("added"));
    asked.press("y\n");
    assert!(asked.ends().success(), "{}", asked.drawn());
    assert_eq!(names(&env), ["added", "web"]);
}

#[test]
fn a_plan_acts_on_no_terminal_and_a_row_stays_a_row() {
    let env = Env::new();
    env.write(
        "hostler.toml",
        "[processes.web]\ncommand = \"python3 -c pass \\u001b[1A\\u001b[2K\\u009b2K 'a\\nb' \\u202ereversed\"\n",
    );
    let plan = env.cli(&["up", "--dry-run"]).ok().stdout;
    assert!(!plan.chars().any(|c| c.is_control() && c != '\n') && !plan.contains('\u{202e}'), "{plan:?}");
    let row = plan.lines().find(|line| line.contains("web")).unwrap();
    assert!(row.contains("create") && row.contains("␛[1A␛[2K") && row.contains("a␊b"), "{plan:?}");
    // The line of a mistake is shown, too.
    env.write("hostler.toml", "[processes.web]\ncommand = 'x \u{1b}[2K'\n\"\\u001b[1A\" = 1\n");
    let wrong = env.cli(&["up", "--dry-run"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(!wrong.stderr.contains('\u{1b}') && wrong.stderr.contains("␛[2K"), "{wrong:?}");
}

#[test]
fn a_reason_of_several_lines_keeps_to_its_column() {
    let env = Env::new();
    let command = format!("{} exit 3 first second", env.fault());
    env.write("hostler.toml", format!("[processes.job]\ncommand = {command:?}\n"));
    let _ = env.cli(&["trust"]).ok();
    let up = env.cli(&["up"]);
    assert_eq!(up.code, Some(1), "{up:?}");
    let place = |word: &str| up.stdout.lines().find_map(|line| line.find(word)).unwrap();
    assert_eq!(place("exit code 3"), place("last lines"), "{}", up.stdout);
    assert!(up.stderr.contains("hostler restart") && !up.stderr.contains("restart_process"), "{}", up.stderr);
}

#[test]
fn a_file_that_is_none_of_ours_is_not_shown_to_an_agent() {
    let env = Env::new();
    env.write("notes", "root:x:0:0:hunter2\n");
    let mut mcp = env.mcp(Era::Modern);
    for path in [env.in_project("notes"), "/etc/passwd".to_owned()] {
        let refused = mcp.refused("apply_config", json!({"path": path, "dry_run": true}));
        assert!(refused.contains(&path) && refused.contains("line 1"), "{refused}");
        assert!(!refused.contains("hunter2") && !refused.contains("root:"), "{refused}");
    }
    // Nor by a link of the right name.
    std::os::unix::fs::symlink(env.in_project("notes"), env.project().join("link.toml")).unwrap();
    let refused = mcp.refused("apply_config", json!({"path": "link.toml", "dry_run": true}));
    assert!(!refused.contains("hunter2"), "{refused}");
}
