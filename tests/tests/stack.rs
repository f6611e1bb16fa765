//! `hostler.toml` with real processes: up, change, down, and whom it is not done for.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::process::Stdio;

use e2e::{Env, Era, Mcp, in_both_eras, wait_for};
use serde_json::{Value, json};

in_both_eras!(an_agent_applies_what_its_user_trusts);

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop");

/// The example, with ports that are free.
fn shop() -> Env {
    let env = Env::new();
    for name in ["hostler.toml", "shop.py"] {
        env.write(name, std::fs::read(format!("{EXAMPLE}/{name}")).unwrap());
    }
    let sockets: Vec<_> = (0..4).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let names = ["DB", "CACHE", "API", "WEB"].iter().zip(&sockets);
    let lines = names.map(|(name, s)| format!("SHOP_{name}_PORT={}\n", s.local_addr().unwrap().port()));
    env.write(".env", lines.collect::<String>());
    env
}

fn edit(env: &Env, from: &str, to: &str) {
    let path = env.project().join("hostler.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn actions(result: &Value) -> Vec<(String, String)> {
    let changes = result["changes"].as_array().unwrap().iter();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    changes.map(|c| (text(&c["process"]), text(&c["action"]))).collect()
}

fn pids(env: &Env) -> Vec<(String, Value)> {
    let list = env.cli(&["ps", "--json"]).ok().json();
    let processes = list["processes"].as_array().unwrap().iter();
    processes.map(|p| (p["name"].as_str().unwrap().to_owned(), p["pid"].clone())).collect()
}

fn up(env: &Env) -> Value {
    let _ = env.cli(&["trust"]).ok();
    env.cli(&["up", "--json"]).ok().json()
}

#[test]
fn the_shop_comes_up_in_order_an_edit_restarts_what_it_touches_and_down_leaves_nothing() {
    let env = shop();
    let first = up(&env);
    assert_eq!(first["done"], true, "{first}");
    assert!(actions(&first).iter().all(|(_, action)| action == "create"), "{first}");
    let status = |result: &Value, name: &str| {
        let members = result["members"].as_array().unwrap().iter();
        members.clone().find(|m| m["process"] == name).unwrap()["status"].clone()
    };
    assert_eq!((status(&first, "migrate"), status(&first, "web")), (json!("exited"), json!("running")));
    // The api ends at once without the schema that the migration makes: that it runs proves the order.
    let began = |name: &str| {
        let info = env.cli(&["info", name, "--json"]).ok().json();
        info["runs"][0]["started_at"].as_str().unwrap().to_owned()
    };
    assert!(began("db") < began("migrate") && began("migrate") < began("api") && began("api") < began("web"));

    let before = pids(&env);
    let second = up(&env);
    assert!(actions(&second).iter().all(|(_, action)| action == "unchanged"), "{second}");
    assert_eq!(pids(&env), before);

    // The worker gets another environment, the api another policy, and the web front goes.
    edit(
        &env,
        "command = \"python3 shop.py worker\"",
        "command = \"python3 shop.py worker\"\nenv = { PACE = \"2\" }",
    );
    edit(
        &env,
        "[processes.web]\ncommand = \"python3 shop.py web\"\nextends = [\"service\"]\ndepends_on = { api = \"ready\" }\n",
        "",
    );
    edit(&env, "[processes.cache]", "[processes.cache]\nrestart = { max_restarts = 3 }");
    let _ = env.cli(&["start", "foreign", "--", &env.fault(), "run"]).ok();
    let third = up(&env);
    let mut touched: Vec<_> = actions(&third).into_iter().filter(|(_, a)| a != "unchanged").collect();
    touched.sort();
    let wanted = [("cache", "update"), ("web", "remove"), ("worker", "restart")];
    assert_eq!(touched, wanted.map(|(p, a)| (p.to_owned(), a.to_owned())), "{third}");
    let after = pids(&env);
    for (name, pid) in before.iter().filter(|(name, _)| !["web", "worker"].contains(&name.as_str())) {
        assert!(after.contains(&(name.clone(), pid.clone())), "{name} was restarted: {before:?} {after:?}");
    }

    let _ = env.cli(&["down"]).ok();
    let left: Vec<String> = pids(&env).into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["foreign"], "what did not come from the file stays");
    assert_eq!(env.cli(&["group", "list", "--json"]).ok().json()["groups"], json!([]));
    let _ = env.cli(&["down"]).ok();
}

#[test]
fn what_is_not_trusted_is_refused_with_the_next_step() {
    let env = Env::new();
    let file = format!("[processes.web]\ncommand = {:?}\n", format!("{} run", env.fault()));
    env.write("hostler.toml", &file);
    let refused = env.cli(&["up"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("hostler trust"), "{refused:?}");
    let plan = env.cli(&["up", "--dry-run", "--json"]).ok().json();
    assert_eq!((&plan["trusted"], actions(&plan)[0].1.as_str()), (&json!(false), "create"), "{plan}");
    assert_eq!(pids(&env), []);
    assert_eq!(up(&env)["done"], true);

    // A change is looked at anew, and what runs meanwhile runs on.
    let before = pids(&env);
    env.write("hostler.toml", format!("{file}env = {{ A = \"1\" }}\n"));
    assert_eq!(env.cli(&["up"]).code, Some(4));
    assert_eq!(pids(&env), before);
    // No file widens the policy of the user.
    env.write("hostler.toml", format!("{file}[processes.shell]\ncommand = \"bash run\"\n"));
    let _ = env.cli(&["trust"]).ok();
    let forbidden = env.cli(&["up"]);
    assert_eq!(forbidden.code, Some(4), "{forbidden:?}");
    assert!(forbidden.stderr.contains("`shell`") && forbidden.stderr.contains("shells"), "{forbidden:?}");
    assert_eq!(pids(&env), before, "nothing is changed when something cannot be");
}

#[test]
fn a_mistake_is_told_with_its_place() {
    let env = Env::new();
    for (text, wanted) in [
        ("[processes.web]\ncomand = \"x\"\n", "line 2, column 1: unknown field `comand`"),
        (
            "[processes.web]\ncommand = \"x\"\ndepends_on = [\"bd\"]\n[processes.db]\ncommand = \"y\"\n",
            "no process `bd` in this file; there are: db, web",
        ),
        ("[processes.web]\ncommand = \"${NOT_SET_ANYWHERE}\"\n", "line 2, column 11"),
        ("[processes.a]\ncommand = \"x\"\ndepends_on = [\"a\"]\n", "`a` → `a`"),
    ] {
        env.write("hostler.toml", text);
        let output = env.cli(&["up", "--dry-run"]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(wanted), "{text}: {output:?}");
    }
}

#[test]
fn the_schema_is_that_of_this_build() {
    let env = Env::new();
    let made = env.cli(&["schema"]).ok().stdout;
    let kept =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hostler.schema.json")).unwrap();
    assert!(made == kept, "docs/hostler.schema.json is not up to date: run `just reference`");
}

#[test]
fn profiles_files_and_the_shell_say_what_variables_mean() {
    let env = Env::new();
    let file = "[env]\nMODE = \"${MODE:-none}\"\n[processes.show]\ncommand = \"FAULT variable MODE\"\n";
    env.write("hostler.toml", file.replace("FAULT", &env.fault()));
    let _ = env.cli(&["trust"]).ok();
    let shown = |args: &[&str], shell: Option<&str>| {
        let mut command = env.hostler();
        command.arg("up").args(args).stdin(Stdio::null());
        shell.map(|value| command.env("MODE", value));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let info = env.cli(&["logs", "show", "-n", "1"]).ok().stdout;
        info.trim().rsplit("MODE=").next().unwrap().to_owned()
    };
    assert_eq!(shown(&[], None), "none");
    env.write(".env", "MODE=plain\n");
    assert_eq!(shown(&[], None), "plain");
    env.write(".env.local", "MODE=local\n");
    env.write(".env.prod", "MODE=prod\n");
    assert_eq!(shown(&[], None), "local");
    assert_eq!(shown(&["--profile", "prod"], None), "prod");
    assert_eq!(shown(&["--profile", "prod"], Some("shell")), "shell");
    let refused = env.cli(&["up", "--profile", "prdo"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("did you mean `prod`?"), "{refused:?}");
}

#[test]
fn a_watched_file_is_applied_when_it_is_trusted_and_when_its_variables_change() {
    let env = Env::new();
    let text = "[processes.web]\ncommand = \"FAULT run\"\nenv = { A = \"${A:-1}\" }\n";
    env.write("hostler.toml", text.replace("FAULT", &env.fault()));
    let mut watching = env
        .hostler()
        .args(["up", "--watch"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = || env.cli(&["ps", "--json"]).ok().json()["processes"][0]["pid"].as_i64();
    let _ = env.cli(&["trust"]).ok();
    let first = wait_for("it is up once it is trusted", pid);
    env.write(".env", "A=2\n");
    let second = wait_for("it is restarted for its variables", || pid().filter(|pid| *pid != first));
    env.write("hostler.toml", text.replace("FAULT run", &format!("{} stubborn", env.fault())));
    let _ = env.cli(&["trust"]).ok();
    wait_for("it is restarted for its file", || pid().filter(|pid| *pid != second));
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn two_projects_each_have_their_own() {
    let env = Env::new();
    let other = env.project().join("../other");
    std::fs::create_dir(&other).unwrap();
    let text = format!("name = \"all\"\n[processes.web]\ncommand = {:?}\n", format!("{} run", env.fault()));
    env.write("hostler.toml", &text);
    env.write("../other/hostler.toml", &text);
    let there = |args: &[&str]| {
        let output = env.hostler().args(args).current_dir(&other).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(up(&env)["done"], true);
    there(&["trust"]);
    there(&["up"]);
    let all = env.cli(&["ps", "--json", "--all-projects"]).ok().json();
    let mut names: Vec<String> =
        all["processes"].as_array().unwrap().iter().map(|p| p["project"].to_string()).collect();
    names.sort();
    assert_eq!(names, ["\"other\"", "\"shop\""], "{all}");
    assert_eq!(pids(&env).len(), 1);
    there(&["down"]);
    let left = env.cli(&["ps", "--json", "--all-projects"]).ok().json();
    assert_eq!(left["processes"].as_array().unwrap().len(), 1, "{left}");
    assert_eq!(left["processes"][0]["project"], "shop");
    assert_eq!(env.cli(&["group", "show", "all", "--json"]).ok().json()["status"], "running");
}

fn an_agent_applies_what_its_user_trusts(era: Era) {
    let env = Env::new();
    env.write("hostler.toml", format!("[processes.web]\ncommand = {:?}\n", format!("{} run", env.fault())));
    let mut mcp: Mcp = env.mcp(era);
    assert!(mcp.refused("apply_config", json!({})).contains("hostler trust"));
    let plan = mcp.done("apply_config", json!({"dry_run": true}));
    assert_eq!((&plan["done"], &plan["trusted"]), (&json!(false), &json!(false)), "{plan}");
    let _ = env.cli(&["trust"]).ok();
    let applied = mcp.done("apply_config", json!({}));
    assert_eq!(applied["done"], true, "{applied}");
    assert_eq!(mcp.view("web")["status"], "running");
    let again = mcp.done("apply_config", json!({"path": env.in_project("hostler.toml")}));
    assert_eq!(actions(&again), [("web".to_owned(), "unchanged".to_owned())]);
    mcp.done("apply_config", json!({"down": true}));
    assert!(mcp.refused("get_process_info", json!({"process": "web"})).contains("no process"));
}
