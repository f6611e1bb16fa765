//! Resources: lists, contents, completions, and who is told of changes.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::{DEADLINE, Env, Era, Mcp, in_both_eras, wait_for, wait_until};
use serde_json::{Value, json};

in_both_eras!(
    resources_say_what_the_tools_say,
    health_is_told_with_its_reason_and_the_worst_of_all,
    what_is_not_there_is_not_found,
    lists_are_read_page_by_page,
    names_are_completed,
    a_change_is_told_to_who_subscribed,
    many_changes_are_told_together,
    every_resource_tells_of_its_changes,
    groups_are_resources,
    errors_are_resources,
    what_is_read_says_how_long_it_holds,
);

fn read(mcp: &mut Mcp, uri: &str) -> Value {
    let answer = mcp.request("resources/read", json!({"uri": uri}));
    let contents = &answer["result"]["contents"][0];
    assert_eq!(contents["uri"], uri, "{answer}");
    assert_eq!(contents["mimeType"], "application/json", "{answer}");
    serde_json::from_str(contents["text"].as_str().unwrap()).unwrap()
}

/// Asks to be told of changes; gives what ends it in the newer era.
fn subscribe(mcp: &mut Mcp, era: Era, uris: &[&str]) -> u64 {
    match era {
        Era::Legacy => {
            for uri in uris {
                let answer = mcp.request("resources/subscribe", json!({"uri": uri}));
                assert!(answer["result"].is_object(), "{answer}");
            }
            0
        }
        Era::Modern => {
            let wanted =
                json!({"notifications": {"resourceSubscriptions": uris, "resourcesListChanged": true}});
            let id = mcp.begin("subscriptions/listen", wanted);
            let acknowledged = next(mcp, "notifications/subscriptions/acknowledged");
            let granted = &acknowledged["params"]["notifications"]["resourceSubscriptions"];
            assert_eq!(granted, &json!(uris), "{acknowledged}");
            id
        }
    }
}

fn next(mcp: &mut Mcp, method: &str) -> Value {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        match mcp.next_message(deadline - Instant::now()) {
            Some(message) if message["method"] == method => return message,
            Some(_) => {}
            None => break,
        }
    }
    panic!("no {method} came");
}

/// The code of a resource that is not there.
fn not_found(era: Era) -> i64 {
    if era == Era::Legacy { -32002 } else { -32602 }
}

fn told_of(mcp: &mut Mcp, uri: &str) {
    while next(mcp, "notifications/resources/updated")["params"]["uri"] != uri {}
}

fn resources_say_what_the_tools_say(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["lines", "3"]);
    mcp.await_status("web", "exited");
    mcp.start("api", &env.fault(), &["count", "20"]);

    let list = read(&mut mcp, "processes://list");
    let names: Vec<&str> =
        list["processes"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["api", "web"]);
    assert!(list["processes"][0]["memory_bytes"].as_u64().unwrap() > 0, "{list}");

    let web = read(&mut mcp, "processes://web");
    assert_eq!(web["process"]["exit"]["code"], 0, "{web}");
    assert_eq!(read(&mut mcp, "processes://shop/web")["process"]["id"], web["process"]["id"]);
    assert_eq!(read(&mut mcp, "processes://shop%2Fweb")["process"]["id"], web["process"]["id"]);

    let logs = read(&mut mcp, "logs://web");
    let tool = mcp.done("get_logs", json!({"process": "web", "format": "records"}));
    assert_eq!(logs, tool);

    wait_until("lines of both are recent", || {
        let recent = read(&mut mcp, "logs://recent")["lines"].as_array().unwrap().clone();
        let of = |name: &str| recent.iter().any(|line| line["process"] == name);
        assert!(recent.is_sorted_by_key(|line| line["time"].as_str().unwrap().to_owned()), "{recent:?}");
        of("shop/web") && of("shop/api")
    });

    let health = read(&mut mcp, "health://status");
    assert_eq!(health["processes"][1]["process"], "web", "{health}");
    let metrics = read(&mut mcp, "metrics://summary");
    assert_eq!(metrics["processes"][0]["process"], "api", "{metrics}");
    assert_eq!(metrics["memory_bytes"], metrics["processes"][0]["memory_bytes"], "{metrics}");
    assert!(metrics["daemon"]["pid"].is_i64(), "{metrics}");
}

fn health_is_told_with_its_reason_and_the_worst_of_all(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    // What it ends with means what it means to Nagios. A degraded one works: it is waited for no longer.
    for (name, code, says, wait_for) in [
        ("sick", "2", "no database", "started"),
        ("slow", "1", "90 jobs wait", "healthy"),
        ("well", "0", "no job waits", "healthy"),
    ] {
        let check = json!({
            "plugin": "command", "config": {"command": [env.fault(), "exit", code, says]}, "interval_ms": 100,
            "failure_threshold": 1, "start_period_ms": 0,
        });
        let start = json!({"name": name, "command": env.fault(), "args": ["run"], "health": [check], "wait_for": wait_for});
        assert_eq!(mcp.done("start_process", start)["done"], true, "{name}");
    }
    mcp.start("unchecked", &env.fault(), &["run"]);
    let health = wait_for("all are judged", || {
        let health = read(&mut mcp, "health://status");
        let states: Vec<&Value> =
            health["processes"].as_array().unwrap().iter().map(|line| &line["health"]).collect();
        (states == [&json!("unhealthy"), &json!("degraded"), &Value::Null, &json!("healthy")])
            .then_some(health)
    });
    assert_eq!(health["status"], "unhealthy", "{health}");
    let reasons = [
        ("sick", Some("unhealthy: command: no database")),
        ("slow", Some("degraded: command: 90 jobs wait")),
        ("unchecked", None),
        ("well", None),
    ];
    for (line, (name, reason)) in health["processes"].as_array().unwrap().iter().zip(reasons) {
        assert_eq!((&line["process"], &line["status"]), (&json!(name), &json!("running")), "{line}");
        assert_eq!(line["status_reason"].as_str(), reason, "{line}");
    }
    let checked = mcp.done("check_process_health", json!({"process": "slow"}));
    assert_eq!(
        (&checked["status"], &checked["checks"][0]["message"]),
        (&json!("degraded"), &json!("90 jobs wait")),
        "{checked}"
    );
    mcp.done("stop_process", json!({"process": "sick"}));
    assert_eq!(read(&mut mcp, "health://status")["status"], "degraded");
}

fn what_is_not_there_is_not_found(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    for uri in ["processes://wbe", "logs://wbe", "files://x", "nothing", "processes://", "health://web"] {
        let error = mcp.request("resources/read", json!({"uri": uri}))["error"].clone();
        assert_eq!(error["code"], not_found(era), "{uri}: {error}");
        assert_eq!(error["data"]["uri"], uri, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("did you mean `web`") || message.contains("processes://list"), "{message}");
    }
    let missing =
        ["logs://wbe", "processes://wbe", "groups://stack", "errors://e999", "errors://x", "nothing"];
    if era == Era::Legacy {
        for uri in missing {
            let read = mcp.request("resources/read", json!({"uri": uri}))["error"].clone();
            let error = mcp.request("resources/subscribe", json!({"uri": uri}))["error"].clone();
            assert!(error.is_object() && error == read, "to read says {read}, to subscribe {error}");
        }
    } else {
        let uris: Vec<&str> = missing.into_iter().chain(["logs://web"]).collect();
        let wanted = json!({"notifications": {"resourceSubscriptions": uris}});
        mcp.begin("subscriptions/listen", wanted);
        let granted =
            next(&mut mcp, "notifications/subscriptions/acknowledged")["params"]["notifications"].clone();
        assert_eq!(granted["resourceSubscriptions"], json!(["logs://web"]), "{granted}");
    }
}

fn lists_are_read_page_by_page(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    let names: Vec<String> = (0..70).map(|n| format!("worker-{n:02}")).collect();
    mcp.start_all(&names, &env.fault(), &["run"]);
    let (mut uris, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let params = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
        let page = mcp.request("resources/list", params)["result"].clone();
        uris.extend(
            page["resources"].as_array().unwrap().iter().map(|r| r["uri"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert!(pages > 1, "{pages} page");
    let mut expected: Vec<String> =
        names.iter().flat_map(|n| [format!("processes://{n}"), format!("logs://{n}")]).collect();
    expected.sort();
    let mut of_processes: Vec<String> = uris.iter().filter(|uri| uri.contains("worker")).cloned().collect();
    of_processes.sort();
    assert_eq!(of_processes, expected);
    assert!(uris.starts_with(&["processes://list".to_owned()]), "{:?}", uris.first());
    let error = mcp.request("resources/list", json!({"cursor": "o5"}))["error"].clone();
    assert_eq!(error["code"], -32602, "{error}");

    let templates = mcp.request("resources/templates/list", json!({}))["result"].clone();
    assert!(
        templates["resourceTemplates"]
            .as_array()
            .unwrap()
            .iter()
            .any(|t| t["uriTemplate"] == "logs://{process}")
    );
}

fn names_are_completed(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    for name in ["web", "api", "api-worker"] {
        mcp.start(name, &env.fault(), &["run"]);
    }
    let mut complete = |value: &str| -> Value {
        let reference = json!({"type": "ref/resource", "uri": "processes://{process}"});
        let argument = json!({"name": "process", "value": value});
        mcp.request("completion/complete", json!({"ref": reference, "argument": argument}))["result"]["completion"].clone()
    };
    assert_eq!(complete("ap")["values"], json!(["api", "api-worker"]));
    assert_eq!(complete("")["total"], 3);
    assert_eq!(complete("shop/w")["values"], json!(["shop/web"]));
    assert_eq!(complete("x")["values"], json!([]));
    // Only what takes an argument has it completed.
    for (reference, argument, wanted) in [
        (json!({"type": "ref/prompt", "name": "debug_process"}), "group", "takes `process`"),
        (json!({"type": "ref/prompt", "name": "debug_proces"}), "process", "did you mean `debug_process`"),
        (json!({"type": "ref/resource", "uri": "files://{process}"}), "process", "logs://{process}"),
        (json!({"type": "ref/resource", "uri": "errors://{error_id}"}), "process", "takes `error_id`"),
    ] {
        let params = json!({"ref": reference, "argument": {"name": argument, "value": ""}});
        let error = mcp.request("completion/complete", params)["error"].clone();
        assert_eq!(error["code"], -32602, "{reference}: {error}");
        assert!(error["message"].as_str().unwrap().contains(wanted), "{error}");
    }
}

fn a_change_is_told_to_who_subscribed(era: Era) {
    let env = Env::new();
    let mut other = env.mcp(era);
    other.start("web", &env.fault(), &["run"]);
    let mut mcp = env.mcp(era);
    let listening = subscribe(&mut mcp, era, &["processes://list", "processes://web", "logs://recent"]);
    other.start("api", &env.fault(), &["run"]);
    told_of(&mut mcp, "processes://list");
    other.done("stop_process", json!({"process": "web"}));
    told_of(&mut mcp, "processes://web");
    assert_eq!(read(&mut mcp, "processes://web")["process"]["status"], "stopped");
    other.start("chatty", &env.fault(), &["lines", "2"]);
    told_of(&mut mcp, "logs://recent");

    // Who has enough hears no more.
    match era {
        Era::Legacy => {
            for uri in ["processes://list", "processes://web", "logs://recent"] {
                assert!(mcp.request("resources/unsubscribe", json!({"uri": uri}))["result"].is_object());
            }
        }
        Era::Modern => {
            let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": listening}});
            mcp.send(&cancelled);
            mcp.done("list_processes", json!({}));
        }
    }
    while mcp.next_message(Duration::from_millis(700)).is_some() {}
    other.done("stop_process", json!({"process": "api"}));
    let late = std::iter::from_fn(|| mcp.next_message(Duration::from_millis(700)));
    let late: Vec<Value> = late.filter(|m| m["method"] == "notifications/resources/updated").collect();
    assert_eq!(late, Vec::<Value>::new());
}

fn groups_are_resources(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("web", &env.fault(), &["run"]);
    subscribe(&mut mcp, era, &["groups://list", "metrics://summary"]);
    mcp.done("create_group", json!({"name": "stack", "members": [{"process": "web"}]}));
    told_of(&mut mcp, "groups://list");
    told_of(&mut mcp, "metrics://summary");
    assert_eq!(read(&mut mcp, "groups://list")["groups"][0]["members"][0]["process"], "web");
    assert_eq!(read(&mut mcp, "groups://stack")["name"], "stack");
    let error = mcp.request("resources/read", json!({"uri": "groups://stcak"}))["error"].clone();
    assert!(error["data"]["uri"] == "groups://stcak", "{error}");
    let reference = json!({"type": "ref/resource", "uri": "groups://{group}"});
    let completed = mcp.request(
        "completion/complete",
        json!({"ref": reference, "argument": {"name": "group", "value": "s"}}),
    );
    assert_eq!(completed["result"]["completion"]["values"], json!(["stack"]), "{completed}");
    let text =
        mcp.request("prompts/get", json!({"name": "troubleshoot_group", "arguments": {"group": "stack"}}));
    let text = text["result"]["messages"][0]["content"]["text"].as_str().unwrap_or_else(|| panic!("{text}"));
    assert!(text.contains("\"web\"") && text.contains("start_group {\"group\":\"stack\""), "{text}");
}

fn many_changes_are_told_together(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    mcp.start("chatty", &env.fault(), &["count", "5"]);
    subscribe(&mut mcp, era, &["logs://chatty"]);
    told_of(&mut mcp, "logs://chatty");
    let began = Instant::now();
    let mut told = 0;
    // It writes 200 lines a second.
    while began.elapsed() < Duration::from_secs(3) {
        if mcp
            .next_message(Duration::from_millis(100))
            .is_some_and(|m| m["method"] == "notifications/resources/updated")
        {
            told += 1;
        }
    }
    assert!((2..=7).contains(&told), "told {told} times in 3 s");
}

/// All six, while everything changes all the time: each is told of, and none more than twice a second.
fn every_resource_tells_of_its_changes(era: Era) {
    const ALL: [&str; 6] = [
        "processes://list",
        "logs://recent",
        "errors://latest",
        "groups://list",
        "health://status",
        "metrics://summary",
    ];
    let env = Env::new();
    let mut other = env.mcp(era);
    other.start("chatty", &env.fault(), &["count", "5"]);
    let mut mcp = env.mcp(era);
    subscribe(&mut mcp, era, &ALL);
    let mut told = BTreeMap::<String, u64>::new();
    let began = Instant::now();
    wait_until("all six have been told of several times", || {
        let crash = json!({"name": "crash", "command": env.fault(), "args": ["exit", "1", "error: no luck"]});
        other.call("start_process", crash);
        other.done("create_group", json!({"name": "all", "members": [{"process": "chatty"}]}));
        while let Some(message) = mcp.next_message(Duration::from_millis(10)) {
            if message["method"] == "notifications/resources/updated" {
                *told.entry(message["params"]["uri"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        ALL.iter().all(|uri| told.get(*uri).is_some_and(|count| *count > 2))
    });
    let most = began.elapsed().as_millis() as u64 / 500 + 1;
    assert!(told.values().all(|count| *count <= most), "in {:?}: {told:?}", began.elapsed());
    assert!(told.keys().all(|uri| ALL.contains(&uri.as_str())), "{told:?}");
}

fn errors_are_resources(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    assert_eq!(read(&mut mcp, "errors://latest")["errors"], json!([]));
    subscribe(&mut mcp, era, &["errors://latest"]);
    let mut other = env.mcp(era);
    other.start("web", &env.fault(), &["trace"]);
    // Who is told of an error can read it.
    told_of(&mut mcp, "errors://latest");
    let latest = read(&mut mcp, "errors://latest");
    let error = &latest["errors"][0];
    assert!(error["title"].as_str().unwrap().contains("ConnectionRefusedError"), "{latest}");
    assert_eq!((&error["resolved"], &error["processes"]), (&json!(false), &json!(["shop/web"])), "{latest}");
    assert_eq!(latest["summary"][0]["groups"], 1, "{latest}");

    let id = error["id"].as_str().unwrap();
    let whole = read(&mut mcp, &format!("errors://{id}"));
    assert_eq!(whole["occurrences"][0]["process"], "shop/web", "{whole}");
    assert_eq!(whole, mcp.done("get_errors", json!({"error_id": id})));
    subscribe(&mut mcp, era, &[&format!("errors://{id}")]);
    let reference = json!({"type": "ref/resource", "uri": "errors://{error_id}"});
    let argument = json!({"name": "error_id", "value": "e"});
    let completed = mcp.request("completion/complete", json!({"ref": reference, "argument": argument}));
    assert_eq!(completed["result"]["completion"]["values"], json!([id]), "{completed}");

    other.done("mark_error_resolved", json!({"error_id": id, "resolution": "the database is up"}));
    told_of(&mut mcp, "errors://latest");
    assert_eq!(read(&mut mcp, "errors://latest")["errors"], json!([]));
    let error = mcp.request("resources/read", json!({"uri": "errors://e999"}))["error"].clone();
    assert_eq!(error["code"], not_found(era), "{error}");
    assert!(error["message"].as_str().unwrap().contains("get_errors"), "{error}");
}

/// How long a client may keep what it read, and whether others may be shown it.
fn what_is_read_says_how_long_it_holds(era: Era) {
    let env = Env::new();
    let mut mcp = env.mcp(era);
    for (method, params, ttl_ms, scope) in [
        ("tools/list", json!({}), 3_600_000, "public"),
        ("prompts/list", json!({}), 3_600_000, "public"),
        ("resources/templates/list", json!({}), 3_600_000, "public"),
        ("resources/list", json!({}), 5_000, "private"),
        ("resources/read", json!({"uri": "processes://list"}), 1_000, "private"),
    ] {
        let result = mcp.request(method, params)["result"].clone();
        assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(ttl_ms), &json!(scope)), "{method}");
    }
}

#[test]
fn who_subscribed_is_told_by_the_next_daemon() {
    let env = Env::new();
    let mut other = env.mcp(Era::Modern);
    other.start("web", &env.fault(), &["run"]);
    let mut mcp = env.mcp(Era::Legacy);
    subscribe(&mut mcp, Era::Legacy, &["processes://web"]);
    let _ = env.cli(&["daemon", "restart"]).ok();
    // It may have changed meanwhile.
    told_of(&mut mcp, "processes://web");
    let _ = env.cli(&["stop", "web"]).ok();
    told_of(&mut mcp, "processes://web");
    wait_until("it is seen stopped", || read(&mut mcp, "processes://web")["process"]["status"] == "stopped");
}

/// In the newer era the client itself has to listen again: it is told that its request came to an end.
#[test]
fn who_listens_is_told_when_the_daemon_is_replaced() {
    let env = Env::new();
    let mut other = env.mcp(Era::Modern);
    other.start("web", &env.fault(), &["run"]);
    for end in ["restart", "crash"] {
        let mut mcp = env.mcp(Era::Modern);
        let listening = subscribe(&mut mcp, Era::Modern, &["processes://web"]);
        if end == "restart" {
            let _ = env.cli(&["daemon", "restart"]).ok();
        } else {
            env.crash_daemon();
        }
        let ended = mcp.answer(listening);
        let is_result = ended["result"].is_object();
        assert!(is_result || ended["error"]["code"] == -32001, "{end}: {ended}");
        let listening = subscribe(&mut mcp, Era::Modern, &["processes://web"]);
        other.done("restart_process", json!({"process": "web", "wait_for": "started"}));
        told_of(&mut mcp, "processes://web");
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": listening}});
        mcp.send(&cancelled);
    }
}

#[test]
fn resources_that_come_and_go_change_the_list() {
    let env = Env::new();
    let mut mcp = env.mcp(Era::Legacy);
    assert!(mcp.request("resources/list", json!({}))["result"].is_object());
    mcp.start("web", &env.fault(), &["run"]);
    next(&mut mcp, "notifications/resources/list_changed");
    let mut modern = env.mcp(Era::Modern);
    subscribe(&mut modern, Era::Modern, &["processes://web"]);
    mcp.done("stop_process", json!({"process": "web", "remove": true}));
    next(&mut modern, "notifications/resources/list_changed");
}
