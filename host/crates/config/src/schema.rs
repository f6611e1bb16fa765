//! The JSON schema of the file, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::settings::File;

/// The schema, as `docs/hostler.schema.json` has it.
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<File>();
    schema.insert("title".to_owned(), Value::from("hostler.toml"));
    schema.to_value()
}
