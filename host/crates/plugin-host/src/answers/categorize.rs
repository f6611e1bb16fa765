//! The answer of an error categorizer.

use super::Broken;
use crate::bindings::error_categorizing as raw;
use crate::text::{cut, is_kebab, one_line};

const MAX_CATEGORY: usize = 64;
const MAX_TITLE: usize = 300;
const MAX_EXCEPTIONS: usize = 16;
const MAX_FRAMES: usize = 128;
const MAX_NAME: usize = 500;
const MAX_MESSAGE: usize = 4_000;
const MAX_PARTS: usize = 32;
const MAX_SUGGESTION: usize = 1_000;

/// What was found out about one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Categorized {
    /// Category in kebab-case.
    pub category: String,
    /// How sure that is, 0 to 100.
    pub confidence: u8,
    /// One line for lists.
    pub title: String,
    /// The exceptions, the one that was thrown first, then its causes; at most 16.
    pub exceptions: Vec<Exception>,
    /// Texts that make two errors the same; may be empty.
    pub fingerprint: Vec<String>,
    /// What to try next.
    pub suggestion: Option<String>,
}

/// One exception, panic or crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Its type; may be empty.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// Its frames, the innermost last; of more than 128 the outermost are left out.
    pub frames: Vec<Frame>,
}

/// One line of a stack trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Function, method or module; may be empty.
    pub function: String,
    /// Source file; may be empty.
    pub file: String,
    /// Line in it.
    pub line: Option<u32>,
    /// Whether it belongs to the program itself.
    pub in_app: bool,
}

/// Checks an answer about `texts` texts. Long texts are cut: they are for people, and say enough at their beginning.
///
/// # Errors
/// The first thing in it that breaks the contract.
pub(crate) fn accept(
    answer: Vec<Option<raw::Verdict>>,
    texts: usize,
) -> Result<Vec<Option<Categorized>>, Broken> {
    if answer.len() != texts {
        return Err(format!("{} verdicts for {texts} errors", answer.len()));
    }
    answer.into_iter().map(|verdict| verdict.map(accept_one).transpose()).collect()
}

fn accept_one(verdict: raw::Verdict) -> Result<Categorized, Broken> {
    if verdict.category.len() > MAX_CATEGORY || !is_kebab(&verdict.category) {
        return Err(format!("the category `{}` is not in kebab-case", one_line(&verdict.category, 80)));
    }
    Ok(Categorized {
        category: verdict.category,
        confidence: verdict.confidence.min(100),
        title: one_line(&verdict.title, MAX_TITLE),
        exceptions: verdict.exceptions.into_iter().take(MAX_EXCEPTIONS).map(exception).collect(),
        fingerprint: verdict
            .fingerprint
            .into_iter()
            .take(MAX_PARTS)
            .map(|part| cut(part, MAX_NAME))
            .collect(),
        suggestion: verdict
            .suggestion
            .map(|text| cut(text, MAX_SUGGESTION))
            .filter(|text| !text.trim().is_empty()),
    })
}

fn exception(raw: raw::Exception) -> Exception {
    let outer = raw.frames.len().saturating_sub(MAX_FRAMES);
    Exception {
        kind: one_line(&raw.kind, MAX_NAME),
        message: cut(raw.message, MAX_MESSAGE),
        frames: raw.frames.into_iter().skip(outer).map(frame).collect(),
    }
}

fn frame(raw: raw::Frame) -> Frame {
    Frame {
        function: one_line(&raw.function, MAX_NAME),
        file: one_line(&raw.file, MAX_NAME),
        line: raw.line,
        in_app: raw.in_app,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> raw::Verdict {
        raw::Verdict {
            category: "network".into(),
            confidence: 250,
            title: "x\n".repeat(1_000),
            exceptions: vec![raw::Exception {
                kind: "panic".into(),
                message: "m".repeat(10_000),
                frames: (0..200)
                    .map(|line| raw::Frame {
                        function: "f".into(),
                        file: String::new(),
                        line: Some(line),
                        in_app: true,
                    })
                    .collect(),
            }],
            fingerprint: vec!["p".into(); 100],
            suggestion: Some(" ".into()),
        }
    }

    #[test]
    fn there_is_one_verdict_for_each_text() {
        assert!(accept(vec![None], 2).unwrap_err().contains("1 verdicts for 2 errors"));
        assert_eq!(accept(vec![None, None], 2), Ok(vec![None, None]));
    }

    #[test]
    fn everything_in_a_verdict_is_bounded() {
        let accepted = accept(vec![Some(verdict())], 1).unwrap().remove(0).unwrap();
        assert_eq!(accepted.confidence, 100);
        assert!(accepted.title.len() <= MAX_TITLE + 3 && !accepted.title.contains('\n'));
        let exception = &accepted.exceptions[0];
        assert!(exception.message.len() <= MAX_MESSAGE + 3);
        assert_eq!((exception.frames.len(), exception.frames[127].line), (128, Some(199)));
        assert_eq!((accepted.fingerprint.len(), accepted.suggestion), (32, None));
    }

    #[test]
    fn categories_are_kebab_case() {
        let odd = raw::Verdict { category: "Out Of Memory".into(), ..verdict() };
        assert!(accept(vec![Some(odd)], 1).is_err());
    }
}
