//! Reads lines such as `WARN db: connection 3 took 1200 ms`: level, component, message.

use hostler_plugin::{Error, LogParser, Plugin, Row, Understood, invalid, severity};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration. Its documentation comments are what people read about it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the field that says which component wrote the line.
    #[serde(default = "usual_field")]
    pub component_field: String,
}

fn usual_field() -> String {
    "component".to_owned()
}

/// The parser.
#[derive(Debug)]
pub struct Parser {
    config: Config,
}

impl Plugin for Parser {
    const NAME: &'static str = "my-plugin";
    const SUMMARY: &'static str = "Reads level and component at the beginning of a line.";
    type Config = Config;

    fn new(config: Config) -> Result<Self, Error> {
        if config.component_field.is_empty() {
            return Err(invalid(
                "component_field",
                "\"\"",
                "it needs a name, such as \"component\"",
            ));
        }
        Ok(Self { config })
    }
}

impl LogParser for Parser {
    fn parse(&mut self, line: &[u8], row: &mut Row) -> Understood {
        // `None`, and so `?`, means "not mine": the line goes to the next parser.
        let (level, rest) = split_once(line, b" ")?;
        let (component, message) = split_once(rest, b": ")?;
        row.level(severity::of_word(level)?);
        // Pieces of the line are handed over as they are; nothing is copied.
        row.field(&self.config.component_field, component);
        row.message(message);
        Some(())
    }
}

/// What stands before and after the first `separator`.
fn split_once<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text
        .windows(separator.len())
        .position(|piece| piece == separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

hostler_plugin::export!(log_parser: Parser);

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_plugin::{plugin::configure, testing};

    fn parser() -> Parser {
        configure("{}").unwrap()
    }

    /// What the sample has to become. Extend both together.
    #[test]
    fn the_sample_is_understood() {
        let lines: Vec<&str> = include_str!("../sample.log").lines().collect();
        let events = testing::parse(&mut parser(), &lines);
        let found: Vec<_> = events
            .iter()
            .map(|event| {
                (
                    event.severity,
                    event.field("component").unwrap_or("-"),
                    event.message.as_str(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (severity::INFO, "web", "listening on port 8080"),
                (severity::WARN, "db", "connection 3 took 1200 ms"),
                (
                    severity::ERROR,
                    "web",
                    "GET /orders failed: no connection to the database"
                ),
            ]
        );
    }

    #[test]
    fn what_is_not_ours_goes_to_the_next_parser() {
        assert_eq!(
            testing::parse(&mut parser(), &["", "INFO", "hello there: friend"]),
            []
        );
    }

    #[test]
    fn the_configuration_is_checked() {
        assert!(configure::<Parser>(r#"{"component_field": ""}"#).is_err());
        assert!(configure::<Parser>(r#"{"component_feild": "part"}"#).is_err());
    }

    #[test]
    fn damaged_lines_do_no_harm() {
        testing::torture(&mut parser(), &["INFO web: listening on port 8080"]);
    }
}
