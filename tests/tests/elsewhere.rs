//! Coming from elsewhere: a look at a directory, and other tools' files, from the command line and by an agent.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, in_both_eras};
use serde_json::{Value, json};

in_both_eras!(an_agent_gets_a_stack_proposed_that_can_be_applied);

/// Not what a client may look at.
const SECRET: &str = "hunter2-and-more";

fn an_agent_gets_a_stack_proposed_that_can_be_applied(era: Era) {
    let env = Env::new();
    let fault = env.fault();
    env.write("Procfile", format!("web: {fault} run\nworker: TOKEN=$TOKEN exec {fault} run\nbad: a | b\n"));
    env.write(".env", format!("TOKEN={SECRET}\n"));
    let mut mcp = env.mcp(era);
    let before: Vec<_> = std::fs::read_dir(env.project()).unwrap().flatten().map(|e| e.file_name()).collect();
    let answer = mcp.done("analyze_project", json!({}));
    let names: Vec<&Value> = answer["processes"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["web", "worker"], "{answer}");
    assert_eq!(answer["processes"][0]["why"], "declared in Procfile");
    assert!(answer["notes"].to_string().contains("line 3"), "{answer}");
    assert!(!answer.to_string().contains(SECRET), "{answer}");
    let after: Vec<_> = std::fs::read_dir(env.project()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(before, after, "nothing is written");
    assert_eq!(mcp.done("list_processes", json!({}))["processes"], json!([]), "and nothing is started");

    env.write("hostler.toml", answer["hostler_toml"].as_str().unwrap());
    let _ = env.cli(&["trust"]).ok();
    let applied = mcp.done("apply_config", json!({}));
    assert_eq!(applied["done"], true, "{applied}");
    assert_eq!(mcp.done("analyze_project", json!({}))["declared"], true);
    let refused = mcp.refused("analyze_project", json!({"path": "no/such"}));
    assert!(refused.contains("no/such"), "{refused}");
}

#[test]
fn a_large_directory_is_looked_at_within_bounds() {
    let env = Env::new();
    for folder in 0..60 {
        let dir = env.project().join(format!("p{folder:02}"));
        std::fs::create_dir_all(dir.join("node_modules/x")).unwrap();
        std::fs::write(
            dir.join("package.json"),
            r#"{"scripts": {"dev": "vite"}, "dependencies": {"vite": "7"}}"#,
        )
        .unwrap();
        std::fs::write(dir.join("node_modules/x/package.json"), r#"{"scripts": {"dev": "no"}}"#).unwrap();
        for file in 0..100 {
            std::fs::write(dir.join(format!("f{file}")), "").unwrap();
        }
    }
    std::os::unix::fs::symlink(env.project(), env.project().join("loop")).unwrap();
    let mut mcp = env.mcp(Era::Modern);
    let answer = mcp.call("analyze_project", json!({}));
    assert!(answer.text.contains("left out to keep this short"), "{}", answer.text);
    assert!(answer.text.len() <= 10_000, "{}", answer.text.len());
    let full = mcp.call("analyze_project", json!({"detail": "full"}));
    assert_eq!(full.structured["processes"].as_array().unwrap().len(), 30, "{}", full.text);
    assert!(
        full.text.contains("more than 30 were found") && !full.text.contains("node_modules"),
        "{}",
        full.text
    );
}

#[test]
fn import_writes_a_file_and_says_what_is_missing() {
    let env = Env::new();
    let fault = env.fault();
    env.write(
        "compose.yaml",
        format!(
            "services:\n  web:\n    build: .\n    command: [{fault:?}, listen, '0']\n    depends_on: {{ job: {{ condition: \
             service_completed_successfully }} }}\n    cap_add: [ALL]\n  job:\n    build: .\n    command: {fault} exit 0\n"
        ),
    );
    let imported = env.cli(&["import"]).ok();
    assert!(imported.stdout.contains("2 processes"), "{imported:?}");
    assert!(imported.stdout.contains("hostler.schema.json, by which"), "{imported:?}");
    let schema = std::fs::read_to_string(env.in_project("hostler.schema.json")).unwrap();
    assert_eq!(schema, env.cli(&["schema"]).ok().stdout, "the first line of the file leads to it");
    assert!(imported.stderr.contains("line 6: `cap_add` of `web` is not carried over"), "{imported:?}");
    let text = std::fs::read_to_string(env.in_project("hostler.toml")).unwrap();
    assert!(text.starts_with("#:schema "), "{text}");
    let _ = env.cli(&["trust"]).ok();
    let up = env.cli(&["up", "--json"]).ok().json();
    assert_eq!(up["done"], true, "{up}");

    let again = env.cli(&["import", "compose.yaml"]);
    assert!(again.code == Some(1) && again.stderr.contains("is left as it is"), "{again:?}");
    env.write("ecosystem.config.js", "module.exports = {}");
    let program = env.cli(&["import", "--print", "ecosystem.config.js"]);
    assert!(program.code == Some(2) && program.stderr.contains("JSON.stringify"), "{program:?}");

    // What waits for what.
    let graph = env.cli(&["graph"]).ok().stdout;
    assert!(graph.contains("after job completed"), "{graph}");
    let json = env.cli(&["graph", "shop", "--json"]).ok().json();
    assert_eq!(json["groups"][0]["edges"], json!([{"from": 0, "to": 1, "condition": "completed"}]), "{json}");
    let _ = env.cli(&["graph", "shop", "--svg", "shop.svg"]).ok();
    let svg = std::fs::read_to_string(env.in_project("shop.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("web is running"), "{svg}");
    assert_eq!(env.cli(&["graph", "shpo"]).code, Some(3));
}

/// The files of other tools that imports are tested with.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/crates/config/src/import/fixtures");

#[test]
fn whatever_is_imported_can_be_brought_up() {
    let env = Env::new();
    let mut seen = 0;
    for dir in std::fs::read_dir(FIXTURES).unwrap().map(|dir| dir.unwrap().path()) {
        for file in std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap();
            // A project each, with what a file of them says must be set.
            let place = format!("{}-{seen}", dir.file_name().unwrap().to_str().unwrap());
            std::fs::create_dir(env.project().join(&place)).unwrap();
            env.write(&format!("{place}/{name}"), std::fs::read(&file).unwrap());
            env.write(&format!("{place}/.env"), "NODE_ENV=test\n");
            env.write(&format!("{place}/hostler.schema.json"), "{}");
            let _ = env.cli(&["import", &format!("{place}/{name}")]).ok();
            let toml = format!("{place}/hostler.toml");
            let _ = env.cli(&["trust", &toml]).ok();
            let plan = env.cli(&["up", &toml, "--dry-run", "--json"]).ok().json();
            assert_eq!(plan["trusted"], true, "{plan}");
            let changes = plan["changes"].as_array().unwrap();
            assert!(
                !changes.is_empty() && changes.iter().all(|c| c["action"] == "create"),
                "{place}: {plan}"
            );
            let schema =
                std::fs::read_to_string(env.in_project(&format!("{place}/hostler.schema.json"))).unwrap();
            assert_eq!(schema, "{}", "what is there stays");
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen}");
}
