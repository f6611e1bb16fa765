//! Crashes that runtimes and the C library tell of in one line, and reports of sanitizers.

use memchr::memmem;

/// Beginnings of lines that only a crash writes.
const BEGINS: &[&[u8]] = &[
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
];

/// Whether a line tells of a crash all by itself.
pub(crate) fn is_crash(line: &[u8]) -> bool {
    match line.first() {
        None | Some(b' ' | b'\t' | b'{') => false,
        _ if BEGINS.iter().any(|begin| line.starts_with(begin)) => true,
        _ if line.ends_with(b"failed.") => is_assertion(line),
        _ if is_ruby(line) => true,
        _ if line.ends_with(b".") => is_perl(line),
        _ => is_undefined(line),
    }
}

/// ``prog: file.c:12: main: Assertion `x > 0' failed.``, and with other quotes in the library of C++.
fn is_assertion(line: &[u8]) -> bool {
    [&b": Assertion `"[..], b": Assertion '"].iter().any(|begin| memmem::find(line, begin).is_some())
}

/// `app.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)`
pub(crate) fn is_ruby(line: &[u8]) -> bool {
    // Few lines end so: this is asked of each.
    if !line.ends_with(b")") {
        return false;
    }
    let Some(at) = memmem::find(line, b":in ") else { return false };
    let number = line[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let place = number > 0 && !line[..at].contains(&b' ');
    let kind = line
        .iter()
        .rposition(|b| *b == b'(')
        .is_some_and(|open| line.get(open + 1).is_some_and(u8::is_ascii_uppercase));
    place && kind && memmem::find(&line[at..], b": ").is_some()
}

/// `file.c:10:5: runtime error: signed integer overflow`
fn is_undefined(line: &[u8]) -> bool {
    memmem::find(line, b": runtime error: ")
        .is_some_and(|at| line[..at].last().is_some_and(u8::is_ascii_digit))
}

/// `no such order at shop.pl line 12.`
pub(crate) fn is_perl(line: &[u8]) -> bool {
    let Some(end) = memmem::rfind(line, b" line ") else { return false };
    let Some(at) = memmem::rfind(&line[..end], b" at ") else { return false };
    let number = &line[end + 6..];
    let numbered = number.first().is_some_and(u8::is_ascii_digit);
    let file = line[at + 4..end].split(|b| *b == b' ').next().unwrap_or_default();
    let script = [&b".pl"[..], b".pm", b".t", b".cgi", b".psgi"].iter().any(|ending| file.ends_with(ending))
        || file == b"-e";
    // What Perl warns of by itself.
    const WARNINGS: [&[u8]; 6] = [
        b"Use of uninit",
        b"isn't numeric",
        b" redefined at",
        b"masks earlier",
        b"once: possible typo",
        b"deprecated",
    ];
    numbered && script && !WARNINGS.iter().any(|words| memmem::find(line, words).is_some())
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
    let begins = text.starts_with(b"ERROR: ") || text.starts_with(b"WARNING: ");
    begins && memmem::find(text, b"Sanitizer: ").is_some()
}
