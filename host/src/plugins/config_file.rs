//! Writes a declaration into the user's configuration and leaves everything else there as it is, comments included.

use std::io::Write;
use std::path::Path;

use hostler_api::{ErrorKind, ToolError};
use hostler_plugin_host::Grants;
use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

use super::source::Source;
use crate::daemon::config::Config;

/// A plugin to declare.
pub(crate) struct NewDeclaration<'a> {
    /// By what processes name it.
    pub(crate) name: &'a str,
    /// The component.
    pub(crate) source: &'a Source,
    /// Its digest.
    pub(crate) sha256: &'a str,
    /// What it may do.
    pub(crate) grants: &'a Grants,
    /// Its configuration.
    pub(crate) config: &'a Map<String, Value>,
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is new.
    New,
    /// The same source was declared already; its digest, and what was given, are new.
    Updated,
}

/// Adds a declaration to the file, or changes the one of the same name and source.
///
/// # Errors
/// When the name belongs to another source, or the file is not valid before or after.
pub(crate) fn add(path: &Path, new: &NewDeclaration<'_>) -> Result<Added, ToolError> {
    Config::load(path).map_err(|why| ToolError::invalid(format!("repair the configuration first: {why}")))?;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(ToolError::internal(format!("{}: {error}", path.display()))),
    };
    let (text, added) = edit(&text, new)?;
    Config::parse(&text).map_err(|why| ToolError::invalid(format!("this cannot be declared: {why}")))?;
    replace(path, &text).map_err(|error| ToolError::internal(format!("{}: {error}", path.display())))?;
    Ok(added)
}

fn edit(text: &str, new: &NewDeclaration<'_>) -> Result<(String, Added), ToolError> {
    let mut document: DocumentMut =
        text.parse().map_err(|error| ToolError::invalid(format!("the configuration: {error}")))?;
    let mut section = Table::new();
    if document.is_empty() {
        // Comments without anything to stand above are kept as the end of the file; here is what they stand above.
        section.decor_mut().set_prefix(text);
        document.set_trailing("");
    } else {
        section.decor_mut().set_prefix("\n");
    }
    let plugins = document.entry("plugins").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let plugins = plugins
        .as_table_like_mut()
        .ok_or_else(|| ToolError::invalid("`plugins` is no table: write [plugins.NAME]"))?;
    let mut added = Added::New;
    if let Some(old) = plugins.get(new.name) {
        let source = old.get("source").and_then(Item::as_str).unwrap_or_default();
        if source != new.source.name {
            return Err(ToolError::new(
                ErrorKind::Conflict,
                format!(
                    "[plugins.{}] is {source} already; choose another name with --name, or remove that section",
                    new.name
                ),
            ));
        }
        added = Added::Updated;
    }
    let entry = plugins.entry(new.name).or_insert(Item::Table(section));
    let entry = entry
        .as_table_like_mut()
        .ok_or_else(|| ToolError::invalid(format!("`plugins.{}` is no table", new.name)))?;
    entry.insert("source", value(&new.source.name));
    if !new.source.is_builtin {
        entry.insert("sha256", value(new.sha256));
    }
    if !new.grants.is_empty() {
        entry.insert("grants", value(grants(new.grants)));
    }
    if !new.config.is_empty() {
        entry.insert("config", value(table(new.config)));
    }
    Ok((document.to_string(), added))
}

fn grants(grants: &Grants) -> InlineTable {
    let texts = |items: Vec<String>| items.into_iter().collect::<Array>();
    let peers = |items: &[hostler_plugin_host::PeerPattern]| items.iter().map(ToString::to_string).collect();
    let all: [(&str, Vec<String>); 3] =
        [("tcp", peers(&grants.tcp)), ("http", peers(&grants.http)), ("commands", grants.commands.clone())];
    all.into_iter().filter(|(_, items)| !items.is_empty()).map(|(key, items)| (key, texts(items))).collect()
}

/// TOML has no null: such keys are left out.
fn table(object: &Map<String, Value>) -> InlineTable {
    object.iter().filter_map(|(key, item)| Some((key.as_str(), toml(item)?))).collect()
}

fn toml(item: &Value) -> Option<toml_edit::Value> {
    Some(match item {
        Value::Null => return None,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => toml_edit::Value::Array(items.iter().filter_map(toml).collect()),
        Value::Object(object) => toml_edit::Value::InlineTable(table(object)),
    })
}

/// The file is the old one or the new one, whatever happens.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A link stays one: the configuration may be kept elsewhere.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(dir)?;
    let draft = dir.join(format!(".config.toml.{}", std::process::id()));
    let written = std::fs::File::create_new(&draft).and_then(|mut file| {
        if let Ok(old) = std::fs::metadata(&path) {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, &path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn source(name: &str) -> Source {
        Source { name: name.to_owned(), is_builtin: name.starts_with("builtin:"), wasm: Vec::new().into() }
    }

    fn declare(text: &str, name: &str, from: &str, config: &Value) -> Result<(String, Added), ToolError> {
        let grants = Grants { tcp: vec!["db.example.org:1".parse().unwrap()], ..Grants::default() };
        let (source, sha256) = (source(from), "00".repeat(32));
        let config = config.as_object().unwrap();
        edit(text, &NewDeclaration { name, source: &source, sha256: &sha256, grants: &grants, config })
    }

    #[test]
    fn what_is_there_stays() {
        let old = "# mine\n[plugins.a] # first\nsource = 'builtin:json'  # why\n\n# last words\n";
        let (text, added) = declare(old, "b", "/b.wasm", &json!({"x": [1, null, {"y": "z"}]})).unwrap();
        assert_eq!(added, Added::New);
        let expected = "grants = { tcp = [\"db.example.org:1\"] }\nconfig = { x = [1, { y = \"z\" }] }\n";
        assert!(text.contains("# mine\n[plugins.a] # first\nsource = 'builtin:json'  # why\n"), "{text}");
        assert!(text.contains("[plugins.b]\nsource = \"/b.wasm\"\nsha256 = \"00"), "{text}");
        assert!(text.contains(expected) && text.contains("# last words"), "{text}");
        let config = Config::parse(&text).unwrap();
        assert_eq!(config.plugins.len(), 2);
    }

    #[test]
    fn the_same_source_is_updated_and_another_one_is_not_lost() {
        let (text, _) = declare("# mine\n", "b", "/b.wasm", &json!({})).unwrap();
        assert!(text.starts_with("# mine\n[plugins.b]\n"), "{text}");
        let changed = text.replace("0000", "1111").replace("sha256", "limits = { cpu_ms = 5 }\nsha256");
        let (again, added) = declare(&changed, "b", "/b.wasm", &json!({})).unwrap();
        assert_eq!(added, Added::Updated);
        assert!(again.contains("limits = { cpu_ms = 5 }") && !again.contains("1111"), "{again}");
        let conflict = declare(&again, "b", "/other.wasm", &json!({})).unwrap_err();
        assert!(conflict.message.contains("choose another name"), "{}", conflict.message);
    }
}
