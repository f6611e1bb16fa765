//! Reads a configuration: JSON into a typed value. Smaller in a component than `serde_json` by more than half of the
//! whole, and an error names the key and the value, as the host shows it to whoever wrote them.

mod de;
mod value;

use serde::de::DeserializeOwned;
use value::Value;

/// Reads a value from JSON text. The error says where it is wrong and what was expected.
pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let value = Value::read(json)?;
    T::deserialize(&value).map_err(de::Refusal::into_text)
}

#[cfg(test)]
mod tests;
