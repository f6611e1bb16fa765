//! Text by others that is shown on a terminal: whatever is in it can be seen, and nothing of it acts on the terminal.
//!
//! Unlike [`text::readable`](crate::text::readable), which shows output as a terminal would, nothing is left out: who
//! decides whether a command may run must see all of it.

/// On one line, each character one character: control characters as their Unicode pictures (ESC as `␛`, a line feed as
/// `␊`), and those without a picture, or that reorder or hide what stands beside them, as U+FFFD.
#[must_use]
pub fn on_one_line(text: &str) -> String {
    text.chars().map(seen).collect()
}

/// The same, with its line feeds.
#[must_use]
pub fn on_its_lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { seen(c) }).collect()
}

fn seen(c: char) -> char {
    match c {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if c.is_control() || is_unseen(c) => '\u{fffd}',
        c => c,
    }
}

/// Marks of direction, joiners of no width, and separators of lines.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_would_act_on_a_terminal_is_seen() {
        assert_eq!(on_one_line("a\u{1b}[2Kb\r\nc\td"), "a␛[2Kb␍␊c␉d");
        assert_eq!(on_one_line("x\u{9b}1A\u{202e}y\u{7f}"), "x\u{fffd}1A\u{fffd}y␡");
        assert_eq!(on_its_lines("one\n\u{1b}two"), "one\n␛two");
        assert_eq!(on_one_line("grün ✓"), "grün ✓");
    }

    proptest! {
        #[test]
        fn nothing_is_left_out_and_nothing_acts(text in ".{0,100}") {
            let shown = on_one_line(&text);
            prop_assert_eq!(shown.chars().count(), text.chars().count());
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_unseen(c)));
        }
    }
}
