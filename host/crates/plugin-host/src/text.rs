//! Texts that come from a plugin and are shown to people and agents.

/// Cuts a text at a character boundary, at `max` bytes, and marks the cut.
pub(crate) fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
    text
}

/// Makes one line of a text: control characters become spaces, and it is cut at `max` bytes.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let end = text.floor_char_boundary(max);
    let clean: String =
        text[..end].chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if end < text.len() { format!("{}…", clean.trim()) } else { clean.trim().to_owned() }
}

/// Whether the text is kebab-case: words of lower-case letters and digits, joined by single hyphens, a letter first.
pub(crate) fn is_kebab(text: &str) -> bool {
    is_joined_by(text, '-')
}

/// Whether the text is snake_case, likewise.
pub(crate) fn is_snake(text: &str) -> bool {
    is_joined_by(text, '_')
}

fn is_joined_by(text: &str, joint: char) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text.split(joint).all(|word| {
            !word.is_empty()
                && word.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_characters_and_the_cut_is_seen() {
        assert_eq!(cut("äöü".into(), 3), "ä…");
        assert_eq!(cut("abc".into(), 3), "abc");
        assert_eq!(one_line("a\nb\u{1b}[0m", 100), "a b [0m");
        assert_eq!(one_line("äöü", 3), "ä…");
    }

    #[test]
    fn names_have_one_form() {
        for good in ["a", "out-of-memory", "http2-json"] {
            assert!(is_kebab(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "1a", "a_b", "a b", "ä"] {
            assert!(!is_kebab(bad), "{bad}");
        }
        assert!(is_snake("latency_ms") && !is_snake("latency-ms"));
    }
}
