//! What a plugin says of itself, checked: it is shown to people and agents before they trust it.

use semver::Version;
use serde_json::{Map, Value};

use crate::bindings::metadata;
use crate::grants::{Grants, PeerPattern};
use crate::text::is_kebab;

const MAX_NAME: usize = 64;
const MAX_VERSION: usize = 64;
const MAX_SUMMARY: usize = 500;
const MAX_EXTRA: usize = 32;
const MAX_EXTRA_KEY: usize = 64;
const MAX_EXTRA_VALUE: usize = 16 * 1024;

/// A plugin's description of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// Short name in kebab-case. For people; the name in the configuration is the one that counts.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// JSON Schema of its configuration; `None` when it has none.
    pub config_schema: Option<String>,
    /// A configuration to begin from.
    pub sample_config: Option<Map<String, Value>>,
    /// What it says it needs. Nothing of it is granted by saying so.
    pub wants: Grants,
    /// Everything else it says.
    pub extra: Vec<(String, String)>,
}

impl Info {
    /// Checks a description.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn from_raw(raw: metadata::Info) -> Result<Self, String> {
        if raw.name.len() > MAX_NAME || !is_kebab(&raw.name) {
            return Err(format!(
                "`name` is {}, expected kebab-case of at most {MAX_NAME} letters",
                quoted(&raw.name)
            ));
        }
        if raw.version.len() > MAX_VERSION || Version::parse(&raw.version).is_err() {
            return Err(format!(
                "`version` is {}, expected Semantic Versioning such as 1.0.0",
                quoted(&raw.version)
            ));
        }
        check_line("summary", &raw.summary, MAX_SUMMARY)?;
        if raw.extra.len() > MAX_EXTRA {
            return Err(format!("`extra` has {} entries, more than {MAX_EXTRA}", raw.extra.len()));
        }
        let mut info = Self {
            name: raw.name,
            version: raw.version,
            summary: raw.summary,
            config_schema: raw.config_schema,
            sample_config: None,
            wants: Grants::default(),
            extra: Vec::new(),
        };
        for (key, value) in raw.extra {
            info.take_extra(key, value)?;
        }
        Ok(info)
    }

    fn take_extra(&mut self, key: String, value: String) -> Result<(), String> {
        check_line("extra", &key, MAX_EXTRA_KEY)?;
        if value.len() > MAX_EXTRA_VALUE {
            return Err(format!("`{key}` has {} bytes, more than {MAX_EXTRA_VALUE}", value.len()));
        }
        match key.as_str() {
            "tcp" => self.wants.tcp = patterns(&key, &value)?,
            "http" => self.wants.http = patterns(&key, &value)?,
            "command" => self.wants.commands = items(&value).map(str::to_owned).collect(),
            "sample-config" => {
                let sample = serde_json::from_str(&value)
                    .map_err(|error| format!("`sample-config` is not a JSON object: {error}"))?;
                self.sample_config = Some(sample);
            }
            _ => self.extra.push((key, value)),
        }
        Ok(())
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn patterns(key: &str, list: &str) -> Result<Vec<PeerPattern>, String> {
    items(list)
        .map(|item| PeerPattern::from_wish(item).map_err(|error| format!("`{key}`: {error}")))
        .collect()
}

fn check_line(what: &str, text: &str, max: usize) -> Result<(), String> {
    if text.trim().is_empty() || text.len() > max || text.chars().any(char::is_control) {
        return Err(format!("`{what}` is {}, expected one line of 1 to {max} bytes", quoted(text)));
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    let shown = crate::text::one_line(text, 80);
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> metadata::Info {
        metadata::Info {
            name: "json-lines".into(),
            version: "1.2.3".into(),
            summary: "Parses JSON lines.".into(),
            config_schema: None,
            extra: vec![
                ("tcp".into(), "localhost:5432, *.db.example.org:*".into()),
                ("command".into(), "pg_isready".into()),
                ("sample-config".into(), r#"{"port": 1}"#.into()),
                ("licence".into(), "MIT".into()),
            ],
        }
    }

    #[test]
    fn wishes_are_read_and_the_rest_is_kept() {
        let info = Info::from_raw(raw()).unwrap();
        assert_eq!(info.wants.tcp.len(), 2);
        assert_eq!(info.wants.commands, ["pg_isready"]);
        assert_eq!(info.sample_config.unwrap()["port"], 1);
        assert_eq!(info.extra, [("licence".to_owned(), "MIT".to_owned())]);
    }

    #[test]
    fn bad_descriptions_are_refused_with_the_place() {
        type Change = fn(&mut metadata::Info);
        let changes: [(Change, &str); 8] = [
            (|raw| raw.name = "Not Kebab".into(), "`name`"),
            (|raw| raw.name = "x".repeat(65), "`name`"),
            (|raw| raw.version = "1".into(), "`version`"),
            (|raw| raw.summary = "two\nlines".into(), "`summary`"),
            (|raw| raw.summary = "x".repeat(501), "`summary`"),
            (|raw| raw.extra = vec![("a".into(), "b".into()); 33], "33 entries"),
            (|raw| raw.extra = vec![("tcp".into(), "nowhere".into())], "port is missing"),
            (|raw| raw.extra = vec![("sample-config".into(), "[]".into())], "not a JSON object"),
        ];
        for (change, why) in changes {
            let mut raw = raw();
            change(&mut raw);
            let error = Info::from_raw(raw).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
