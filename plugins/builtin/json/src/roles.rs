//! Which member of an object is the time, the level, the message.

use crate::Config;
use hostler_plugin::{
    severity,
    time::{self, UtcOffset},
};

/// What a member is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Time,
    Level,
    /// A severity number of OpenTelemetry.
    Number,
    /// The message; the member whose name is worth most is taken.
    Message(u8),
    Field,
}

/// The names of members, the usual ones and the configured ones.
#[derive(Debug)]
pub(crate) struct Roles {
    more: Vec<(String, Role)>,
    utc_offset: Option<UtcOffset>,
}

impl Roles {
    pub(crate) fn new(config: Config) -> Self {
        let named = |keys: Vec<String>, role| keys.into_iter().map(move |key| (key, role));
        let more = named(config.time_keys, Role::Time)
            .chain(named(config.level_keys, Role::Level))
            .chain(named(config.message_keys, Role::Message(3)));
        Self { more: more.collect(), utc_offset: config.utc_offset }
    }

    /// The role of a member, by its name with those of the objects around it.
    pub(crate) fn of(&self, name: &[u8]) -> Role {
        match usual(name) {
            Role::Field => self.configured(name),
            role => role,
        }
    }

    /// The time that a text or a number means.
    pub(crate) fn time(&self, text: &[u8]) -> Option<u64> {
        match time::iso(text) {
            Some((civil, _)) => civil.unix_nanos(self.utc_offset),
            None => time::epoch(text),
        }
    }

    fn configured(&self, name: &[u8]) -> Role {
        let named = self.more.iter().find(|(key, _)| key.as_bytes() == name);
        named.map_or(Role::Field, |(_, role)| *role)
    }
}

fn usual(name: &[u8]) -> Role {
    match name {
        b"time" | b"timestamp" | b"ts" | b"@timestamp" | b"@t" | b"t" | b"t.$date" | b"asctime"
        | b"datetime" | b"date" | b"eventTime" | b"timeMillis" | b"Timestamp" => Role::Time,
        b"level" | b"severity" | b"lvl" | b"levelname" | b"log.level" | b"loglevel" | b"logLevel"
        | b"log_level" | b"@l" | b"s" | b"level_name" | b"severity_text" | b"severityText"
        | b"SeverityText" | b"LogLevel" | b"Level" => Role::Level,
        b"severity_number" | b"severityNumber" | b"SeverityNumber" => Role::Number,
        b"message" | b"msg" | b"@m" | b"short_message" | b"Message" | b"RenderedMessage" => Role::Message(2),
        b"@mt" | b"log" | b"body" | b"Body" | b"event" | b"text" => Role::Message(1),
        _ => Role::Field,
    }
}

/// The level that a word, a letter or a number means.
pub(crate) fn level(text: &[u8]) -> Option<u8> {
    match number(text) {
        // GELF has the numbers of syslog, pino and bunyan have their own.
        Some(level @ 0..=7) => severity::of_syslog(level as u8),
        Some(level) => severity::of_pino(level),
        None if text.len() == 1 => severity::of_letter(text[0]),
        None => severity::of_word(text),
    }
}

/// A small whole number.
pub(crate) fn number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.len() < 9 && text.iter().all(u8::is_ascii_digit);
    digits.then(|| text.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}
