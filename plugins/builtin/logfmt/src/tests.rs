use super::*;
use hostler_plugin::{plugin::configure, testing};

const SAMPLES: &[&str] = &[
    r#"time="2026-05-01T12:30:00Z" level=error msg="no \"route\" to host" host=db took=12ms"#,
    "at=info method=GET path=/ host=web.example.com fwd=\"1.2.3.4\" dyno=web.1 status=200",
    "ts=1777638600.25 caller=main.go:12 level=warn msg=slow empty=",
    "time=2026-05-01T12:30:00.000+02:00 level=INFO msg=started request.id=7",
];

fn parse(lines: &[&str]) -> Vec<testing::Event> {
    testing::parse(&mut configure::<Logfmt>("").unwrap(), lines)
}

#[test]
fn reads_pairs() {
    const SECOND: u64 = 1_777_638_600_000_000_000;
    let events = parse(SAMPLES);
    let found: Vec<_> = events.iter().map(|e| (e.severity, e.unix_nanos, e.fields.len())).collect();
    let expected = [
        (severity::ERROR, Some(SECOND), 2),
        (severity::INFO, None, 6),
        (severity::WARN, Some(SECOND + 250_000_000), 2),
        (severity::INFO, Some(SECOND - 7_200_000_000_000), 1),
    ];
    assert_eq!(found, expected);
    assert_eq!(events[0].message, r#"no \"route\" to host"#);
    assert_eq!(events[1].field("fwd"), Some("1.2.3.4"));
    assert_eq!((&*events[2].message, events[2].field("empty")), ("slow", Some("")));
}

#[test]
fn leaves_other_lines_to_others() {
    let lines = [
        "",
        "a=1",
        "hello",
        "GET /?a=1 b=2",
        "level=info and more",
        "msg=\"open",
        "a=\"b\"c d=1",
        "=1 b=2",
        "{\"a\"=1}",
    ];
    assert_eq!(parse(&lines), []);
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Logfmt>();
}

#[test]
fn survives_damage() {
    testing::torture(&mut configure::<Logfmt>("").unwrap(), SAMPLES);
}
