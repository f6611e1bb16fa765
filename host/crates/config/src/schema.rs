//! The JSON schema of the file, for editors.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::settings::File;

/// What is a name, as [`hostler_model::ProcessName`] has it.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,63}$";

/// The schema, as `docs/hostler.schema.json` has it.
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<File>();
    schema.insert("title".to_owned(), Value::from("hostler.toml"));
    let mut schema = schema.to_value();
    // What types do not say: that a process has a command, and what names are.
    set(&mut schema, "/definitions/ProcessTable", "required", json!(["command"]));
    for named in ["processes", "groups"] {
        set(&mut schema, &format!("/properties/{named}"), "propertyNames", json!({ "pattern": NAME }));
    }
    set(&mut schema, "/properties/name", "pattern", NAME.into());
    schema
}

/// Sets a key of the schema that stands there.
fn set(schema: &mut Value, place: &str, key: &str, value: Value) {
    if let Some(found) = schema.pointer_mut(place).and_then(Value::as_object_mut) {
        found.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
