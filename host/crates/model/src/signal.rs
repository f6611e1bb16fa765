//! Signals by their usual names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A signal number of Linux, 1 to 64. Reads `TERM`, `SIGTERM`, `sigterm` and `15`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(i32);

/// The text is not the name or the number of a signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a signal; use one of {list} or a number from 1 to 64", list = Signal::common())]
pub struct UnknownSignal(String);

/// Numbers as Linux has them on x86-64, arm64 and riscv.
const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

impl Signal {
    /// SIGTERM, the polite request to end.
    pub const TERM: Self = Self(15);
    /// SIGKILL, which cannot be refused.
    pub const KILL: Self = Self(9);

    /// From a number of the kernel.
    ///
    /// # Errors
    /// When it is not in 1 to 64.
    pub fn from_number(number: i32) -> Result<Self, UnknownSignal> {
        if (1..=64).contains(&number) { Ok(Self(number)) } else { Err(UnknownSignal(number.to_string())) }
    }

    /// The kernel's number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// Whether people send it to make a process end: KILL, TERM, INT, QUIT and ABRT.
    #[must_use]
    pub fn is_terminating(self) -> bool {
        matches!(self.0, 2 | 3 | 6 | 9 | 15)
    }

    /// Whether it pauses or resumes (STOP, TSTP, CONT), which only makes sense for a whole tree.
    #[must_use]
    pub fn is_job_control(self) -> bool {
        matches!(self.0, 18..=20)
    }

    fn common() -> &'static str {
        "TERM, INT, QUIT, KILL, HUP, USR1, USR2, ABRT, CONT, STOP"
    }
}

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        if let Ok(number) = text.parse::<i32>() {
            return Self::from_number(number);
        }
        let upper = text.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES
            .iter()
            .find(|(name, _)| *name == bare)
            .map(|(_, number)| Self(*number))
            .ok_or_else(|| UnknownSignal(text.to_owned()))
    }
}

impl TryFrom<String> for Signal {
    type Error = UnknownSignal;

    fn try_from(text: String) -> Result<Self, UnknownSignal> {
        text.parse()
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.to_string()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read_and_written() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM));
        }
        assert_eq!(Signal::TERM.to_string(), "SIGTERM");
        for number in 1..=64 {
            let signal = Signal::from_number(number).unwrap();
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
    }

    #[test]
    fn a_wrong_name_lists_the_right_ones() {
        let message = "SIGFOO".parse::<Signal>().unwrap_err().to_string();
        assert!(message.contains("\"SIGFOO\"") && message.contains("TERM, INT"), "{message}");
        assert!("0".parse::<Signal>().is_err() && "65".parse::<Signal>().is_err());
    }
}
