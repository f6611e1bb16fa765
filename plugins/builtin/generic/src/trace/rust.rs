//! Rust: a panic with its place, and a backtrace of numbered frames if there is one, the innermost first.

use super::{exception, frame, place};
use hostler_plugin::{Exception, Frame};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let mut lines = text.lines();
    let Some((_, rest)) = lines.find_map(|line| line.split_once(" panicked at ")) else { return Vec::new() };
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
    vec![Exception { frames, ..exception("panic", message) }]
}

fn frames(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines().skip_while(|line| !line.contains("stack backtrace:")).skip(1) {
        let line = line.trim();
        if let Some((number, function)) = line.split_once(": ")
            && number.parse::<u32>().is_ok()
        {
            let function = without_hash(function);
            frames.push(frame(function, "", None, is_in_app(function, "")));
        } else if let (Some(at), Some(last)) = (line.strip_prefix("at "), frames.last_mut()) {
            let (file, number) = place(at);
            last.in_app &= is_in_app("", file);
            (last.file, last.line) = (file.to_owned(), number);
        }
    }
    frames
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
        "<alloc::",
        "<core::",
        "<std::",
        "rust_begin_unwind",
        "__",
        "_start",
        "test::",
        "tokio::",
        "hyper::",
        "futures_",
        "rayon",
        "axum::",
        "tower::",
        "<tokio::",
        "<hyper::",
        "<futures_",
        "<axum::",
        "<tower::",
    ];
    // The C library's and the threads'.
    if ["main", "clone", "clone3", "start_thread"].contains(&function) {
        return false;
    }
    let library = ["/rustc/", "/registry/src/", "/rust/library/", "/git/checkouts/"];
    !runtime.iter().any(|name| function.starts_with(name)) && !library.iter().any(|part| file.contains(part))
}
