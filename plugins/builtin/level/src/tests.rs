use super::*;
use hostler_plugin::{plugin::configure, severity, testing};

const SAMPLES: &[&str] = &[
    "2026-05-01 12:30:00,123 - app.db - ERROR - lost the connection",
    "\x1b[2m2026-05-01T12:30:00.000000Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mapp\x1b[0m\x1b[2m:\x1b[0m listening",
    "I0501 12:30:00.123456   12345 main.go:12] started",
    "1:M 01 May 2026 12:30:00.123 * Ready to accept connections",
    "E, [2026-05-01T12:30:00.123456 #1234] ERROR -- : boom",
    "web-1  | [12:30:00 WRN] slow",
    "May  1 12:30:00 web app[12]: error: lost",
];

#[test]
fn rows_have_level_time_and_message() {
    let mut level: Level = configure(r#"{"utc_offset": "Z"}"#).unwrap();
    let events = testing::parse(&mut level, SAMPLES);
    let found: Vec<_> = events.iter().map(|e| (e.severity, e.unix_nanos.is_some(), &*e.message)).collect();
    let expected = [
        (severity::ERROR, true, "lost the connection"),
        (severity::INFO, true, "app\x1b[0m\x1b[2m:\x1b[0m listening"),
        (severity::INFO, false, "started"),
        (severity::NOTICE, true, "Ready to accept connections"),
        (severity::ERROR, false, "[2026-05-01T12:30:00.123456 #1234] ERROR -- : boom"),
        (severity::WARN, false, "slow"),
        (severity::ERROR, true, "lost"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_time_without_zone_is_left_out_by_default() {
    let mut level: Level = configure("").unwrap();
    let events = testing::parse(
        &mut level,
        &["2026-05-01 12:30:00 INFO here", "2026-05-01T12:30:00Z INFO there", "prose"],
    );
    let times: Vec<_> = events.iter().map(|e| e.unix_nanos).collect();
    assert_eq!(times, [None, Some(1_777_638_600_000_000_000)]);
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Level>();
}

#[test]
fn survives_damage() {
    testing::torture(&mut configure::<Level>("").unwrap(), SAMPLES);
}
