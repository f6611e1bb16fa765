//! Reading the arguments of a tool: lenient about spelling, strict about meaning.
//!
//! Models and shells write `"5"` for 5, `5.0` for 5, `null` for "not given". These are read as what they
//! mean, guided by the tool's own schema. What has no clear meaning is refused with the path of the field,
//! the bad value and what would be right; an unknown field with the nearest known one.

use hostler_model::nearest::nearest;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use crate::ToolError;

/// Reads arguments into their type.
///
/// # Errors
/// Names the field and what would be right.
pub fn read<T: DeserializeOwned>(
    tool: &str,
    schema: &Map<String, Value>,
    arguments: Map<String, Value>,
) -> Result<T, ToolError> {
    let mut value = Value::Object(arguments);
    coerce(&mut value, schema, "").map_err(|problem| ToolError::invalid(format!("{tool}: {problem}")))?;
    serde_json::from_value(value).map_err(|e| ToolError::invalid(format!("{tool}: {e}")))
}

fn coerce(value: &mut Value, schema: &Map<String, Value>, path: &str) -> Result<(), String> {
    if let Some(Value::Array(allowed)) = schema.get("enum") {
        return coerce_enum(value, allowed, path);
    }
    let wrong = match schema.get("type").and_then(Value::as_str) {
        Some("object") => return coerce_object(value, schema, path),
        Some("array") => return coerce_array(value, schema, path),
        Some("integer") => return coerce_integer(value, schema, path),
        Some("number") => !to_number(value),
        Some("boolean") => !to_boolean(value),
        Some("string") => !to_text(value),
        _ => false,
    };
    if wrong { Err(mismatch(path, value, type_name(schema))) } else { Ok(()) }
}

fn coerce_object(value: &mut Value, schema: &Map<String, Value>, path: &str) -> Result<(), String> {
    // Some clients send nested objects as JSON text.
    if let Value::String(text) = value
        && let Ok(parsed @ Value::Object(_)) = serde_json::from_str(text)
    {
        *value = parsed;
    }
    // A text where an object may have only one field that matters, if the tool says which.
    if let (Value::String(text), Some(Value::String(only))) = (&*value, schema.get("x-or-only")) {
        *value = Value::Object(Map::from_iter([(only.clone(), Value::String(text.clone()))]));
    }
    let Value::Object(fields) = value else {
        return Err(mismatch(path, value, &object_with(schema)));
    };
    fields.retain(|_, v| !v.is_null());
    let empty = Map::new();
    let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let extra = schema.get("additionalProperties");
    for (name, field) in fields.iter_mut() {
        let field_path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (known.get(name).and_then(Value::as_object), extra) {
            (Some(schema), _) => coerce(field, schema, &field_path)?,
            (None, Some(Value::Object(schema))) => coerce(field, schema, &field_path)?,
            (None, Some(Value::Bool(true)) | None) if known.is_empty() => {}
            (None, _) => return Err(unknown_field(name, path, known)),
        }
    }
    let missing = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|name| !fields.contains_key(*name));
    match missing {
        Some(name) => Err(missing_field(name, path, known)),
        None => Ok(()),
    }
}

fn coerce_array(value: &mut Value, schema: &Map<String, Value>, path: &str) -> Result<(), String> {
    if let Value::String(text) = value {
        *value = match serde_json::from_str(text) {
            Ok(parsed @ Value::Array(_)) => parsed,
            // One where several may stand, if the tool says that this is meant.
            _ if schema.get("x-or-one") == Some(&Value::Bool(true)) => {
                Value::Array(vec![Value::String(text.clone())])
            }
            _ => return Err(mismatch(path, value, &format!("an array, such as [{}]", shortened(value)))),
        };
    }
    let Value::Array(items) = value else {
        return Err(mismatch(path, value, "an array"));
    };
    if let Some(schema) = schema.get("items").and_then(Value::as_object) {
        for (at, item) in items.iter_mut().enumerate() {
            coerce(item, schema, &format!("{path}[{at}]"))?;
        }
    }
    Ok(())
}

fn coerce_enum(value: &mut Value, allowed: &[Value], path: &str) -> Result<(), String> {
    if allowed.contains(value) {
        return Ok(());
    }
    if let Value::String(text) = &*value {
        let normal = text.to_ascii_lowercase().replace('-', "_");
        if let Some(found) = allowed.iter().find(|a| a.as_str() == Some(&normal)) {
            *value = found.clone();
            return Ok(());
        }
    }
    let choices: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
    Err(mismatch(path, value, &format!("one of {}", choices.join(", "))))
}

fn coerce_integer(value: &mut Value, schema: &Map<String, Value>, path: &str) -> Result<(), String> {
    let Some(number) = whole_number(value) else {
        return Err(mismatch(path, value, "a whole number"));
    };
    let bound = |key| schema.get(key).and_then(Value::as_f64);
    if bound("minimum").is_some_and(|min| (number as f64) < min) {
        return Err(mismatch(path, value, &format!("at least {}", schema["minimum"])));
    }
    if bound("maximum").is_some_and(|max| number as f64 > max) {
        return Err(mismatch(path, value, &format!("at most {}", schema["maximum"])));
    }
    let number = if let Ok(n) = u64::try_from(number) {
        Number::from(n)
    } else {
        match i64::try_from(number) {
            Ok(n) => Number::from(n),
            Err(_) => return Err(mismatch(path, value, "a number of 64 bits")),
        }
    };
    *value = Value::Number(number);
    Ok(())
}

/// 5, 5.0, "5" and "5.0".
fn whole_number(value: &Value) -> Option<i128> {
    match value {
        Value::Number(n) => n
            .as_u64()
            .map(i128::from)
            .or_else(|| n.as_i64().map(i128::from))
            .or_else(|| n.as_f64().and_then(whole_float)),
        Value::String(text) => {
            let text = text.trim();
            text.parse::<i128>().ok().or_else(|| text.parse::<f64>().ok().and_then(whole_float))
        }
        _ => None,
    }
}

fn whole_float(f: f64) -> Option<i128> {
    // 2^53: beyond it a float no longer names one whole number.
    (f.fract() == 0.0 && f.abs() <= 9_007_199_254_740_992.0).then_some(f as i128)
}

fn to_number(value: &mut Value) -> bool {
    if let Value::String(text) = value
        && let Some(number) = text.trim().parse::<f64>().ok().and_then(Number::from_f64)
    {
        *value = Value::Number(number);
    }
    value.is_number()
}

fn to_boolean(value: &mut Value) -> bool {
    let meant = match value {
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => value.as_bool(),
    };
    if let Some(meant) = meant {
        *value = Value::Bool(meant);
    }
    meant.is_some()
}

fn to_text(value: &mut Value) -> bool {
    if let Value::Number(_) | Value::Bool(_) = value {
        *value = Value::String(value.to_string());
    }
    value.is_string()
}

fn type_name(schema: &Map<String, Value>) -> &'static str {
    match schema.get("type").and_then(Value::as_str) {
        Some("number") => "a number",
        Some("boolean") => "true or false",
        _ => "a text",
    }
}

/// An object, with the fields that it takes.
fn object_with(schema: &Map<String, Value>) -> String {
    match schema.get("properties").and_then(Value::as_object) {
        Some(known) if !known.is_empty() => format!("an object with {}", names(known)),
        _ => "an object".to_owned(),
    }
}

fn shortened(value: &Value) -> String {
    let shown = value.to_string();
    if shown.chars().count() > 60 { shown.chars().take(60).chain(['…']).collect() } else { shown }
}

fn mismatch(path: &str, value: &Value, wanted: &str) -> String {
    let shown = shortened(value);
    if path.is_empty() {
        return format!("the arguments must be {wanted}, not {shown}");
    }
    format!("`{path}` must be {wanted}, not {shown}")
}

fn unknown_field(name: &str, path: &str, known: &Map<String, Value>) -> String {
    let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
    let shown: String = name.chars().take(60).collect();
    match nearest(name, known.keys().map(String::as_str)) {
        Some(near) => format!("unknown argument `{shown}`{place}; did you mean `{near}`?"),
        None => format!("unknown argument `{shown}`{place}; it takes {}", names(known)),
    }
}

fn missing_field(name: &str, path: &str, known: &Map<String, Value>) -> String {
    let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
    let what = known
        .get(name)
        .and_then(|s| s.get("description"))
        .and_then(Value::as_str)
        .map(|d| format!(": {d}"))
        .unwrap_or_default();
    format!("the argument `{name}` is missing{place}{what}")
}

fn names(known: &Map<String, Value>) -> String {
    if known.is_empty() {
        return "no arguments".to_owned();
    }
    known.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
