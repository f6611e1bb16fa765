#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use serde_json::json;

use super::*;
use crate::process::{RestartProcess, StartProcess, StartResult};

fn pointer<'a>(schema: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('/').unwrap();
    schema.get(first)?.pointer(&format!("/{rest}"))
}

#[test]
fn what_is_shown_is_a_part_of_what_checks() {
    /// Every key that is shown stands in the full schema with the same value.
    fn contained(shown: &Value, full: &Value) -> bool {
        match (shown, full) {
            (Value::Object(shown), Value::Object(full)) => {
                shown.iter().all(|(key, value)| full.get(key).is_some_and(|full| contained(value, full)))
            }
            _ => shown == full,
        }
    }
    let full = schema_of::<StartProcess>();
    let shown = shown(&full);
    assert!(contained(&Value::Object(shown.clone()), &Value::Object(full.clone())));
    let fields = |schema: &Map<String, Value>| -> Vec<String> {
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(fields(&shown), fields(&full), "no argument is kept secret");
    assert_eq!(shown["additionalProperties"], false);
    assert_eq!(pointer(&full, "properties/timeout_ms/minimum"), Some(&json!(0)));
    assert_eq!(pointer(&shown, "properties/timeout_ms/minimum"), None);
}

#[test]
fn a_description_is_given_once() {
    let mut said = Said::default();
    let mut start = shown(&schema_of::<StartProcess>());
    let before = start.clone();
    said.leave_out(&mut start);
    assert_eq!(start, before, "the first tool has all its descriptions");
    let mut restart = shown(&schema_of::<RestartProcess>());
    said.leave_out(&mut restart);
    assert_eq!(pointer(&restart, "properties/command"), Some(&json!({"type": "string"})));
    assert_eq!(
        pointer(&restart, "properties/limits/properties/memory_bytes"),
        Some(&json!({"type": "integer"}))
    );
    assert!(
        pointer(&restart, "properties/process/description").is_some(),
        "it is the first that has this one"
    );
}

#[test]
fn an_outline_has_the_outermost_fields() {
    let outline = outline(&schema_of::<StartResult>());
    assert_eq!(
        Value::Object(outline),
        json!({
            "type": "object",
            "properties": {
                "process": {"type": "object"},
                "done": {"type": "boolean"},
                "note": {"type": "string"},
                "evidence": {"type": "object"}
            },
            "required": ["process", "done"]
        })
    );
}
