//! What the words of a message say: all of them are looked for at once, for there are hundreds.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::signs::{BUGS, SIGNS, Signs};

/// The first category of each list of which a message has a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) sign: Option<&'static str>,
    pub(super) bug: Option<&'static str>,
}

/// The words of both lists, one after the other.
struct Words {
    /// Finds them whatever their case; none if there were too many of them, which a test rules out.
    automaton: Option<AhoCorasick>,
    /// For each word the place of its signs in the two lists.
    places: Vec<usize>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let words =
        || lists().enumerate().flat_map(|(place, signs)| signs.words.iter().map(move |w| (place, *w)));
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(true)
        .build(words().map(|(_, word)| word));
    Words { automaton: automaton.ok(), places: words().map(|(place, _)| place).collect() }
});

fn lists() -> impl Iterator<Item = &'static Signs> {
    SIGNS.iter().chain(BUGS)
}

/// Reads a message.
pub(super) fn said(message: &str) -> Said {
    let mut first = [usize::MAX; 2];
    for found in WORDS.automaton.iter().flat_map(|automaton| automaton.find_overlapping_iter(message)) {
        let place = WORDS.places[found.pattern()];
        let list = usize::from(place >= SIGNS.len());
        first[list] = first[list].min(place);
    }
    let [mut sign, bug] = first;
    let http_5xx = SIGNS.iter().position(|signs| signs.category == "http-5xx").unwrap_or(usize::MAX);
    if sign > http_5xx && says_5xx(message) {
        sign = http_5xx;
    }
    let category = |place: usize| lists().nth(place).map(|signs| signs.category);
    Said { sign: category(sign), bug: category(bug) }
}

/// Whether it says that somebody answered with a status from 500 to 599: `responded 503 in 3 ms`, `"status":502`.
fn says_5xx(message: &str) -> bool {
    let bytes = message.as_bytes();
    bytes.windows(3).enumerate().any(|(at, three)| {
        let number = three[0] == b'5' && three[1..].iter().all(u8::is_ascii_digit);
        let alone = !bytes.get(at + 3).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'.');
        if !number || !alone {
            return false;
        }
        let before = message.get(at.saturating_sub(24)..at).unwrap_or_default().to_ascii_lowercase();
        let apart =
            before.ends_with([' ', '=', '(', '"']) || before.ends_with("\":") || before.ends_with(" [");
        let words = ["status", "responded", "answered", "returned", "response", "http ", "http/", "code"];
        apart && words.iter().any(|word| before.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_and_the_first_of_its_list_stands() {
        for (place, signs) in lists().enumerate() {
            for word in signs.words {
                let said = said(&format!("it said: {}!", word.to_ascii_uppercase()));
                let list = if place < SIGNS.len() { SIGNS } else { BUGS };
                let first = list.iter().find(|signs| signs.words.iter().any(|w| word.contains(w)));
                let found = if place < SIGNS.len() { said.sign } else { said.bug };
                assert_eq!(found, first.map(|signs| signs.category), "{word}");
            }
        }
        assert_eq!(said("all is well"), Said::default());
    }

    #[test]
    fn a_status_is_a_number_of_its_own_behind_a_word_for_it() {
        for text in ["upstream responded 503 in 3 ms", r#"{"Status":502}"#, "HTTP 500"] {
            assert_eq!(said(text).sign, Some("http-5xx"), "{text}");
        }
        for text in ["returned 5031 rows", "code 5.500", "it took 503 ms"] {
            assert_eq!(said(text).sign, None, "{text}");
        }
    }
}
