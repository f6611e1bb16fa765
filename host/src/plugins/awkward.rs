//! Inputs that plugins tend to fall over.

use hostler_plugin_host::TextBatch;

/// One call.
#[derive(Debug)]
pub(crate) struct Awkward {
    /// What is awkward about it.
    pub(crate) what: &'static str,
    /// The lines, or the texts of errors.
    pub(crate) texts: TextBatch,
    /// Whether the stream ends with it.
    pub(crate) end: bool,
}

const MB: usize = 1_000_000;

/// All of them, the end of the stream last.
pub(crate) fn inputs() -> Vec<Awkward> {
    let nested = br#"{"a":["#.repeat(MB / 6);
    let long: Vec<u8> = b"2026-01-02T03:04:05Z ERROR a=\"b\" ".iter().copied().cycle().take(MB).collect();
    let open: [&[u8]; 9] = [
        b"{\"level\":\"error\",\"msg\":\"",
        b"[",
        b"key=\"",
        b"2026-13-45T99:99:99Z",
        b"<999>1 -",
        b"Traceback (most recent call last):",
        b"thread 'main' panicked at",
        b"\x1b[31",
        b"1.2.3.4 - - [",
    ];
    let many: Vec<&[u8]> = open.iter().copied().cycle().take(2_000).collect();
    let cases: [(&'static str, &[&[u8]], bool); 10] = [
        ("no line at all", &[], false),
        ("an empty line", &[b""], false),
        ("invalid UTF-8", &[b"\xff\xfe ERROR \xc3\x28 \x80", b"{\"msg\":\"\xf0\x9f\"}"], false),
        ("NUL and control characters", &[b"\0\0\x01ERROR\x7f\x1b\r\r", b"\r", b"\t \t"], false),
        ("unfinished lines", &open, false),
        (
            "numbers beyond every type",
            &[b"{\"time\":1e999,\"level\":-99999999999999999999}", b"level=18446744073709551616"],
            false,
        ),
        ("one line of 1 MB", &[&long], false),
        ("1 MB that opens 300,000 brackets", &[&nested], false),
        ("2,000 lines", &many, false),
        ("the end of the stream, without a line", &[], true),
    ];
    cases
        .into_iter()
        .map(|(what, texts, end)| Awkward { what, texts: texts.iter().copied().collect(), end })
        .collect()
}
