//! Splitting a command line into words, without a shell.

/// Why a command line cannot be run without a shell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCommandLine {
    /// Nothing but white space.
    #[error("the command is empty; give an executable, such as \"node\" or \"./server\"")]
    Empty,
    /// A quote is never closed.
    #[error("the command {0:?} has a quote that is never closed")]
    Unbalanced(String),
    /// It asks for something only a shell does.
    #[error(
        "the command uses the shell operator {operator:?}, and commands run without a shell. {advice}, or \
         put the line into a script file of the project and start that"
    )]
    Operator {
        /// The operator found.
        operator: String,
        /// What to do in its place.
        advice: &'static str,
    },
}

/// Splits as a POSIX shell splits words (quotes and backslashes), and refuses what only a shell can do.
///
/// # Errors
/// Names the operator and what to do in its place.
pub fn split(line: &str) -> Result<Vec<String>, BadCommandLine> {
    if let Some(operator) = unquoted_operator(line) {
        return Err(BadCommandLine::Operator { advice: advice(&operator), operator });
    }
    let words = shell_words::split(line).map_err(|_| BadCommandLine::Unbalanced(shorten(line)))?;
    if words.is_empty() {
        return Err(BadCommandLine::Empty);
    }
    if let Some((name, _)) = words[0].split_once('=')
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        return Err(BadCommandLine::Operator {
            operator: words[0].clone(),
            advice: "Give variables in `env`",
        });
    }
    Ok(words)
}

fn advice(operator: &str) -> &'static str {
    match operator {
        "|" | "|&" => "Start the two sides as two processes",
        "&&" | "||" | ";" | "\n" => "Start one process for each step",
        "&" => "Leave it out: every process already runs in the background",
        "<" => "Let the program open the file itself",
        ">" | ">>" => "Leave it out: output is kept, see get_logs",
        "$(" | "`" | "$" => "Give the value itself, or pass it in `env`",
        _ => "Give the words as `command` and `args`",
    }
}

/// Finds the first operator that stands outside quotes.
fn unquoted_operator(line: &str) -> Option<String> {
    let mut chars = line.chars().peekable();
    let mut quote: Option<char> = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => {
                chars.next();
            }
            (_, '`') => return Some("`".into()),
            (_, '$') => match chars.peek() {
                Some('(') => return Some("$(".into()),
                Some(n) if n.is_ascii_alphabetic() || matches!(n, '_' | '{') => return Some("$".into()),
                _ => {}
            },
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '|' | '&' | '>') if chars.peek() == Some(&c) => return Some(format!("{c}{c}")),
            (None, '|') if chars.peek() == Some(&'&') => return Some("|&".into()),
            (None, '|' | '&' | ';' | '<' | '>' | '\n') => return Some(c.into()),
            (None, _) => {}
        }
    }
    None
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 120 {
        text.to_owned()
    } else {
        text.chars().take(120).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_split_as_in_a_shell() {
        assert_eq!(
            split(r#"node "my app.js" --x='a b' c\ d"#).unwrap(),
            ["node", "my app.js", "--x=a b", "c d"]
        );
    }

    #[test]
    fn operators_are_refused_with_advice() {
        for (line, operator) in [
            ("a | b", "|"),
            ("a && b", "&&"),
            ("a || b", "||"),
            ("a; b", ";"),
            ("a &", "&"),
            ("a > f", ">"),
            ("a >> f", ">>"),
            ("a < f", "<"),
            ("a $HOME", "$"),
            ("a \"$(b)\"", "$("),
            ("a `b`", "`"),
        ] {
            match split(line) {
                Err(BadCommandLine::Operator { operator: found, .. }) => {
                    assert_eq!(found, operator, "{line}")
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        assert!(split("PORT=1 node x").unwrap_err().to_string().contains("`env`"));
        assert!(split("  ").unwrap_err().to_string().contains("empty"));
        assert!(split("a 'b").unwrap_err().to_string().contains("never closed"));
    }

    #[test]
    fn quoted_operators_are_words() {
        assert_eq!(
            split("grep 'a|b' \"x;y\" \\& cost$ 5$").unwrap(),
            ["grep", "a|b", "x;y", "&", "cost$", "5$"]
        );
    }

    proptest! {
        #[test]
        fn quoting_and_splitting_are_inverse(words in prop::collection::vec("[ -~]{0,12}", 1..6)) {
            let words: Vec<String> = std::iter::once("prog".to_owned()).chain(words).collect();
            let line: Vec<String> = words.iter().map(|w| format!("'{}'", w.replace('\'', r"'\''"))).collect();
            prop_assert_eq!(split(&line.join(" ")).unwrap(), words);
        }

        #[test]
        fn never_panics(line in ".{0,200}") {
            let _ = split(&line);
        }
    }
}
