//! Knows the errors of one's own program by their codes, such as `SHOP-17: no stock for order 4711`.

use hostler_plugin::{Error, ErrorCategorizer, Plugin, Verdict, invalid};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration. Its documentation comments are what people read about it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What codes begin with.
    #[serde(default = "usual_prefix")]
    pub prefix: String,
}

fn usual_prefix() -> String {
    "SHOP-".to_owned()
}

/// The categorizer.
#[derive(Debug)]
pub struct Categorizer {
    config: Config,
}

impl Plugin for Categorizer {
    const NAME: &'static str = "my-plugin";
    const SUMMARY: &'static str = "Knows the errors of a program by their codes.";
    type Config = Config;

    fn new(config: Config) -> Result<Self, Error> {
        if config.prefix.is_empty() {
            return Err(invalid(
                "prefix",
                "\"\"",
                "it needs something that codes begin with, such as \"SHOP-\"",
            ));
        }
        Ok(Self { config })
    }
}

impl ErrorCategorizer for Categorizer {
    fn categorize(&mut self, text: &str) -> Option<Verdict> {
        // `None`, and so `?`, means "not mine": the error goes to the next categorizer.
        let (number, message) = text.lines().find_map(|line| self.read(line))?;
        let (category, suggestion) = match number {
            10..=19 => ("stock", Some("run the import of the stock again")),
            20..=29 => ("payment", None),
            _ => ("unknown", None),
        };
        Some(Verdict {
            category: category.to_owned(),
            confidence: 90,
            title: message.to_owned(),
            exceptions: Vec::new(),
            // Two errors with the same code are the same, whatever order they are about.
            fingerprint: vec![format!("{}{number}", self.config.prefix)],
            suggestion: suggestion.map(str::to_owned),
        })
    }
}

impl Categorizer {
    /// The number and the message of a line with a code.
    fn read<'a>(&self, line: &'a str) -> Option<(u32, &'a str)> {
        let at = line.find(&self.config.prefix)?;
        let (number, message) = line[at + self.config.prefix.len()..].split_once(": ")?;
        Some((number.parse().ok()?, message.trim()))
    }
}

hostler_plugin::export!(error_categorizer: Categorizer);

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_plugin::{plugin::configure, testing};

    fn categorizer() -> Categorizer {
        configure("{}").unwrap()
    }

    /// What the sample has to become. Extend both together.
    #[test]
    fn the_sample_is_understood() {
        let mut categorizer = categorizer();
        let found: Vec<_> = include_str!("../sample.txt")
            .split("\n\n")
            .map(|text| {
                categorizer
                    .categorize(text)
                    .map(|verdict| (verdict.category, verdict.title, verdict.fingerprint))
            })
            .collect();
        let verdict = |category: &str, title: &str, code: &str| {
            Some((category.to_owned(), title.to_owned(), vec![code.to_owned()]))
        };
        assert_eq!(
            found,
            [
                verdict("stock", "no stock for order 4711", "SHOP-17"),
                None,
                verdict("payment", "the bank refused card 12", "SHOP-21"),
            ]
        );
    }

    #[test]
    fn the_configuration_is_checked() {
        assert!(configure::<Categorizer>(r#"{"prefix": ""}"#).is_err());
        assert!(configure::<Categorizer>(r#"{"prefx": "APP-"}"#).is_err());
    }

    #[test]
    fn damaged_texts_do_no_harm() {
        let mut categorizer = categorizer();
        for text in testing::damaged_texts(&["ERROR SHOP-17: no stock for order 4711"]) {
            categorizer.categorize(&text);
        }
    }
}
