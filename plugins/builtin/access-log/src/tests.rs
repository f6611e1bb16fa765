use super::*;
use hostler_plugin::{plugin::configure, testing};

const SAMPLES: &[&str] = &[
    r#"127.0.0.1 - frank [01/May/2026:14:30:00 +0200] "GET /apache_pb.gif HTTP/1.0" 200 2326"#,
    r#"10.0.0.1 - - [01/May/2026:12:30:00 +0000] "POST /login?next=%2F HTTP/1.1" 503 - "https://web/\"x\"" "Mozilla/5.0 (X11)" "1.2.3.4""#,
    r#"::1 - - [01/May/2026:12:30:00 +0000] "\x16\x03\x01" 400 150 "-" "-""#,
    r#"2026/05/01 12:30:00 [error] 31#32: *7 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1, server: web, request: "GET / HTTP/1.1", upstream: "http://127.0.0.1:3000/", host: "web""#,
    "2026/05/01 12:30:00 [notice] 1#1: start worker processes",
];

fn parse(config: &str, lines: &[&str]) -> Vec<testing::Event> {
    testing::parse(&mut configure::<AccessLog>(config).unwrap(), lines)
}

#[test]
fn reads_requests() {
    let events = parse("", SAMPLES);
    let found: Vec<_> = events.iter().map(|e| (e.severity, e.unix_nanos.is_some(), &*e.message)).collect();
    let expected = [
        (severity::INFO, true, "GET /apache_pb.gif HTTP/1.0"),
        (severity::ERROR, true, "POST /login?next=%2F HTTP/1.1"),
        (severity::WARN, true, r"\x16\x03\x01"),
        (severity::ERROR, false, "connect() failed (111: Connection refused) while connecting to upstream"),
        (severity::NOTICE, false, "start worker processes"),
    ];
    assert_eq!(found, expected);
    let fields = |i: usize| events[i].fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
    assert_eq!(
        fields(0),
        [
            "client=127.0.0.1",
            "user=frank",
            "method=GET",
            "path=/apache_pb.gif",
            "protocol=HTTP/1.0",
            "status=200",
            "bytes=2326"
        ]
    );
    assert_eq!(events[0].unix_nanos, Some(1_777_638_600_000_000_000));
    assert_eq!(events[1].field("referer"), Some(r#"https://web/\"x\""#));
    assert_eq!(events[1].field("user_agent"), Some("Mozilla/5.0 (X11)"));
    assert_eq!(fields(2), ["client=::1", "status=400", "bytes=150"]);
    assert_eq!(
        fields(3),
        [
            "pid=31",
            "connection=7",
            "client=10.0.0.1",
            "server=web",
            "request=GET / HTTP/1.1",
            "upstream=http://127.0.0.1:3000/",
            "host=web"
        ]
    );
}

#[test]
fn leaves_other_lines_to_others() {
    let lines = [
        "",
        "hello",
        "a b c [x] \"y\" 200",
        "2026/05/01 12:30:00 listening",
        "1.1.1.1 - - [01/May/2026:12:30:00 +0000] \"GET / 200",
    ];
    assert_eq!(parse("", &lines), []);
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<AccessLog>();
}

#[test]
fn survives_damage() {
    testing::torture(&mut configure::<AccessLog>("").unwrap(), SAMPLES);
}
