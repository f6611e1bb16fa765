//! Files in the conventions of those tools' own documentation and of projects that use them. What is written is read
//! back as a `hostler.toml`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::Stack;

/// Reads what was written, every variable being set, and looks whether its commands can be split.
fn read(toml: &str) -> Result<Stack, String> {
    let names = toml.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let names = names.map(|name| name.split(":-").next().unwrap_or_default());
    let variables: BTreeMap<String, String> = names
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty())
        .map(|name| (name.to_owned(), "x".to_owned()))
        .collect();
    let stack = crate::read(toml, "/srv/app", None, &variables).map_err(|mistake| mistake.to_string())?;
    for (name, declared) in &stack.processes {
        let command = declared.args.command.as_deref().unwrap_or_default();
        hostler_model::words::split(command).map_err(|why| format!("`{name}`: {why}"))?;
    }
    Ok(stack)
}

const PLACE: Place<'_> = Place { directory: "shop", has_env: true };

fn imported(name: &str, text: &str) -> String {
    let toml = import(name, text, PLACE).unwrap().to_toml();
    let stack = read(&toml).unwrap_or_else(|why| panic!("{toml}\n{why}"));
    assert!(!stack.processes.is_empty());
    toml
}

macro_rules! fixtures {
    ($($(#[$doc:meta])* $test:ident: $path:literal,)*) => {
        $($(#[$doc])* #[test]
        fn $test() {
            let name = $path.rsplit('/').next().unwrap();
            insta::assert_snapshot!(imported(name, include_str!(concat!("fixtures/", $path))));
        })*
    };
}

fixtures! {
    a_procfile: "conventions/Procfile.dev",
    docker_compose: "conventions/compose.yaml",
    process_compose: "conventions/process-compose.yaml",
    a_supervisord_conf: "conventions/supervisord.conf",
    a_pm2_ecosystem: "conventions/ecosystem.config.json",
    package_scripts: "conventions/package.json",
    a_rails_application: "rails/Procfile",
    a_social_network_in_containers: "social/docker-compose.yml",
    a_cluster_of_node: "cluster/ecosystem.config.json",
    a_django_site_with_celery: "django/supervisord.conf",
    a_platform_of_several_parts: "platform/process-compose.yaml",
    a_repository_of_many_packages: "monorepo/package.json",
}

/// What one process became, and the notes.
fn told(name: &str, text: &str) -> (String, String) {
    let imported = import(name, text, PLACE).unwrap();
    let notes: Vec<String> = imported.notes.iter().map(ToString::to_string).collect();
    (imported.to_toml(), notes.join("\n"))
}

#[test]
fn what_a_process_sets_itself_is_what_its_command_says() {
    let compose = "services:\n  web:\n    build: .\n    environment: {PORT: 3000, NAME: 'a b'}\n    env_file: web.env\n    \
                   command: sh -c 'run -p $$PORT -n \"$$NAME\" -t $$TOKEN -h $PORT'\n";
    let (toml, notes) = told("compose.yaml", compose);
    let command = r#"command = "run -p 3000 -n \"a b\" -t ${TOKEN:-} -h ${PORT:-}""#;
    assert!(toml.contains(command), "{toml}");
    assert!(notes.contains("names TOKEN, which web.env may set"), "{notes}");
    let literal =
        "services:\n  web:\n    build: .\n    environment: {PORT: 3000}\n    command: [run, $$PORT, $PORT]\n";
    assert!(
        told("compose.yaml", literal).0.contains(r#"args = ["$$PORT", "${PORT:-}"]"#),
        "no shell fills it in"
    );
    for command in ["run $PORT", "run $$PORT", "run ${PORT:-1}", "bash -c 'exec run $$PORT'"] {
        let text = format!("processes:\n  web:\n    command: \"{command}\"\n    environment: [PORT=9]\n");
        let (toml, _) = told("process-compose.yaml", &text);
        assert!(toml.contains("command = \"run 9\""), "{command}: {toml}");
    }
    let supervisord = "[program:a]\ncommand=run %(ENV_PORT)s %(ENV_OTHER)s\nenvironment=PORT=\"7\"\n";
    assert!(told("a.conf", supervisord).0.contains("command = \"run 7 ${OTHER:-}\""));
    let (toml, _) = told("Procfile", "web: PORT=8080 run $PORT\nadmin: run $PORT\n");
    assert!(
        toml.contains("command = \"run 8080\"") && toml.contains("command = \"run ${PORT:-5100}\""),
        "{toml}"
    );
}

#[test]
fn checks_keep_within_what_is_possible() {
    let text = "services:\n  web:\n    build: .\n    command: run\n    healthcheck:\n      test: [CMD, curl, -f, 'https://localhost/']\n      \
                interval: 10ms\n      timeout: 1m30s\n      start_period: 48h\n      retries: 99999999999\n";
    let (toml, notes) = told("compose.yaml", text);
    for wanted in [
        r#"plugin = "command", config = { command = ["curl", "-f", "https://localhost/"]"#,
        "interval_ms = 100, timeout_ms = 50000, start_period_ms = 86400000, failure_threshold = 1000",
    ] {
        assert!(toml.contains(wanted), "{toml}");
    }
    assert!(
        notes.contains("line 8: `timeout: 1m30s` of the health check of `web` became 50000 ms"),
        "{notes}"
    );
    assert_eq!(notes.matches(" became ").count(), 4, "{notes}");
    let odd = "services:\n  web:\n    build: .\n    command: run\n    healthcheck: {test: x, timeout: soon, retries: -1}\n";
    let (_, notes) = told("compose.yaml", odd);
    assert_eq!(notes.matches("is not understood").count(), 2, "{notes}");
}

#[test]
fn who_waits_for_health_waits_for_something_that_is_checked() {
    let text = "services:\n  db: {image: x}\n  cache: {image: y, ports: ['1:1']}\n  web:\n    build: .\n    command: run\n    \
                depends_on:\n      db: {condition: service_healthy}\n      cache: {condition: service_healthy}\n";
    let (toml, notes) = told("compose.yaml", text);
    assert!(toml.contains(r#"depends_on = { cache = "healthy", db = "ready" }"#), "{toml}");
    assert!(notes.contains("`web` waits until `db` is ready, not healthy"), "{notes}");
}

#[test]
fn a_service_that_needs_a_shell_runs_in_its_container() {
    let text = "services:\n  web:\n    build: .\n    command: bash -c \"rm -f x.pid && rails s\"\n    ports: ['3000:3000']\n    \
                healthcheck: {test: \"curl localhost:3000 | grep $$WORD || exit 1\"}\n";
    let (toml, notes) = told("compose.yaml", text);
    assert!(toml.contains("--exit-code-from web web"), "{toml}");
    assert!(
        toml.contains(r#""exec", "-T", "web", "sh", "-c", "curl localhost:3000 | grep $$WORD || exit 1""#),
        "{toml}"
    );
    assert!(
        notes.contains("`web` runs in its container, through docker compose: ") && notes.contains("&&"),
        "{notes}"
    );
}

#[test]
fn what_up_would_refuse_is_left_out_with_a_note() {
    let supervisord = "[program:a]\ncommand=run $HOME \"a|b\"\nstopsignal=GENTLY\nstartretries=-1\nenvironment=\"=x\",A=1\n";
    let (toml, notes) = told("a.conf", supervisord);
    assert!(toml.contains("command = \"run\"\nargs = [\"$$HOME\", \"a|b\"]"), "{toml}");
    assert!(!toml.contains("stop = ") && !toml.contains("max_restarts"), "{toml}");
    assert!(notes.contains("\"GENTLY\" is not a signal") && notes.contains("\"-1\" is no number"), "{notes}");
    assert!(
        toml.contains("env = { A = \"1\" }") && notes.contains("the variable \"\" is left out"),
        "{toml}\n{notes}"
    );
    let unnamed = "services:\n  a:\n    build: .\n    command: run\n    environment: ['&', B]\n";
    let (toml, notes) = told("compose.yaml", unnamed);
    assert!(
        toml.contains("env = { B = \"${B:-}\" }") && notes.contains("`&` of `a` is not carried over"),
        "{toml}\n{notes}"
    );
    let group = "[program:a]\ncommand=run\n[group:shop]\nprograms=a,b\n";
    let (toml, notes) = told("a.conf", group);
    assert!(
        toml.contains("name = \"shop-stack\"") && toml.contains("[groups.shop]\nmembers = [\"a\"]"),
        "{toml}"
    );
    assert!(notes.contains("`b` of the group `shop` is not there"), "{notes}");
}

#[test]
fn shells_are_named() {
    let notes = |command: &str| told("Procfile", &format!("a: {command}\n")).1;
    for command in ["bash", "/bin/sh run.sh", "env A=1 zsh -l", "bash -c 'a && b'"] {
        assert!(notes(command).contains("line 1: `a` runs "), "{command}: {}", notes(command));
    }
    assert_eq!(notes("bash -c 'exec ./run --all'"), "");
}

#[test]
fn the_reason_why_a_script_is_left_out_is_the_true_one() {
    let notes = |scripts: &str| told("package.json", &format!("{{\"scripts\": {scripts}}}")).1;
    assert!(notes(r#"{"dev": "x", "start": "y"}"#).contains("`start` is left out: `dev` is there"));
    assert!(
        notes(r#"{"start": "y", "lint": "z"}"#)
            .starts_with("`lint` is left out: the script does not look like")
    );
}

#[test]
fn what_is_not_understood_is_said() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\nservices: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    for (name, text, wanted) in [
        ("Makefile", "", "Procfile"),
        ("ecosystem.json", "{", "not JSON"),
        ("x.conf", "[a]\n", "[program:NAME]"),
        ("ecosystem.config.js", "module.exports = {}", "JSON.stringify(require('./ecosystem.config.js'))"),
        ("compose.yml", "services: [", "not YAML"),
        ("compose.yml", "services:\n", "`services`"),
        ("x.yaml", "a: b\n", "`processes`"),
        ("x.yaml", "", "`processes`"),
        ("compose.yml", bomb, "not YAML"),
        ("compose.yml", &format!("services: {}", "[".repeat(100_000)), "not YAML"),
    ] {
        let why = import(name, text, Place::default()).unwrap_err().to_string();
        assert!(why.contains(wanted), "{name}: {why}");
    }
}

/// Pieces of compose files, right and wrong.
fn yaml() -> impl Strategy<Value = String> {
    let scalar = "[a-z0-9$\\{\\}:|&;'\"./ -]{0,16}";
    const FIELDS: &[&str] = &[
        "command",
        "entrypoint",
        "working_dir",
        "environment",
        "env_file",
        "depends_on",
        "healthcheck",
        "restart",
        "ports",
        "build",
        "image",
        "volumes",
        "availability",
        "readiness_probe",
        "shutdown",
        "stop_grace_period",
        "deploy",
    ];
    let field = (prop::sample::select(FIELDS), scalar, 0_u8..4).prop_map(|(name, value, form)| {
        let value = value.replace('\'', "''");
        match form {
            0 => format!("    {name}: '{value}'\n"),
            1 => format!("    {name}: ['{value}', b]\n"),
            2 => format!("    {name}: {{ '{value}': {{ condition: service_healthy }}, test: '{value}' }}\n"),
            _ => format!("    {name}:\n"),
        }
    });
    let process = ("[a-z_. ]{1,8}", prop::collection::hash_map(0_u8..20, field, 0..6))
        .prop_map(|(name, fields)| format!("  'p{name}':\n    labels: x\n{}", dedup(fields.into_values())));
    (any::<bool>(), prop::collection::vec(process, 0..4)).prop_map(|(compose, processes)| {
        let root = if compose { "services" } else { "processes" };
        format!("{root}:\n{}", dedup(processes.into_iter()))
    })
}

/// Without fields of the same name.
fn dedup(texts: impl Iterator<Item = String>) -> String {
    let mut seen = Vec::new();
    texts
        .filter(|text| {
            let name = text.split(':').next().unwrap_or_default().to_owned();
            let is_new = !seen.contains(&name);
            seen.push(name);
            is_new
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_can_be_read(text in yaml()) {
        if let Ok(imported) = import("compose.yaml", &text, PLACE) {
            let toml = imported.to_toml();
            prop_assert!(read(&toml).is_ok(), "{text}\n{toml}\n{:?}", read(&toml));
        }
    }

    #[test]
    fn whatever_a_procfile_says_can_be_read(text in "([a-z ]{0,4}:[ -~]{0,40}\n){0,5}") {
        let toml = import("Procfile", &text, PLACE).unwrap().to_toml();
        prop_assert!(read(&toml).is_ok(), "{text}\n{toml}\n{:?}", read(&toml));
    }

    #[test]
    fn nothing_panics(name in prop::sample::select(&["Procfile", "package.json", "a.json", "a.conf", "a.yaml"][..]), text in "\\PC{0,120}") {
        let _ = import(name, &text, PLACE).map(|imported| imported.to_toml());
    }
}
