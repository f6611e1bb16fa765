//! From text to a stack.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::interpolate::{self, interpolate};
use crate::mistake::Mistake;
use crate::settings::File;
use crate::stack::{Stack, resolve};

/// The `env_profile` of a file: it decides which variables [`read`] is to be given.
///
/// # Errors
/// When the text is no TOML.
pub fn env_profile(text: &str) -> Result<Option<String>, Mistake> {
    let table = DeTable::parse(text).map_err(|e| Mistake::of(text, &e))?;
    let profile = table.get_ref().get("env_profile").map(|value| value.get_ref());
    Ok(profile.and_then(DeValue::as_str).map(str::to_owned))
}

/// The names that a file asks for as `${NAME}`; comments that look like it count.
#[must_use]
pub fn variables(text: &str) -> BTreeSet<&str> {
    let rests = text.split("${").skip(1);
    let names =
        rests.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or(""));
    names.filter(|name| !name.is_empty()).collect()
}

/// Reads a file. `dir` is where it stands, `variables` is what `${NAME}` may mean; the file's own `[env]` comes on top.
/// A `profile` counts in place of the file's own.
///
/// # Errors
/// The first mistake, with its place and what would be right.
pub fn read(
    text: &str,
    dir: &str,
    profile: Option<&str>,
    variables: &BTreeMap<String, String>,
) -> Result<Stack, Mistake> {
    let mut table = DeTable::parse(text).map_err(|e| Mistake::of(text, &e))?;
    let variables = with_env(text, table.get_ref(), variables)?;
    interpolate::table(text, table.get_mut(), &variables)?;
    let mut file = File::deserialize(Deserializer::from(table)).map_err(|e| Mistake::of(text, &e))?;
    file.env_profile = profile.map(str::to_owned).or(file.env_profile);
    resolve(text, dir, file)
}

/// The variables with those of `[env]`.
fn with_env(
    text: &str,
    table: &DeTable<'_>,
    variables: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Mistake> {
    let mut all = variables.clone();
    let Some(DeValue::Table(env)) = table.get("env").map(Spanned::get_ref) else { return Ok(all) };
    for (name, value) in env.iter() {
        if let DeValue::String(string) = value.get_ref() {
            let value = interpolate(string, variables).map_err(|why| Mistake::at(text, value.span(), why))?;
            all.insert(name.get_ref().to_string(), value);
        }
    }
    Ok(all)
}
