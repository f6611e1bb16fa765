//! Parses lines that are JSON objects, as the loggers of most languages write them.

mod reader;
mod roles;

use hostler_plugin::{Error, LogParser, Plugin, Row, Understood, time::UtcOffset};
use reader::{Reader, Value};
use roles::{Role, Roles};
use schemars::JsonSchema;
use serde::Deserialize;

/// Objects nested deeper than this are one field.
const DEPTH: usize = 6;

/// Configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// More names of the member that has the time; nested ones with dots.
    pub time_keys: Vec<String>,
    /// More names of the member that has the level.
    pub level_keys: Vec<String>,
    /// More names of the member that has the message.
    pub message_keys: Vec<String>,
    /// Distance from UTC of times that do not say it themselves. Without it, such times are left out.
    pub utc_offset: Option<UtcOffset>,
}

/// The parser.
#[derive(Debug)]
pub struct Json {
    roles: Roles,
    /// The name of the member being read, with those of the objects around it; reused for all lines.
    path: Vec<u8>,
}

impl Plugin for Json {
    const NAME: &'static str = "json";
    const SUMMARY: &'static str =
        "Parses JSON lines: pino, bunyan, zap, logrus, slog, tracing, structlog and others.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { roles: Roles::new(config), path: Vec::new() })
    }
}

impl LogParser for Json {
    fn parse(&mut self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        let mut event = Event { roles: &self.roles, path: &mut self.path, message: None };
        let mut reader = Reader::new(line);
        match reader.value()? {
            Value::Object => event.members(&mut reader, 0, 0, row)?,
            _ => return None,
        }
        reader.end()?;
        if let Some((_, _, message)) = event.message {
            row.message(message);
        }
        Some(())
    }
}

/// A line on its way into a row.
struct Event<'p, 'l> {
    roles: &'p Roles,
    path: &'p mut Vec<u8>,
    /// The best message so far: what its name is worth, the name, and the text.
    message: Option<(u8, &'l [u8], &'l [u8])>,
}

impl<'l> Event<'_, 'l> {
    /// Reads the members of an object up to its end. Their names begin with the first `prefix` bytes of the path.
    fn members(
        &mut self,
        reader: &mut Reader<'l>,
        prefix: usize,
        depth: usize,
        row: &mut Row<'_, '_>,
    ) -> Understood {
        if reader.closes(b'}') {
            return Some(());
        }
        loop {
            let key = reader.key()?;
            let before = reader.position();
            match reader.value()? {
                Value::Object if depth == DEPTH => {
                    reader.skip_nested()?;
                    self.leaf(prefix, key, Value::Bare(reader.since(before)), row);
                }
                Value::Object => {
                    let inner = self.enter(prefix, key);
                    self.members(reader, inner, depth + 1, row)?;
                }
                Value::Array => {
                    reader.skip_nested()?;
                    self.leaf(prefix, key, Value::Bare(reader.since(before)), row);
                }
                value => self.leaf(prefix, key, value, row),
            }
            if !reader.continues(b'}')? {
                return Some(());
            }
        }
    }

    /// Lengthens the path by an object's name.
    fn enter(&mut self, prefix: usize, key: &[u8]) -> usize {
        self.path.truncate(prefix);
        // `tracing` keeps what others have at the top in an object of this name.
        if prefix > 0 || key != b"fields" {
            self.path.extend_from_slice(key);
            self.path.push(b'.');
        }
        self.path.len()
    }

    fn leaf(&mut self, prefix: usize, key: &'l [u8], value: Value<'l>, row: &mut Row<'_, '_>) {
        let (Value::Text(text) | Value::Bare(text)) = value else { return };
        let name = if prefix == 0 {
            key
        } else {
            self.path.truncate(prefix);
            self.path.extend_from_slice(key);
            &self.path[..]
        };
        match self.roles.of(name) {
            Role::Time if !row.has_time() => {
                if let Some(nanos) = self.roles.time(text) {
                    return row.time(nanos);
                }
            }
            Role::Level if !row.has_level() => {
                if let Some(severity) = roles::level(text) {
                    return row.level(severity);
                }
            }
            Role::Number if !row.has_level() => {
                if let Some(severity) = roles::number(text).filter(|n| (1..=24).contains(n)) {
                    return row.level(severity as u8);
                }
            }
            Role::Message(worth) => match self.message {
                Some((best, ..)) if best >= worth => {}
                replaced => {
                    self.message = Some((worth, key, text));
                    return if let Some((_, key, text)) = replaced {
                        row.field(key, text)
                    };
                }
            },
            _ => {}
        }
        row.field(name, text);
    }
}

hostler_plugin::export!(log_parser: Json);

#[cfg(test)]
mod tests;
