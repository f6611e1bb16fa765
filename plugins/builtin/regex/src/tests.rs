use super::*;
use hostler_plugin::{plugin::configure, testing};

const CONFIG: &str = r#"{
    "patterns": [
        "^(?<time>\\S+) \\[(?<level>\\w+)\\] (?<message>.*) user=(?<user>\\S*)( took=(?<took>\\d+))?$",
        "^(?P<level>[DIWE])/(?P<tag>\\w+): (?P<message>.*)$"
    ],
    "utc_offset": "+00:00"
}"#;
const SAMPLES: &[&str] = &["2026-05-01T12:30:00 [warn] slow answer user=ann took=12", "E/net: lost", "plain"];

#[test]
fn named_groups_become_what_they_say() {
    let events = testing::parse(&mut configure::<ByRegex>(CONFIG).unwrap(), SAMPLES);
    assert_eq!(events.len(), 2);
    let first = &events[0];
    assert_eq!((first.severity, &*first.message), (severity::WARN, "slow answer"));
    assert_eq!(first.unix_nanos, Some(1_777_638_600_000_000_000));
    assert_eq!((first.field("user"), first.field("took")), (Some("ann"), Some("12")));
    assert_eq!((events[1].severity, events[1].field("tag")), (severity::ERROR, Some("net")));
}

#[test]
fn a_bad_expression_is_named() {
    for (config, part) in
        [(r#"{"patterns": ["(a"]}"#, "\"(a\""), (r#"{"patterns": []}"#, "at least one"), ("{}", "patterns")]
    {
        match configure::<ByRegex>(config) {
            Err(Error::InvalidConfig(why)) => assert!(why.contains(part), "{why}"),
            _ => panic!("{config} was taken"),
        }
    }
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<ByRegex>();
}

#[test]
fn survives_damage() {
    testing::torture(&mut configure::<ByRegex>(CONFIG).unwrap(), SAMPLES);
}
