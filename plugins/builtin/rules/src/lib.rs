//! Categorizes errors by regular expressions from the configuration.

use hostler_plugin::{Error, ErrorCategorizer, Plugin, Verdict, invalid};
use regex_lite::{Captures, Regex};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Rules, tried in their order; the first that matches is taken.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A regular expression that is looked for in the whole text. There are no Unicode classes and no look-around.
    pub pattern: String,
    /// The category, in kebab-case.
    pub category: String,
    /// The title, in which `$1` and `$name` stand for groups of the pattern. The line that matched by default.
    #[serde(default)]
    pub title: Option<String>,
    /// What makes two errors the same, with groups like the title. What the host finds by default.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// What to try next, with groups like the title.
    #[serde(default)]
    pub suggestion: Option<String>,
}

/// The categorizer.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<(Regex, Rule)>,
}

impl Plugin for Rules {
    const NAME: &'static str = "rules";
    const SUMMARY: &'static str = "Categorizes errors by regular expressions.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn extra() -> Vec<(&'static str, String)> {
        let sample = r#"{"rules": [{"pattern": "order (?<id>\\d+) is locked", "category": "database", "title": "an order is locked"}]}"#;
        vec![("sample-config", sample.to_owned())]
    }

    fn new(config: Config) -> Result<Self, Error> {
        let compile = |rule: Rule| {
            let regex = Regex::new(&rule.pattern);
            regex
                .map(|regex| (regex, rule.clone()))
                .map_err(|e| invalid("pattern", format!("{:?}", rule.pattern), &e.to_string()))
        };
        Ok(Self { rules: config.rules.into_iter().map(compile).collect::<Result<_, _>>()? })
    }
}

impl ErrorCategorizer for Rules {
    fn categorize(&mut self, text: &str) -> Option<Verdict> {
        let (rule, found) =
            self.rules.iter().find_map(|(regex, rule)| Some((rule, regex.captures(text)?)))?;
        let expand = |template: &String| expand(template, &found);
        Some(Verdict {
            category: rule.category.clone(),
            confidence: 100,
            title: rule.title.as_ref().map_or_else(|| matched_line(text, &found), expand),
            exceptions: Vec::new(),
            fingerprint: rule.fingerprint.iter().map(expand).collect(),
            suggestion: rule.suggestion.as_ref().map(expand),
        })
    }
}

fn expand(template: &str, found: &Captures<'_>) -> String {
    let mut text = String::new();
    found.expand(template, &mut text);
    text
}

/// The line in which the match begins.
fn matched_line(text: &str, found: &Captures<'_>) -> String {
    let at = found.get(0).map_or(0, |whole| whole.start());
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[start..].lines().next().unwrap_or_default().trim().to_owned()
}

hostler_plugin::export!(error_categorizer: Rules);

#[cfg(test)]
mod tests;
