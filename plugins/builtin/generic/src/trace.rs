//! Exceptions and their frames, as runtimes write them.

mod at;
mod go;
mod native;
mod perl;
mod php;
mod python;
mod ruby;
mod rust;
mod spring;

use hostler_plugin::{Exception, Frame};

/// The exceptions of a text: first the one that was reported in the end, then its causes. In each, the innermost frame
/// is the last one. Empty when there is none.
pub(crate) fn read(text: &str) -> Vec<Exception> {
    let readers: [fn(&str) -> Vec<Exception>; 9] = [
        spring::read,
        python::read,
        native::read,
        go::read,
        rust::read,
        php::read,
        ruby::read,
        at::read,
        perl::read,
    ];
    let found = readers.iter().map(|read| read(text)).find(|exceptions| !exceptions.is_empty());
    let found = found.unwrap_or_else(|| text.lines().find_map(head).into_iter().collect());
    // Some runtimes tell the same twice, and of many tasks many may have failed alike.
    let mut told: Vec<Exception> = Vec::new();
    for exception in found {
        if !told.iter().any(|known| is_same(known, &exception)) {
            told.push(exception);
        }
    }
    told
}

fn is_same(one: &Exception, other: &Exception) -> bool {
    let places = |e: &Exception| -> Vec<(String, String)> {
        e.frames.iter().map(|frame| (frame.function.clone(), frame.file.clone())).collect()
    };
    one.kind == other.kind && !one.frames.is_empty() && places(one) == places(other)
}

/// An exception without frames, from a line that ends with `Kind: message`.
fn head(line: &str) -> Option<Exception> {
    let (kind, message) = split_head(line)?;
    Some(exception(kind, message))
}

fn exception(kind: &str, message: &str) -> Exception {
    Exception { kind: kind.to_owned(), message: message.trim().to_owned(), frames: Vec::new() }
}

fn frame(function: &str, file: &str, line: Option<u32>, in_app: bool) -> Frame {
    Frame { function: function.trim().to_owned(), file: file.trim().to_owned(), line, in_app }
}

/// Finds `Kind: message` in a line, whatever stands before it. A kind is a word that says so by its end. Node.js may put
/// a code behind it, and where the kind itself says nothing, the one that does: `DOMException [TimeoutError]: message`.
fn split_head(line: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    for word in line.split(' ') {
        let name = word.trim_end_matches([':', ',']).trim_start_matches(['[', '(', '"']);
        let rest = &line[(from + word.len()).min(line.len())..];
        from += word.len() + 1;
        if !is_kind(name) {
            continue;
        }
        if word.ends_with(':') || rest.trim().is_empty() {
            return Some((name, rest.trim()));
        }
        if let Some((code, message)) = rest.strip_prefix(" [").and_then(|rest| rest.split_once("]: ")) {
            let general = name == "DOMException" && is_kind(code);
            return Some((if general { code } else { name }, message));
        }
    }
    None
}

fn is_kind(name: &str) -> bool {
    let last = name.rsplit(['.', ':', '\\', '/']).next().unwrap_or(name);
    let named = [
        "Error",
        "Exception",
        "Throwable",
        "Failure",
        "Interrupt",
        "Exit",
        "Warning",
        "Iteration",
        "NotFound",
        "DoesNotExist",
        "NotEstablished",
        "RecordInvalid",
    ];
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$' | ':' | '\\'));
    last.starts_with(|c: char| c.is_uppercase()) && plain && named.iter().any(|end| last.ends_with(end))
}

/// `file:line` or `file:line:column`.
fn place(text: &str) -> (&str, Option<u32>) {
    let Some((file, number)) = text.rsplit_once(':') else { return (text, None) };
    let Ok(number) = number.parse() else { return (text, None) };
    match file.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
        Some((file, line)) => (file, Some(line)),
        None => (file, Some(number)),
    }
}
