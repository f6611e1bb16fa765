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
use super::parameterize::{earlier_wording_of, parameterize, wording, wording_of};

/// The version of the algorithm. The first one took two assertions of one function for the same, and wordings that differ
/// in a word. The second one told long lines apart by where their titles were cut, and large numbers from small ones.
pub const VERSION: u16 = 3;

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
    /// Fingerprints that earlier versions of the algorithm gave to it.
    pub earlier: Vec<Fingerprint>,
}

impl Identity {
    /// The identity of an error with this text.
    #[must_use]
    pub fn of(fault: &Fault, text: &str) -> Self {
        // Where a title is cut says nothing, and may be in the midst of a value.
        let title = if fault.title.ends_with('…') { "" } else { &fault.title };
        let base = Base::of(fault, title, text);
        let said = parameterize(base.message);
        let earlier = match title == fault.title {
            true => base.earlier(fault, &said),
            false => {
                let base = Base::of(fault, &fault.title, text);
                base.earlier(fault, &parameterize(base.message))
            }
        };
        let wording = wording_of(&said);
        let mut hash = base.family(&wording);
        add_conditions(fault, &mut hash);
        Self { basis: base.basis, family: hash.0, wording, earlier }
    }

    /// The fingerprint of a group of this family that began with this wording.
    #[must_use]
    pub fn fingerprint(&self, wording: &[String]) -> Fingerprint {
        Fingerprint { version: VERSION, hash: Hash(self.family).and_wording(wording) }
    }
}

/// What is known of an error before its message is looked at.
struct Base<'f> {
    basis: Basis,
    hash: Hash,
    /// The message that is looked at.
    message: &'f str,
}

impl<'f> Base<'f> {
    fn of(fault: &'f Fault, title: &'f str, text: &'f str) -> Self {
        if fault.parts.is_empty() {
            return by_stack(fault).unwrap_or_else(|| by_message(fault, title, text));
        }
        let mut hash = Hash::new();
        hash.add("parts");
        fault.parts.iter().for_each(|part| hash.add(part));
        Self { basis: Basis::Parts, hash, message: "" }
    }

    /// The hash of what must be equal. Only messages that begin alike and are as long are ever taken together.
    fn family(&self, wording: &[String]) -> Hash {
        let mut hash = self.hash;
        if self.basis == Basis::Message {
            hash.add(&wording.len().to_string());
            hash.add(wording.first().map_or("", String::as_str));
        }
        hash
    }

    /// What the earlier versions made of it, whose message is parameterized.
    fn earlier(&self, fault: &Fault, message: &str) -> Vec<Fingerprint> {
        let wording = earlier_wording_of(message);
        let mut hash = self.family(&wording);
        let first = Fingerprint { version: 1, hash: hash.and_wording(&wording) };
        add_conditions(fault, &mut hash);
        vec![Fingerprint { version: 2, hash: hash.and_wording(&wording) }, first]
    }
}

fn add_conditions(fault: &Fault, hash: &mut Hash) {
    for condition in fault.exceptions.iter().filter_map(condition) {
        hash.add("condition");
        hash.add(&condition);
    }
}

/// What an assertion asserts, as it stands in the source, and which check of the runtime of Go failed: there are only so
/// many, and each is a fault of its own.
fn condition(exception: &Exception) -> Option<String> {
    let message = first_line(&exception.message);
    if exception.kind == "assertion" || message.starts_with("assertion failed: ") {
        return Some(message.to_owned());
    }
    message.contains("runtime error: ").then(|| wording(message).join(" "))
}

/// The kinds of all exceptions and the way through the program to each; `None` when no frame is the program's.
fn by_stack(fault: &Fault) -> Option<Base<'_>> {
    let paths: Vec<Vec<String>> = fault.exceptions.iter().map(|e| path(&e.frames)).collect();
    if paths.iter().all(Vec::is_empty) {
        return None;
    }
    let mut hash = Hash::new();
    hash.add("stack");
    for (exception, path) in fault.exceptions.iter().zip(&paths) {
        hash.add("exception");
        hash.add(&kind(exception));
        path.iter().for_each(|step| hash.add(step));
    }
    let message = fault.exceptions.first().map_or("", |e| first_line(&e.message));
    // Where no function has a name, the stack says where, and the message what.
    let named = fault.exceptions.iter().flat_map(|e| &e.frames).any(|f| f.in_app && is_name(&f.function));
    Some(Base { basis: if named { Basis::Stack } else { Basis::Message }, hash, message })
}

/// Whether a function has a name: the code outside of all functions has none.
fn is_name(function: &str) -> bool {
    let file = ["", "<module>", "Object.<anonymous>", "<anonymous>", "<main>", "{main}", "<top (required)>"];
    !file.contains(&function)
}

fn by_message<'f>(fault: &'f Fault, title: &'f str, text: &'f str) -> Base<'f> {
    let mut hash = Hash::new();
    hash.add("message");
    fault.exceptions.iter().for_each(|exception| hash.add(&kind(exception)));
    let message = match fault.exceptions.iter().find(|e| !e.message.trim().is_empty()) {
        Some(exception) => first_line(&exception.message),
        None if !fault.exceptions.is_empty() => "",
        None => [title, text].into_iter().map(first_line).find(|l| !l.is_empty()).unwrap_or(""),
    };
    Base { basis: Basis::Message, hash, message }
}

/// The kind of an exception without numbers such as that of a system error.
fn kind(exception: &Exception) -> String {
    let kind = exception.kind.split([' ', '(', '[']).next().unwrap_or_default();
    names::function(kind)
}

/// The program's own frames, each once, however often it is on the stack. A function without a name between two others
/// says only how the one called the other.
fn path(frames: &[Frame]) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let in_app: Vec<&Frame> = frames.iter().filter(|frame| frame.in_app).collect();
    for (at, frame) in in_app.iter().enumerate() {
        if at + 1 < in_app.len() && is_anonymous(&frame.function) {
            continue;
        }
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

fn is_anonymous(function: &str) -> bool {
    const MARKS: [&str; 7] =
        ["<lambda>", "lambda$", "{closure", "<anonymous>", "<listcomp>", "<genexpr>", "__ANON__"];
    // The code of a file outside of all functions is no function.
    let of_file = function == "Object.<anonymous>";
    function.is_empty() || (!of_file && MARKS.iter().any(|mark| function.contains(mark)))
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default().trim()
}

/// FNV-1a with 128 bits: equal texts are all it has to find, nobody gains by forging one.
#[derive(Clone, Copy)]
struct Hash(u128);

impl Hash {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    /// The hash of a family together with a wording.
    fn and_wording(self, wording: &[String]) -> u128 {
        let mut hash = self;
        hash.add("wording");
        wording.iter().for_each(|word| hash.add(word));
        hash.0
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
    fn each_assertion_is_a_fault_of_its_own() {
        let asserting = |what: &str| fault("assertion", what, vec![frame("heat", "oven.cpp", 3, true)]);
        let (low, high) = (asserting("t1"), asserting("t2"));
        assert_ne!(family(&low), family(&high));
        // The first version had them in one family: what it stored is found by what it called it.
        let first =
            |fault: &Fault| Identity::of(fault, "").earlier.into_iter().find(|e| e.version == 1).unwrap();
        assert_eq!(first(&low), first(&high));
    }

    #[test]
    fn where_a_title_is_cut_does_not_matter() {
        let cut = |text: &str| {
            let title = format!("{}…", &text[..40]);
            Identity::of(&Fault { title, ..Fault::default() }, text)
        };
        let (one, other) = (
            cut("connect to upstream failed, request: \"GET /a\", host: \"x\""),
            cut("connect to upstream failed, request: \"GET /orders/4711\", host: \"x\""),
        );
        assert_eq!((one.family, &one.wording), (other.family, &other.wording));
        // What the second version stored is found by what it called it.
        let stored =
            Fault { title: "connect to upstream failed, request: \"GE…".into(), ..Fault::default() };
        let base = Base::of(&stored, &stored.title, "");
        assert_eq!(one.earlier[0], base.earlier(&stored, &parameterize(base.message))[0]);
    }

    #[test]
    fn a_function_without_a_name_counts_only_where_it_failed() {
        let through = |names: &[&str]| {
            family(&fault("E", "", names.iter().map(|name| frame(name, "a.js", 1, true)).collect()))
        };
        assert_eq!(through(&["main", "", "load"]), through(&["main", "load"]));
        assert_ne!(through(&["main", "<lambda>"]), through(&["main"]));
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
