use super::*;
use expect::Seen;
use hostler_plugin::{Status, plugin::configure, testing};

fn http(config: &str) -> Http {
    configure(config).unwrap()
}

fn refusal(config: &str) -> String {
    match configure::<Http>(config) {
        Err(Error::InvalidConfig(why)) => why,
        _ => panic!("{config} was taken"),
    }
}

fn seen<'a>(status: u16, headers: &'a [(String, String)], body: &'a str) -> Seen<'a> {
    Seen { status, headers, body: body.as_bytes(), elapsed_ms: 12.0 }
}

#[test]
fn splits_urls() {
    let split = |url| split_url(url).map(|(authority, path)| format!("{authority} {path}"));
    assert_eq!(
        split("http://localhost:8080/health?deep=1#x").as_deref(),
        Ok("localhost:8080 /health?deep=1")
    );
    assert_eq!(split("http://[::1]").as_deref(), Ok("[::1] /"));
    assert_eq!(split("http://web?x").as_deref(), Ok("web /?x"));
}

#[test]
fn says_what_is_wrong_with_a_configuration() {
    assert!(refusal(r#"{"url": "https://web/"}"#).contains("no TLS"));
    assert!(refusal(r#"{"url": "web:80"}"#).contains("http://"));
    assert!(refusal(r#"{"url": "http://:80"}"#).contains("localhost:8080"));
    assert!(refusal(r#"{"url": "http://ann:secret@web"}"#).contains("Authorization"));
    assert!(refusal(r#"{"url": "http://web", "status": "2xx"}"#).contains("200-299"));
    assert!(refusal("{}").contains("missing field `url`"));
}

#[test]
fn judges_status_headers_body_and_time() {
    let check = http(
        r#"{"url": "http://web/health", "status": "200,204", "body_contains": "ok", "body_lacks": "degraded",
            "expect_headers": {"Content-Type": "json"}, "degraded_ms": 100}"#,
    );
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    let good = check.report(&seen(200, &json, "ok"));
    assert_eq!((good.status, &*good.message), (Status::Healthy, "GET /health answered 200 in 12 ms"));
    assert_eq!(good.metrics.len(), 2);

    let cases = [
        (seen(503, &json, "ok"), "GET /health answered 503 in 12 ms: expected 200,204"),
        (seen(200, &[], "ok"), "GET /health answered 200 in 12 ms: no header Content-Type with \"json\""),
        (seen(200, &json, "no"), "GET /health answered 200 in 12 ms: no \"ok\" in it"),
        (seen(200, &json, "ok, degraded"), "GET /health answered 200 in 12 ms: \"degraded\" in it"),
    ];
    for (answer, message) in cases {
        let report = check.report(&answer);
        assert_eq!((report.status, &*report.message), (Status::Unhealthy, message));
    }
    let slow = check.report(&Seen { elapsed_ms: 250.0, ..seen(200, &json, "ok") });
    assert_eq!(
        (slow.status, &*slow.message),
        (Status::Degraded, "GET /health answered 200 in 250 ms, which is slow")
    );
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Http>();
}
