//! A plugin's configuration, checked against the plugin's own schema before the plugin sees it.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use crate::text::{cut, one_line};

/// The size of a schema, and of a configuration, bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Problems named at once.
const MAX_PROBLEMS: usize = 8;
/// How much of a bad value is shown, bytes.
const MAX_SHOWN: usize = 120;

/// What does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not valid: {}", show(.problems))]
pub struct ConfigError {
    /// Each place that is wrong, at most 8.
    pub problems: Vec<ConfigProblem>,
}

/// One place of a configuration that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// JSON pointer to it; empty for the whole.
    pub pointer: String,
    /// The value there as JSON, cut at 120 bytes.
    pub found: String,
    /// What the schema wants there.
    pub expected: String,
}

fn show(problems: &[ConfigProblem]) -> String {
    let one = |problem: &ConfigProblem| {
        let place = if problem.pointer.is_empty() { "at the top" } else { &problem.pointer };
        format!("{place} is {}, expected {}", problem.found, problem.expected)
    };
    problems.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The schema of a plugin's configuration.
#[derive(Debug)]
pub(crate) struct Schema(Option<Validator>);

impl Schema {
    /// Compiles a schema. Without one, only an empty configuration is valid.
    ///
    /// # Errors
    /// When it is no JSON, no schema, too large, or points to other documents.
    pub(crate) fn compile(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self(None)) };
        if text.len() > MAX_BYTES {
            return Err(format!("`config-schema` has {} bytes, more than {MAX_BYTES}", text.len()));
        }
        let schema: Value =
            serde_json::from_str(text).map_err(|error| format!("`config-schema` is not JSON: {error}"))?;
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            // This engine takes linear time, whatever pattern a plugin brings.
            .with_pattern_options(PatternOptions::regex())
            .build(&schema)
            .map(|validator| Self(Some(validator)))
            .map_err(|error| {
                format!(
                    "`config-schema` is not a JSON Schema (draft 2020-12): {}",
                    one_line(&error.to_string(), 500)
                )
            })
    }

    /// Checks a configuration.
    ///
    /// # Errors
    /// Every place that is wrong, with its value and what is expected there.
    pub(crate) fn check(&self, config: &Map<String, Value>) -> Result<(), ConfigError> {
        let Some(validator) = &self.0 else { return check_empty(config) };
        let config = Value::Object(config.clone());
        let size = config.to_string().len();
        if size > MAX_BYTES {
            let expected = format!("at most {MAX_BYTES}");
            return Err(problem(String::new(), format!("{size} bytes long"), expected));
        }
        let problems: Vec<_> = validator.iter_errors(&config).take(MAX_PROBLEMS).map(describe).collect();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }
}

fn check_empty(config: &Map<String, Value>) -> Result<(), ConfigError> {
    match config.iter().next() {
        None => Ok(()),
        Some((key, value)) => Err(problem(
            format!("/{}", escape(key)),
            shown(value),
            "no key at all: this plugin has no configuration".to_owned(),
        )),
    }
}

fn problem(pointer: String, found: String, expected: String) -> ConfigError {
    ConfigError { problems: vec![ConfigProblem { pointer, found, expected }] }
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map wants")]
fn describe(error: ValidationError<'_>) -> ConfigProblem {
    let mut pointer = error.instance_path().to_string();
    let mut found = shown(error.instance());
    let expected = match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => format!("a value of type {kind}"),
        ValidationErrorKind::Enum { options } => format!("one of {options}"),
        ValidationErrorKind::Constant { expected_value } => expected_value.to_string(),
        ValidationErrorKind::Minimum { limit } => format!("at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("at most {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        ValidationErrorKind::Pattern { pattern } => format!("a text that matches `{pattern}`"),
        ValidationErrorKind::Format { format } => format!("a text in the format `{format}`"),
        ValidationErrorKind::FalseSchema => "nothing at all".to_owned(),
        ValidationErrorKind::Required { property } => {
            pointer.push_str(&format!("/{}", escape(property.as_str().unwrap_or_default())));
            "missing".clone_into(&mut found);
            "a value: the key is required".to_owned()
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let key = unexpected.first().map(String::as_str).unwrap_or_default();
            found = error.instance().get(key).map(shown).unwrap_or_default();
            pointer.push_str(&format!("/{}", escape(key)));
            "no such key".to_owned()
        }
        _ => error.masked().to_string(),
    };
    ConfigProblem { pointer, found, expected: cut(expected, 500) }
}

fn shown(value: &Value) -> String {
    cut(value.to_string(), MAX_SHOWN)
}

/// Escapes a key for a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: &Value, config: Value) -> Result<(), ConfigError> {
        let Value::Object(config) = config else { panic!("object") };
        Schema::compile(Some(&schema.to_string())).unwrap().check(&config)
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "port": {"type": "integer", "minimum": 1},
                "mode": {"enum": ["fast", "slow"]},
                "a/b": {"type": "object", "properties": {"y": {}}, "additionalProperties": false},
            },
            "required": ["port"],
            "additionalProperties": false,
        })
    }

    fn only(result: Result<(), ConfigError>) -> ConfigProblem {
        let mut problems = result.unwrap_err().problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn errors_name_the_place_the_value_and_what_is_expected() {
        let wrong = only(check(&schema(), json!({"port": "http"})));
        assert_eq!((wrong.pointer.as_str(), wrong.found.as_str()), ("/port", "\"http\""));
        assert_eq!(wrong.expected, "a value of type integer");
        let wrong = only(check(&schema(), json!({"port": 0})));
        assert_eq!(wrong.expected, "at least 1");
        let wrong = only(check(&schema(), json!({"port": 1, "mode": "quick"})));
        assert_eq!(
            (wrong.pointer.as_str(), wrong.expected.as_str()),
            ("/mode", "one of [\"fast\",\"slow\"]")
        );
        let wrong = only(check(&schema(), json!({})));
        assert_eq!((wrong.pointer.as_str(), wrong.found.as_str()), ("/port", "missing"));
        let wrong = only(check(&schema(), json!({"port": 1, "prot": 2})));
        assert_eq!((wrong.pointer.as_str(), wrong.found.as_str()), ("/prot", "2"));
        let wrong = only(check(&schema(), json!({"port": 1, "a/b": {"x~": true}})));
        assert_eq!(wrong.pointer, "/a~1b/x~0");
        assert_eq!(check(&schema(), json!({"port": 1, "mode": "slow"})), Ok(()));
    }

    #[test]
    fn without_a_schema_only_nothing_is_valid() {
        let schema = Schema::compile(None).unwrap();
        assert_eq!(schema.check(&Map::new()), Ok(()));
        let error = schema.check(&Map::from_iter([("x".to_owned(), json!(1))])).unwrap_err().to_string();
        assert!(error.contains("/x is 1"), "{error}");
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for (text, why) in [
            ("{", "not JSON"),
            (r#"{"type": "integre"}"#, "not a JSON Schema"),
            (r#"{"$ref": "https://example.org/other.json"}"#, "not a JSON Schema"),
            (r#"{"pattern": "("}"#, "not a JSON Schema"),
        ] {
            let error = Schema::compile(Some(text)).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Schema::compile(Some(&format!("\"{}\"", "x".repeat(MAX_BYTES)))).is_err());
    }
}
