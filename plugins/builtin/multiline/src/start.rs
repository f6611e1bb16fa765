//! Where a trace begins.

use crate::crash;
use crate::trace::{Kind, is_frame, is_grave, is_joint, opens_properties};
use crate::words::{find, has};

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
    if crash::undefined_at(line).is_some() {
        return Start::Trace(Kind::Undefined);
    }
    let crash = || if crash::is_crash(line) { Start::Trace(Kind::Crash) } else { Start::No };
    match next {
        Some(next) => by_next(line, next).map_or_else(crash, Start::Trace),
        None if !ended && (could_begin(line) || crash::is_crash(line)) => Start::Perhaps,
        None => crash(),
    }
}

pub(crate) fn by_itself(line: &[u8]) -> Option<Kind> {
    let text = line.trim_ascii_start();
    // A logger may have put something before it.
    if line.ends_with(b" Traceback (most recent call last):") && !text.starts_with(b"+ Exc") {
        return Some(Kind::Python);
    }
    match text.first()? {
        b'T' if text.starts_with(b"Traceback (most recent call last)") => Some(Kind::Python),
        b'+' if text.starts_with(b"+ Exception Group Traceback (most") => Some(Kind::PythonGroup),
        b'p' if text.starts_with(b"panic: ") => Some(Kind::Go),
        b'f' if text.starts_with(b"fatal error: ") => Some(Kind::Go),
        b't' if text.starts_with(b"thread '") && has!(text, b" panicked at ") => Some(Kind::Rust),
        b't' if text.starts_with(b"thread '") && text.ends_with(b" has overflowed its stack") => {
            Some(Kind::RustAbort)
        }
        b'm' if text.starts_with(b"memory allocation of ") && text.ends_with(b" failed") => {
            Some(Kind::RustAbort)
        }
        b'F' if text.len() < line.len() && text.starts_with(b"File \"") && is_python_place(text) => {
            Some(Kind::Python)
        }
        b'F' if text.starts_with(b"Fatal Python error: ") => Some(Kind::PythonFatal),
        b'=' | b'W' if crash::is_sanitizer(line) => Some(Kind::Sanitizer),
        b'#' if line.starts_with(b"# A fatal error has been detected by") => Some(Kind::JavaFatal),
        b't' if line.starts_with(b"terminate called ") => Some(Kind::Terminate),
        b'#' if text.starts_with(b"#<Thread:") && has!(text, b" terminated with exception") => {
            Some(Kind::Ruby)
        }
        b'/' | b'f' | b'n' | b'<' | b'e' | b'[' | b'C'..=b'Z' if is_node_place(line) => Some(Kind::Node),
        _ => None,
    }
}

fn by_next(line: &[u8], next: &[u8]) -> Option<Kind> {
    if line.trim_ascii().is_empty() || is_frame(line) {
        return None;
    }
    let text = next.trim_ascii_start();
    if text.is_empty() && line.starts_with(b"Error: ") {
        return Some(Kind::Report);
    }
    if text.is_empty() && has!(line, b"LoggingFailureAnalysisReporter") {
        return Some(Kind::Spring);
    }
    if crash::is_ruby(line) {
        return Some(Kind::Ruby);
    }
    by_shape(line, next, text).or_else(|| may_go_on(line, next))
}

/// What two lines begin, by what the second one looks like.
fn by_shape(line: &[u8], next: &[u8], text: &[u8]) -> Option<Kind> {
    let indented = text.len() < next.len();
    match text.first()? {
        b'a' | b'-' | b'.' if indented && (is_frame(next) || is_joint(next)) => Some(Kind::Frames),
        b'R' if text.starts_with(b"Require stack:") => Some(Kind::Frames),
        b'g' if text.starts_with(b"goroutine ") && text.ends_with(b":") => Some(Kind::Go),
        b'f' if indented && text.starts_with(b"from ") && is_ruby_place(text) => Some(Kind::Ruby),
        b'S' if text.starts_with(b"Stack trace:") => Some(Kind::Php),
        b'#' if text.starts_with(b"#0 ") => Some(Kind::Php),
        b'[' if text.starts_with(b"[stacktrace]") => Some(Kind::Php),
        b'"' if text == b"\"\"\"" && line.trim_ascii_end().ends_with(b"RemoteTraceback:") => {
            Some(Kind::Python)
        }
        _ if indented && has!(text, b" called at ") && crash::is_perl(line) => Some(Kind::Perl),
        b'F' if line.starts_with(b"PHP ") && text.starts_with(b"Fatal error: ") => Some(Kind::Php),
        _ if is_dotnet_head(line) && next.starts_with(b"      ") => Some(Kind::DotnetLog),
        _ => None,
    }
}

/// An exception whose message has more lines, and what a logger says before it shows what it was given.
fn may_go_on(line: &[u8], next: &[u8]) -> Option<Kind> {
    #[rustfmt::skip]
    let telling = || has!(line, b"rror", b"ERR", b"xception", b"ritical", b"CRIT", b"atal", b"FATAL", b"FTL", b"SEVERE", b"WARN");
    if opens_properties(line) && next.starts_with(b"  ") {
        return Some(Kind::Frames);
    }
    let begins = next.first().is_none_or(|b| matches!(b, b' ' | b'\t' | b'/' | b'"' | b'+' | b'a'..=b'z'));
    if is_exception(line) {
        // What .NET says of an argument.
        let argument = next.starts_with(b"Parameter name: ") || next.starts_with(b"Actual value was ");
        return (begins || argument).then_some(Kind::Frames);
    }
    let given = begins || is_exception(next) || by_itself(next).is_some();
    (given && telling() && is_grave(line)).then_some(Kind::Logged)
}

/// Whether a line behind this one could make a trace of both: only then is it worth to wait for that line.
fn could_begin(line: &[u8]) -> bool {
    let telling = || has!(line, b"rror", b"xception", b"panic", b"hrowable", b"aught", b" (", b"atal");
    is_dotnet_head(line) || is_grave(line) || crash::is_perl(line) || telling() && !is_frame(line)
}

/// `/app/server.js:10`, above the line of the source that threw.
fn is_node_place(line: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', line) else { return false };
    let (file, number) = (&line[..colon], &line[colon + 1..]);
    // Asked of many lines, few of which end so.
    if number.is_empty() || !number.iter().all(u8::is_ascii_digit) || file.contains(&b' ') {
        return false;
    }
    let endings: [&[u8]; 6] = [b".js", b".ts", b".mjs", b".cjs", b".tsx", b".jsx"];
    let evaluated: [&[u8]; 3] = [b"<anonymous_script>", b"evalmachine.<anonymous>", b"[eval]"];
    endings.iter().any(|ending| file.ends_with(ending))
        || file.starts_with(b"node:")
        || evaluated.contains(&file)
}

/// `from app.rb:3:in 'foo'` or the place alone.
pub(crate) fn is_ruby_place(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"from ").unwrap_or(text);
    let Some(at) = find!(text, b":in ") else { return false };
    let number = text[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    number > 0 && !text[..at].contains(&b' ')
}

/// `fail: Microsoft.AspNetCore.Server.Kestrel[13]`, above lines that are indented by six spaces.
fn is_dotnet_head(line: &[u8]) -> bool {
    let levels: [&[u8]; 6] = [b"trce: ", b"dbug: ", b"info: ", b"warn: ", b"fail: ", b"crit: "];
    line.ends_with(b"]") && levels.iter().any(|level| line.starts_with(level))
}

/// `com.example.OrderException: it was rejected`, above the frames.
pub(crate) fn is_exception(line: &[u8]) -> bool {
    let name = line.split(|b| matches!(b, b':' | b' ')).next().unwrap_or_default();
    let ending: &[u8] = match name.last() {
        Some(b'n') => b"Exception",
        Some(b'r') => b"Error",
        Some(b'e') => b"Throwable",
        _ => return false,
    };
    name.ends_with(ending)
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$'))
}

/// `File "/app/main.py", line 3`, above the line of the source that is no Python.
fn is_python_place(text: &[u8]) -> bool {
    find!(text, b"\", line ").is_some_and(|at| text[at + 8..].iter().all(u8::is_ascii_digit))
}
