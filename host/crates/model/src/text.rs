//! From the bytes that a program wrote to text that a person or an agent can read.

use std::borrow::Cow;

/// Readable text: terminal escapes removed, invalid UTF-8 shown as U+FFFD, other control characters as
/// their Unicode pictures (NUL as `␀`), tabs kept. What a carriage return overwrote is left out, as on a
/// terminal. The raw bytes stay in the store.
#[must_use]
pub fn readable(raw: &[u8]) -> String {
    let text = lossy(raw);
    if !text.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return text.into_owned();
    }
    let text = text.strip_suffix('\r').unwrap_or(&text);
    let visible = text.rsplit('\r').find(|part| !part.is_empty()).unwrap_or("");
    let mut out = String::with_capacity(visible.len());
    let mut chars = visible.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' | '\n' => out.push(c),
            '\u{7f}' => out.push('\u{2421}'),
            c if (c as u32) < 0x20 => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            c => out.push(c),
        }
    }
    out
}

/// Bytes as text, with a replacement character for what is no UTF-8. The standard library's own goes byte by byte also
/// where all is well, as nearly always.
#[must_use]
pub fn lossy(raw: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed)
}

/// Whether readable text is the same as these bytes, which may be several lines.
#[must_use]
pub fn is_readable(raw: &[u8]) -> bool {
    // Without a branch for each byte, so that it is done many bytes at a time.
    let control = |b: &u8| (*b < 0x20) & (*b != b'\n') & (*b != b'\t') | (*b == 0x7f);
    let clean = |chunk: &[u8]| !chunk.iter().fold(false, |any, byte| any | control(byte));
    raw.chunks(4096).all(clean) && std::str::from_utf8(raw).is_ok()
}

/// Skips one escape sequence after its ESC: CSI, OSC and the other string sequences, or two characters
/// (ECMA-48, section 5).
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => {
            for c in chars.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    break;
                }
            }
        }
        Some(']' | 'P' | '^' | '_' | 'X') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        Some('(' | ')' | '#' | '%' | ' ') => {
            chars.next();
        }
        _ => {}
    }
}

/// Cuts a text to at most `max` characters and says how many are missing.
#[must_use]
pub fn clip(text: String, max: usize) -> String {
    // Bytes bound characters from above, so most texts need no count.
    if text.len() <= max {
        return text;
    }
    let total = text.chars().count();
    if total <= max {
        return text;
    }
    let mut cut: String = text.chars().take(max).collect();
    cut.push_str(&format!("… (+{} characters)", total - max));
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_go_and_the_rest_is_visible() {
        assert_eq!(readable(b"\x1b[1;31merror\x1b[0m: \x1b]0;title\x07x\ty"), "error: x\ty");
        assert_eq!(readable(b"a\0b\x07"), "a\u{2400}b\u{2407}");
        assert_eq!(readable(b"bad \xff\xfe"), "bad \u{fffd}\u{fffd}");
        assert_eq!(readable(b"10%\r50%\r100%"), "100%");
        assert_eq!(readable(b"plain\r"), "plain");
        assert_eq!(readable("grün ✓".as_bytes()), "grün ✓");
    }

    #[test]
    fn clipping_says_how_much_is_missing() {
        assert_eq!(clip("äöü".into(), 3), "äöü");
        assert_eq!(clip("äöüß".into(), 3), "äöü… (+1 characters)");
    }

    proptest! {
        #[test]
        fn what_is_readable_is_shown_as_it_is(raw in "[\\x00-\\x7fä€]{0,5}", more in prop::collection::vec(any::<u8>(), 0..3)) {
            let raw = [raw.as_bytes(), &more].concat();
            prop_assert_eq!(is_readable(&raw), readable(&raw).into_bytes() == raw);
        }

        #[test]
        fn no_control_character_ever_gets_through(raw in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(readable(&raw).chars().all(|c| !c.is_control() || c == '\t' || c == '\n' || (c as u32) >= 0x80));
        }
    }
}
