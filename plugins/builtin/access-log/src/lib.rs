//! Parses the logs of web servers: common and combined format (Apache, nginx, Caddy, gunicorn and others), and the error
//! log of nginx.

use hostler_plugin::{
    Error, LogParser, Plugin, Row, Understood, severity,
    time::{self, UtcOffset},
};
use memchr::{memchr, memmem};
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Distance from UTC of times that do not say it themselves, as those of nginx's error log. Without it, such times
    /// are left out.
    pub utc_offset: Option<UtcOffset>,
}

/// The parser.
#[derive(Debug)]
pub struct AccessLog {
    utc_offset: Option<UtcOffset>,
}

impl Plugin for AccessLog {
    const NAME: &'static str = "access-log";
    const SUMMARY: &'static str = "Parses access logs (common, combined) and the error log of nginx.";
    type Config = Config;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { utc_offset: config.utc_offset })
    }
}

impl LogParser for AccessLog {
    fn parse(&mut self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        match line.get(4) {
            Some(b'/') => self.nginx_error(line, row),
            _ => self.access(line, row),
        }
    }
}

impl AccessLog {
    /// `HOST IDENT USER [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT" …`
    fn access(&self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        let open = memmem::find(line, b" [")?;
        let mut names = line[..open].split(|b| *b == b' ');
        let client = names.next().filter(|client| !client.is_empty())?;
        let user = names.nth(1)?;
        let (civil, used) = time::clf(&line[open + 2..])?;
        let rest = line[open + 2 + used..].strip_prefix(b"] \"")?;
        let request = &rest[..quoted_length(rest)?];
        let rest = rest[request.len()..].strip_prefix(b"\" ")?;
        let (status, rest) = split_word(rest);
        row.level(severity::of_http_status(number(status)?));
        if let Some(nanos) = civil.unix_nanos(self.utc_offset) {
            row.time(nanos);
        }
        row.message(request);
        row.field("client", client);
        present(row, "user", user);
        request_fields(request, row);
        row.field("status", status);
        let (bytes, rest) = split_word(rest);
        present(row, "bytes", bytes);
        quoted_fields(rest, row);
        Some(())
    }

    /// `2026/05/01 12:30:00 [error] 31#31: *1 MESSAGE, client: …, server: …`
    fn nginx_error(&self, line: &[u8], row: &mut Row<'_, '_>) -> Understood {
        let (civil, used) = time::iso(line)?;
        let rest = line[used..].strip_prefix(b" [")?;
        let end = memchr(b']', rest)?;
        row.level(severity::of_word(&rest[..end])?);
        let (process, rest) = split_word(rest[end + 1..].strip_prefix(b" ")?);
        row.field("pid", &process[..memchr(b'#', process)?]);
        if let Some(nanos) = civil.unix_nanos(self.utc_offset) {
            row.time(nanos);
        }
        let (connection, after) = split_word(rest);
        let rest = match connection.strip_prefix(b"*") {
            Some(connection) => {
                row.field("connection", connection);
                after
            }
            None => rest,
        };
        let end = memmem::find(rest, b", client: ").unwrap_or(rest.len());
        row.message(&rest[..end]);
        details(&rest[end..], row);
        Some(())
    }
}

/// `GET /path HTTP/1.1`. What a client sends that is no request stays the message alone.
fn request_fields(request: &[u8], row: &mut Row<'_, '_>) {
    let (method, rest) = split_word(request);
    let (path, protocol) = split_word(rest);
    if !method.is_empty() && method.iter().all(u8::is_ascii_uppercase) && !path.is_empty() {
        row.field("method", method);
        row.field("path", path);
        present(row, "protocol", protocol);
    }
}

/// Referer and agent; what some configurations write behind them has no name.
fn quoted_fields(text: &[u8], row: &mut Row<'_, '_>) {
    let mut rest = text;
    for name in ["referer", "user_agent"] {
        let Some(value) = rest.strip_prefix(b"\"") else { return };
        let Some(length) = quoted_length(value) else { return };
        present(row, name, &value[..length]);
        rest = value[length + 1..].trim_ascii_start();
    }
}

/// `, client: 10.0.0.1, server: web, request: "GET / HTTP/1.1", upstream: "…", host: "…"`
fn details(text: &[u8], row: &mut Row<'_, '_>) {
    let mut rest = text;
    while let Some(detail) = rest.strip_prefix(b", ") {
        let Some(colon) = memmem::find(detail, b": ") else { return };
        let (name, value) = (&detail[..colon], &detail[colon + 2..]);
        let quoted = value.strip_prefix(b"\"").and_then(|value| Some(&value[..quoted_length(value)?]));
        let (value, used) = match quoted {
            Some(quoted) => (quoted, quoted.len() + 2),
            None => {
                let end = memchr(b',', value).unwrap_or(value.len());
                (&value[..end], end)
            }
        };
        row.field(name, value);
        rest = &detail[colon + 2 + used..];
    }
}

/// A field whose value is no dash, which stands for nothing.
fn present(row: &mut Row<'_, '_>, name: &str, value: &[u8]) {
    if !value.is_empty() && value != b"-" {
        row.field(name, value);
    }
}

/// The first word, and what stands behind the space that ends it.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b' ', text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[]),
    }
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

/// A status of three digits.
fn number(text: &[u8]) -> Option<u16> {
    let three = text.len() == 3 && text.iter().all(u8::is_ascii_digit);
    three.then(|| text.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0')))
}

hostler_plugin::export!(log_parser: AccessLog);

#[cfg(test)]
mod tests;
