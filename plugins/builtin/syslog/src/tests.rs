use super::*;
use hostler_plugin::{plugin::configure, testing};

const SAMPLES: &[&str] = &[
    "<165>1 2026-05-01T12:30:00.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"App \\\"x\\\"\"][b c=\"d\"] \u{feff}An application event",
    "<34>1 2026-05-01T12:30:00Z host su 77 - - 'su root' failed",
    "<34>1 - - - - - -",
    "<34>May  1 12:30:00 mymachine su[42]: 'su root' failed for lonvick",
    "May  1 12:30:00 web sshd: error: no key",
    "2026-05-01T12:30:00.123456+02:00 web systemd[1]: Started it.",
];

fn parse(config: &str, lines: &[&str]) -> Vec<testing::Event> {
    testing::parse(&mut configure::<Syslog>(config).unwrap(), lines)
}

#[test]
fn reads_both_formats() {
    let events = parse("", SAMPLES);
    let found: Vec<_> = events.iter().map(|e| (e.severity, e.unix_nanos.is_some(), &*e.message)).collect();
    let expected = [
        (severity::NOTICE, true, "An application event"),
        (severity::CRITICAL, true, "'su root' failed"),
        (severity::CRITICAL, false, ""),
        (severity::CRITICAL, false, "'su root' failed for lonvick"),
        (severity::ERROR, false, "error: no key"),
        (severity::UNKNOWN, true, "Started it."),
    ];
    assert_eq!(found, expected);
    let fields = |i: usize| events[i].fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
    assert_eq!(
        fields(0),
        [
            "host=mymachine.example.com",
            "app=evntslog",
            "message_id=ID47",
            "iut=3",
            "eventSource=App \\\"x\\\"",
            "c=d"
        ]
    );
    assert_eq!(fields(3), ["host=mymachine", "app=su", "pid=42"]);
    assert_eq!(fields(4), ["host=web", "app=sshd"]);
}

#[test]
fn a_zone_can_be_configured() {
    let events = parse(r#"{"utc_offset": "Z"}"#, &SAMPLES[3..5]);
    assert!(events.iter().all(|event| event.unix_nanos.is_some()));
}

#[test]
fn leaves_other_lines_to_others() {
    let lines = [
        "",
        "<34>",
        "<999>1 - - - - - -",
        "<34>1 yesterday - - - - -",
        "<p>text</p>",
        "May  1 12:30:00 only",
        "2026-05-01 12:30:00 INFO ready",
    ];
    assert_eq!(parse("", &lines), []);
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Syslog>();
}

#[test]
fn survives_damage() {
    testing::torture(&mut configure::<Syslog>("").unwrap(), SAMPLES);
}
