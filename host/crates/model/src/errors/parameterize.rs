//! Messages without the values in them: what changes from one occurrence to the next becomes a placeholder.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::names::pattern;

/// Longest text that is looked at, bytes: what tells messages apart stands at their beginning.
const LONGEST: usize = 2_000;

/// Kinds of values, what is more telling first. Each is the name of its group and its placeholder.
static VALUES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?P<url>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\x22<>`)\]}]+)",
        r"|(?P<email>[\w.+-]+@[\w-]+\.[\w.-]*\w)",
        r"|(?P<uuid>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)",
        r"|(?P<date>\b\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?",
        r"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?(?:\d{1,2} )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* +\d{1,4}\b(?:,? \d{4})?(?: \d{2}:\d{2}(?::\d{2})?(?: [A-Z]{3,4})?(?: \d{4})?)?",
        r"|\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?\b)",
        r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\[?(?:[0-9a-fA-F]{1,4}:){2,7}[0-9a-fA-F]{1,4}\]?(?::\d+)?|\[?::1?\]?:\d+)",
        r"|(?P<set>\b[A-Za-z_][\w.-]*=(?:\x22[^\x22]*\x22|'[^']*'|[^\s,;&)\]}=]+))",
        r"|(?P<quoted>\x22(?:[^\x22\\]|\\.){0,400}\x22|`[^`\n]{0,400}`|\B'(?:[^'\\\n]|\\.){0,400}'|\u{2018}[^\u{2019}]{0,400}\u{2019}|\u{201c}[^\u{201d}]{0,400}\u{201d})",
        r"|(?P<host>\blocalhost(?::\d+)?\b|\b[A-Za-z][\w-]*(?:\.[\w-]+)*:\d{1,5}\b)",
        r"|(?P<path>(?:\b[A-Za-z]:|~|\.{1,2})?(?:[\\/][\w.@+~%$#-]+)+[\\/]?|\b[\w.-]+(?:[\\/][\w.-]+)+\.\w{1,5}\b)",
        r"|(?P<hex>\b0[xX][0-9a-fA-F]+\b|\b[0-9a-fA-F]{7,}\b)",
        r"|(?P<duration>\b\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|sec|secs|seconds?|milliseconds?|m|min|mins|minutes?|h|hrs?|hours?|d|days?)\b)",
        r"|(?P<size>\b\d+(?:\.\d+)? ?(?:[kKMGT]i?B|[Bb]ytes?|B)\b)",
        r"|(?P<number>[+-]?\b\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?\b%?)",
        r"|(?P<id>\b[A-Za-z_][\w-]*\d[\w-]*\b)",
    ))
});

const KINDS: [&str; 15] = [
    "url", "email", "uuid", "date", "ip", "set", "quoted", "host", "path", "hex", "duration", "size",
    "number", "id", "",
];

/// Words with digits that mean the same everywhere.
const TERMS: &[&str] = &[
    "utf8", "utf-8", "utf16", "utf-16", "http2", "http1", "sha1", "sha256", "sha512", "base64", "md5",
    "ipv4", "ipv6", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "float32", "float64",
    "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "x86", "x86_64", "amd64", "arm64", "s3", "ec2",
    "k8s", "h2", "oauth2", "log4j", "sqlite3", "ascii85", "crc32", "win32", "latin-1", "latin1", "psycopg2",
    "python3", "boto3", "urllib3", "neo4j", "jinja2", "libpq5",
];

/// The message with placeholders such as `<number>` for its values.
#[must_use]
pub fn parameterize(message: &str) -> String {
    let message = cut(message);
    VALUES.replace_all(message, placeholder).into_owned()
}

fn placeholder(found: &Captures<'_>) -> String {
    let whole = &found[0];
    let kind =
        KINDS.iter().find(|kind| !kind.is_empty() && found.name(kind).is_some()).copied().unwrap_or("");
    match kind {
        "set" => format!("{}=<value>", whole.split('=').next().unwrap_or_default()),
        // Words such as `defaced` and `feedbeefs` are no numbers.
        "hex" if !whole.bytes().any(|b| b.is_ascii_digit()) => whole.to_owned(),
        "id" if TERMS.contains(&&*whole.to_ascii_lowercase()) => whole.to_owned(),
        kind => format!("<{kind}>"),
    }
}

/// The words of a message with placeholders for its values, as they are compared: without punctuation around them, and
/// with one placeholder for a list of values. A number is one whether it looks hexadecimal or not.
#[must_use]
pub fn wording(message: &str) -> Vec<String> {
    words(&parameterize(message).replace("<hex>", "<number>"))
}

/// As the first versions had it: a number of seven digits or more was of another kind than a small one.
pub(super) fn earlier_wording(message: &str) -> Vec<String> {
    words(&parameterize(message))
}

fn words(message: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in message.split_whitespace() {
        let word = word.trim_matches(|c: char| "()[]{},;:.!?\"'`=|*-".contains(c));
        let placeholder = word.starts_with('<') && word.ends_with('>');
        if word.is_empty() || (placeholder && words.last().is_some_and(|last| last == word)) {
            continue;
        }
        words.push(word.to_owned());
        if words.len() == MAX_WORDS {
            break;
        }
    }
    words
}

/// Words that are compared.
const MAX_WORDS: usize = 40;

fn cut(text: &str) -> &str {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_become_placeholders() {
        for (message, expected) in [
            ("order 4711 of ann@example.com failed", "order <number> of <email> failed"),
            ("GET https://api.example.com/v1/x?id=3 took 1.5s", "GET <url> took <duration>"),
            ("no route 6f1e2d3c-1111-2222-3333-444455556666", "no route <uuid>"),
            ("connect ECONNREFUSED 127.0.0.1:5432", "connect ECONNREFUSED <ip>"),
            ("connect to db.internal:5432 failed", "connect to <host> failed"),
            ("open /etc/app/config.toml: no such file", "open <path>: no such file"),
            ("key 'user_12' missing", "key <quoted> missing"),
            ("don't panic, it's 5", "don't panic, it's <number>"),
            ("at 0x7ffd12ab and deadbeef01", "at <hex> and <hex>"),
            ("2026-05-01T12:30:00.123Z lost", "<date> lost"),
            ("retries=3 user=ann gave up", "retries=<value> user=<value> gave up"),
            ("customer C-10293 unknown", "customer <id> unknown"),
            ("invalid utf-8 sequence", "invalid utf-8 sequence"),
            ("used 93% of 512 MiB", "used <number> of <size>"),
            ("expected an added facade", "expected an added facade"),
        ] {
            assert_eq!(parameterize(message), expected);
        }
    }

    #[test]
    fn a_list_of_values_is_one_placeholder() {
        assert_eq!(wording("ids [1, 2, 3] are gone"), wording("ids [17] are gone"));
        assert_eq!(wording("a (b): c!"), ["a", "b", "c"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn numbers_never_matter(a in any::<u32>(), digits in 0..32_u32) {
            let b = a >> digits;
            prop_assert_eq!(wording(&format!("job {a} failed")), wording(&format!("job {b} failed")));
            prop_assert_eq!(wording(&format!("at {a:#x}: gone")), wording(&format!("at {b:#x}: gone")));
        }

        #[test]
        fn any_text_has_a_wording(text in any::<String>()) {
            prop_assert!(wording(&text).len() <= MAX_WORDS);
        }
    }
}
