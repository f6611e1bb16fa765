//! Go: a panic, then goroutines, each with pairs of a function and its place, the innermost first.

use super::{exception, frame, place};
use hostler_plugin::{Exception, Frame};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let Some((kind, message)) = text.lines().find_map(head) else { return Vec::new() };
    let mut frames = frames(text);
    frames.reverse();
    vec![Exception { frames, ..exception(kind, message) }]
}

fn head(line: &str) -> Option<(&'static str, &str)> {
    let (kind, at) = match (line.find("panic: "), line.find("fatal error: ")) {
        (Some(at), _) => ("panic", at + 7),
        (None, Some(0)) => ("fatal error", 13),
        _ => return None,
    };
    Some((kind, &line[at..]))
}

/// The frames of the first goroutine: the one that panicked.
fn frames(text: &str) -> Vec<Frame> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("goroutine ")).skip(1);
    let mut frames = Vec::new();
    while let Some(function) = lines.next().filter(|line| !line.is_empty()) {
        let Some(file) = lines.next().and_then(|line| line.strip_prefix('\t')) else { break };
        let (file, line) = place(file.split(" +0x").next().unwrap_or(file));
        let function =
            function.trim_start_matches("created by ").split(" in goroutine").next().unwrap_or_default();
        let function = without_arguments(function);
        let library = ["/go/src/", "/pkg/mod/", "/golang.org/", "/usr/lib/go"];
        let versioned = file.contains("@v");
        let in_app = !versioned && !library.iter().any(|part| file.contains(part)) && !is_standard(function);
        frames.push(frame(function, file, line, in_app));
    }
    frames
}

/// Whether a function is of Go's own library: a build may have cut the directory off.
fn is_standard(function: &str) -> bool {
    const PACKAGES: [&str; 28] = [
        "bufio",
        "bytes",
        "compress/",
        "context",
        "crypto/",
        "database/sql",
        "encoding/",
        "errors",
        "fmt",
        "html/",
        "internal/",
        "io",
        "log",
        "math",
        "mime/",
        "net",
        "net/",
        "os",
        "os/",
        "path/",
        "reflect",
        "regexp",
        "runtime",
        "runtime/",
        "sort",
        "strings",
        "sync",
        "syscall",
    ];
    let package = match function.rfind('/') {
        Some(slash) => &function[..slash + 1 + function[slash + 1..].find('.').unwrap_or(0)],
        None => function.split('.').next().unwrap_or(function),
    };
    let rest = ["strconv", "time", "testing", "text/", "unicode", "panic", "sync/"];
    PACKAGES.iter().chain(&rest).any(|name| match name.ends_with('/') {
        true => package.starts_with(name),
        false => package == *name,
    })
}

/// `main.(*Server).Handle(0xc000012345)` without its last parentheses.
fn without_arguments(function: &str) -> &str {
    match function.strip_suffix(')').and_then(|open| open.rfind('(')) {
        Some(end) if !function[..end].ends_with('.') => &function[..end],
        _ => function,
    }
}
