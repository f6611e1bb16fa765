//! Python: the innermost frame is the last one, and what was reported in the end stands at the end.

use super::{exception, frame};
use hostler_plugin::{Exception, Frame, prefix};

pub(super) fn read(text: &str) -> Vec<Exception> {
    if let Some(fatal) = fatal(text) {
        return vec![fatal];
    }
    let mut exceptions: Vec<Exception> = Vec::new();
    // A fault of syntax comes without a word before its place.
    let syntax = text.starts_with("  File \"")
        && text.lines().next().is_some_and(|line| frame_of(line.trim()).is_some());
    let mut frames: Option<Vec<Frame>> = syntax.then(Vec::new);
    for line in text.lines() {
        // Loguru points at the frame that has the handler.
        let inner = line.strip_prefix('>').unwrap_or(line).trim_start_matches([' ', '|', '+']);
        if inner.starts_with("Traceback (most recent call last)")
            || inner.ends_with(" Traceback (most recent call last):")
            || inner.starts_with("Exception Group Traceback")
        {
            frames = Some(Vec::new());
        } else if let Some(open) = &mut frames {
            let indented = line.starts_with([' ', '\t']) && !line.trim_start().starts_with("| ");
            match frame_of(inner) {
                Some(frame) => open.push(frame),
                // A line of another thread.
                None if prefix::read(line.as_bytes()).is_some_and(|prefix| prefix.time.is_some()) => {}
                None if indented || inner.is_empty() || line.trim_start().starts_with("|  ") => {}
                None => {
                    let (kind, message) = inner.split_once(": ").unwrap_or((inner.trim_end_matches(':'), ""));
                    let frames = frames.take().unwrap_or_default();
                    exceptions.push(Exception { frames, ..exception(kind, message) });
                }
            }
        }
    }
    exceptions.reverse();
    exceptions
}

/// `Fatal Python error: …`: the innermost frame of the current thread is the first one.
fn fatal(text: &str) -> Option<Exception> {
    let message = text.lines().find_map(|line| line.strip_prefix("Fatal Python error: "))?;
    let mut frames: Vec<Frame> = text
        .lines()
        .skip_while(|line| !line.starts_with("Current thread"))
        .skip(1)
        .map_while(|line| frame_of(&line.trim().replacen(" in ", ", in ", 1)))
        .collect();
    frames.reverse();
    Some(Exception { frames, ..exception("fatal error", message) })
}

/// `File "/app/main.py", line 3, in main`
fn frame_of(text: &str) -> Option<Frame> {
    let (file, rest) = text.strip_prefix("File \"")?.split_once("\", line ")?;
    let (line, function) = rest.split_once(", in ").unwrap_or((rest, ""));
    let library = ["/site-packages/", "/dist-packages/", "/lib/python", "/lib64/python", "<frozen"];
    let in_app = !library.iter().any(|part| file.contains(part));
    Some(frame(function, file, line.trim().parse().ok(), in_app))
}
