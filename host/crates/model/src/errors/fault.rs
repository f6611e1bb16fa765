//! What is known of one error, as a categorizer understood its text.

use serde::{Deserialize, Serialize};

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fault {
    /// Category in kebab-case; `unknown` when nobody knew.
    pub category: String,
    /// How sure that is, percent.
    pub confidence: u8,
    /// One line for lists.
    pub title: String,
    /// The exceptions: the one that was reported in the end, then its causes.
    pub exceptions: Vec<Exception>,
    /// What the categorizer says makes two errors the same; empty when it leaves that to the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// What to try next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Why it is known less well than it could be, such as a categorizer that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One exception, panic or crash.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exception {
    /// Its type; may be empty.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// Its frames, the innermost last.
    pub frames: Vec<Frame>,
}

/// One line of a stack trace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Frame {
    /// Function, method or module; may be empty.
    pub function: String,
    /// Source file; may be empty.
    pub file: String,
    /// Line in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Whether it belongs to the program itself.
    pub in_app: bool,
}

impl Fault {
    /// An error of which only its text is known.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let title = text.trim().lines().next().unwrap_or_default().trim();
        Self {
            category: "unknown".to_owned(),
            title: crate::text::clip(title.to_owned(), 200),
            ..Self::default()
        }
    }

    /// Whether any exception has frames.
    #[must_use]
    pub fn has_frames(&self) -> bool {
        self.exceptions.iter().any(|exception| !exception.frames.is_empty())
    }

    /// The innermost frame of the program itself: where to look first.
    #[must_use]
    pub fn culprit(&self) -> Option<&Frame> {
        // What was thrown first is nearest to the fault.
        let in_app = |e: &'_ Exception| e.frames.iter().rposition(|f| f.in_app);
        self.exceptions.iter().rev().find_map(|e| in_app(e).map(|at| &e.frames[at]))
    }
}
