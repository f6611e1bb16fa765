//! Parses lines by regular expressions from the configuration. Named groups become fields; `level`, `time` and
//! `message` become what they say.

use hostler_plugin::{
    Error, LogParser, Plugin, Row, Understood, invalid, severity,
    time::{self, Civil, UtcOffset},
};
use regex_lite::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Regular expressions, tried in their order; the first that matches is taken. Groups with the names `level`,
    /// `time` and `message` become these, the others become fields. There are no Unicode classes and no look-around.
    pub patterns: Vec<String>,
    /// Distance from UTC of times that do not say it themselves. Without it, such times are fields.
    #[serde(default)]
    pub utc_offset: Option<UtcOffset>,
}

/// The parser.
#[derive(Debug)]
pub struct ByRegex {
    patterns: Vec<Pattern>,
    utc_offset: Option<UtcOffset>,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    /// Names of the groups by their numbers; unnamed ones have none.
    names: Vec<Option<String>>,
}

impl Plugin for ByRegex {
    const NAME: &'static str = "regex";
    const SUMMARY: &'static str = "Parses lines by regular expressions; their named groups become fields.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn extra() -> Vec<(&'static str, String)> {
        let sample = r#"{"patterns": ["^(?<time>\\S+) \\[(?<level>\\w+)\\] (?<message>.*)$"]}"#;
        vec![("sample-config", sample.to_owned())]
    }

    fn new(config: Config) -> Result<Self, Error> {
        if config.patterns.is_empty() {
            return Err(invalid("patterns", "[]", "at least one regular expression is needed"));
        }
        let patterns =
            config.patterns.iter().map(|pattern| Pattern::new(pattern)).collect::<Result<_, _>>()?;
        Ok(Self { patterns, utc_offset: config.utc_offset })
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, Error> {
        let regex =
            Regex::new(pattern).map_err(|e| invalid("patterns", format!("{pattern:?}"), &e.to_string()))?;
        let names = regex.capture_names().map(|name| name.map(str::to_owned)).collect();
        Ok(Self { regex, names })
    }
}

impl LogParser for ByRegex {
    fn parse(&mut self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        // Expressions match text; what is none goes to the next parser.
        let text = std::str::from_utf8(line).ok()?;
        let (pattern, found) = self.patterns.iter().find_map(|p| Some((p, p.regex.captures(text)?)))?;
        for (number, name) in pattern.names.iter().enumerate() {
            if let (Some(name), Some(group)) = (name, found.get(number)) {
                fill(row, name, group.as_str().as_bytes(), self.utc_offset);
            }
        }
        Some(())
    }
}

fn fill(row: &mut Row<'_, '_>, name: &str, value: &[u8], utc_offset: Option<UtcOffset>) {
    match name {
        "message" => return row.message(value),
        "level" => {
            if let Some(severity) = level(value) {
                return row.level(severity);
            }
        }
        "time" => {
            if let Some(nanos) = nanos(value, utc_offset) {
                return row.time(nanos);
            }
        }
        _ => {}
    }
    row.field(name, value);
}

fn level(text: &[u8]) -> Option<u8> {
    match text {
        [letter] => severity::of_letter(letter.to_ascii_uppercase()),
        word => severity::of_word(word),
    }
}

fn nanos(text: &[u8], utc_offset: Option<UtcOffset>) -> Option<u64> {
    let civil =
        |(civil, _): (Civil, usize)| if civil.year == 0 { civil.with_year_near(time::now()) } else { civil };
    let read = time::iso(text).or_else(|| time::clf(text)).or_else(|| time::bsd(text)).map(civil);
    read.map_or_else(|| time::epoch(text), |civil| civil.unix_nanos(utc_offset))
}

hostler_plugin::export!(log_parser: ByRegex);

#[cfg(test)]
mod tests;
