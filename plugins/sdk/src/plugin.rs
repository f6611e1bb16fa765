//! What all plugins have: a name, a typed configuration, a beginning.

use crate::{bindings::base::exports::hostler::plugin::metadata::Info, config};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, de::DeserializeOwned};

pub use crate::bindings::base::hostler::plugin::types::Error;

/// A plugin of any kind. Implement [`LogParser`](crate::LogParser), [`HealthCheck`](crate::HealthCheck) or
/// [`ErrorCategorizer`](crate::ErrorCategorizer) beside it and [`export!`](crate::export) the type.
pub trait Plugin: Sized {
    /// Short name in kebab-case.
    const NAME: &'static str;
    /// One sentence that says what it does.
    const SUMMARY: &'static str;
    /// Its configuration. The JSON schema comes from the type: derive `Deserialize` and `JsonSchema`, put
    /// `#[serde(deny_unknown_fields)]` on it, and document its fields, since people read that. [`NoConfig`] when
    /// there is nothing to configure.
    type Config: DeserializeOwned + JsonSchema;

    /// Begins an instance. An error should name the key, the bad value and the valid choices: see [`invalid`].
    fn new(config: Self::Config) -> Result<Self, Error>;

    /// The JSON schema of the configuration. Making it from the type costs a component about 100 KB: to have it ready,
    /// keep it in a file, answer with `include_str!`, and let a test call
    /// [`testing::schema_is_current`](crate::testing::schema_is_current).
    fn schema() -> String {
        schema_of::<Self::Config>()
    }

    /// What else the description says, such as `("tcp", "localhost:6379")` for what it wants to reach.
    fn extra() -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// The configuration of a plugin that has none.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// The error for a configuration that is not usable.
#[must_use]
pub fn invalid(key: &str, value: impl std::fmt::Display, choices: &str) -> Error {
    Error::InvalidConfig(format!("{key} = {value}: {choices}"))
}

/// The plugin's description.
#[must_use]
pub fn describe<P: Plugin>(version: &str) -> Info {
    Info {
        name: P::NAME.to_owned(),
        version: version.to_owned(),
        summary: P::SUMMARY.to_owned(),
        config_schema: Some(P::schema()),
        extra: P::extra().into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// Makes the plugin from the JSON text of its configuration.
pub fn configure<P: Plugin>(json: &str) -> Result<P, Error> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    let config = config::read(json).map_err(Error::InvalidConfig)?;
    P::new(config)
}

/// The JSON schema of a type.
pub(crate) fn schema_of<C: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<C>();
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        /// How many.
        limit: u32,
    }

    struct Limited(u32);

    impl Plugin for Limited {
        const NAME: &'static str = "limited";
        const SUMMARY: &'static str = "Has a limit.";
        type Config = Config;

        fn new(config: Config) -> Result<Self, Error> {
            match config.limit {
                0 => Err(invalid("limit", 0, "must be at least 1")),
                limit => Ok(Self(limit)),
            }
        }
    }

    fn refusal(json: &str) -> String {
        match configure::<Limited>(json) {
            Err(Error::InvalidConfig(why)) => why,
            _ => panic!("{json} was not refused"),
        }
    }

    #[test]
    fn configuration_is_typed() {
        assert_eq!(configure::<Limited>(r#"{"limit": 3}"#).unwrap().0, 3);
        assert!(refusal("").contains("missing field `limit`"));
        assert!(refusal(r#"{"limit": 1, "limt": 2}"#).contains("unknown field `limt`, expected `limit`"));
        assert_eq!(refusal(r#"{"limit": 0}"#), "limit = 0: must be at least 1");
    }

    #[test]
    fn description_has_the_schema_of_the_type() {
        let info = describe::<Limited>("1.2.3");
        assert_eq!((info.name.as_str(), info.version.as_str()), ("limited", "1.2.3"));
        let schema: serde_json::Value = serde_json::from_str(&info.config_schema.unwrap()).unwrap();
        assert_eq!(schema["properties"]["limit"]["description"], "How many.");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], serde_json::json!(["limit"]));
    }
}
