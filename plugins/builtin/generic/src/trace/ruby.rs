//! Ruby: `place:in 'method': message (Kind)`, then `from place:in 'method'`, the innermost first; causes below.

use super::{exception, frame, place};
use hostler_plugin::{Exception, Frame, prefix};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let mut exceptions: Vec<Exception> = Vec::new();
    for line in text.lines() {
        if let Some(found) = head(line) {
            exceptions.push(found);
        } else if let Some(from) = line.trim_start().strip_prefix("from ")
            && let Some(last) = exceptions.last_mut()
        {
            last.frames.insert(0, frame_of(from));
        }
    }
    if exceptions.is_empty() {
        exceptions.extend(logged(text));
    }
    exceptions.iter_mut().for_each(|exception| mark(&mut exception.frames));
    exceptions
}

/// Tells the functions of the program from those that only say how one of them called another. What is written in C stands
/// at the place of its caller, and a block that a method gave away runs within it.
fn mark(frames: &mut [Frame]) {
    for at in 1..frames.len() {
        let (caller, inner) = (&frames[at - 1], &frames[at]);
        let of_c = caller.file == inner.file && caller.line == inner.line && is_method(&inner.function);
        frames[at].in_app &= !of_c;
    }
    let Some(innermost) = frames.iter().rposition(|frame| frame.in_app) else { return };
    for at in 1..innermost {
        let within = frames[at].function.strip_prefix("block ").and_then(|name| name.split_once("in "));
        let known = |method: &str| frames[..at].iter().any(|outer| outer.in_app && outer.function == method);
        if within.is_some_and(|(_, method)| known(method)) {
            frames[at].in_app = false;
        }
    }
}

/// Whether it is a method, and no part of one as Ruby names them.
fn is_method(function: &str) -> bool {
    !["block ", "rescue ", "ensure ", "<"].iter().any(|part| function.starts_with(part))
}

/// As a logger writes it: message and `(Kind)`, then the places alone, the innermost first.
fn logged(text: &str) -> Option<Exception> {
    let is_place = |line: &&str| {
        line.split_once(":in ").is_some_and(|(at, _)| !at.trim().contains(' ') && place(at).1.is_some())
    };
    let mut frames: Vec<Frame> = text
        .lines()
        .skip_while(|line| !is_place(line))
        .take_while(is_place)
        .map(|line| frame_of(line.trim()))
        .collect();
    frames.reverse();
    let before: Vec<&str> = text.lines().take_while(|line| !is_place(line)).collect();
    let message = before.first().filter(|_| !frames.is_empty())?;
    let begins = prefix::read(message.as_bytes()).map_or(0, |prefix| prefix.message);
    let message = message.get(begins..).unwrap_or(message);
    // The logger of Ruby has its level twice.
    let message = message.rsplit_once(" -- : ").map_or(message, |(_, message)| message);
    // Rails: `KeyError (key not found: :id):`
    let rails = before.iter().find_map(|line| {
        let (kind, message) = line.split_once(" (")?;
        let constant = kind.starts_with(|c: char| c.is_uppercase())
            && kind.chars().all(|c| c.is_alphanumeric() || c == ':' || c == '_');
        constant.then(|| (kind, message.trim_end_matches(':').trim_end_matches(')')))
    });
    if let Some((kind, message)) = rails {
        return Some(Exception { frames, ..exception(kind, message) });
    }
    let kind = before
        .iter()
        .rev()
        .find_map(|line| line.trim_end().strip_suffix(')')?.rsplit_once('('))
        .map(|(_, kind)| kind);
    let kind = kind.filter(|kind| kind.starts_with(|c: char| c.is_uppercase()) && !kind.contains(' '));
    let message = kind.map_or(message, |kind| message.trim_end_matches(&format!(" ({kind})")));
    Some(Exception { frames, ..exception(kind.unwrap_or_default(), message) })
}

fn head(line: &str) -> Option<Exception> {
    let (before, kind) = line.strip_suffix(')')?.rsplit_once(" (")?;
    let (at, rest) = before.split_once(":in ")?;
    let (method, message) = rest.split_once(": ")?;
    let named = (kind.starts_with(|c: char| c.is_uppercase()) && !kind.contains(' ')) || kind == "fatal";
    // A place before it, and nothing else: other languages have parentheses, too.
    (named && place(at).1.is_some() && !at.contains(' ')).then(|| {
        let frames = vec![frame_of(&format!("{at}:in {method}"))];
        Exception { frames, ..exception(kind, message) }
    })
}

fn frame_of(text: &str) -> Frame {
    let (at, method) = text.split_once(":in ").unwrap_or((text, ""));
    let (file, line) = place(at);
    let library = ["/gems/", "/lib/ruby/", "<internal:"];
    frame(method.trim_matches(['\'', '`']), file, line, !library.iter().any(|part| file.contains(part)))
}
