//! JSON schemas as MCP clients can use them: one object, nothing to resolve, no nulls.

use std::collections::HashSet;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

/// The schema of an argument or result type.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(simplify).transform(&mut schema);
    let mut root = schema.as_object().cloned().unwrap_or_default();
    root.remove("title");
    root.remove("description");
    root.insert("additionalProperties".to_owned(), Value::Bool(false));
    root
}

/// A schema of arguments as clients see it. Shorter than the one that checks them, and nothing in it is wrong: that a
/// count is not negative, and that nested objects take no other fields, is said when somebody errs.
#[must_use]
pub fn shown(full: &Map<String, Value>) -> Map<String, Value> {
    let mut schema = Schema::from(full.clone());
    transform_subschemas(&mut RecursiveTransform(shorten), &mut schema);
    schema.as_object().cloned().unwrap_or_default()
}

fn shorten(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.get("minimum") == Some(&Value::from(0)) {
        object.remove("minimum");
    }
    if object.get("additionalProperties").is_some_and(Value::is_boolean) {
        object.remove("additionalProperties");
    }
    // How leniently it is read is said in words.
    object.remove("x-or-one");
    object.remove("x-or-only");
    // What the items are, the description of their list says.
    if let Some(Value::Object(items)) = object.get_mut("items") {
        items.remove("description");
    }
}

/// The outermost fields of a result: enough to know what to look for. The same views come back from many tools, and
/// every client pays for the whole list at each connection.
#[must_use]
pub fn outline(full: &Map<String, Value>) -> Map<String, Value> {
    let kind = |field: &Value| {
        field.get("type").map_or_else(Map::new, |kind| Map::from_iter([("type".to_owned(), kind.clone())]))
    };
    let mut outline = full.clone();
    outline.remove("additionalProperties");
    if let Some(Value::Object(fields)) = outline.get_mut("properties") {
        for field in fields.values_mut() {
            *field = Value::Object(kind(field));
        }
    }
    outline
}

/// What was said of arguments so far. Many tools take the same ones, and one explanation of each does for a whole list.
#[derive(Debug, Default)]
pub struct Said(HashSet<(String, String)>);

impl Said {
    /// Removes descriptions that were given before to a field of the same name.
    pub fn leave_out(&mut self, schema: &mut Map<String, Value>) {
        if let Some(Value::Object(fields)) = schema.get_mut("properties") {
            for (name, field) in fields {
                let Some(field) = field.as_object_mut() else { continue };
                if let Some(Value::String(text)) = field.get("description")
                    && !self.0.insert((name.clone(), text.clone()))
                {
                    field.remove("description");
                }
                self.leave_out(field);
            }
        }
        if let Some(Value::Object(items)) = schema.get_mut("items") {
            self.leave_out(items);
        }
    }
}

/// Makes optional fields plain ones: `["integer", "null"]` confuses models and some clients, and a field
/// that may be left out is already optional. Enumerations become plain lists of strings.
fn simplify(schema: &mut Schema) {
    transform_subschemas(&mut RecursiveTransform(simplify), schema);
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    drop_null_type(object);
    collapse_nullable_any_of(object);
    collapse_constants(object);
    object.remove("format");
    if matches!(object.get("default"), Some(Value::Null | Value::Bool(false))) {
        object.remove("default");
    }
}

fn drop_null_type(object: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = object.get_mut("type") else {
        return;
    };
    types.retain(|t| t != "null");
    if let [only] = types.as_slice() {
        let only = only.clone();
        object.insert("type".to_owned(), only);
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|v| !v.is_null());
    }
}

fn collapse_nullable_any_of(object: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = object.get("anyOf") else {
        return;
    };
    let mut real = branches.iter().filter(|b| b.get("type") != Some(&Value::from("null")));
    let (Some(Value::Object(only)), None) = (real.next(), real.next()) else {
        return;
    };
    let only = only.clone();
    object.remove("anyOf");
    for (key, value) in only {
        // The field's own description is nearer to the point than its type's.
        object.entry(key).or_insert(value);
    }
}

/// `oneOf` of described constants becomes one `enum`.
fn collapse_constants(object: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = object.get("oneOf") else {
        return;
    };
    let values: Option<Vec<Value>> = branches
        .iter()
        .map(|b| match (b.get("const"), b.get("enum")) {
            (Some(value), _) => Some(vec![value.clone()]),
            (None, Some(Value::Array(values))) => Some(values.clone()),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()
        .map(|lists| lists.concat());
    if let Some(values) = values {
        object.remove("oneOf");
        object.insert("type".to_owned(), Value::from("string"));
        object.insert("enum".to_owned(), Value::Array(values));
    }
}

#[cfg(test)]
mod tests;
