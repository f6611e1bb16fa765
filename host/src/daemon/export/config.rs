//! `[export]` in the user's configuration: where lines are sent besides.

use std::collections::BTreeMap;

use http::uri::{Authority, PathAndQuery, Scheme};
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

/// Where the specification of OTLP has logs.
const DEFAULT_PATH: &str = "/v1/logs";

/// `[export]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ExportConfig {
    /// `[export.otlp]`: an OpenTelemetry collector.
    pub(super) otlp: Option<OtlpConfig>,
}

/// `[export.otlp]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OtlpConfig {
    /// `http://HOST:PORT/v1/logs`; the path may be left out.
    pub(super) endpoint: Endpoint,
    /// Sent with each request.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
}

impl ExportConfig {
    /// Checks what its types do not.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Some(otlp) = &self.otlp else { return Ok(()) };
        for (name, value) in &otlp.headers {
            if HeaderName::try_from(name).is_err() {
                return Err(format!("headers: {name:?} is not the name of a header"));
            }
            if HeaderValue::try_from(value).is_err() {
                return Err(format!("headers: the value of {name} has characters that no header may have"));
            }
        }
        Ok(())
    }
}

/// The address of a collector.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Endpoint {
    pub(super) authority: Authority,
    pub(super) path: PathAndQuery,
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("endpoint {text:?}: {why}, such as http://127.0.0.1:4318{DEFAULT_PATH}");
        let uri: hyper::Uri = text.parse().map_err(|_| wrong("give a URL"))?;
        match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) if *scheme == Scheme::HTTP => {
                let given = uri.path_and_query().filter(|path| path.as_str() != "/").cloned();
                let path = given.unwrap_or_else(|| PathAndQuery::from_static(DEFAULT_PATH));
                Ok(Self { authority: authority.clone(), path })
            }
            (Some(scheme), Some(_)) if *scheme == Scheme::HTTPS => Err(wrong(
                "https is not spoken here; let a collector on this machine pass on what it gets, and give its address",
            )),
            _ => Err(wrong("give a URL that begins with http://")),
        }
    }
}

impl Endpoint {
    /// Host and port to connect to.
    pub(super) fn address(&self) -> (&str, u16) {
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        (host, self.authority.port_u16().unwrap_or(80))
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_http_and_has_the_usual_path_unless_it_has_another() {
        let endpoint = |text: &str| Endpoint::try_from(text.to_owned());
        let whole = |text: &str| endpoint(text).unwrap().to_string();
        assert_eq!(whole("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/logs");
        assert_eq!(whole("http://otel/x?y=1"), "http://otel/x?y=1");
        assert_eq!(endpoint("http://[::1]").unwrap().address(), ("::1", 80));
        for (text, wanted) in [
            ("https://otel:4318/", "https is not spoken"),
            ("127.0.0.1:4318", "begins with http://"),
            ("", "give a URL"),
        ] {
            let message = endpoint(text).unwrap_err();
            assert!(
                message.contains(wanted) && message.contains("http://127.0.0.1:4318/v1/logs"),
                "{message}"
            );
        }
    }
}
