//! Health checks that do what the commands of other tools' checks do.

use hostler_api::process::HealthArgs;
use serde_json::{Map, Value};

use crate::interpolate::replace;

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

/// A check that runs a command; all but 0 is a failure.
pub(crate) fn command(words: &[String]) -> HealthArgs {
    let command = words.iter().map(|word| Value::from(word.as_str())).collect();
    let config = Map::from_iter([
        ("command".to_owned(), Value::Array(command)),
        ("codes".to_owned(), Value::from("plain")),
    ]);
    HealthArgs { config, ..HealthArgs::of("command") }
}

/// What a command asks, asked by the plugin that is made for it; any other command is run.
pub(crate) fn of_command(words: &[String]) -> HealthArgs {
    let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or_default());
    let made_for_it = match program {
        "curl" | "wget" => asked(words).map(http),
        "nc" => match &words[1..] {
            [flags @ .., host, port] if flags.iter().any(|f| f.contains('z')) => {
                Some(tcp(&format!("{host}:{port}")))
            }
            _ => None,
        },
        "pg_isready" => Some(of_pg_isready(words)),
        "redis-cli" if words.iter().any(|word| word.eq_ignore_ascii_case("ping")) => {
            Some(of("redis", &[("address", &address(words, "6379"))]))
        }
        _ => None,
    };
    // What a plugin would refuse is left to the command, so that the file as a whole is not refused.
    made_for_it.filter(is_possible).unwrap_or_else(|| command(words))
}

fn of_pg_isready(words: &[String]) -> HealthArgs {
    let settings = [("user", option(words, 'U', "username")), ("database", option(words, 'd', "dbname"))];
    let mut check = of("postgres", &[("address", &address(words, "5432"))]);
    let given = settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    check.config.extend(given);
    check
}

/// Whether a check has a place to ask that its plugin understands.
fn is_possible(check: &HealthArgs) -> bool {
    let text = |name: &str| check.config.get(name).and_then(Value::as_str);
    text("url").is_none_or(is_url) && text("address").is_none_or(|address| has_port(address, None))
}

/// Whether plugin `http` can ask this: it knows neither TLS nor names and passwords in it.
pub(crate) fn is_url(url: &str) -> bool {
    let url = filled(url);
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !authority.contains('@') && has_port(authority, Some(80))
}

/// Whether a text is a host with a port.
pub(crate) fn has_port(address: &str, usual: Option<u16>) -> bool {
    let address = filled(address);
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (address.as_str(), usual),
    };
    !host.is_empty() && !host.contains(char::is_whitespace) && port.is_some_and(|port| port > 0)
}

/// With the defaults of variables in their place. One without a default has to be set, and then may be anything.
fn filled(text: &str) -> String {
    let value = |inside: &str| Ok(inside.split_once(":-").map_or("1", |(_, default)| default).to_owned());
    replace(text, value).unwrap_or_else(|_| text.to_owned())
}

/// Options of curl and wget that do not change what is asked, without a value and with one.
const ALONE: [&str; 16] = [
    "--compressed",
    "--fail",
    "--fail-with-body",
    "--insecure",
    "--location",
    "--no-check-certificate",
    "--no-verbose",
    "--quiet",
    "--server-response",
    "--show-error",
    "--silent",
    "--spider",
    "--verbose",
    "-nv",
    "-O-",
    "-qO-",
];
const WITH_VALUE: [&str; 12] = [
    "--connect-timeout",
    "--max-time",
    "--output",
    "--output-document",
    "--retry",
    "--timeout",
    "--tries",
    "-O",
    "-T",
    "-m",
    "-o",
    "-t",
];

/// The page that curl or wget is to get, when that is all it does.
fn asked(words: &[String]) -> Option<&str> {
    let (mut url, mut words) = (None, words.iter().skip(1).map(String::as_str));
    while let Some(word) = words.next() {
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        if ALONE.contains(&word) || (name != word && WITH_VALUE.contains(&name)) {
            continue;
        }
        match word.strip_prefix('-').filter(|short| !short.starts_with('-')) {
            _ if WITH_VALUE.contains(&word) => {
                words.next()?;
            }
            None if word.starts_with('-') || url.replace(word).is_some() => return None,
            None => {}
            Some(short) => {
                // Several in one word; the last one may have a value.
                let before = short.trim_end_matches(['O', 'T', 'm', 'o', 't']);
                if !before.chars().all(|flag| "fsSLkvq4".contains(flag)) || short.len() > before.len() + 1 {
                    return None;
                }
                if short.len() > before.len() {
                    words.next()?;
                }
            }
        }
    }
    url.filter(|url| is_url(url))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Plugin and configuration, in short.
    fn of_line(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let check = of_command(&words);
        let config: Vec<String> = check
            .config
            .iter()
            .filter(|(name, _)| *name != "codes")
            .map(|(_, value)| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        format!("{} {}", check.plugin, config.join(" "))
    }

    #[test]
    fn a_command_is_replaced_only_by_what_asks_the_same() {
        for (line, wanted) in [
            ("curl -f http://localhost:8000/health", "http http://localhost:8000/health"),
            ("curl -fsSo /dev/null --max-time 3 http://h/x?y", "http http://h/x?y"),
            ("wget --quiet --tries=1 --spider http://h:1/", "http http://h:1/"),
            ("wget -qO- http://h:${P:-80}/", "http http://h:${P:-80}/"),
            ("nc -z localhost 5432", "tcp localhost:5432"),
            ("redis-cli -p 7000 ping", "redis localhost:7000"),
            ("pg_isready -U me -h db", "postgres db:5432 me"),
        ] {
            assert_eq!(of_line(line), wanted, "{line}");
        }
        for line in [
            "curl -f https://localhost/",
            "curl -fk https://localhost/",
            "curl -f http://me:secret@localhost/",
            "curl -f localhost:8000",
            "curl -X POST http://localhost/",
            "curl -H a:b http://localhost/",
            "curl --unix-socket /x http://localhost/",
            "curl -f http://localhost:${PORT:-}/",
            "curl http://a/ http://b/",
            "curl -m",
            "nc -z localhost high",
            "pg_isready -p ${PORT:-}",
            "mysqladmin ping",
        ] {
            assert!(of_line(line).starts_with("command ["), "{line}: {}", of_line(line));
        }
    }
}
