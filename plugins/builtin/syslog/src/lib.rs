//! Parses syslog lines: RFC 5424, and RFC 3164 with and without its number.

use hostler_plugin::{
    Error, LogParser, Plugin, Row, Understood, prefix, severity,
    time::{self, Civil, UtcOffset},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Distance from UTC of times that do not say it themselves, as those of RFC 3164. Without it, such times are left
    /// out.
    pub utc_offset: Option<UtcOffset>,
}

/// The parser.
#[derive(Debug)]
pub struct Syslog {
    utc_offset: Option<UtcOffset>,
}

impl Plugin for Syslog {
    const NAME: &'static str = "syslog";
    const SUMMARY: &'static str = "Parses syslog lines of RFC 5424 and RFC 3164.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { utc_offset: config.utc_offset })
    }
}

impl LogParser for Syslog {
    fn parse(&mut self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        match priority(line) {
            Some((level, rest)) => {
                row.level(severity::of_syslog(level % 8)?);
                match rest.strip_prefix(b"1 ") {
                    Some(rest) => self.rfc5424(rest, row),
                    None => self.rfc3164(rest, row),
                }
            }
            None => self.rfc3164(line, row),
        }
    }
}

impl Syslog {
    /// `TIME HOST APP PROCESS MESSAGE-ID [STRUCTURED DATA] MESSAGE`
    fn rfc5424(&self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        let (time, rest) = word(line)?;
        if let Some((civil, _)) = time::iso(time) {
            self.time(civil, row);
        } else if time != b"-" {
            return None;
        }
        let mut rest = rest;
        for name in ["host", "app", "pid", "message_id"] {
            let (value, more) = word(rest)?;
            if value != b"-" {
                row.field(name, value);
            }
            rest = more;
        }
        let rest = structured_data(rest, row)?;
        let message = rest.strip_prefix(b" ").unwrap_or(rest);
        row.message(message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message));
        Some(())
    }

    /// `TIME HOST APP[PID]: MESSAGE`
    fn rfc3164(&self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        let (civil, used) = time::bsd(line).or_else(|| time::iso(line))?;
        let (host, rest) = word(line.get(used..)?.strip_prefix(b" ")?)?;
        let end = rest.iter().position(|b| matches!(b, b':' | b' '))?;
        let (tag, message) = (&rest[..end], rest[end..].strip_prefix(b":")?);
        self.time(civil, row);
        row.field("host", host);
        match tag.strip_suffix(b"]").and_then(|tag| tag.iter().position(|b| *b == b'[')) {
            Some(open) => {
                row.field("app", &tag[..open]);
                row.field("pid", &tag[open + 1..tag.len() - 1]);
            }
            None => row.field("app", tag),
        }
        let message = message.trim_ascii_start();
        row.message(message);
        // What has no number may still say its level in the text.
        if let Some(severity) = prefix::read(message).and_then(|p| p.severity).filter(|_| !row.has_level()) {
            row.level(severity);
        }
        Some(())
    }

    fn time(&self, civil: Civil, row: &mut Row<'_, '_>) {
        let civil = if civil.year == 0 { civil.with_year_near(time::now()) } else { civil };
        if let Some(nanos) = civil.unix_nanos(self.utc_offset) {
            row.time(nanos);
        }
    }
}

/// `<34>`: the number, and what stands behind it.
fn priority(line: &[u8]) -> Option<(u8, &[u8])> {
    let rest = line.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|b| *b == b'>')?;
    let number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    (number <= 191).then_some((number, &rest[end + 1..]))
}

/// A word, and what stands behind the space that ends it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|b| *b == b' ')?;
    (end > 0).then(|| (&text[..end], &text[end + 1..]))
}

/// `-`, or elements such as `[id key="value"]`, whose pairs become fields.
fn structured_data<'l>(text: &'l [u8], row: &mut Row<'_, '_>) -> Option<&'l [u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return Some(rest);
    }
    let mut rest = text;
    while let Some(element) = rest.strip_prefix(b"[") {
        let id = element.iter().position(|b| matches!(b, b' ' | b']'))?;
        rest = &element[id..];
        while let Some(pair) = rest.strip_prefix(b" ") {
            let equals = pair.iter().position(|b| *b == b'=')?;
            let value = pair[equals + 1..].strip_prefix(b"\"")?;
            let length = quoted_length(value)?;
            row.field(&pair[..equals], &value[..length]);
            rest = &value[length + 1..];
        }
        rest = rest.strip_prefix(b"]")?;
    }
    (rest.len() < text.len()).then_some(rest)
}

/// The length of a text up to the quote that ends it.
fn quoted_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

hostler_plugin::export!(log_parser: Syslog);

#[cfg(test)]
mod tests;
