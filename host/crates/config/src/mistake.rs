//! What is wrong with a file, and where.

use std::fmt;
use std::ops::Range;

use hostler_model::nearest::nearest;

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
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            message: message.into(),
            source: text[line_start..line_end].chars().take(SHOWN).collect(),
            marked: text[start..end].chars().count().max(1),
        }
    }

    pub(crate) fn of(text: &str, error: &toml::de::Error) -> Self {
        Self::at(text, error.span().unwrap_or(0..0), with_nearest(error.message()))
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
    let Some(near) = nearest(wrong, quoted) else { return message.to_owned() };
    let said = message.split(", expected").next().unwrap_or(message);
    format!("{said}; did you mean `{near}`?")
}
