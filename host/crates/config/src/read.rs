//! From text to a stack.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, ValueDeserializer};

use crate::interpolate::{self, interpolate};
use crate::mistake::Mistake;
use crate::places::Places;
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

/// The names that a file asks for and that nothing sets: neither these, nor its own `[env]`, nor a default.
#[must_use]
pub fn unset_variables(text: &str, set: &BTreeMap<String, String>) -> BTreeSet<String> {
    let Ok(table) = DeTable::parse(text) else { return BTreeSet::new() };
    let env = table.get_ref().get("env").and_then(|env| env.get_ref().as_table());
    let is_set = |name: &str| set.contains_key(name) || env.is_some_and(|env| env.contains_key(name));
    let asked = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let names = asked.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    names.filter(|name| !name.is_empty() && !is_set(name)).map(str::to_owned).collect()
}

/// The plugins that a file declares, whatever else in it asks for variables that are not set.
///
/// # Errors
/// When it is no TOML, or a plugin asks for such a variable.
pub fn plugins(
    text: &str,
    variables: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, toml::Table>, Mistake> {
    let mut table = DeTable::parse(text).map_err(|e| Mistake::of(text, &e))?;
    let mut all = variables.clone();
    for (name, value) in strings_of_env(table.get_ref()) {
        // What cannot be said of a variable matters to who asks for it.
        all.extend(interpolate(value.get_ref().as_str().unwrap_or_default(), variables).map(|v| (name, v)));
    }
    let Some(mut plugins) = table.get_mut().remove("plugins") else { return Ok(BTreeMap::new()) };
    interpolate::value(text, &mut plugins, &all)?;
    BTreeMap::deserialize(ValueDeserializer::from(plugins)).map_err(|e| Mistake::of(text, &e))
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
    let places = Places::of(text, table.get_ref());
    interpolate::table(text, table.get_mut(), &variables)?;
    let mut file = File::deserialize(Deserializer::from(table)).map_err(|e| Mistake::of(text, &e))?;
    file.env_profile = profile.map(str::to_owned).or(file.env_profile);
    resolve(text, dir, file, places)
}

/// The variables with those of `[env]`.
fn with_env(
    text: &str,
    table: &DeTable<'_>,
    variables: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Mistake> {
    let mut all = variables.clone();
    for (name, value) in strings_of_env(table) {
        let string = value.get_ref().as_str().unwrap_or_default();
        let value = interpolate(string, variables).map_err(|why| Mistake::at(text, value.span(), why))?;
        all.insert(name, value);
    }
    Ok(all)
}

fn strings_of_env<'a, 'i>(
    table: &'a DeTable<'i>,
) -> impl Iterator<Item = (String, &'a Spanned<DeValue<'i>>)> {
    let env = table.get("env").and_then(|env| env.get_ref().as_table());
    let strings = env.into_iter().flat_map(|env| env.iter()).filter(|(_, value)| value.get_ref().is_str());
    strings.map(|(name, value)| (name.get_ref().to_string(), value))
}
