//! Health checks that do what the commands of other tools' checks do.

use hostler_api::process::HealthArgs;
use serde_json::{Map, Value};

/// A check by a plugin with these settings.
pub(crate) fn of(plugin: &str, settings: &[(&str, &str)]) -> HealthArgs {
    let config = settings.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    HealthArgs { config, ..HealthArgs::of(plugin) }
}

/// Whether a port is open.
pub(crate) fn tcp(address: &str) -> HealthArgs {
    of("tcp", &[("address", address)])
}

/// Whether a page is served.
pub(crate) fn http(url: &str) -> HealthArgs {
    of("http", &[("url", url)])
}

/// What a command asks, asked by the plugin that is made for it; any other command is run.
pub(crate) fn of_command(words: &[String]) -> HealthArgs {
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or_default());
    let made_for_it = match program {
        "curl" | "wget" => words.iter().find(|word| word.starts_with("http")).map(|url| http(url)),
        "nc" => match &words[1..] {
            [flags @ .., host, port] if flags.iter().any(|f| f.contains('z')) => {
                Some(tcp(&format!("{host}:{port}")))
            }
            _ => None,
        },
        "pg_isready" => {
            let settings =
                [("user", option(words, 'U', "username")), ("database", option(words, 'd', "dbname"))];
            let mut check = of("postgres", &[("address", &address(words, "5432"))]);
            let given =
                settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
            check.config.extend(given);
            Some(check)
        }
        "redis-cli" if words.iter().any(|word| word.eq_ignore_ascii_case("ping")) => {
            Some(of("redis", &[("address", &address(words, "6379"))]))
        }
        _ => None,
    };
    made_for_it.unwrap_or_else(|| {
        let command = words.iter().map(|word| Value::from(word.as_str())).collect();
        let config = Map::from_iter([
            ("command".to_owned(), Value::Array(command)),
            ("codes".to_owned(), Value::from("plain")),
        ]);
        HealthArgs { config, ..HealthArgs::of("command") }
    })
}

/// Where clients of databases are told to look: `-h HOST -p PORT`.
fn address(words: &[String], port: &str) -> String {
    let host = option(words, 'h', "host").unwrap_or_else(|| "localhost".to_owned());
    let port = option(words, 'p', "port").unwrap_or_else(|| port.to_owned());
    format!("{host}:{port}")
}

/// The value of `-x VALUE`, `-xVALUE`, `--long VALUE` or `--long=VALUE`.
fn option(words: &[String], short: char, long: &str) -> Option<String> {
    let (short, long) = (format!("-{short}"), format!("--{long}"));
    words.iter().enumerate().find_map(|(at, word)| {
        if *word == short || *word == long {
            return words.get(at + 1).cloned();
        }
        let joined = word.strip_prefix(&long).and_then(|rest| rest.strip_prefix('='));
        let joined = joined.or_else(|| word.strip_prefix(&short).filter(|_| !word.starts_with("--")));
        joined.map(str::to_owned)
    })
}
