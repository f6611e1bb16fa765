//! Understands lines such as `E disk full`: a letter for the level, a space, the message.

wit_bindgen::generate!({ path: "../../../wit", world: "log-parser" });

use exports::hostler::plugin::{lifecycle, log_parsing, metadata};
use hostler::plugin::types::{Error, Span, TextBatch};

struct Letters;

impl metadata::Guest for Letters {
    fn describe() -> metadata::Info {
        metadata::Info {
            name: "letters".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Reads the level from a line's first letter.".to_owned(),
            config_schema: None,
            extra: Vec::new(),
        }
    }
}

impl lifecycle::Guest for Letters {
    fn configure(_: String) -> Result<(), Error> {
        Ok(())
    }
}

impl log_parsing::Guest for Letters {
    fn parse(batch: TextBatch, _: bool) -> Result<log_parsing::ParsedBatch, Error> {
        let mut rows = Vec::new();
        let mut start = 0;
        for (line, &end) in (0..).zip(&batch.ends) {
            if let Some(severity) = level(&batch.bytes[start as usize..end as usize]) {
                let message = Span { start: start + 2, end };
                rows.push(log_parsing::Row { first_line: line, last_line: line, severity, unix_nanos: None, message });
            }
            start = end;
        }
        Ok(log_parsing::ParsedBatch { rows, keys: Vec::new(), fields: Vec::new(), pending_from: None })
    }
}

/// The severity number of a line's letter.
fn level(line: &[u8]) -> Option<u8> {
    match line {
        [b'D', b' ', ..] => Some(5),
        [b'I', b' ', ..] => Some(9),
        [b'W', b' ', ..] => Some(13),
        [b'E', b' ', ..] => Some(17),
        _ => None,
    }
}

export!(Letters);
