//! `[errors]` of the configuration.

use serde::Deserialize;

/// How errors are read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ErrorsConfig {
    /// Categorizers by their names: each gets what those before it did not understand.
    pub(crate) categorizers: Vec<String>,
    /// Regular expressions for what is secret, beside the built-in ones. The group `keep` of one, if there is one,
    /// stays.
    pub(crate) redact: Vec<String>,
}

impl Default for ErrorsConfig {
    fn default() -> Self {
        Self { categorizers: vec!["generic".to_owned()], redact: Vec::new() }
    }
}

impl ErrorsConfig {
    /// What is wrong with it.
    ///
    /// # Errors
    /// Names the rule that is no regular expression.
    pub(crate) fn check(&self) -> Result<(), String> {
        hostler_model::errors::Redactor::new(&self.redact).map(drop).map_err(|why| format!("redact: {why}"))
    }
}
