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

fn imported(name: &str, text: &str) -> String {
    let toml = import(name, text, true).unwrap().to_toml();
    let stack = read(&toml).unwrap_or_else(|why| panic!("{toml}\n{why}"));
    assert!(!stack.processes.is_empty());
    toml
}

#[test]
fn a_procfile() {
    insta::assert_snapshot!(imported("Procfile.dev", include_str!("fixtures/Procfile.dev")));
}

#[test]
fn docker_compose() {
    insta::assert_snapshot!(imported("compose.yaml", include_str!("fixtures/compose.yaml")));
}

#[test]
fn process_compose() {
    insta::assert_snapshot!(imported("process-compose.yaml", include_str!("fixtures/process-compose.yaml")));
}

#[test]
fn a_supervisord_conf() {
    insta::assert_snapshot!(imported("supervisord.conf", include_str!("fixtures/supervisord.conf")));
}

#[test]
fn a_pm2_ecosystem() {
    insta::assert_snapshot!(imported(
        "ecosystem.config.json",
        include_str!("fixtures/ecosystem.config.json")
    ));
}

#[test]
fn package_scripts() {
    insta::assert_snapshot!(imported("package.json", include_str!("fixtures/package.json")));
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
        let why = import(name, text, false).unwrap_err().to_string();
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
        if let Ok(imported) = import("compose.yaml", &text, false) {
            let toml = imported.to_toml();
            prop_assert!(read(&toml).is_ok(), "{text}\n{toml}\n{:?}", read(&toml));
        }
    }

    #[test]
    fn whatever_a_procfile_says_can_be_read(text in "([a-z ]{0,4}:[ -~]{0,40}\n){0,5}") {
        let toml = import("Procfile", &text, true).unwrap().to_toml();
        prop_assert!(read(&toml).is_ok(), "{text}\n{toml}\n{:?}", read(&toml));
    }

    #[test]
    fn nothing_panics(name in prop::sample::select(&["Procfile", "package.json", "a.json", "a.conf", "a.yaml"][..]), text in "\\PC{0,120}") {
        let _ = import(name, &text, true).map(|imported| imported.to_toml());
    }
}
