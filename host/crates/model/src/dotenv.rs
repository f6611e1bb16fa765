//! Environment files: lines of `NAME=value`, as `docker --env-file`, Node's and Ruby's dotenv read them.

/// A line that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}; write NAME=value, NAME='literal' or NAME=\"with \\n escapes\"")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// Reads the variables of a file in their order. Comments, blank lines and a leading `export` are understood;
/// nothing is interpolated.
///
/// # Errors
/// Names the first line that is not understood.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, BadLine> {
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate();
    lines
        .filter_map(|(at, line)| {
            parse_line(line).map_err(|problem| BadLine { line: at + 1, problem }).transpose()
        })
        .collect()
}

fn parse_line(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or("there is no `=`")?;
    let name = name.trim();
    if name.is_empty() || name.contains(char::is_whitespace) || name.contains('\0') {
        return Err("the name before `=` is empty or has blanks");
    }
    Ok(Some((name.to_owned(), unquote(value.trim())?)))
}

fn unquote(value: &str) -> Result<String, &'static str> {
    match value.chars().next() {
        Some('\'') => literal(&value[1..]),
        Some('"') => escaped(&value[1..]),
        // An unquoted value ends before a comment.
        _ => Ok(value.split(" #").next().unwrap_or("").trim_end().to_owned()),
    }
}

fn literal(rest: &str) -> Result<String, &'static str> {
    let (value, after) = rest.split_once('\'').ok_or("the quote is never closed")?;
    only_comment(after)?;
    Ok(value.to_owned())
}

fn escaped(rest: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                only_comment(chars.as_str())?;
                return Ok(value);
            }
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(other) => value.push(other),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err("the quote is never closed")
}

fn only_comment(after: &str) -> Result<(), &'static str> {
    let after = after.trim_start();
    if after.is_empty() || after.starts_with('#') {
        Ok(())
    } else {
        Err("there is text after the closing quote")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_forms_are_read() {
        let text = "# comment\n\nA=1\nexport B = two words # note\nC='lit #\\n'\nD=\"x\\ny\\\"\" # note\nE=\nF=a#b\r\n";
        let got = parse(text).unwrap();
        let want =
            [("A", "1"), ("B", "two words"), ("C", "lit #\\n"), ("D", "x\ny\""), ("E", ""), ("F", "a#b")];
        let want: Vec<_> = want.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(parse("A=1\nnonsense").unwrap_err().line, 2);
        assert!(parse("A='x").unwrap_err().to_string().contains("never closed"));
        assert!(parse("A='x' y").is_err() && parse("=x").is_err() && parse("A B=x").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,300}") {
            let _ = parse(&text);
        }
    }
}
