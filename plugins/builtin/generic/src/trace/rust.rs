//! Rust: a panic with its place, and a backtrace of numbered frames if there is one, the innermost first; or the error
//! of a main function, with what caused it.

use super::{exception, frame, place};
use hostler_plugin::{Exception, Frame};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let panic = panic(text);
    if panic.is_empty() { report(text) } else { panic }
}

fn panic(text: &str) -> Vec<Exception> {
    let mut lines = text.lines();
    let Some((_, rest)) = lines.find_map(|line| line.split_once(" panicked at ")) else { return abort(text) };
    // Before Rust 1.73, the message stood before the place.
    let (message, at) = match rest.rsplit_once("', ") {
        Some((message, at)) => (message.trim_start_matches('\''), at),
        None => (lines.next().unwrap_or_default(), rest.trim_end_matches(':')),
    };
    let mut frames = frames(text);
    if !frames.iter().any(|frame| frame.in_app) {
        let (file, line) = place(at);
        frames.insert(0, frame("", file, line, is_in_app("", file)));
    }
    frames.reverse();
    let panic = Exception { frames, ..exception("panic", message) };
    std::iter::once(panic).chain(unwrapped(message)).collect()
}

/// The error of which a panic tells that nobody handled it: ``called `Result::unwrap()` on an `Err` value: Os { … }``.
fn unwrapped(message: &str) -> Option<Exception> {
    let (_, error) =
        message.split_once(" value: ").filter(|(before, _)| before.starts_with("called `Result::"))?;
    let kind =
        error.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|kind| !kind.is_empty())?;
    kind.starts_with(char::is_uppercase).then(|| exception(kind, error))
}

/// The end of a program that has no stack or no memory left.
fn abort(text: &str) -> Vec<Exception> {
    let ends = |line: &&str| {
        line.ends_with(" has overflowed its stack")
            || (line.starts_with("memory allocation of ") && line.ends_with(" failed"))
    };
    let Some(line) = text.lines().find(ends) else { return Vec::new() };
    // The name of the thread says nothing.
    let message = if line.starts_with("thread ") { "stack overflow" } else { line };
    let mut frames = frames(text);
    frames.reverse();
    vec![Exception { frames, ..exception("fatal runtime error", message) }]
}

/// `Error: starting`, then `Caused by:` with one cause a line, numbered if there are several.
fn report(text: &str) -> Vec<Exception> {
    let Some(message) = text.lines().next().and_then(|line| line.strip_prefix("Error: ")) else {
        return Vec::new();
    };
    let below = |head: &str| text.lines().skip_while(|line| line.trim() != head).skip(1).collect::<Vec<_>>();
    let causes = below("Caused by:");
    let mut frames = frames(text);
    if causes.is_empty() && frames.is_empty() {
        return Vec::new();
    }
    frames.reverse();
    let first = Exception { frames, ..exception("Error", message) };
    let causes = causes.iter().take_while(|line| line.starts_with(' ')).map(|line| {
        let line = line.trim();
        let numbered = line.split_once(": ").filter(|(number, _)| number.parse::<u32>().is_ok());
        exception("", numbered.map_or(line, |(_, cause)| cause))
    });
    std::iter::once(first).chain(causes).collect()
}

fn frames(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in
        text.lines().skip_while(|line| !line.to_ascii_lowercase().contains("stack backtrace:")).skip(1)
    {
        let line = line.trim();
        if let Some((number, function)) = line.split_once(": ")
            && number.parse::<u32>().is_ok()
        {
            let function = without_disambiguators(without_hash(without_address(function.trim())));
            let function = function.as_str();
            frames.push(frame(function, "", None, is_in_app(function, "")));
        } else if let (Some(at), Some(last)) = (line.strip_prefix("at "), frames.last_mut()) {
            let (file, number) = place(at);
            last.in_app &= is_in_app("", file);
            (last.file, last.line) = (file.to_owned(), number);
        }
    }
    frames
}

/// `0x55d1 - app::main`, as a full backtrace has it.
fn without_address(function: &str) -> &str {
    match function.split_once(" - ") {
        Some((address, name)) if address.starts_with("0x") => name,
        _ => function,
    }
}

/// `std[e28293b1aa0f68bd]::panicking` without what tells versions of a crate apart.
fn without_disambiguators(function: &str) -> String {
    let mut name = String::with_capacity(function.len());
    let mut rest = function;
    while let Some(open) = rest.find('[') {
        let hash = rest.get(open + 1..open + 18);
        let is_hash =
            hash.is_some_and(|h| h.ends_with(']') && h[..16].bytes().all(|b| b.is_ascii_hexdigit()));
        name.push_str(&rest[..if is_hash { open } else { open + 1 }]);
        rest = &rest[open + if is_hash { 18 } else { 1 }..];
    }
    name + rest
}

/// `app::main::h0123456789abcdef` without the end that changes with every build.
fn without_hash(function: &str) -> &str {
    match function.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => name,
        _ => function,
    }
}

fn is_in_app(function: &str, file: &str) -> bool {
    let runtime = [
        "std::",
        "core::",
        "alloc::",
        "rust_begin_unwind",
        "rust_panic",
        "anyhow::",
        "eyre::",
        "__",
        "_start",
        "test::",
        "tokio::",
        "hyper::",
        "futures_",
        "rayon",
        "axum::",
        "tower::",
        "actix_",
        "tracing::",
        "serde",
    ];
    // The C library's and the threads'.
    if ["main", "clone", "clone3", "start_thread", "<unknown>"].contains(&function) {
        return false;
    }
    let library =
        ["/rustc/", "/registry/src/", "/rust/library/", "/git/checkouts/", "/csu/", "/nptl/", "/sysdeps/"];
    // `<alloc::vec::Vec<T> as core::ops::Index>::index`, `<&dyn core::ops::Fn() as …>::call`
    let owner = function.trim_start_matches(['<', '&']).trim_start_matches("dyn ").trim_start_matches("mut ");
    !runtime.iter().any(|name| owner.starts_with(name)) && !library.iter().any(|part| file.contains(part))
}
