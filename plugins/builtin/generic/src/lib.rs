//! Categorizes the errors of common runtimes: reads their exceptions and frames, and looks for what kinds and messages
//! have in common.

mod category;
mod suggestion;
mod trace;

use hostler_plugin::{Error, ErrorCategorizer, Exception, NoConfig, Plugin, Verdict, prefix};

/// The categorizer.
#[derive(Debug)]
pub struct Generic;

impl Plugin for Generic {
    const NAME: &'static str = "generic";
    const SUMMARY: &'static str = "Categorizes errors of Python, Java, Node.js, Go, Rust, Ruby, .NET, PHP, Perl, C and C++, and common messages of others.";
    type Config = NoConfig;

    fn schema() -> String {
        include_str!("../schema.json").to_owned()
    }

    fn new(_: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }
}

impl ErrorCategorizer for Generic {
    fn categorize(&mut self, text: &str) -> Option<Verdict> {
        if text.trim().is_empty() {
            return None;
        }
        let text = beginning(text);
        let exceptions = trace::read(text);
        let (category, confidence) = category::of(text, &exceptions);
        Some(Verdict {
            category: category.to_owned(),
            confidence,
            title: title(text, &exceptions),
            suggestion: suggestion::of(text, category, &exceptions),
            exceptions,
            // The host's own way is right for all of these.
            fingerprint: Vec::new(),
        })
    }
}

/// Longest text that is looked at, bytes: what tells errors apart stands in the beginning.
const LONGEST: usize = 256 * 1024;

fn beginning(text: &str) -> &str {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// The longest title.
const TITLE: usize = 160;

fn title(text: &str, exceptions: &[Exception]) -> String {
    let first_line = |text: &str| text.trim().lines().next().unwrap_or_default().trim().to_owned();
    let title = match exceptions.first() {
        Some(Exception { kind, message, .. }) if message.is_empty() => kind.clone(),
        Some(Exception { kind, message, .. }) if kind.is_empty() => first_line(message),
        Some(Exception { kind, message, .. }) => format!("{kind}: {}", first_line(message)),
        None => {
            let line = first_line(text);
            let begins = prefix::read(line.as_bytes()).map_or(0, |prefix| prefix.message);
            line.get(begins..).filter(|rest| !rest.is_empty()).unwrap_or(&line).to_owned()
        }
    };
    match title.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title,
    }
}

hostler_plugin::export!(error_categorizer: Generic);

#[cfg(test)]
mod tests;
