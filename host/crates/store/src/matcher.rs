//! Which lines a search is for.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind, Look};

use crate::events::LogEvent;
use crate::filter::Needles;
use crate::searchable::Searchable;

/// Largest compiled expression, bytes. What it runs over is linear in time whatever it is.
const REGEX_BYTES: usize = 1 << 20;

/// What lines a search is for.
#[derive(Debug, Clone)]
pub struct Matcher {
    kind: Kind,
    needles: Needles,
}

#[derive(Debug, Clone)]
enum Kind {
    All,
    Text(Box<memchr::memmem::Finder<'static>>),
    /// Whether it can be run over many lines at once: not when it speaks of the beginning or end of all text.
    Regex {
        regex: Regex,
        at_once: bool,
    },
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPattern(String);

impl Matcher {
    /// Lines that contain a text; an empty one is in every line.
    ///
    /// # Errors
    /// When it is too long.
    pub fn text(text: &str, case_sensitive: bool) -> Result<Self, BadPattern> {
        if text.is_empty() {
            return Ok(Self { kind: Kind::All, needles: Needles::default() });
        }
        let needles = needles(&[text.as_bytes().to_vec()], case_sensitive || text.is_ascii());
        if case_sensitive {
            let finder = memchr::memmem::Finder::new(text).into_owned();
            return Ok(Self { kind: Kind::Text(Box::new(finder)), needles });
        }
        // Of plain ASCII only ASCII is another case, or `k` would match the sign of Kelvin, which no filter knows.
        let regex = RegexBuilder::new(&regex::escape(text))
            .case_insensitive(true)
            .unicode(!text.is_ascii())
            .size_limit(REGEX_BYTES)
            .build()
            .map_err(|e| BadPattern(e.to_string()))?;
        Ok(Self { kind: Kind::Regex { regex, at_once: true }, needles })
    }

    /// Lines in which an expression matches.
    ///
    /// # Errors
    /// Where it is wrong.
    pub fn regex(pattern: &str, case_sensitive: bool) -> Result<Self, BadPattern> {
        let regex = RegexBuilder::new(pattern)
            .multi_line(true)
            .case_insensitive(!case_sensitive)
            .size_limit(REGEX_BYTES)
            .build()
            .map_err(|e| BadPattern(e.to_string()))?;
        // Read as if it were case-sensitive: the filter knows no case.
        let mut parser = regex_syntax::ParserBuilder::new().multi_line(true).utf8(false).build();
        let hir = parser.parse(pattern).map_err(|e| BadPattern(e.to_string()))?;
        let looks = hir.properties().look_set();
        let at_once = !looks.contains(Look::Start) && !looks.contains(Look::End);
        let mut literals = Vec::new();
        required(&hir, &mut literals);
        let needles = needles(&literals, case_sensitive);
        Ok(Self { kind: Kind::Regex { regex, at_once }, needles })
    }

    pub(crate) fn needles(&self) -> &Needles {
        &self.needles
    }

    /// Whether a line matches.
    #[must_use]
    pub fn is_match(&self, line: &[u8]) -> bool {
        match &self.kind {
            Kind::All => true,
            Kind::Text(finder) => finder.find(line).is_some(),
            Kind::Regex { regex, .. } => regex.is_match(line),
        }
    }

    /// The lines that match, in order.
    pub(crate) fn find_all(&self, lines: &Searchable<'_>) -> Vec<usize> {
        match &self.kind {
            Kind::All => (0..lines.ends.len()).collect(),
            Kind::Regex { at_once: false, .. } => {
                (0..lines.ends.len()).filter(|at| self.is_match(lines.line(*at))).collect()
            }
            Kind::Text(finder) => self.at_once(lines, |from| {
                let start = from + finder.find(&lines.text[from..])?;
                Some((start, start + finder.needle().len()))
            }),
            Kind::Regex { regex, at_once: true } => {
                self.at_once(lines, |from| regex.find_at(&lines.text, from).map(|m| (m.start(), m.end())))
            }
        }
    }

    /// All text at once: the next match tells the next line. One that reaches beyond its line is looked at again.
    fn at_once(&self, lines: &Searchable<'_>, find: impl Fn(usize) -> Option<(usize, usize)>) -> Vec<usize> {
        let (mut found, mut from) = (Vec::new(), 0);
        while from < lines.text.len()
            && let Some((start, end)) = find(from)
        {
            let line = lines.line_at(start);
            let Some(line_end) = lines.ends.get(line) else { break };
            if end <= *line_end || self.is_match(lines.line(line)) {
                found.push(line);
            }
            from = line_end + 1;
        }
        found
    }
}

/// What the filter can be asked for: in doubt, only bytes whose other case it knows. Beyond ASCII, and of k and s, there
/// are others (the sign of Kelvin, the long s).
fn needles(literals: &[Vec<u8>], certain: bool) -> Needles {
    let is_doubtful = |byte: &u8| !certain && (!byte.is_ascii() || b"kKsS".contains(byte));
    Needles::of(literals.iter().flat_map(|literal| literal.split(is_doubtful)))
}

/// Literals without which nothing matches.
fn required(hir: &Hir, literals: &mut Vec<Vec<u8>>) {
    match hir.kind() {
        HirKind::Literal(literal) => literals.push(literal.0.to_vec()),
        HirKind::Capture(capture) => required(&capture.sub, literals),
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub, literals),
        HirKind::Concat(parts) => parts.iter().for_each(|part| required(part, literals)),
        HirKind::Repetition(_)
        | HirKind::Alternation(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Empty => {}
    }
}

/// A condition on a parsed field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFilter {
    name: String,
    comparison: Comparison,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

impl FieldFilter {
    /// Reads a condition such as `>=500`, `!=GET` or `api`; without a sign it is equality.
    #[must_use]
    pub fn read(name: &str, condition: &str) -> Self {
        let signs = [
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            ("!=", Comparison::Unequal),
            ("==", Comparison::Equal),
            (">", Comparison::More),
            ("<", Comparison::Less),
            ("=", Comparison::Equal),
        ];
        let (comparison, value) = signs
            .into_iter()
            .find_map(|(sign, comparison)| Some((comparison, condition.strip_prefix(sign)?)))
            .unwrap_or((Comparison::Equal, condition));
        Self { name: name.to_owned(), comparison, value: value.trim().to_owned() }
    }

    /// Whether an event meets it. Numbers are compared as numbers; an event without the field never does.
    #[must_use]
    pub fn is_met(&self, event: &LogEvent) -> bool {
        let mut of_name = event.fields.iter().filter(|(name, _)| *name == self.name);
        of_name.any(|(_, value)| {
            let order = match (value.parse::<f64>(), self.value.parse::<f64>()) {
                (Ok(is), Ok(wanted)) => is.partial_cmp(&wanted),
                _ => Some(value.as_str().cmp(&self.value)),
            };
            order.is_some_and(|order| match self.comparison {
                Comparison::Less => order.is_lt(),
                Comparison::AtMost => order.is_le(),
                Comparison::Equal => order.is_eq(),
                Comparison::Unequal => order.is_ne(),
                Comparison::AtLeast => order.is_ge(),
                Comparison::More => order.is_gt(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use hostler_model::Timestamp;
    use hostler_model::lines::Stream;
    use proptest::prelude::*;

    use super::*;
    use crate::filter;
    use crate::rows::{RowFlags, Rows};

    #[test]
    fn conditions_compare_numbers_as_numbers() {
        let event = LogEvent {
            last_seq: 1,
            event_time: None,
            message: String::new(),
            fields: vec![("status".into(), "503".into()), ("method".into(), "GET".into())],
        };
        for (name, condition, met) in [
            ("status", ">=500", true),
            ("status", "<1000", true),
            ("status", "503", true),
            ("status", "!=503", false),
            ("status", "> 503", false),
            ("method", "GET", true),
            ("method", "!= POST", true),
            ("path", "!=x", false),
        ] {
            assert_eq!(FieldFilter::read(name, condition).is_met(&event), met, "{name} {condition}");
        }
    }

    proptest! {
        /// All lines at once, and by way of the filter, are the same lines as one after the other.
        #[test]
        fn at_once_is_the_same_as_one_by_one(
            lines in prop::collection::vec("[abAB k\u{212a}\u{1b}\u{e9}]{0,9}", 0..20),
            pattern in prop_oneof![
                "[abAB ke]{1,6}", Just("^a".to_owned()), Just("b$".to_owned()), Just("\\Aa|b\\z".to_owned()),
                Just("[^a]{3}".to_owned()), Just("(?s)a.b".to_owned()), Just("\\bab?\\b".to_owned()),
                Just("(aba|kab)+b*".to_owned()), Just("".to_owned()), Just("é".to_owned()), Just("(ab){2}a".to_owned()),
            ],
            case in any::<bool>(),
            regex in any::<bool>(),
        ) {
            let mut rows = Rows::default();
            lines.iter().for_each(|line| rows.push(Timestamp(0), Stream::Stdout, RowFlags::NONE, line.as_bytes()));
            let searchable = Searchable::of(&rows);
            let matcher = if regex { Matcher::regex(&pattern, case) } else { Matcher::text(&pattern, case) }.unwrap();
            let expected: Vec<usize> = (0..lines.len())
                .filter(|at| matcher.is_match(hostler_model::text::readable(lines[*at].as_bytes()).as_bytes()))
                .collect();
            if !expected.is_empty() {
                prop_assert!(matcher.needles().may_be_in(&filter::build(&searchable.text)), "{}", pattern);
            }
            prop_assert_eq!(matcher.find_all(&searchable), expected);
        }
    }
}
