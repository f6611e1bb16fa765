use super::*;
use hostler_plugin::{
    plugin::configure,
    severity,
    testing::{self, Event},
};

const PINO: &str = r#"{"level":30,"time":1777638600123,"pid":1,"hostname":"web","msg":"listening on :3000"}"#;
const BUNYAN: &str = r#"{"name":"app","hostname":"web","pid":1,"level":50,"msg":"boom","time":"2026-05-01T12:30:00.123Z","v":0}"#;
const ZAP: &str = r#"{"level":"warn","ts":1777638600.123,"caller":"app/main.go:12","msg":"slow","took":1.5}"#;
const LOGRUS: &str = r#"{"level":"error","msg":"no route","time":"2026-05-01T14:30:00+02:00"}"#;
const TRACING: &str = r#"{"timestamp":"2026-05-01T12:30:00.123456Z","level":"DEBUG","fields":{"message":"found","rows":3},"target":"app::db","span":{"id":7,"name":"query"}}"#;
const STRUCTLOG: &str =
    r#"{"event": "user logged in", "user": "ann", "level": "info", "timestamp": "2026-05-01T12:30:00Z"}"#;
const PYTHON: &str = r#"{"asctime": "2026-05-01 12:30:00,123", "levelname": "CRITICAL", "name": "root", "message": "out of disk"}"#;
const SERILOG: &str =
    r#"{"@t":"2026-05-01T12:30:00.1230000Z","@mt":"Hello {Name}","@l":"Warning","Name":"Ann"}"#;
const MONGO: &str = r#"{"t":{"$date":"2026-05-01T12:30:00.123+00:00"},"s":"E","c":"NETWORK","id":23,"ctx":"main","msg":"Waiting","attr":{"port":27017}}"#;
const ECS: &str =
    r#"{"@timestamp":"2026-05-01T12:30:00Z","log":{"level":"error"},"message":"boom","ecs.version":"1.6"}"#;
const GELF: &str = r#"{"version":"1.1","host":"web","short_message":"boom","level":3,"timestamp":1777638600.123,"_user":"ann"}"#;
const ESCAPED: &str =
    r#"  {"msg":"say \"hi\" \\","list":[1,{"a":"]"}],"none":null,"deep":{"a":{"b":true}}}  "#;
const SAMPLES: &[&str] =
    &[PINO, BUNYAN, ZAP, LOGRUS, TRACING, STRUCTLOG, PYTHON, SERILOG, MONGO, ECS, GELF, ESCAPED];

const SECOND: u64 = 1_777_638_600_000_000_000;
const MILLIS: u64 = SECOND + 123_000_000;

fn json(config: &str) -> Json {
    configure(config).unwrap()
}

fn only(line: &str) -> Event {
    let mut events = testing::parse(&mut json(""), &[line]);
    assert_eq!(events.len(), 1, "{line}");
    events.remove(0)
}

#[test]
fn finds_level_time_and_message_of_common_loggers() {
    let cases = [
        (PINO, severity::INFO, Some(MILLIS), "listening on :3000"),
        (BUNYAN, severity::ERROR, Some(MILLIS), "boom"),
        (ZAP, severity::WARN, Some(MILLIS), "slow"),
        (LOGRUS, severity::ERROR, Some(SECOND), "no route"),
        (TRACING, severity::DEBUG, Some(SECOND + 123_456_000), "found"),
        (STRUCTLOG, severity::INFO, Some(SECOND), "user logged in"),
        (PYTHON, severity::CRITICAL, None, "out of disk"),
        (SERILOG, severity::WARN, Some(MILLIS), "Hello {Name}"),
        (MONGO, severity::ERROR, Some(MILLIS), "Waiting"),
        (ECS, severity::ERROR, Some(SECOND), "boom"),
        (GELF, severity::ERROR, Some(MILLIS), "boom"),
    ];
    for (line, severity, unix_nanos, message) in cases {
        let event = only(line);
        assert_eq!(
            (event.severity, event.unix_nanos, &*event.message),
            (severity, unix_nanos, message),
            "{line}"
        );
    }
}

#[test]
fn the_rest_are_fields() {
    assert_eq!(only(ZAP).fields, [("caller", "app/main.go:12"), ("took", "1.5")].map(owned));
    let tracing = [("rows", "3"), ("target", "app::db"), ("span.id", "7"), ("span.name", "query")];
    assert_eq!(only(TRACING).fields, tracing.map(owned));
    // A local time cannot be told without its zone, and stays a field.
    assert_eq!(only(PYTHON).field("asctime"), Some("2026-05-01 12:30:00,123"));
    let escaped = only(ESCAPED);
    assert_eq!(escaped.message, r#"say \"hi\" \\"#);
    assert_eq!(escaped.fields, [("list", r#"[1,{"a":"]"}]"#), ("deep.a.b", "true")].map(owned));
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn a_better_message_replaces_an_event() {
    let event = only(r#"{"event":"login","message":"Ann came"}"#);
    assert_eq!((&*event.message, event.field("event")), ("Ann came", Some("login")));
    let event = only(r#"{"message":"Ann came","event":"login"}"#);
    assert_eq!((&*event.message, event.field("event")), ("Ann came", Some("login")));
}

#[test]
fn names_and_zone_can_be_configured() {
    let config = r#"{"time_keys": ["when"], "level_keys": ["meta.grade"], "message_keys": ["what"], "utc_offset": "+02:00"}"#;
    let line = r#"{"when":"2026-05-01 14:30:00","what":"boom","meta":{"grade":"error"}}"#;
    let event = &testing::parse(&mut json(config), &[line])[0];
    assert_eq!((event.severity, event.unix_nanos, &*event.message), (severity::ERROR, Some(SECOND), "boom"));
    assert!(event.fields.is_empty());
}

#[test]
fn leaves_to_others_what_is_no_object() {
    let lines = [
        "",
        "hello",
        "[1]",
        "3",
        "{",
        "{}x",
        r#"{"a":}"#,
        r#"{"a" 1}"#,
        r#"{"a":1,}"#,
        r#"{"a":"b}"#,
        "{a:1}",
    ];
    assert!(testing::parse(&mut json(""), &lines).is_empty());
    assert_eq!(only("{}").message, "{}");
}

#[test]
fn deep_nesting_neither_breaks_nor_hides_it() {
    let line = format!("{}1{}", r#"{"a":"#.repeat(500), "}".repeat(500));
    let event = only(&line);
    assert_eq!(event.fields[0].0, "a.a.a.a.a.a.a");
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Json>();
}

#[test]
fn survives_damage() {
    testing::torture(&mut json(""), SAMPLES);
}
