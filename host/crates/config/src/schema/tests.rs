//! What the parser takes, the schema takes; and what only the schema can tell an editor, the parser refuses as well.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::{Place, import};

/// Mistakes by the schema.
fn by_schema(text: &str) -> Vec<String> {
    let value: Value = toml::from_str(text).unwrap_or_else(|e| panic!("{text}\n{e}"));
    let validator = jsonschema::validator_for(&schema()).unwrap();
    validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// The mistake by the parser; variables are all set.
fn by_parser(text: &str) -> Option<String> {
    let variables: BTreeMap<String, String> =
        crate::read::variables(text).into_iter().map(|name| (name.to_owned(), "1".to_owned())).collect();
    crate::read(text, "/srv/shop", None, &variables).err().map(|mistake| mistake.to_string())
}

fn assert_accepted(what: &str, text: &str) {
    assert_eq!(by_parser(text), None, "{what}\n{text}");
    let mistakes = by_schema(text);
    assert!(mistakes.is_empty(), "{what}\n{text}\n{mistakes:#?}");
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries.flat_map(below).collect()
}

#[test]
fn the_examples_of_this_repository_are_valid() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let examples = files_below(&repository.join("examples"));
    let examples: Vec<PathBuf> = examples.into_iter().filter(|path| path.ends_with("hostler.toml")).collect();
    assert!(!examples.is_empty());
    for path in examples {
        assert_accepted(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap());
    }
    let readme = std::fs::read_to_string(repository.join("README.md")).unwrap();
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let stacks: Vec<&str> = blocks.filter(|block| block.contains("[processes.")).collect();
    assert!(!stacks.is_empty());
    stacks.iter().for_each(|text| assert_accepted("README.md", text));
}

#[test]
fn what_is_imported_is_valid() {
    for path in files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/fixtures")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let imported = import(&name, &text, Place { directory: "shop", has_env: true }).unwrap();
        assert_accepted(&path.display().to_string(), &imported.to_toml());
    }
}

#[test]
fn every_way_to_say_something_is_valid() {
    assert_accepted(
        "all of it",
        r#"
        name = "shop"
        env_profile = "dev"
        limits = { memory_bytes = 1, cpu_percent = 50, open_files = 9, processes = 9 }
        [env]
        A = "b"
        [defaults]
        args = ["x"]
        stop = { signal = "INT", grace_ms = 1 }
        [templates.node]
        watch = "src"
        lifetime = "lease"
        lease_ms = 1000
        pty = true
        no_new_privs = true
        [processes.a]
        command = "a"
        extends = ["node"]
        cwd = "app"
        env = { C = "d" }
        env_files = [".env"]
        env_profile = "test"
        restart = { policy = "on_failure", max_restarts = 1, window_ms = 1, backoff_initial_ms = 1, backoff_max_ms = 1, cooldown_ms = 1 }
        schedule = "*/5 * * * *"
        watch = ["src/**", "!src/x"]
        log = { parsers = ["json"] }
        depends_on = ["b"]
        condition = "ready"
        delay_ms = 1
        autostart = false
        [[processes.a.health]]
        plugin = "http"
        config = { url = "http://localhost/", headers = { A = "b" } }
        interval_ms = 1000
        timeout_ms = 1000
        start_period_ms = 0
        failure_threshold = 1
        success_threshold = 1
        on_unhealthy = "restart"
        [processes."b:1"]
        command = "b"
        schedule = { cron = "0 3 * * *", overlap = "queue", catch_up = true }
        watch = { paths = ["src"], debounce_ms = 1 }
        depends_on = { c = "healthy" }
        [processes.c]
        command = "c"
        health = [{ plugin = "process" }]
        [groups.g]
        description = "x"
        members = ["a"]
        stop_strategy = "parallel"
        [plugins.p]
        source = "p.wasm"
        "#
        .replace("\"b\"]", "\"b:1\"]")
        .as_str(),
    );
}

#[test]
fn what_is_wrong_is_wrong_to_both() {
    for text in [
        "[processes.a]\npty = true",
        "[processes.a]\ncomand = \"x\"",
        "[processes.a]\ncommand = 7",
        "[processes.\"a b\"]\ncommand = \"x\"",
        "[processes.a]\ncommand = \"x\"\nwatch = 7",
        "[processes.a]\ncommand = \"x\"\nwatch = { path = \"x\" }",
        "[processes.a]\ncommand = \"x\"\nschedule = [\"x\"]",
        "[processes.a]\ncommand = \"x\"\ndepends_on = \"x\"",
        "[processes.a]\ncommand = \"x\"\nenv = { A = 1 }",
        "[processes.a]\ncommand = \"x\"\nhealth = [{ config = {} }]",
        "[processes.a]\ncommand = \"x\"\nrestart = { policy = \"sometimes\" }",
        "[processes.a]\ncommand = \"x\"\nlimits = { open_files = -1 }",
        "[templates.a]\ncommand = \"x\"",
        "[groups.\"-\"]\nmembers = []",
        "name = \"a/b\"",
        "other = 1",
    ] {
        assert!(by_parser(text).is_some(), "the parser takes {text}");
        assert!(!by_schema(text).is_empty(), "the schema takes {text}");
    }
}
