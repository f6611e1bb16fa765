//! Ruby: `place:in 'method': message (Kind)`, then `from place:in 'method'`, the innermost first; causes below.

use super::{exception, frame, place};
use hostler_plugin::{Exception, Frame};

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
    exceptions
}

fn head(line: &str) -> Option<Exception> {
    let (before, kind) = line.strip_suffix(')')?.rsplit_once(" (")?;
    let (at, rest) = before.split_once(":in ")?;
    let (method, message) = rest.split_once(": ")?;
    let named = kind.starts_with(|c: char| c.is_uppercase()) && !kind.contains(' ');
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
