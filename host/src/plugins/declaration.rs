//! The lines that declare a plugin in a configuration.

use hostler_plugin_host::{Capability, Component};
use serde_json::{Map, Value};

use super::source::Source;

/// The lines to paste. The configuration is a comment when the plugin does without one.
pub(crate) fn lines(
    source: &Source,
    component: &Component,
    config: &Map<String, Value>,
    is_needed: bool,
) -> String {
    let mut text = format!("[plugins.{}]\nsource = {}\n", component.info().name, string(&source.name));
    if !source.is_builtin {
        text += &format!("sha256 = \"{}\"\n", component.digest());
    }
    if let Some(grants) = grants(component) {
        text += &format!("# grants = {grants}\n");
    }
    if !config.is_empty() {
        let comment = if is_needed { "" } else { "# " };
        text += &format!("{comment}config = {}\n", table(config));
    }
    text
}

/// What it asks for, or where that depends on its configuration, what kind of thing.
fn grants(component: &Component) -> Option<String> {
    let wants = &component.info().wants;
    let can = |capability| component.inspection().requests.contains(&capability);
    let peers = |patterns: &[hostler_plugin_host::PeerPattern]| -> Vec<String> {
        patterns.iter().map(ToString::to_string).collect()
    };
    let all = [
        ("tcp", peers(&wants.tcp), can(Capability::Sockets)),
        ("http", peers(&wants.http), can(Capability::Http)),
        ("commands", wants.commands.clone(), can(Capability::Commands)),
    ];
    let parts: Vec<String> = all
        .into_iter()
        .filter(|(_, wishes, can)| *can || !wishes.is_empty())
        .map(|(key, wishes, _)| {
            let shown: Vec<String> = if wishes.is_empty() {
                vec![string("…")]
            } else {
                wishes.iter().map(|wish| string(wish)).collect()
            };
            format!("{key} = [{}]", shown.join(", "))
        })
        .collect();
    (!parts.is_empty()).then(|| format!("{{ {} }}", parts.join(", ")))
}

/// An inline table. TOML has no null: such keys are left out.
fn table(object: &Map<String, Value>) -> String {
    let parts: Vec<String> =
        object.iter().filter_map(|(key, item)| Some(format!("{} = {}", key_of(key), value(item)?))).collect();
    if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
}

fn value(item: &Value) -> Option<String> {
    Some(match item {
        Value::Null => return None,
        Value::Bool(_) | Value::Number(_) => item.to_string(),
        Value::String(text) => string(text),
        Value::Array(items) => format!("[{}]", items.iter().filter_map(value).collect::<Vec<_>>().join(", ")),
        Value::Object(object) => table(object),
    })
}

fn key_of(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_bare { key.to_owned() } else { string(key) }
}

/// A basic string: as JSON writes it, but for DEL. One with backslashes is easier to read as a literal.
fn string(text: &str) -> String {
    if text.contains('\\') && !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(config: &Map<String, Value>) -> Value {
        let text = format!("config = {}", table(config));
        let toml: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
        serde_json::to_value(&toml["config"]).unwrap()
    }

    #[test]
    fn a_configuration_stays_what_it_is() {
        let config = json!({
            "a key": {"x": [1, 2.5, true, "q\"\\\n\u{7f}ä"]}, "patterns": ["^\\d+ (?<message>.*)$"], "e": {}, "l": [],
        });
        assert_eq!(read(config.as_object().unwrap()), config);
        assert!(table(config.as_object().unwrap()).contains(r"'^\d+ (?<message>.*)$'"));
        assert_eq!(read(json!({"gone": null, "b": 1}).as_object().unwrap()), json!({"b": 1}));
    }

    proptest! {
        #[test]
        fn every_text_stays_what_it_is(key in ".*", text in ".*") {
            let config = json!({key: text});
            prop_assert_eq!(read(config.as_object().unwrap()), config);
        }
    }
}
