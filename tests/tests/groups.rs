//! Groups of real processes.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, Mcp, in_both_eras, wait_for};
use serde_json::{Value, json};

in_both_eras!(
    starts_in_order_and_stops_in_reverse,
    what_waits_for_one_that_is_ready_starts_once_that_says_so,
    a_failed_dependency_holds_up_its_dependents_until_it_recovers,
    a_group_survives_its_daemon,
    what_cannot_be_is_refused_by_name,
    a_stop_in_the_middle_of_a_start_leaves_nothing,
);

/// Declares a process, which then rests.
fn declare(mcp: &mut Mcp, env: &Env, name: &str, args: &[&str]) {
    let request = json!({"name": name, "command": env.fault(), "args": args, "wait_for": "started"});
    mcp.done("start_process", request);
    mcp.done("stop_process", json!({"process": name, "grace_ms": 2000}));
}

fn member<'a>(result: &'a Value, name: &str) -> &'a Value {
    result["members"].as_array().unwrap().iter().find(|m| m["process"] == name).unwrap()
}

fn status<'a>(result: &'a Value, name: &str) -> &'a str {
    member(result, name)["status"].as_str().unwrap()
}

/// When the newest run of a process began, and ended.
fn times(mcp: &mut Mcp, name: &str) -> (String, String) {
    let run = mcp.done("get_process_info", json!({"process": name, "runs": 1}))["runs"][0].clone();
    let text = |field: &str| run[field].as_str().unwrap_or_default().to_owned();
    (text("started_at"), text("ended_at"))
}

fn starts_in_order_and_stops_in_reverse(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    for name in ["web", "api", "db"] {
        declare(&mut mcp, &env, name, &["listen", "0"]);
    }
    declare(&mut mcp, &env, "migrate", &["exit", "0", "migrated"]);
    let group = mcp.done(
        "create_group",
        json!({"name": "shop", "members": [
            {"process": "web", "depends_on": ["api"], "condition": "ready"},
            {"process": "api", "depends_on": ["db", "migrate"], "conditions": {"migrate": "completed"}},
            {"process": "migrate", "depends_on": ["db"], "delay_ms": 50},
            {"process": "db"},
        ]}),
    );
    assert_eq!(group["group"]["status"], "stopped", "{group}");

    let started = mcp.done("start_group", json!({"group": "shop"}));
    assert_eq!(started["done"], true, "{started}");
    for (name, wanted) in [("db", "running"), ("migrate", "exited"), ("api", "running"), ("web", "running")] {
        assert_eq!(status(&started, name), wanted, "{started}");
    }
    let (db, migrate, api, web) =
        (times(&mut mcp, "db"), times(&mut mcp, "migrate"), times(&mut mcp, "api"), times(&mut mcp, "web"));
    assert!(db.0 < migrate.0 && migrate.1 < api.0 && api.0 < web.0, "{db:?} {migrate:?} {api:?} {web:?}");
    assert_eq!(mcp.view("api")["group"], "shop");
    let listed = mcp.done("list_processes", json!({"group": "shop", "status": "running"}));
    assert_eq!(listed["processes"].as_array().unwrap().len(), 3, "{listed}");

    let again = mcp.done("start_group", json!({"group": "shop", "wait_for": "ready"}));
    assert_eq!(again["done"], true, "{again}");
    assert_eq!(member(&again, "db")["pid"], member(&started, "db")["pid"], "nothing is started twice");
    assert_eq!(times(&mut mcp, "migrate"), migrate, "the job is not done twice");

    let stopped = mcp.done("stop_group", json!({"group": "shop"}));
    assert_eq!(stopped["done"], true, "{stopped}");
    assert_eq!(status(&stopped, "web"), "stopped", "{stopped}");
    let (db, api, web) = (times(&mut mcp, "db"), times(&mut mcp, "api"), times(&mut mcp, "web"));
    assert!(web.1 < api.1 && api.1 < db.1, "{web:?} {api:?} {db:?}");
    let again = mcp.done("stop_group", json!({"group": "shop", "remove": true}));
    assert_eq!(again["done"], true, "{again}");
    assert!(mcp.refused("start_group", json!({"group": "shop"})).contains("create_group"));
    assert_eq!(mcp.view("api")["group"], Value::Null);
}

fn a_failed_dependency_holds_up_its_dependents_until_it_recovers(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    declare(&mut mcp, &env, "web", &["run"]);
    declare(&mut mcp, &env, "api", &["run"]);
    let broken =
        json!({"name": "db", "command": env.fault(), "args": ["exit", "7", "no disk"], "group": "shop"});
    assert!(mcp.refused("start_process", broken).contains("no disk"));
    mcp.done(
        "add_to_group",
        json!({"group": "shop", "process": "api", "depends_on": ["db"], "condition": "ready"}),
    );
    mcp.done("add_to_group", json!({"group": "shop", "process": "web", "depends_on": ["api"]}));

    let started = mcp.done("start_group", json!({"group": "shop"}));
    assert_eq!(started["done"], false, "{started}");
    let db = member(&started, "db");
    assert_eq!(db["status"], "failed", "{started}");
    assert!(db["why"].as_str().unwrap().contains("no disk"), "{db}");
    for name in ["api", "web"] {
        assert_eq!(status(&started, name), "blocked", "{started}");
        assert!(member(&started, name)["why"].as_str().unwrap().contains("`db`"), "{started}");
    }
    let shown = env.cli(&["group", "show", "shop", "--json"]).ok().json();
    assert_eq!((&shown["status"], &shown["health"]), (&json!("failed"), &json!("unhealthy")), "{shown}");

    // Mended by hand: the rest follows by itself.
    mcp.done("restart_process", json!({"process": "db", "args": ["listen", "0"], "wait_for": "started"}));
    for name in ["api", "web"] {
        mcp.await_status(name, "running");
    }
}

fn what_waits_for_one_that_is_ready_starts_once_that_says_so(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let (serves, says) = (env.in_project("serves"), env.in_project("says"));
    for (name, args) in [
        ("db", ["listen", "0", &serves].as_slice()),
        ("queue", &["notify", &says]),
        ("api", &["listen", "0"]),
        ("worker", &["run"]),
    ] {
        declare(&mut mcp, &env, name, args);
    }
    mcp.done(
        "create_group",
        json!({"name": "shop", "members": [
            {"process": "db"},
            {"process": "queue"},
            {"process": "api", "depends_on": ["db"], "condition": "ready"},
            {"process": "worker", "depends_on": ["queue"], "condition": "ready"},
        ]}),
    );
    let started = mcp.done("start_group", json!({"group": "shop", "timeout_ms": 200}));
    for name in ["api", "worker"] {
        let why = member(&started, name)["why"].as_str().unwrap();
        assert!(why.contains("listens on no port yet and has not sent READY=1"), "{started}");
    }
    env.write("serves", "");
    mcp.await_status("api", "running");
    env.write("says", "");
    mcp.await_status("worker", "running");
    for name in ["db", "queue"] {
        assert_eq!(mcp.view(name)["ready"], true, "time alone let its dependent go");
    }
}

fn a_group_survives_its_daemon(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    declare(&mut mcp, &env, "web", &["run"]);
    declare(&mut mcp, &env, "db", &["exit", "3"]);
    mcp.done(
        "create_group",
        json!({"name": "shop", "members": [
            {"process": "web", "depends_on": ["db"], "condition": "ready"},
            {"process": "db"},
        ]}),
    );
    let started = mcp.done("start_group", json!({"group": "shop", "wait_for": "ready"}));
    assert_eq!(status(&started, "db"), "failed", "{started}");
    drop(mcp);
    env.crash_daemon();

    // What was wanted is wanted still: the recovery of one starts the other.
    let mut mcp = env.mcp(era);
    let list = env.cli(&["group", "list", "--json"]).ok().json();
    let group = list["groups"][0].clone();
    assert_eq!(group["name"], "shop", "{list}");
    mcp.done("restart_process", json!({"process": "db", "args": ["listen", "0"], "wait_for": "started"}));
    let group = wait_for("the group is up", || {
        let list = env.cli(&["group", "list", "--json"]).ok().json();
        (list["groups"][0]["status"] == "running").then(|| list["groups"][0].clone())
    });
    assert_eq!(status(&group, "web"), "running", "{group}");
}

fn what_cannot_be_is_refused_by_name(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    for name in ["web", "postgres"] {
        declare(&mut mcp, &env, name, &["exit", "0"]);
    }
    let refused =
        |mcp: &mut Mcp, members: Value| mcp.refused("create_group", json!({"name": "g", "members": members}));
    let cycle = json!([{"process": "web", "depends_on": ["postgres"]}, {"process": "postgres", "depends_on": ["web"]}]);
    assert!(refused(&mut mcp, cycle).contains("`web` → `postgres` → `web`"));
    let stranger = json!([{"process": "web", "depends_on": ["postgrse"]}, {"process": "postgres"}]);
    assert!(refused(&mut mcp, stranger).contains("did you mean `postgres`?"));
    let unknown = refused(&mut mcp, json!([{"process": "postgrs"}]));
    assert!(unknown.contains("did you mean `postgres`?"), "{unknown}");
    let condition = refused(&mut mcp, json!([{"process": "web", "condition": "helthy"}]));
    assert!(condition.contains("healthy"), "{condition}");
    mcp.done(
        "create_group",
        json!({"name": "shop", "members": [{"process": "web"}, {"process": "postgres"}]}),
    );
    let near = mcp.refused("start_group", json!({"group": "shpo"}));
    assert!(near.contains("did you mean `shop`?"), "{near}");
    let first = json!({"group": "shop", "process": "web", "depends_on": ["postgres"]});
    mcp.done("add_to_group", first);
    let second = json!({"group": "shop", "process": "postgres", "depends_on": ["web"]});
    assert!(mcp.refused("add_to_group", second).contains('→'));
}

fn a_stop_in_the_middle_of_a_start_leaves_nothing(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    for name in ["db", "api"] {
        declare(&mut mcp, &env, name, &["run"]);
    }
    let late = json!({"process": "api", "depends_on": ["db"], "delay_ms": 60_000});
    mcp.done("create_group", json!({"name": "shop", "members": [{"process": "db"}, late]}));
    let started = mcp.done("start_group", json!({"group": "shop", "timeout_ms": 700}));
    assert_eq!(started["done"], false, "{started}");
    assert_eq!((status(&started, "db"), status(&started, "api")), ("running", "waiting"), "{started}");
    let stopped = mcp.done("stop_group", json!({"group": "shop", "strategy": "parallel"}));
    assert_eq!((&stopped["done"], status(&stopped, "db")), (&json!(true), "stopped"), "{stopped}");
    assert_eq!(status(&stopped, "api"), "stopped", "{stopped}");
}
