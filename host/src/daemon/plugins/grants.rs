//! What a built-in check may do follows from what it is configured to look at: who wrote that into the configuration
//! asked for it. Pure.

use hostler_plugin_host::{Grants, PeerPattern};
use serde_json::{Map, Value};

/// The grants of a built-in plugin with this configuration, which fits its schema.
///
/// # Errors
/// What in the configuration names nothing that could be granted.
pub(crate) fn follow_from(builtin: &str, config: &Map<String, Value>) -> Result<Grants, String> {
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    let mut grants = Grants::default();
    match builtin {
        "http" => grants.http.extend(text("url").map(peer_of_url).transpose()?),
        "tcp" => grants.tcp.extend(text("address").map(|address| peer("/address", address)).transpose()?),
        "redis" => grants.tcp.push(peer("/address", text("address").unwrap_or("localhost:6379"))?),
        "postgres" => grants.tcp.push(peer("/address", text("address").unwrap_or("localhost:5432"))?),
        "command" => {
            let words = config.get("command").and_then(Value::as_array);
            let program = words.and_then(|words| words.first()).and_then(Value::as_str);
            grants.commands.extend(program.map(str::to_owned));
        }
        _ => {}
    }
    Ok(grants)
}

/// The host and port that a URL leads to.
fn peer_of_url(url: &str) -> Result<PeerPattern, String> {
    let rest = strip_scheme(url).ok_or_else(|| {
        format!("/url is {url:?}, expected http://HOST[:PORT]/PATH; there is no TLS in this version")
    })?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    peer("/url", &if has_port { host.to_owned() } else { format!("{host}:80") })
}

fn strip_scheme(url: &str) -> Option<&str> {
    const SCHEME: &str = "http://";
    let scheme = url.get(..SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| &url[SCHEME.len()..])
}

/// One place; a pattern that means several is none.
fn peer(pointer: &str, text: &str) -> Result<PeerPattern, String> {
    if text.contains('*') {
        return Err(format!("{pointer} is {text:?}, expected one host and one port"));
    }
    text.parse().map_err(|error| format!("{pointer}: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn granted(builtin: &str, config: &Value) -> Result<String, String> {
        let grants = follow_from(builtin, config.as_object().unwrap())?;
        let peers = |peers: Vec<PeerPattern>| peers.iter().map(ToString::to_string).collect::<Vec<_>>();
        Ok([peers(grants.tcp), peers(grants.http), grants.commands].concat().join(" "))
    }

    #[test]
    fn a_check_reaches_what_it_is_configured_to_reach() {
        for (builtin, config, expected) in [
            ("http", json!({"url": "http://localhost:8080/health?a=b:1"}), "localhost:8080"),
            ("http", json!({"url": "HTTP://me:secret@example.org#x"}), "example.org:80"),
            ("http", json!({"url": "http://[::1]:81"}), "[::1]:81"),
            ("http", json!({"url": "http://[::1]/"}), "[::1]:80"),
            ("tcp", json!({"address": "db.local:5432"}), "db.local:5432"),
            ("redis", json!({}), "localhost:6379"),
            ("postgres", json!({"address": "127.0.0.1:1"}), "127.0.0.1:1"),
            ("command", json!({"command": ["pg_isready", "-q"]}), "pg_isready"),
            ("process", json!({"port": 80}), ""),
            ("json", json!({"url": "http://a"}), ""),
        ] {
            assert_eq!(granted(builtin, &config).as_deref(), Ok(expected), "{builtin} {config}");
        }
    }

    #[test]
    fn what_names_no_single_place_is_refused() {
        for (builtin, config, wanted) in [
            ("http", json!({"url": "https://example.org"}), "no TLS"),
            ("http", json!({"url": "http://*.example.org/"}), "one host"),
            ("http", json!({"url": "http://a:99999/"}), "port"),
            ("http", json!({"url": "hä"}), "http://HOST"),
            ("tcp", json!({"address": "localhost"}), "port is missing"),
            ("redis", json!({"address": "localhost:*"}), "one host"),
        ] {
            let message = granted(builtin, &config).unwrap_err();
            assert!(message.contains(wanted), "{config}: {message}");
        }
    }
}
