//! PHP: `Uncaught Kind: message in place`, then numbered frames, the innermost first; `Next` tells what it led to.

use super::{exception, frame};
use hostler_plugin::{Exception, Frame};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let mut exceptions: Vec<Exception> = Vec::new();
    for line in text.lines() {
        if let Some(found) = head(line) {
            exceptions.push(found);
        } else if let (Some(frame), Some(last)) = (frame_of(line), exceptions.last_mut()) {
            // The place of the exception itself is the innermost one.
            let before = last.frames.len() - 1;
            last.frames.insert(before.min(last.frames.len()), frame);
        }
    }
    if exceptions.is_empty() {
        exceptions.extend(text.lines().find_map(plain));
    }
    for exception in &mut exceptions {
        order(&mut exception.frames);
    }
    exceptions.reverse();
    exceptions
}

/// `Uncaught RuntimeException: boom in /app/index.php:3`
fn head(line: &str) -> Option<Exception> {
    let rest = match line.find("Uncaught ") {
        Some(at) => &line[at + 9..],
        None => line.strip_prefix("Next ")?,
    };
    let (before, at) = rest.rsplit_once(" in ")?;
    let (file, number) = at.rsplit_once(':')?;
    let (kind, message) = before.split_once(": ").unwrap_or((before, ""));
    let line: u32 = number.trim().parse().ok()?;
    Some(Exception { frames: vec![frame("", file, Some(line), is_in_app(file))], ..exception(kind, message) })
}

/// `PHP Fatal error:  Allowed memory size of 1 bytes exhausted in /app/x.php on line 3`
fn plain(line: &str) -> Option<Exception> {
    let (kind, rest) = ["Fatal error", "Parse error", "Warning"].iter().find_map(|kind| {
        Some((*kind, line.trim_start_matches("PHP ").strip_prefix(kind)?.strip_prefix(':')?))
    })?;
    let (message, at) = rest.rsplit_once(" in ")?;
    let (file, number) = at.rsplit_once(" on line ")?;
    let frames = vec![frame("", file, number.trim().parse().ok(), is_in_app(file))];
    Some(Exception { frames, ..exception(kind, message) })
}

/// `#0 /app/index.php(7): run()`
fn frame_of(line: &str) -> Option<Frame> {
    let (number, rest) = line.trim_start().strip_prefix('#')?.split_once(' ')?;
    number.parse::<u32>().ok()?;
    let Some((at, function)) = rest.split_once("): ") else {
        return Some(frame(rest, "", None, rest == "{main}"));
    };
    let (file, line) = at.rsplit_once('(')?;
    let function = function.split('(').next().unwrap_or(function);
    Some(frame(function, file, line.parse().ok(), is_in_app(file) && !CALLERS.contains(&function)))
}

/// Brings the frames, which were put before the place of the exception one after another, into the order of the others.
fn order(frames: &mut [Frame]) {
    let calls = frames.len().saturating_sub(1);
    frames[..calls].reverse();
}

/// Functions of PHP that call the program back: they say only how one of its functions called another.
const CALLERS: [&str; 16] = [
    "array_map",
    "array_filter",
    "array_walk",
    "array_walk_recursive",
    "array_reduce",
    "usort",
    "uasort",
    "uksort",
    "call_user_func",
    "call_user_func_array",
    "forward_static_call",
    "iterator_apply",
    "preg_replace_callback",
    "preg_replace_callback_array",
    "iterator_to_array",
    "spl_autoload_call",
];

fn is_in_app(file: &str) -> bool {
    !file.contains("/vendor/") && !file.contains("[internal")
}
