//! Files as people write them, and what has to change for them.

use std::collections::BTreeMap;

use hostler_model::groups::Condition;
use hostler_model::restart::RestartWhen;
use hostler_model::spec::StopSpec;
use hostler_model::{ProcessName, ProcessSpec, RestartPolicy};

use crate::{Change, Current, PlannedPart, Stack, Wanted, changed_groups, plan, read};

fn name(text: &str) -> ProcessName {
    ProcessName::try_from(text.to_owned()).unwrap()
}

fn stack(text: &str) -> Stack {
    let variables = BTreeMap::from([("PORT".to_owned(), "80".to_owned())]);
    read(text, "/srv/shop", None, &variables).unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn mistake(text: &str) -> String {
    read(text, "/srv/shop", None, &BTreeMap::new()).unwrap_err().to_string()
}

#[test]
fn templates_defaults_and_variables_are_filled_in() {
    let stack = stack(
        r#"
        env_profile = "dev"
        limits = { open_files = 100 }
        [env]
        URL = "http://localhost:${PORT}"
        A = "file"
        [defaults]
        restart = { policy = "always", max_restarts = 9 }
        [templates.node]
        cwd = "app"
        env = { A = "template", B = "template" }
        restart = { policy = "on_failure" }
        [processes.web]
        command = "node server.js --url ${URL}"
        extends = ["node"]
        env = { B = "own" }
        env_files = ["web.env"]
        depends_on = { db = "ready" }
        [processes.db]
        command = "db"
        [processes.tool]
        command = "tool"
        autostart = false
        [groups.front]
        members = ["web"]
        "#,
    );
    let web = &stack.processes[&name("web")];
    assert_eq!(web.args.command.as_deref(), Some("node server.js --url http://localhost:80"));
    assert_eq!(web.args.cwd.as_deref(), Some("/srv/shop/app"));
    let env = web.args.env.as_ref().unwrap();
    assert_eq!((env["A"].as_str(), env["B"].as_str()), ("template", "own"));
    assert_eq!(web.args.env_files.as_deref(), Some(&["/srv/shop/web.env".to_owned()][..]));
    assert_eq!(web.args.env_profile.as_deref(), Some("dev"));
    let restart = web.args.restart.unwrap();
    assert_eq!((restart.policy, restart.max_restarts), (Some(RestartWhen::OnFailure), Some(9)));
    assert_eq!(web.args.limits.unwrap().open_files, Some(100));
    assert_eq!(web.depends_on, BTreeMap::from([(name("db"), Condition::Ready)]));

    let members = |group: &hostler_model::Group| {
        group.in_order().map(|m| m.process.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((stack.whole.name().as_str(), members(&stack.whole)), ("shop", "db web".to_owned()));
    assert_eq!(members(&stack.groups[0]), "db web", "what a member needs belongs to its group");
}

/// The checks and the parsers of a process, by their names.
fn judged_by(stack: &Stack, process: &str) -> String {
    let args = &stack.processes[&name(process)].args;
    let checks = args.health.iter().flatten().map(|check| check.plugin.as_str());
    let parsers = args.log.iter().flat_map(|log| log.parsers.iter().map(String::as_str));
    checks.chain(["|"]).chain(parsers).collect::<Vec<_>>().join(" ")
}

#[test]
fn groups_set_checks_and_parsers_of_their_members() {
    let stack = stack(
        r#"
        [defaults]
        health = [{ plugin = "process" }]
        log = { parsers = ["level"] }
        [templates.quiet]
        health = []
        [processes.web]
        command = "web"
        depends_on = ["db"]
        [processes.api]
        command = "api"
        log = { parsers = ["syslog"] }
        [processes.job]
        command = "job"
        extends = ["quiet"]
        [processes.db]
        command = "db"
        [groups.front]
        members = ["web", "api", "job"]
        health = [{ plugin = "http", config = { url = "http://localhost:${PORT}/" } }]
        log = { parsers = ["json"] }
        [groups.same]
        members = ["web"]
        log = { parsers = ["json"] }
        "#,
    );
    for (process, expected) in [
        ("web", "http | json"),
        ("api", "http | syslog"),
        ("job", "| json"),
        // What a member needs belongs to the group and is not one of those that it names.
        ("db", "process | level"),
    ] {
        assert_eq!(judged_by(&stack, process), expected, "{process}");
    }
    let url = &stack.processes[&name("web")].args.health.as_ref().unwrap()[0].config["url"];
    assert_eq!(url, "http://localhost:80/");
}

#[test]
fn groups_that_disagree_about_a_process_leave_the_word_to_it() {
    let text = |own: &str| {
        format!(
            "[processes.web]\ncommand = \"x\"\n{own}[groups.a]\nmembers = [\"web\"]\nlog = {{ parsers = [\"json\"] }}\n\
             [groups.b]\nmembers = [\"web\"]\nlog = {{ parsers = [\"level\"] }}\n"
        )
    };
    let message = mistake(&text(""));
    assert!(
        message.starts_with("line 6, column 9: the groups `a` and `b` have different `log` for `web`")
            && message.contains("set `log` in [processes.web]"),
        "{message}"
    );
    assert_eq!(judged_by(&stack(&text("log = { parsers = [\"syslog\"] }\n")), "web"), "| syslog");
}

#[test]
fn mistakes_are_told_with_their_place_and_the_nearest_right_word() {
    insta::assert_snapshot!(mistake("[processes.web]\ncomand = \"x\"\n"), @r#"
    line 2, column 1: unknown field `comand`; did you mean `command`?
      |
    2 | comand = "x"
      | ^^^^^^
    "#);
    insta::assert_snapshot!(mistake("[processes.web]\ncommand = \"x\"\ndepends_on = [\"wbe2\"]\n[processes.web2]\ncommand = \"y\"\n"), @r#"
    line 3, column 15: no process `wbe2` in this file; did you mean `web2`?
      |
    3 | depends_on = ["wbe2"]
      |               ^^^^^^
    "#);
    for (text, wanted) in [
        ("[processes.web]\ncommand = \"${PROT}\"", "line 2, column 11: the variable `PROT` is not set"),
        ("[processes.web]\nextends = [\"x\"]\ncommand = \"y\"", "line 2, column 12: no template `x`"),
        ("[processes.web]\npty = true", "line 1, column 12: `web` has no `command`"),
        ("[processes.\"a b\"]\ncommand = \"x\"", "line 1, column 12: \"a b\" is not a valid name"),
        ("[processes.a]\ncommand = \"x\"\ndepends_on = {a = \"helthy\"}", "did you mean `healthy`?"),
        ("[processes.a]\ncommand = \"x\"\ndepends_on = 7", "names such as"),
        ("[processes.a]\ncommand = \"x\"\nrestart = {policy = 7}", "line 3"),
        (
            "[processes.a]\ncommand = \"x\"\n[groups.g]\nmembers = [\"a\"]\nhealth = [{ plugni = \"tcp\" }]",
            "did you mean `plugin`?",
        ),
        ("[groups.g]\nparsers = [\"json\"]", "unknown field `parsers`"),
        ("[processes.a]\ncommand = \"x\"\nlog = \"json\"", "expected a table"),
        ("[processes.a]\ncommand = \"x\"\nlease_ms = \"1\"", "expected a whole number from 0 on"),
        ("[processes.a]\ncommand = \"x\"\nlimits = { memory = 1 }", "did you mean `memory_bytes`?"),
        (
            "[processes.a]\ncommand = \"x\"\n[processes.b]\ncommand = \"y\"\ndepends_on = { a = \"healthy\" }",
            "line 5, column 16: `b` would wait without end for `a` to be healthy",
        ),
        (
            "[processes.a]\ncommand = \"x\"\n[processes.b]\ncommand = \"y\"\ncondition = \"healthy\"\ndepends_on = [\"a\"]",
            "line 6, column 15: `b` would wait",
        ),
        ("[processes", "line 1"),
        ("ü = 1", "line 1, column 1"),
    ] {
        let message = mistake(text);
        assert!(message.contains(wanted), "{text}: {message}");
    }
}

#[test]
fn a_check_by_a_template_is_one_to_wait_for() {
    let text = "[templates.t]\nhealth = [{ plugin = \"tcp\" }]\n[processes.a]\ncommand = \"x\"\nextends = [\"t\"]\n\
                [processes.b]\ncommand = \"y\"\ndepends_on = { a = \"healthy\" }\n";
    assert_eq!(
        stack(text).processes[&name("b")].depends_on,
        BTreeMap::from([(name("a"), Condition::Healthy)])
    );
}

#[test]
fn variables_that_nothing_sets_are_named_and_keep_nobody_from_the_plugins() {
    let text = "[env]\nOWN = \"${SHELL_ONLY}\"\nURL = \"http://a\"\n\
                [processes.web]\ncommand = \"x ${SHELL_ONLY} ${SET} ${DEFAULT:-1} ${OWN}\"\n\
                [plugins.mine]\nsource = \"builtin:http\"\nconfig = { url = \"${URL}/${SET}\" }\n";
    let set = BTreeMap::from([("SET".to_owned(), "set".to_owned())]);
    let unset: Vec<String> = crate::unset_variables(text, &set).into_iter().collect();
    assert_eq!(unset, ["SHELL_ONLY"]);
    assert!(read(text, "/srv/shop", None, &set).is_err());
    let plugins = crate::plugins(text, &set).unwrap();
    assert_eq!(plugins["mine"]["config"]["url"].as_str(), Some("http://a/set"));
    let message = crate::plugins(&text.replace("${URL}", "${OWN}"), &set).unwrap_err().to_string();
    assert!(message.contains("line 8") && message.contains("`OWN` is not set"), "{message}");
}

#[test]
fn an_environment_file_that_says_something_else_is_a_reason_to_restart() {
    let spec = |files: &[&str], digest: Option<&str>| ProcessSpec {
        env_files: files.iter().map(|file| (*file).to_owned()).collect(),
        env_digest: digest.map(str::to_owned),
        ..spec(&["a"])
    };
    let change = |now: ProcessSpec, wanted: ProcessSpec| {
        let now = Current { spec: now, from_file: true, member: None };
        let now = BTreeMap::from([(name("web"), now)]);
        let wanted = BTreeMap::from([(name("web"), Wanted { spec: wanted, member: None })]);
        plan(&now, &wanted)[0].change.clone()
    };
    let restart = |field: &str| Change::Restart { fields: vec![field.to_owned()] };
    let one = spec(&["a.env"], Some("1"));
    assert_eq!(change(one.clone(), one.clone()), Change::Unchanged);
    assert_eq!(change(one.clone(), spec(&["a.env"], Some("2"))), restart("content of environment files"));
    assert_eq!(change(one.clone(), spec(&["b.env"], Some("2"))), restart("env_files"));
    // Nobody looked yet, or nobody can.
    assert_eq!(change(spec(&["a.env"], None), one.clone()), Change::Unchanged);
    assert_eq!(change(one, spec(&["a.env"], None)), Change::Unchanged);
}

#[test]
fn what_changes_in_groups_is_told() {
    let text = |more: &str| {
        format!(
            "[processes.a]\ncommand = \"x\"\n[processes.b]\ncommand = \"y\"\n[groups.front]\nmembers = [\"a\"]\n{more}"
        )
    };
    let told = |now: Option<&str>, wanted: &str| {
        let groups =
            |stack: &Stack| stack.groups.iter().chain(Some(&stack.whole)).cloned().collect::<Vec<_>>();
        let now = now.map(|text| groups(&stack(text))).unwrap_or_default();
        let wanted = stack(wanted);
        let now = now.into_iter().map(|group| (group.name().clone(), group)).collect();
        let parts = changed_groups(&now, groups(&wanted).iter(), wanted.whole.name());
        let told = parts.iter().map(|PlannedPart { part, change }| format!("{part} {change:?}"));
        told.collect::<Vec<_>>().join(", ")
    };
    let plain = text("");
    assert_eq!(told(None, &plain), "groups.front Create");
    assert_eq!(told(Some(&plain), &plain), "");
    let described = text("description = \"those\"\nstop_strategy = \"parallel\"\n");
    assert_eq!(
        told(Some(&plain), &described),
        "groups.front Update { fields: [\"description\", \"stop_strategy\"] }"
    );
    let more = plain.replace("[\"a\"]", "[\"a\", \"b\"]");
    assert_eq!(told(Some(&plain), &more), "groups.front Update { fields: [\"members\"] }");
    let other = plain.replace("groups.front", "groups.back");
    assert_eq!(told(Some(&plain), &other), "groups.back Create, groups.front Remove");
    let renamed = format!("name = \"all\"\n{plain}");
    assert_eq!(told(Some(&plain), &renamed), "groups.all Create, groups.shop Remove");
}

fn spec(args: &[&str]) -> ProcessSpec {
    let text = serde_json::json!({
        "command": "node", "args": args, "cwd": "/srv/shop", "search_path": "/usr/bin",
        "restart": RestartPolicy::default(), "stop": StopSpec::default(),
    });
    serde_json::from_value(text).unwrap()
}

#[test]
fn a_plan_changes_what_differs_and_removes_only_what_came_from_the_file() {
    let current = |args: &[&str], from_file| Current { spec: spec(args), from_file, member: None };
    let now = BTreeMap::from([
        (name("same"), current(&["a"], true)),
        (name("edited"), current(&["a"], true)),
        (name("patient"), current(&["a"], true)),
        (name("gone"), current(&["a"], true)),
        (name("by-hand"), current(&["a"], false)),
        (name("taken-over"), current(&["a"], false)),
    ]);
    let patient = ProcessSpec { stop: StopSpec { grace_ms: 1, ..StopSpec::default() }, ..spec(&["a"]) };
    let elsewhere = ProcessSpec { search_path: "/opt/bin".into(), ..spec(&["a"]) };
    let wanted = BTreeMap::from([
        (name("same"), elsewhere),
        (name("edited"), spec(&["b"])),
        (name("patient"), patient),
        (name("new"), spec(&[])),
        (name("taken-over"), spec(&["a"])),
    ]);
    let wanted = wanted.into_iter().map(|(name, spec)| (name, Wanted { spec, member: None })).collect();
    let changes = plan(&now, &wanted);
    let told = changes.iter().map(|c| {
        let taken_over = if c.taken_over { " taken over" } else { "" };
        format!("{} {:?}{taken_over}", c.process, c.change)
    });
    let told: Vec<String> = told.collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    edited Restart { fields: ["args"] }
    new Create
    patient Update { fields: ["stop"] }
    same Unchanged
    taken-over Update { fields: [] } taken over
    gone Remove
    "#);
    assert!(!changes.iter().any(|c| c.change == Change::Remove && c.process == name("by-hand")));
}
