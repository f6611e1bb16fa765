//! Crashes that runtimes, shells and the C library tell of in one line, complaints of programs that have no logger, and
//! reports of sanitizers.

use hostler_plugin::prefix;
use memchr::{memchr, memrchr};

use crate::words::{Beginnings, find, has, rfind};

/// Beginnings of lines that only a crash writes.
static BEGINS: Beginnings = Beginnings::of(&[
    b"Segmentation fault",
    b"Bus error",
    b"Illegal instruction",
    b"Floating point exception",
    b"Aborted (core dumped)",
    b"free(): ",
    b"malloc(): ",
    b"realloc(): ",
    b"malloc_consolidate(): ",
    b"munmap_chunk(): ",
    b"double free or corruption",
    b"corrupted size vs. prev_size",
    b"corrupted double-linked list",
    b"*** stack smashing detected ***",
    b"*** buffer overflow detected ***",
    b"*** Error in `",
    b"pure virtual method called",
    b"PHP Fatal error:",
    b"PHP Parse error:",
    b"Fatal error: ",
    b"Parse error: ",
    b"fatal runtime error: ",
    b"Assertion failed: ",
    b"Fatal glibc error: ",
    b"Error response from daemon: ",
    b"make: *** ",
    b"parse error: ",
]);

/// What the C library calls the errors of the system, without their first letter, which Go writes small.
static SYSTEM: Beginnings = Beginnings::of(&[
    b"o such file or directory",
    b"ermission denied",
    b"peration not permitted",
    b"onnection refused",
    b"onnection reset by peer",
    b"onnection timed out",
    b"ddress already in use",
    b"annot assign requested address",
    b"o space left on device",
    b"isk quota exceeded",
    b"annot allocate memory",
    b"oo many open files",
    b"roken pipe",
    b"nput/output error",
    b"ot a directory",
    b"irectory not empty",
    b"ead-only file system",
    b"o route to host",
    b"etwork is unreachable",
    b"evice or resource busy",
    b"esource temporarily unavailable",
    b"ext file busy",
    b"xec format error",
    b"rgument list too long",
    b"ame or service not known",
    b"o such host",
    b"ommand not found",
    b"nbound variable",
]);

/// Whether a line tells of a crash all by itself.
pub(crate) fn is_crash(line: &[u8]) -> bool {
    match line.first() {
        None | Some(b' ' | b'\t' | b'{') => false,
        _ if BEGINS.begin(line) => true,
        _ if line.ends_with(b"failed.") => is_assertion(line),
        _ if is_ruby(line) => true,
        Some(_) if ends_as_perl(line) && is_perl(line) => true,
        _ => is_complaint(line) && !has_level(line),
    }
}

/// Whether a logger wrote it, which knows better how grave it is.
fn has_level(line: &[u8]) -> bool {
    prefix::read(line).is_some_and(|prefix| prefix.severity.is_some()) || has!(line, b"level=")
}

/// Whether a program without a logger says that something failed: by the name of an error of the system behind the last
/// colon, or in the way that shells and old tools have.
fn is_complaint(line: &[u8]) -> bool {
    let Some(last) = memrchr(b':', line) else { return false };
    is_system(line[last + 1..].trim_ascii())
        || is_of_shell(line)
        || is_of_tool(line)
        || is_of_compiler(line)
        || is_of_kernel(line)
}

/// `src/app.ts(3,5): error TS2322: …`, `ld: main.o: undefined reference to …`
fn is_of_compiler(line: &[u8]) -> bool {
    let placed = memchr(b':', line)
        .is_some_and(|at| line[..at].ends_with(b")") && line[at..].starts_with(b": error "));
    placed || (line.ends_with(b"'") && has!(line, b": undefined reference to "))
}

/// `No such file or directory`, or with more behind it in parentheses.
fn is_system(text: &[u8]) -> bool {
    let Some((first, rest)) = text.split_first() else { return false };
    if !first.is_ascii_alphabetic() {
        return false;
    }
    let ends = |rest: &[u8]| rest.is_empty() || rest == b"." || rest.starts_with(b" (");
    SYSTEM.behind(rest).any(ends)
}

/// `deploy.sh: line 12: TARGET: unbound variable`, `sh: 3: terraform: not found`
fn is_of_shell(line: &[u8]) -> bool {
    let Some(colon) = memchr(b':', line) else { return false };
    let (script, rest) = (&line[..colon], &line[colon + 1..]);
    let Some(rest) = rest.strip_prefix(b" ") else { return false };
    let name = memrchr(b'/', script).map_or(script, |slash| &script[slash + 1..]);
    let numbered = rest.strip_prefix(b"line ");
    // A script may have any name, but hardly another ending.
    let shell = [&b"sh"[..], b"dash"].contains(&name) || name.ends_with(b".sh");
    let shell = shell || (numbered.is_some() && (name.ends_with(b"sh") || !name.contains(&b'.')));
    let rest = numbered.unwrap_or(rest);
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let placed = digits > 0 && rest[digits..].starts_with(b": ");
    !script.is_empty() && !script.contains(&b' ') && shell && placed
}

/// `psql: error: …`, `curl: (7) …`, `make[1]: *** …`, `tool: fatal: …`
fn is_of_tool(line: &[u8]) -> bool {
    let Some(colon) = memchr(b':', line) else { return false };
    let (name, Some(rest)) = (&line[..colon], line[colon + 1..].strip_prefix(b" ")) else { return false };
    let named = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'[' | b']');
    if name.is_empty() || name.len() > 80 || !name.iter().all(named) {
        return false;
    }
    let code = name == b"curl" && rest.starts_with(b"(");
    static WORDS: Beginnings =
        Beginnings::of(&[b"error: ", b"fatal: ", b"*** ", b"fatal error: ", b"cannot ", b"No module named "]);
    code || WORDS.begin(rest)
}

/// What the kernel says of programs that it ended.
fn is_of_kernel(line: &[u8]) -> bool {
    // This is asked of many lines, and few end so.
    let ends = matches!(line.last(), Some(b']' | b')' | b'0'..=b'9'));
    ends && has!(line, b": segfault at ", b"Out of memory: Killed process ")
}

/// ``prog: file.c:12: main: Assertion `x > 0' failed.``, and with other quotes in the library of C++.
fn is_assertion(line: &[u8]) -> bool {
    has!(line, b": Assertion `", b": Assertion '")
}

/// `app.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)`
pub(crate) fn is_ruby(line: &[u8]) -> bool {
    // Few lines end so: this is asked of each.
    if !line.ends_with(b")") {
        return false;
    }
    let Some(at) = find!(line, b":in ") else { return false };
    let number = line[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let place = number > 0 && !line[..at].contains(&b' ');
    let kind = line.iter().rposition(|b| *b == b'(').is_some_and(|open| {
        line.get(open + 1).is_some_and(u8::is_ascii_uppercase) || line.ends_with(b"(fatal)")
    });
    place && kind && has!(&line[at..], b": ")
}

/// The place in `file.c:10:5: runtime error: signed integer overflow`.
pub(crate) fn undefined_at(line: &[u8]) -> Option<&[u8]> {
    let at = find!(line, b": runtime error: ")?;
    Some(&line[..at]).filter(|place| place.last().is_some_and(u8::is_ascii_digit))
}

/// Whether a line ends as those of Perl do: few others do so, and this is asked of each.
fn ends_as_perl(line: &[u8]) -> bool {
    line.last().is_some_and(|b| *b == b'.' || b.is_ascii_digit()) || line.ends_with(b", at EOF")
}

/// `no such order at shop.pl line 12.`
pub(crate) fn is_perl(line: &[u8]) -> bool {
    let Some(end) = rfind!(line, b" line ") else { return false };
    let Some(at) = rfind!(&line[..end], b" at ") else { return false };
    let number = &line[end + 6..];
    let numbered = number.first().is_some_and(u8::is_ascii_digit);
    let file = line[at + 4..end].split(|b| *b == b' ').next().unwrap_or_default();
    let script = [&b".pl"[..], b".pm", b".t", b".cgi", b".psgi"].iter().any(|ending| file.ends_with(ending))
        || file == b"-e"
        || file == b"(eval";
    // What Perl warns of by itself.
    let warns = || {
        has!(
            line,
            b"Use of uninit",
            b"isn't numeric",
            b" redefined at",
            b"masks earlier",
            b"once: possible typo",
            b"deprecated",
        )
    };
    numbered && script && !warns()
}

/// `==12345==ERROR: AddressSanitizer: …` and its relatives.
pub(crate) fn is_sanitizer(line: &[u8]) -> bool {
    let text = match line.strip_prefix(b"==") {
        Some(rest) => {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            rest[digits..].strip_prefix(b"==").filter(|_| digits > 0).unwrap_or_default()
        }
        None => line,
    };
    (text.starts_with(b"ERROR: ") || text.starts_with(b"WARNING: ")) && has!(text, b"Sanitizer: ")
}
