//! Finds level and time at the beginning of plain lines, colours included.

use hostler_plugin::{Error, LogParser, Plugin, Row, Understood, prefix, time, time::UtcOffset};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Distance from UTC of times that do not say it themselves. Without it, such times are left out.
    pub utc_offset: Option<UtcOffset>,
}

/// The parser.
#[derive(Debug)]
pub struct Level {
    utc_offset: Option<UtcOffset>,
}

impl Plugin for Level {
    const NAME: &'static str = "level";
    const SUMMARY: &'static str = "Finds level and time in plain log lines.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { utc_offset: config.utc_offset })
    }
}

impl LogParser for Level {
    fn parse(&mut self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        let prefix = prefix::read(line)?;
        if let Some(severity) = prefix.severity {
            row.level(severity);
        }
        let civil =
            prefix.time.map(|civil| if civil.year == 0 { civil.with_year_near(time::now()) } else { civil });
        if let Some(nanos) = civil.and_then(|civil| civil.unix_nanos(self.utc_offset)) {
            row.time(nanos);
        }
        row.message(&line[prefix.message..]);
        Some(())
    }
}

hostler_plugin::export!(log_parser: Level);

#[cfg(test)]
mod tests;
