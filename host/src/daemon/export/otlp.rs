//! The JSON encoding of OTLP logs: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>. Pure.
//!
//! Attributes have the names of the semantic conventions; those that these do not have begin with `hostler.`. Run and
//! number tell each record from all others of its process.

use hostler_model::Stream;
use serde_json::{Value, json};

use super::records::Record;

/// Whose records they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) project: String,
    pub(super) process: String,
    pub(super) host: String,
    pub(super) run: u32,
}

/// The body of a request with the records of one run.
pub(super) fn request(source: &Source, records: &[Record]) -> Value {
    let resource = [
        ("service.name", json!(source.process)),
        ("service.namespace", json!(source.project)),
        ("host.name", json!(source.host)),
    ];
    json!({"resourceLogs": [{
        "resource": {"attributes": resource.map(|(key, value)| text(key, &value))},
        "scopeLogs": [{
            "scope": {"name": "hostler", "version": env!("CARGO_PKG_VERSION")},
            "logRecords": records.iter().map(|record| encode(source, record)).collect::<Vec<_>>(),
        }],
    }]})
}

fn encode(source: &Source, record: &Record) -> Value {
    let stream = match record.stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    let mut attributes = vec![
        text("log.iostream", &json!(stream)),
        number("hostler.run", u64::from(source.run)),
        number("hostler.seq", record.seq),
    ];
    attributes.extend(record.fields.iter().map(|(name, value)| text(name, &json!(value))));
    let mut encoded = json!({
        "timeUnixNano": record.time.unwrap_or(record.observed).0.max(0).to_string(),
        "observedTimeUnixNano": record.observed.0.max(0).to_string(),
        "body": {"stringValue": record.body},
        "attributes": attributes,
    });
    if record.severity.number() > 0 {
        encoded["severityNumber"] = record.severity.number().into();
        encoded["severityText"] = record.severity.name().to_uppercase().into();
    }
    encoded
}

fn text(key: &str, value: &Value) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// 64-bit numbers are strings in this encoding.
fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// How many records a collector says that it refused, and why, although it took the request.
pub(super) fn refused(answer: &[u8]) -> Option<(u64, String)> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let partial = answer.get("partialSuccess")?;
    let count = &partial["rejectedLogRecords"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).filter(|count| *count > 0)?;
    Some((count, partial["errorMessage"].as_str().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use hostler_model::Timestamp;
    use hostler_model::event::Severity;

    use super::*;

    #[test]
    fn a_record_is_what_the_specification_says() {
        let source = Source { project: "shop".into(), process: "web".into(), host: "box".into(), run: 3 };
        let record = Record {
            seq: 7,
            stream: Stream::Stderr,
            observed: Timestamp(2_000),
            time: Some(Timestamp(1_000)),
            severity: Severity::WARN,
            body: "slow".into(),
            fields: vec![("port".into(), "80".into())],
        };
        let sent = request(&source, &[record]);
        let resource = &sent["resourceLogs"][0]["resource"]["attributes"];
        assert_eq!(resource[0], json!({"key": "service.name", "value": {"stringValue": "web"}}));
        let expected = json!({
            "timeUnixNano": "1000", "observedTimeUnixNano": "2000", "severityNumber": 13, "severityText": "WARN",
            "body": {"stringValue": "slow"},
            "attributes": [
                {"key": "log.iostream", "value": {"stringValue": "stderr"}},
                {"key": "hostler.run", "value": {"intValue": "3"}},
                {"key": "hostler.seq", "value": {"intValue": "7"}},
                {"key": "port", "value": {"stringValue": "80"}},
            ],
        });
        assert_eq!(sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0], expected);
    }

    #[test]
    fn a_partial_success_is_understood() {
        let told = refused(br#"{"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "too old"}}"#);
        assert_eq!(told, Some((2, "too old".to_owned())));
        for answer in
            ["", "{}", r#"{"partialSuccess": {}}"#, r#"{"partialSuccess": {"rejectedLogRecords": 0}}"#]
        {
            assert_eq!(refused(answer.as_bytes()), None, "{answer}");
        }
    }
}
