//! Variables whose values are known, in the places where a line names them.

use std::collections::BTreeMap;

use crate::draft::literal;

/// Where a place of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// A line as it stands in the file, with these values in place of their variables: quoted, so that they make as many words as
/// they would have made in a shell.
pub(crate) fn with_values(line: &str, values: &BTreeMap<String, String>) -> String {
    walk(line, values, true)
}

/// A text that is not split into words, with these values in place of their variables.
pub(crate) fn with_plain_values(text: &str, values: &BTreeMap<String, String>) -> String {
    walk(text, values, false)
}

/// The variables that a text names.
pub(crate) fn has_names(text: &str) -> Vec<String> {
    crate::read::variables(&text.replace("$$", "")).into_iter().map(str::to_owned).collect()
}

fn walk(text: &str, values: &BTreeMap<String, String>, is_line: bool) -> String {
    let (mut out, mut rest, mut quotes) = (String::new(), text, Quotes::None);
    while let Some(at) = rest.find(['$', '\'', '"', '\\']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match (&rest[..1], quotes) {
            ("$", _) => match variable(rest) {
                Some((name, whole)) if values.contains_key(name) => {
                    let value = &values[name];
                    out.push_str(&if is_line { quoted(value, quotes) } else { value.clone() });
                    rest = &rest[whole..];
                    continue;
                }
                Some((_, whole)) => whole,
                None => dollar(rest),
            },
            ("\\", Quotes::None | Quotes::Double) => 1 + after_backslash(&rest[1..]),
            ("'", Quotes::None) => switched(&mut quotes, Quotes::Single),
            ("'", Quotes::Single) | ("\"", Quotes::Double) => switched(&mut quotes, Quotes::None),
            ("\"", Quotes::None) => switched(&mut quotes, Quotes::Double),
            _ => 1,
        };
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out + rest
}

fn switched(quotes: &mut Quotes, to: Quotes) -> usize {
    *quotes = to;
    1
}

/// The name of the variable with which a text begins, and the length of all of it.
fn variable(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix("${")?;
    let (inside, _) = inside.split_once('}')?;
    Some((inside.split(":-").next().unwrap_or(inside), inside.len() + "${}".len()))
}

/// How long a dollar sign is that begins no variable: `$$` is one.
fn dollar(text: &str) -> usize {
    if text.starts_with("$$") { 2 } else { 1 }
}

/// How long what follows a backslash is.
fn after_backslash(text: &str) -> usize {
    match text.chars().next() {
        Some('$') => dollar(text),
        next => next.map_or(0, char::len_utf8),
    }
}

/// A value as part of a line. White space parts words where nothing is quoted, as it would in a shell.
fn quoted(value: &str, quotes: Quotes) -> String {
    let (mut out, mut rest) = (String::new(), value);
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            // A variable in it is filled in before words are split, and nobody knows its value.
            '$' => variable(rest).map_or_else(|| dollar(rest), |(_, whole)| whole),
            c => c.len_utf8(),
        };
        let piece = &rest[..taken];
        rest = &rest[taken..];
        match (c, quotes) {
            ('$', _) if piece.len() > 2 => out.push_str(piece),
            ('$', Quotes::Single) => out.push_str(&literal("$")),
            ('$', _) => out.push_str(&format!("\\{}", literal("$"))),
            ('\'', Quotes::Single) => out.push_str(r"'\''"),
            (_, Quotes::Single) => out.push_str(piece),
            ('"' | '\\' | '`', Quotes::Double) => out.push_str(&format!("\\{c}")),
            (_, Quotes::Double) => out.push_str(piece),
            ('\n', Quotes::None) => out.push(' '),
            (c, Quotes::None) if is_plain(c) => out.push(c),
            (c, Quotes::None) => out.push_str(&format!("\\{c}")),
        }
    }
    out
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_-./@:+,%=~{}[]*?!^".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> BTreeMap<String, String> {
        let all = [
            ("PORT", "3000"),
            ("TWO", "a b"),
            ("ODD", r#"it's "$$5"; x"#),
            ("URL", "http://h:${P:-1}/"),
            ("NONE", ""),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// The words that a line has with these values.
    fn words(line: &str) -> Vec<String> {
        let line = crate::interpolate::interpolate(&with_values(line, &values()), &BTreeMap::new()).unwrap();
        hostler_model::words::split(&line).unwrap()
    }

    #[test]
    fn values_make_the_words_that_they_make_in_a_shell() {
        assert_eq!(words("run -p ${PORT:-5000} ${OTHER:-x}"), ["run", "-p", "3000", "x"]);
        assert_eq!(words("run ${TWO:-} \"${TWO:-}\" ${NONE:-}"), ["run", "a", "b", "a b"]);
        assert_eq!(words("run \"${ODD:-}\" '${ODD:-}'"), ["run", r#"it's "$5"; x"#, r#"it's "$5"; x"#]);
        assert_eq!(words("run ${ODD:-}"), ["run", "it's", "\"$5\";", "x"]);
        assert_eq!(words("run ${URL:-} \\$$PORT '$$PORT'"), ["run", "http://h:1/", "$PORT", "$PORT"]);
    }

    #[test]
    fn a_plain_text_gets_values_as_they_are() {
        assert_eq!(with_plain_values("a'${TWO:-}' $$ $ ${X:-y} ${", &values()), "a'a b' $$ $ ${X:-y} ${");
        assert_eq!(has_names("a ${B:-c} $${D} ${E}"), ["B", "E"]);
    }

    proptest! {
        #[test]
        fn a_value_in_quotes_is_one_word(value in "[ -~é\n]{0,12}") {
            let values = BTreeMap::from([("V".to_owned(), literal(&value))]);
            for line in ["run \"${V:-}\"", "run '${V:-}'"] {
                let line = crate::interpolate::interpolate(&with_values(line, &values), &BTreeMap::new());
                prop_assert_eq!(hostler_model::words::split(&line.unwrap()).unwrap(), ["run", value.as_str()]);
            }
        }
    }
}
