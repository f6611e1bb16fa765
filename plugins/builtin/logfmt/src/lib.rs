//! Parses lines of `key=value` pairs, as Heroku, Go kit, logrus, slog and others write them.

mod pairs;

use hostler_plugin::{
    Error, LogParser, Plugin, Row, Understood, severity,
    time::{self, UtcOffset},
};
use pairs::Pairs;
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Distance from UTC of times that do not say it themselves. Without it, such times are fields.
    pub utc_offset: Option<UtcOffset>,
}

/// The parser.
#[derive(Debug)]
pub struct Logfmt {
    utc_offset: Option<UtcOffset>,
}

impl Plugin for Logfmt {
    const NAME: &'static str = "logfmt";
    const SUMMARY: &'static str = "Parses lines of key=value pairs.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { utc_offset: config.utc_offset })
    }
}

impl LogParser for Logfmt {
    fn parse(&mut self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        let mut pairs = Pairs::new(line);
        let mut fields = 0;
        while let Some((key, value)) = pairs.next()? {
            if !self.take(key, value, row) {
                fields += 1;
                row.field(key, value);
            }
        }
        // One pair alone may be a setting that somebody printed.
        let log = row.has_level() || row.has_time() || row.has_message();
        (log || fields > 1).then_some(())
    }
}

impl Logfmt {
    /// Takes time, level and message; the first of each counts.
    fn take(&self, key: &[u8], value: &[u8], row: &mut Row<'_, '_>) -> bool {
        match key {
            b"msg" | b"message" if !row.has_message() => row.message(value),
            b"level" | b"lvl" | b"severity" | b"loglevel" if !row.has_level() => {
                match severity::of_word(value) {
                    Some(level) => row.level(level),
                    None => return false,
                }
            }
            b"time" | b"ts" | b"t" | b"timestamp" | b"at" if !row.has_time() => match self.time(value) {
                Some(nanos) => row.time(nanos),
                // Heroku says the level at this place.
                None => match severity::of_word(value) {
                    Some(level) if key == b"at" && !row.has_level() => row.level(level),
                    _ => return false,
                },
            },
            _ => return false,
        }
        true
    }

    fn time(&self, text: &[u8]) -> Option<u64> {
        match time::iso(text) {
            Some((civil, _)) => civil.unix_nanos(self.utc_offset),
            None => time::epoch(text),
        }
    }
}

hostler_plugin::export!(log_parser: Logfmt);

#[cfg(test)]
mod tests;
