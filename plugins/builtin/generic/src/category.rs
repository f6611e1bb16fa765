//! What kinds of exceptions and words of messages tell about the category.

mod signs;
mod words;

use hostler_plugin::Exception;

use self::signs::{BUGS, SIGNS, Signs, WEAK};
use self::words::Said;

/// Categories of which a message says so for certain, whatever the kind.
const STRONG: [&str; 3] = ["out-of-memory", "resource-exhaustion", "database"];

/// The category of an error and how sure it is, percent. The cause tells more than what it led to, a kind more than a
/// message, and a message more than the rest of the text.
pub(crate) fn of(text: &str, exceptions: &[Exception]) -> (&'static str, u8) {
    let causes_first = || exceptions.iter().rev();
    let said: Vec<Said> = causes_first().map(|exception| words::said(&exception.message)).collect();
    let kind = |signs: &'static [Signs]| causes_first().find_map(|exception| by_kind(signs, &exception.kind));
    let of_kind = kind(SIGNS);
    // A connection that nobody refused: it was waited for.
    if of_kind == Some("network") && said.iter().any(|said| said.sign == Some("timeout")) {
        return ("timeout", 85);
    }
    if let Some(category) = of_kind.filter(|category| *category != "panic") {
        return (category, 95);
    }
    // What a kind says of the program comes before what its message seems to say of the world.
    let bug = kind(BUGS);
    // `TypeError: fetch failed`: the cause of it says more. How far each is from the first cause:
    let depth_of_sign = said.iter().position(|said| said.sign.is_some()).unwrap_or(usize::MAX);
    let depth_of_bug = causes_first().position(|e| by_kind(BUGS, &e.kind).is_some()).unwrap_or(usize::MAX);
    let of_cause = depth_of_sign < depth_of_bug;
    let tells = |category: &&str| bug.is_none() || of_cause || STRONG.contains(category);
    if let Some(category) = said.iter().find_map(|said| said.sign).filter(tells) {
        return (category, 80);
    }
    // `TypeError: Cannot read properties of undefined`: what was missing tells more than what it was taken for.
    let more = |category: &&str| match bug {
        None => true,
        Some("type") => ["null-reference", "invalid-value"].contains(category),
        Some(_) => *category == "null-reference",
    };
    let of_message = said.iter().find_map(|said| said.bug).filter(more);
    if let Some(category) = of_message.filter(|_| of_kind.is_none()) {
        return (category, 75);
    }
    if let Some(category) = bug.or(of_kind).or_else(|| kind(WEAK)) {
        return (category, 70);
    }
    // Frames name functions and files: only what stands around them is a message.
    if exceptions.iter().all(|exception| exception.frames.is_empty()) {
        let said = words::said(text);
        if let Some(category) = said.sign.or(said.bug) {
            return (category, 60);
        }
    }
    // `InvoiceValidationError` is of the kind of a `ValidationError`, most likely.
    let compound = |exception: &Exception| {
        by_compound(SIGNS, &exception.kind).or_else(|| by_compound(BUGS, &exception.kind))
    };
    if let Some(category) = causes_first().find_map(compound) {
        return (category, 50);
    }
    ("unknown", if exceptions.is_empty() { 10 } else { 30 })
}

/// By the words at the end of a name that has more of them. Short ones mean something else elsewhere.
fn by_compound(signs: &'static [Signs], kind: &str) -> Option<&'static str> {
    const AMBIGUOUS: [&str; 5] = ["DataError", "InterfaceError", "LoadError", "LookupError", "Forbidden"];
    let telling =
        |end: &&&str| end.len() > 8 && end.starts_with(char::is_uppercase) && !AMBIGUOUS.contains(*end);
    let ends = |signs: &&Signs| signs.kinds.iter().filter(telling).any(|end| kind.ends_with(end));
    signs.iter().find(ends).map(|signs| signs.category)
}

fn by_kind(signs: &'static [Signs], kind: &str) -> Option<&'static str> {
    let kind = kind.split(' ').next().filter(|word| word.contains(['.', ':'])).unwrap_or(kind);
    let ends = |end: &&str| {
        kind.strip_suffix(*end)
            .is_some_and(|rest| !rest.ends_with(|c: char| c.is_ascii_lowercase()) || rest.is_empty())
    };
    let found = signs.iter().find(|signs| !kind.is_empty() && signs.kinds.iter().any(&ends));
    found.map(|signs| signs.category)
}
