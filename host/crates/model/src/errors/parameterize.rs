//! Messages without the values in them: what changes from one occurrence to the next becomes a placeholder.

use std::ops::Range;
use std::sync::LazyLock;

use regex_automata::{meta::Regex, util::syntax};

/// Longest text that is looked at, bytes: what tells messages apart stands at their beginning.
const LONGEST: usize = 2_000;

/// Kinds of values, which are also their placeholders, with their patterns: what is more telling comes first.
const VALUES: [(&str, &str); 19] = [
    ("url", r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\x22<>`)\]}]+"),
    ("email", r"[\w.+-]+@[\w-]+\.[\w.-]*\w"),
    ("uuid", r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    (
        "date",
        r"\b\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?",
    ),
    (
        "date",
        r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?(?:\d{1,2} )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* +\d{1,4}\b(?:,? \d{4})?(?: \d{2}:\d{2}(?::\d{2})?(?: [A-Z]{3,4})?(?: \d{4})?)?",
    ),
    ("date", r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?\b"),
    ("ip", r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"),
    ("ip", r"\[?(?:[0-9a-fA-F]{1,4}:){2,7}[0-9a-fA-F]{1,4}\]?(?::\d+)?|\[?::1?\]?:\d+"),
    ("set", r"\b[A-Za-z_][\w.-]*=(?:\x22[^\x22]*\x22|'[^']*'|[^\s,;&)\]}=]+)"),
    ("quoted", r"\x22(?:[^\x22\\]|\\.){0,400}\x22|`[^`\n]{0,400}`|\B'(?:[^'\\\n]|\\.){0,400}'"),
    ("quoted", r"\u{2018}[^\u{2019}]{0,400}\u{2019}|\u{201c}[^\u{201d}]{0,400}\u{201d}"),
    ("host", r"\blocalhost(?::\d+)?\b|\b[A-Za-z][\w-]*(?:\.[\w-]+)*:\d{1,5}\b"),
    (
        "path",
        r"(?:\b[A-Za-z]:|~|\.{1,2})?(?:[\\/][\w.@+~%$#-]+)+[\\/]?|\b[\w.-]+(?:[\\/][\w.-]+)+\.\w{1,5}\b",
    ),
    ("hex", r"\b0[xX][0-9a-fA-F]+\b|\b[0-9a-fA-F]{7,}\b"),
    ("duration", r"\b\d+(?:\.\d+)? ?\u{b5}s\b"),
    (
        "duration",
        r"\b\d+(?:\.\d+)? ?(?:ns|us|ms|s|sec|secs|seconds?|milliseconds?|m|min|mins|minutes?|h|hrs?|hours?|d|days?)\b",
    ),
    ("size", r"\b\d+(?:\.\d+)? ?(?:[kKMGT]i?B|[Bb]ytes?|B)\b"),
    ("number", r"[+-]?\b\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?\b%?"),
    ("id", r"\b[A-Za-z_][\w-]*\d[\w-]*\b"),
];

/// Some of the patterns as one: an automaton finds the first place that any of them has, and which it was.
struct Finder {
    regex: Regex,
    kinds: Vec<&'static str>,
}

impl Finder {
    #[allow(clippy::expect_used, reason = "each is a constant that the tests of this module compile")]
    fn of(values: &[(&'static str, &'static str)], unicode: bool) -> Self {
        let syntax = syntax::Config::new().unicode(unicode).utf8(unicode);
        let patterns: Vec<&str> = values.iter().map(|(_, pattern)| *pattern).collect();
        let regex = Regex::builder().syntax(syntax).build_many(&patterns).expect("constant patterns");
        Self { regex, kinds: values.iter().map(|(kind, _)| *kind).collect() }
    }

    /// Where values are, and of what kind they are.
    fn values<'t>(&self, text: &'t str) -> impl Iterator<Item = (Range<usize>, &'static str)> + use<'_, 't> {
        self.regex.find_iter(text).map(|found| (found.range(), self.kinds[found.pattern()]))
    }
}

static ALL: LazyLock<Finder> = LazyLock::new(|| Finder::of(&VALUES, true));

/// For texts of ASCII only, as nearly all are: what Unicode adds to words and their borders makes it a hundred times as
/// slow.
static ASCII: LazyLock<Finder> = LazyLock::new(|| {
    let values = VALUES.into_iter().filter(|(_, pattern)| !pattern.contains(r"\u{"));
    Finder::of(&values.collect::<Vec<_>>(), false)
});

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
    let mut text = String::with_capacity(message.len());
    let mut copied = 0;
    let finder = if message.is_ascii() { &*ASCII } else { &*ALL };
    for (place, kind) in finder.values(message) {
        text.push_str(&message[copied..place.start]);
        text.push_str(&placeholder(&message[place.clone()], kind));
        copied = place.end;
    }
    text + &message[copied..]
}

fn placeholder(value: &str, kind: &str) -> String {
    match kind {
        "set" => format!("{}=<value>", value.split('=').next().unwrap_or_default()),
        // Words such as `defaced` and `feedbeefs` are no numbers.
        "hex" if !value.bytes().any(|b| b.is_ascii_digit()) => value.to_owned(),
        "id" if TERMS.contains(&&*value.to_ascii_lowercase()) => value.to_owned(),
        kind => format!("<{kind}>"),
    }
}

/// The words of a message with placeholders for its values, as they are compared: without punctuation around them, and
/// with one placeholder for a list of values. A number is one whether it looks hexadecimal or not.
#[must_use]
pub fn wording(message: &str) -> Vec<String> {
    wording_of(&parameterize(message))
}

/// [`wording`] of a message that is parameterized already.
pub(super) fn wording_of(parameterized: &str) -> Vec<String> {
    words(&parameterized.replace("<hex>", "<number>"))
}

/// As the first versions had it: a number of seven digits or more was of another kind than a small one.
pub(super) fn earlier_wording_of(parameterized: &str) -> Vec<String> {
    words(parameterized)
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
        fn ascii_is_read_as_all_texts_are(text in "([ -~\n\t]{0,12}( |[a-f0-9]{7}|12ms|'x'|1[.]2[.]3[.]4|a/b[.]c|k=v|2026-05-01)){0,6}") {
            prop_assert!(ASCII.values(&text).eq(ALL.values(&text)));
        }

        #[test]
        fn any_text_has_a_wording(text in any::<String>()) {
            prop_assert!(wording(&text).len() <= MAX_WORDS);
        }
    }
}
