//! What makes two errors the same.
//!
//! With a stack trace it is the way through the program's own functions, by name and file, never by line; how often one
//! stands on the stack does not matter, nor what libraries did below. Each cause counts. Without frames of the program
//! it is kinds and the wording of the message; without any of these, the wording alone.
//!
//! The algorithm has a version. An error is first looked for among the groups of earlier versions (see
//! [`Identity::earlier`]), so that a newer one begins no second group for what is known.

use std::fmt;

use super::fault::{Exception, Fault, Frame};
use super::names;
use super::parameterize::wording;

/// The version of the algorithm.
pub const VERSION: u16 = 1;

/// A stack this deep is a recursion, of which a runtime shows only a part.
const DEEP: usize = 64;

/// What stands for an error and all that are the same, as a certain version sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    /// The version of the algorithm.
    pub version: u16,
    /// The hash of what makes them the same.
    pub hash: u128,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.hash)
    }
}

/// By what an error is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// By what its categorizer says.
    Parts,
    /// By its stack.
    Stack,
    /// By its message.
    Message,
}

/// What tells an error from others: a part that must be equal, and a wording that must be alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What the first part was made of.
    pub basis: Basis,
    /// The hash of what must be equal.
    pub family: u128,
    /// The wording of its message.
    pub wording: Vec<String>,
    /// Fingerprints that earlier versions of the algorithm gave to it. There is none yet.
    pub earlier: Vec<Fingerprint>,
}

impl Identity {
    /// The identity of an error with this text.
    #[must_use]
    pub fn of(fault: &Fault, text: &str) -> Self {
        let mut hash = Hash::new();
        let (basis, wording) = if fault.parts.is_empty() {
            by_stack(fault, &mut hash).unwrap_or_else(|| by_message(fault, text, &mut hash))
        } else {
            hash.add("parts");
            fault.parts.iter().for_each(|part| hash.add(part));
            (Basis::Parts, Vec::new())
        };
        Self { basis, family: hash.0, wording, earlier: Vec::new() }
    }

    /// The fingerprint of a group of this family that began with this wording.
    #[must_use]
    pub fn fingerprint(&self, wording: &[String]) -> Fingerprint {
        let mut hash = Hash(self.family);
        hash.add("wording");
        wording.iter().for_each(|word| hash.add(word));
        Fingerprint { version: VERSION, hash: hash.0 }
    }
}

/// The kinds of all exceptions and the way through the program to each; `None` when no frame is the program's.
fn by_stack(fault: &Fault, hash: &mut Hash) -> Option<(Basis, Vec<String>)> {
    let paths: Vec<Vec<String>> = fault.exceptions.iter().map(|e| path(&e.frames)).collect();
    if paths.iter().all(Vec::is_empty) {
        return None;
    }
    hash.add("stack");
    for (exception, path) in fault.exceptions.iter().zip(&paths) {
        hash.add("exception");
        hash.add(&kind(exception));
        path.iter().for_each(|step| hash.add(step));
    }
    let message = fault.exceptions.first().map_or("", |e| first_line(&e.message));
    Some((Basis::Stack, wording(message)))
}

fn by_message(fault: &Fault, text: &str, hash: &mut Hash) -> (Basis, Vec<String>) {
    hash.add("message");
    fault.exceptions.iter().for_each(|exception| hash.add(&kind(exception)));
    let message = match fault.exceptions.iter().find(|e| !e.message.trim().is_empty()) {
        Some(exception) => first_line(&exception.message),
        None if !fault.exceptions.is_empty() => "",
        None => {
            [fault.title.as_str(), text].into_iter().map(first_line).find(|l| !l.is_empty()).unwrap_or("")
        }
    };
    let wording = wording(message);
    // Only messages that begin alike and are as long are ever taken together.
    hash.add(&wording.len().to_string());
    hash.add(wording.first().map_or("", String::as_str));
    (Basis::Message, wording)
}

/// The kind of an exception without numbers such as that of a system error.
fn kind(exception: &Exception) -> String {
    let kind = exception.kind.split([' ', '(', '[']).next().unwrap_or_default();
    names::function(kind)
}

/// The program's own frames, each once, however often it is on the stack.
fn path(frames: &[Frame]) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    for frame in frames.iter().filter(|frame| frame.in_app) {
        let step = format!("{}\u{1f}{}", names::function(&frame.function), names::file(&frame.file));
        if step.len() > 1 && !path.contains(&step) {
            path.push(step);
        }
    }
    if frames.len() >= DEEP {
        path.sort_unstable();
    }
    path
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default().trim()
}

/// FNV-1a with 128 bits: equal texts are all it has to find, nobody gains by forging one.
struct Hash(u128);

impl Hash {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    /// Adds a text and a mark of its end.
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(function: &str, file: &str, line: u32, in_app: bool) -> Frame {
        Frame { function: function.into(), file: file.into(), line: Some(line), in_app }
    }

    fn fault(kind: &str, message: &str, frames: Vec<Frame>) -> Fault {
        let exceptions = vec![Exception { kind: kind.into(), message: message.into(), frames }];
        Fault { exceptions, ..Fault::default() }
    }

    fn family(fault: &Fault) -> u128 {
        Identity::of(fault, "").family
    }

    #[test]
    fn lines_directories_and_libraries_do_not_matter() {
        let one = fault(
            "KeyError",
            "'a'",
            vec![frame("main", "/app/main.py", 3, true), frame("get", "/lib/x.py", 9, false)],
        );
        let two = fault(
            "KeyError",
            "'b'",
            vec![frame("main", "/srv/main.py", 7, true), frame("pop", "/lib/y.py", 1, false)],
        );
        assert_eq!(Identity::of(&one, ""), Identity::of(&two, ""));
    }

    #[test]
    fn kinds_functions_and_causes_do() {
        let base = fault("KeyError", "'a'", vec![frame("main", "main.py", 3, true)]);
        let other_kind = fault("ValueError", "'a'", vec![frame("main", "main.py", 3, true)]);
        let other_function = fault("KeyError", "'a'", vec![frame("load", "main.py", 3, true)]);
        let mut with_cause = base.clone();
        with_cause.exceptions.push(Exception { kind: "OSError".into(), ..Exception::default() });
        for other in [other_kind, other_function, with_cause] {
            assert_ne!(family(&base), family(&other));
        }
    }

    #[test]
    fn a_recursion_counts_once_wherever_it_was_cut() {
        let deep = |skip: usize, depth: usize| {
            let frames =
                (skip..skip + depth).map(|n| frame(["even", "odd"][n % 2], "r.py", n as u32, true)).collect();
            family(&fault("RecursionError", "maximum recursion depth exceeded", frames))
        };
        assert_eq!(deep(0, 128), deep(1, 100));
    }

    #[test]
    fn what_the_categorizer_says_comes_first() {
        let by_parts =
            |message: &str| Fault { parts: vec!["a".into(), "b".into()], ..fault("E", message, Vec::new()) };
        assert_eq!(Identity::of(&by_parts("x"), "x"), Identity::of(&by_parts("y"), "y"));
        let joined = Fault { parts: vec!["ab".into()], ..by_parts("x") };
        assert_ne!(family(&by_parts("x")), family(&joined));
    }

    #[test]
    fn without_frames_the_wording_decides() {
        let of = |text: &str| Identity::of(&Fault::of_text(text), text);
        assert_eq!(of("job 1 failed after 3 s"), of("job 22 failed after 9 s"));
        assert_ne!(of("job 1 failed").wording, of("job 1 succeeded").wording);
        assert_eq!(of("x").basis, Basis::Message);
    }

    proptest! {
        #[test]
        fn line_numbers_never_change_an_identity(lines in prop::collection::vec(any::<u32>(), 1..6), other in any::<u32>()) {
            let with = |f: &dyn Fn(u32) -> u32| {
                let frames = lines.iter().enumerate().map(|(n, line)| frame(&format!("f{n}"), "a.rs", f(*line), true)).collect();
                Identity::of(&fault("panic", "boom", frames), "")
            };
            prop_assert_eq!(with(&|line| line), with(&|line| line.wrapping_add(other)));
        }
    }
}
