//! What is wrong with a file, and where.

use std::fmt;
use std::ops::Range;

use hostler_model::nearest::nearest;
use hostler_model::visible;

/// A mistake with its place, shown with the line in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
    source: String,
    marked: usize,
}

/// Longest part of a line that is shown.
const SHOWN: usize = 160;

impl Mistake {
    pub(crate) fn at(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(text, span.end).clamp(start, line_end);
        let message: String = message.into();
        let source: String = text[line_start..line_end].chars().take(SHOWN).collect();
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            // The file may be anybody's, and the mistake is shown on a terminal.
            message: visible::on_its_lines(&message),
            source: visible::on_one_line(&source.replace('\t', " ")),
            marked: text[start..end].chars().count().max(1),
        }
    }

    pub(crate) fn of(text: &str, error: &toml::de::Error) -> Self {
        Self::at(text, error.span().unwrap_or(0..0), in_words_of_the_file(&with_nearest(error.message())))
    }

    /// Only where it is: of a file that may be none of ours, nothing is quoted.
    #[must_use]
    pub fn place(&self) -> String {
        format!("line {}, column {}", self.line, self.column)
    }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let blank = " ".repeat(number.len());
        let before = " ".repeat(self.column.min(SHOWN) - 1);
        let marks = "^".repeat(self.marked.min(SHOWN));
        writeln!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        writeln!(f, "{blank} |")?;
        writeln!(f, "{number} | {}", self.source)?;
        write!(f, "{blank} | {before}{marks}")
    }
}

impl std::error::Error for Mistake {}

/// Of "unknown field `a`, expected one of `b`, `c`", only the choice that was probably meant, where there is one.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let is_choice = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let (Some(wrong), true) = (quoted.next(), is_choice) else { return message.to_owned() };
    let choices: Vec<&str> = quoted.collect();
    // `memory` is no slip of the fingers for `memory_bytes`, and is meant for it.
    let begins = |choice: &&str| choice.strip_prefix(wrong).is_some_and(|rest| rest.starts_with('_'));
    let near = nearest(wrong, choices.iter().copied()).or_else(|| choices.iter().copied().find(begins));
    let Some(near) = near else { return message.to_owned() };
    let said = message.split(", expected").next().unwrap_or(message);
    format!("{said}; did you mean `{near}`?")
}

/// Of "invalid type: string "a", expected struct LogArgs", the kind of value by the name that it has in a file.
fn in_words_of_the_file(message: &str) -> String {
    let Some((said, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let kind = match expected {
        "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a map" => "a table",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        kind if kind.starts_with("struct ") => "a table",
        kind => kind,
    };
    let said = said.replace("invalid type: map", "invalid type: table");
    let said = said.replace("invalid type: sequence", "invalid type: list");
    format!("{said}, expected {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_of_a_file() {
        for (message, wanted) in [
            ("invalid type: string \"json\", expected struct LogArgs", "string \"json\", expected a table"),
            ("invalid value: integer `-1`, expected u64", "integer `-1`, expected a whole number from 0 on"),
            ("invalid type: map, expected a sequence", "table, expected a list"),
            ("unknown field `a`, expected one of `b`, `c`", "expected one of `b`, `c`"),
        ] {
            let told = in_words_of_the_file(message);
            assert!(told.ends_with(wanted), "{told}");
        }
        let told = with_nearest("unknown field `memory`, expected one of `memory_bytes`, `cpu_percent`");
        assert_eq!(told, "unknown field `memory`; did you mean `memory_bytes`?");
    }

    #[test]
    fn nothing_of_a_file_acts_on_a_terminal() {
        let text = "a = 1\n\tb\u{1b}[2K = 2\n";
        let shown = Mistake::at(text, 7..8, "no `x\u{1b}[1A`").to_string();
        assert!(shown.contains("2 |  b\u{241b}[2K = 2") && shown.contains("`x\u{241b}[1A`"), "{shown}");
    }
}
