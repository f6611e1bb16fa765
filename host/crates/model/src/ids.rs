//! Names and numbers by which processes and their runs are known.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A process identifier of the kernel. Never trusted alone: a pid is reused, pid + start time is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pid(pub i32);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a declared process, unique in one hostler home and never reused. Written `p12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(pub i64);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl FromStr for ProcessId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        numbered(text, 'p').map(Self)
    }
}

/// The number of a group of errors, unique in one hostler home and never reused. Written `e12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorId(pub i64);

impl fmt::Display for ErrorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

impl FromStr for ErrorId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        numbered(text, 'e').map(Self)
    }
}

/// A letter and a number without a sign.
fn numbered(text: &str, letter: char) -> Result<i64, ()> {
    let digits = text.strip_prefix(letter).ok_or(())?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    digits.parse().map_err(|_| ())
}

/// The number of one run of a process: 1 for the first start, one more for each start after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunNo(pub u32);

impl RunNo {
    /// The run after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RunNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the state changes of one process. Whoever waits, waits for a generation, and misses none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

/// A process name: 1 to 64 of `A-Z a-z 0-9 . _ : @ + -`, beginning with a letter or a digit.
///
/// `/` is left out because `project/name` addresses a process of another project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProcessName(String);

/// Why a text is not a [`ProcessName`], with a name near it that is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not a valid name: use 1 to 64 of A-Z a-z 0-9 . _ : @ + - and begin with a letter or a digit{hint}"
)]
pub struct InvalidName {
    name: String,
    hint: String,
}

const MAX_NAME: usize = 64;

impl ProcessName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest valid name to any text; `None` when nothing of it can be kept.
    #[must_use]
    pub fn suggest(text: &str) -> Option<Self> {
        let mut kept = String::new();
        for c in text.chars() {
            let c = if allowed(c) { c } else { '-' };
            let first = kept.is_empty();
            if (first && !c.is_ascii_alphanumeric()) || (c == '-' && kept.ends_with('-')) {
                continue;
            }
            kept.push(c);
            if kept.len() == MAX_NAME {
                break;
            }
        }
        let kept = kept.trim_end_matches('-').to_owned();
        (!kept.is_empty()).then_some(Self(kept))
    }
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._:@+-".contains(c)
}

impl TryFrom<String> for ProcessName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts_well && text.len() <= MAX_NAME && text.chars().all(allowed) {
            return Ok(Self(text));
        }
        let hint = Self::suggest(&text).map(|n| format!("; for example {:?}", n.0)).unwrap_or_default();
        let name =
            if text.chars().count() > 80 { text.chars().take(80).chain(['…']).collect() } else { text };
        Err(InvalidName { name, hint })
    }
}

impl From<ProcessName> for String {
    fn from(name: ProcessName) -> Self {
        name.0
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_invalid_name_is_answered_with_a_valid_one() {
        let error = ProcessName::try_from("my web/app ü".to_owned()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"my web/app ü\" is not a valid name: use 1 to 64 of A-Z a-z 0-9 . _ : @ + - and begin with a \
             letter or a digit; for example \"my-web-app\""
        );
    }

    #[test]
    fn ids_round_trip_and_refuse_the_rest() {
        assert_eq!("p12".parse(), Ok(ProcessId(12)));
        assert_eq!(ProcessId(12).to_string(), "p12");
        for bad in ["", "p", "12", "p-1", "p1x", "p99999999999999999999"] {
            assert_eq!(bad.parse::<ProcessId>(), Err(()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_suggestion_is_a_valid_name(text in ".{0,100}") {
            if let Some(name) = ProcessName::suggest(&text) {
                prop_assert_eq!(ProcessName::try_from(name.0.clone()), Ok(name));
            }
        }
    }
}
