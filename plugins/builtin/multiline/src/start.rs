//! Where a trace begins.

use crate::crash;
use crate::trace::{Kind, is_frame, is_joint};
use hostler_plugin::{prefix, severity};
use memchr::memmem;

/// What a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// A trace.
    Trace(Kind),
    /// A trace, if the line behind it is the right one; there is none yet.
    Perhaps,
    /// None.
    No,
}

/// What a line begins, by itself and by the line behind it. With `ended`, none will come behind the last one.
pub(crate) fn of(line: &[u8], next: Option<&[u8]>, ended: bool) -> Start {
    if let Some(kind) = by_itself(line) {
        return Start::Trace(kind);
    }
    let crash = || if crash::is_crash(line) { Start::Trace(Kind::Crash) } else { Start::No };
    match next {
        Some(next) => by_next(line, next).map_or_else(crash, Start::Trace),
        None if !ended && (could_begin(line) || crash::is_crash(line)) => Start::Perhaps,
        None => crash(),
    }
}

fn by_itself(line: &[u8]) -> Option<Kind> {
    let text = line.trim_ascii_start();
    match text.first()? {
        b'T' if text.starts_with(b"Traceback (most recent call last)") => Some(Kind::Python),
        b'+' if text.starts_with(b"+ Exception Group Traceback (most") => Some(Kind::PythonGroup),
        b'p' if text.starts_with(b"panic: ") => Some(Kind::Go),
        b'f' if text.starts_with(b"fatal error: ") => Some(Kind::Go),
        b't' if text.starts_with(b"thread '") && memmem::find(text, b" panicked at ").is_some() => {
            Some(Kind::Rust)
        }
        b'F' if text.len() < line.len() && text.starts_with(b"File \"") && is_python_place(text) => {
            Some(Kind::Python)
        }
        b'F' if text.starts_with(b"Fatal Python error: ") => Some(Kind::PythonFatal),
        b'=' | b'W' if crash::is_sanitizer(line) => Some(Kind::Sanitizer),
        b'#' if line.starts_with(b"# A fatal error has been detected by") => Some(Kind::JavaFatal),
        b't' if line.starts_with(b"terminate called ") => Some(Kind::Terminate),
        b'/' | b'f' | b'n' | b'<' | b'e' | b'[' | b'C'..=b'Z' if is_node_place(line) => Some(Kind::Node),
        _ => None,
    }
}

fn by_next(line: &[u8], next: &[u8]) -> Option<Kind> {
    if line.trim_ascii().is_empty() || is_frame(line) {
        return None;
    }
    let text = next.trim_ascii_start();
    if text.is_empty() {
        return line.starts_with(b"Error: ").then_some(Kind::Report);
    }
    let indented = text.len() < next.len();
    match text.first()? {
        b'a' | b'-' | b'.' if indented && (is_frame(next) || is_joint(next)) => Some(Kind::Frames),
        b'R' if text.starts_with(b"Require stack:") => Some(Kind::Frames),
        b'g' if text.starts_with(b"goroutine ") && text.ends_with(b":") => Some(Kind::Go),
        b'f' if indented && text.starts_with(b"from ") && is_ruby_place(text) => Some(Kind::Ruby),
        b'S' if text.starts_with(b"Stack trace:") => Some(Kind::Php),
        b'#' if text.starts_with(b"#0 ") => Some(Kind::Php),
        b'[' if text.starts_with(b"[stacktrace]") => Some(Kind::Php),
        // What the logger says of the exception that it was given.
        b'T' if text.starts_with(b"Traceback (most recent call last)") && is_grave(line) => {
            Some(Kind::Python)
        }
        _ if indented && memmem::find(text, b" called at ").is_some() && crash::is_perl(line) => {
            Some(Kind::Perl)
        }
        _ if !indented && is_exception(next) && is_grave(line) => Some(Kind::Frames),
        _ if is_dotnet_head(line) && next.starts_with(b"      ") => Some(Kind::DotnetLog),
        _ => None,
    }
}

/// Whether a line behind this one could make a trace of both: only then is it worth to wait for that line.
fn could_begin(line: &[u8]) -> bool {
    let telling: [&[u8]; 7] = [b"rror", b"xception", b"panic", b"hrowable", b"aught", b" (", b"atal"];
    is_dotnet_head(line)
        || is_grave(line)
        || crash::is_perl(line)
        || telling.iter().any(|word| memmem::find(line, word).is_some()) && !is_frame(line)
}

/// `/app/server.js:10`, above the line of the source that threw.
fn is_node_place(line: &[u8]) -> bool {
    let Some(colon) = line.iter().rposition(|b| *b == b':') else { return false };
    let (file, number) = (&line[..colon], &line[colon + 1..]);
    let numbered = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let endings: [&[u8]; 6] = [b".js", b".ts", b".mjs", b".cjs", b".tsx", b".jsx"];
    let script = endings.iter().any(|ending| file.ends_with(ending)) || file.starts_with(b"node:");
    let script =
        script || [&b"<anonymous_script>"[..], b"evalmachine.<anonymous>", b"[eval]"].contains(&file);
    numbered && script && !file.contains(&b' ')
}

/// `app.rb:3:in 'foo'`
fn is_ruby_place(text: &[u8]) -> bool {
    memmem::find(text, b":in ").is_some()
}

/// `fail: Microsoft.AspNetCore.Server.Kestrel[13]`, above lines that are indented by six spaces.
fn is_dotnet_head(line: &[u8]) -> bool {
    let levels: [&[u8]; 6] = [b"trce: ", b"dbug: ", b"info: ", b"warn: ", b"fail: ", b"crit: "];
    line.ends_with(b"]") && levels.iter().any(|level| line.starts_with(level))
}

/// `com.example.OrderException: it was rejected`, above the frames.
pub(crate) fn is_exception(line: &[u8]) -> bool {
    let name = line.split(|b| matches!(b, b':' | b' ')).next().unwrap_or_default();
    let plain = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$'));
    plain && [&b"Exception"[..], b"Error", b"Throwable"].iter().any(|end| name.ends_with(end))
}

/// Whether a logger says that a line is an error.
fn is_grave(line: &[u8]) -> bool {
    prefix::read(line).and_then(|prefix| prefix.severity).is_some_and(|level| level >= severity::WARN)
}

/// `File "/app/main.py", line 3`, above the line of the source that is no Python.
fn is_python_place(text: &[u8]) -> bool {
    memmem::find(text, b"\", line ").is_some_and(|at| text[at + 8..].iter().all(u8::is_ascii_digit))
}
