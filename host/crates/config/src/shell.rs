//! Lines that were written for a shell, as programs that need none.

use std::collections::BTreeMap;

use hostler_model::programs::SHELLS;
use hostler_model::words;

use crate::draft::literal;
use crate::interpolate::replace;

mod values;

pub(crate) use values::{has_names, with_plain_values, with_values};

/// A line of a shell that needs none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Line {
    pub(crate) command: String,
    /// What stood before the program: `NAME=value program`.
    pub(crate) env: BTreeMap<String, String>,
    /// From `cd DIR && program`.
    pub(crate) cwd: Option<String>,
}

impl Line {
    /// What a shell in this line is given, with what stood before that shell.
    fn around(mut self, inner: Self) -> Self {
        self.env.extend(inner.env);
        let cwd = match (self.cwd, inner.cwd) {
            (Some(outer), Some(inner)) => Some(format!("{outer}/{inner}")),
            (outer, inner) => outer.or(inner),
        };
        Self { command: inner.command, env: self.env, cwd }
    }
}

/// The line that a shell among these words is given: `bash -c LINE`.
pub(crate) fn given_to_shell(words: &[String]) -> Option<&str> {
    let [program, flags, line] = words else { return None };
    let program = program.rsplit('/').next().unwrap_or_default();
    let flags = flags.strip_prefix('-')?;
    let only_reads_it = flags.ends_with('c') && flags.chars().all(|flag| "celux".contains(flag));
    (SHELLS.contains(&program) && only_reads_it).then_some(line.as_str())
}

/// What a shell acts upon, outside of quotes or in double ones.
const ACTED_UPON: [char; 9] = ['|', '&', ';', '<', '>', '`', '$', '\n', '#'];

/// Words of a line that no shell reads: quotes hold them together, and all else is what it is.
///
/// # Errors
/// When a quote is never closed.
pub(crate) fn plain_words(line: &str) -> Result<Vec<String>, String> {
    // Others stand in the place of what would be refused, or end the line as a comment does.
    let mut hidden = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match ACTED_UPON.iter().position(|acted| *acted == c) {
            Some(at) => hidden.push(stand_in(at)),
            None => hidden.push(c),
        }
        if c == '\\' {
            hidden.extend(chars.next());
        }
    }
    // Nothing before the first word would be taken for the name of a variable.
    let words = words::split(&format!("program {hidden}")).map_err(|why| why.to_string())?;
    let shown = |c: char| (0..ACTED_UPON.len()).find(|at| stand_in(*at) == c).map_or(c, |at| ACTED_UPON[at]);
    Ok(words.into_iter().skip(1).map(|word| word.chars().map(shown).collect()).collect())
}

/// Words of a line that is left as it stands in the file: a variable is a word, or part of one, whatever is in its braces.
///
/// # Errors
/// When only a shell could run it.
pub(crate) fn split(line: &str) -> Result<Vec<String>, String> {
    let hidden = line.replace(r"\$$", "$$").replace('$', "\u{1}");
    let words = words::split(&hidden).map_err(|why| why.to_string())?;
    Ok(words.into_iter().map(|word| word.replace('\u{1}', "$")).collect())
}

/// A character for private use, which no line has.
fn stand_in(at: usize) -> char {
    u32::try_from(at).ok().and_then(|at| char::from_u32(0xE000 + at)).unwrap_or('\u{FFFD}')
}

/// Reads a line; `default` is what a variable is when nobody sets it (to a shell, nothing).
///
/// # Errors
/// Why it cannot be done without a shell.
pub(crate) fn line(text: &str, default: impl Fn(&str) -> String) -> Result<Line, String> {
    read(text, &default)
}

fn read(text: &str, default: &dyn Fn(&str) -> String) -> Result<Line, String> {
    let mut line = Line::default();
    let mut rest = text.trim();
    loop {
        let before = rest;
        rest = rest.strip_prefix("exec ").unwrap_or(rest).trim_start();
        if let Some((dir, then)) = rest.strip_prefix("cd ").and_then(|cd| cd.split_once("&&"))
            && let Ok([dir]) = <[String; 1]>::try_from(words::split(dir).unwrap_or_default())
        {
            line.cwd = Some(match line.cwd.take() {
                Some(outer) => format!("{outer}/{}", literal(&dir)),
                None => literal(&dir),
            });
            rest = then.trim_start();
        }
        if let Some((name, value, then)) = assignment(rest) {
            line.env.insert(name.to_owned(), variables(value, default)?);
            rest = then;
        }
        if rest == before {
            break;
        }
    }
    if let Some(inner) = plain_words(rest).ok().as_deref().and_then(given_to_shell)
        && let Ok(inner) = read(inner, default)
    {
        return Ok(line.around(inner));
    }
    line.command = variables(rest, default)?;
    // What the variables will be is not known; what else a shell would have to do is.
    words::split(&without_variables(&line.command)).map_err(|why| why.to_string())?;
    Ok(line)
}

/// A program that is one word, as the `command` of a file, whose words are split.
///
/// # Errors
/// When no `command` can say it.
pub(crate) fn program(word: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./@:+,%=${}".contains(c);
    let command = match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words::split(&without_variables(&command)).map_err(|why| why.to_string())?;
    Ok(command)
}

/// `NAME=value` before a program, with the rest. A value in quotes is left to who reads the words.
fn assignment(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = text.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        return None;
    }
    match after.chars().next()? {
        quote @ ('"' | '\'') => {
            let (value, then) = after[1..].split_once(quote)?;
            let then = then.strip_prefix(' ')?;
            let plain = quote == '\'' || !value.contains('\\');
            plain.then(|| (name, value, then.trim_start()))
        }
        _ => {
            let (value, then) = after.split_once(char::is_whitespace)?;
            let plain = !value.contains(['"', '\'', '\\', '`', ';', '&', '|', '(']);
            plain.then(|| (name, value, then.trim_start()))
        }
    }
}

/// `$NAME` and `${NAME}` of a shell as `${NAME:-default}`; a dollar sign that begins neither as it is.
///
/// # Errors
/// When it is an expansion that only a shell knows.
pub(crate) fn variables(text: &str, default: impl Fn(&str) -> String) -> Result<String, String> {
    let (mut out, mut rest, mut single, mut double) = (String::new(), text, false, false);
    while let Some(at) = rest.find(['$', '\'', '"', '\\']) {
        out.push_str(&rest[..at]);
        let mut chars = rest[at..].chars();
        let found = chars.next().unwrap_or_default();
        rest = chars.as_str();
        if found != '$' {
            out.push(found);
            match found {
                '\'' => single ^= !double,
                '"' => double ^= !single,
                _ if single => {}
                _ => {
                    out.extend(chars.next().map(|next| literal(next.encode_utf8(&mut [0; 4]))));
                    rest = chars.as_str();
                }
            }
            continue;
        }
        let (name, given, after) = match rest.strip_prefix('{') {
            // Between single quotes a shell replaces nothing.
            _ if single => ("", None, rest),
            Some(inside) => {
                let (inside, after) = inside.split_once('}').ok_or("`${` is never closed")?;
                let (name, given) = match inside.split_once(":-").or_else(|| inside.split_once('-')) {
                    Some((name, given)) => (name, Some(given)),
                    None => (inside, None),
                };
                if !is_name(name) || given.is_some_and(|g| g.contains(['$', '{'])) {
                    return Err(format!("only a shell knows the expansion `${{{inside}}}`"));
                }
                (name, given, after)
            }
            None => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                (&rest[..end], None, &rest[end..])
            }
        };
        if is_name(name) {
            let default = given.map_or_else(|| default(name), str::to_owned);
            out.push_str(&format!("${{{name}:-{default}}}"));
            rest = after;
        } else {
            out.push_str("$$");
        }
    }
    Ok(out + rest)
}

/// A variable that is nothing where nobody sets it.
///
/// # Errors
/// When it has a name that no variable of the file can have.
pub(crate) fn variable(name: &str) -> Result<String, String> {
    match is_name(name) {
        true => Ok(format!("${{{name}:-}}")),
        false => Err(format!("{name:?} is no name of a variable, so that its value has to be written")),
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// With `x` for each variable.
pub(crate) fn without_variables(text: &str) -> String {
    // What is never closed is no variable, and is said when the file is read.
    replace(text, |_| Ok("x".to_owned())).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Line, String> {
        super::line(text, |name| if name == "PORT" { "5000".to_owned() } else { String::new() })
    }

    #[test]
    fn what_needs_no_shell_is_carried_over() {
        let line =
            read("cd web && NODE_ENV=development PORT=\"$P x\" exec node server.js -p $PORT '$5' ${A:-b}");
        let line = line.unwrap();
        assert_eq!(line.command, "node server.js -p ${PORT:-5000} '$$5' ${A:-b}");
        assert_eq!(line.cwd.as_deref(), Some("web"));
        assert_eq!((line.env["NODE_ENV"].as_str(), line.env["PORT"].as_str()), ("development", "${P:-} x"));
    }

    #[test]
    fn a_shell_that_is_only_given_a_program_is_left_out() {
        for (text, command, cwd) in [
            ("bash -c 'cd web && exec npm run dev'", "npm run dev", Some("web")),
            ("/bin/sh -ec \"node server.js --port $PORT\"", "node server.js --port ${PORT:-5000}", None),
            ("cd app && bash -lc 'cd web && A=1 npm start'", "npm start", Some("app/web")),
            ("sh -c 'a | b'", "sh -c 'a | b'", None),
            ("bash run.sh", "bash run.sh", None),
        ] {
            let line = read(text).unwrap();
            assert_eq!((line.command.as_str(), line.cwd.as_deref()), (command, cwd), "{text}");
        }
    }

    #[test]
    fn without_a_shell_only_quotes_mean_something() {
        let words = plain_words(r#"--a "b c" 'd|e' $F &g #h A=1 \$x "\$y""#).unwrap();
        assert_eq!(words, ["--a", "b c", "d|e", "$F", "&g", "#h", "A=1", "$x", "$y"]);
        assert_eq!(plain_words(""), Ok(Vec::new()));
        assert!(plain_words("a 'b").unwrap_err().contains("never closed"));
    }

    #[test]
    fn what_needs_one_is_refused_with_the_reason() {
        for (text, wanted) in [
            ("a | b", "\"|\""),
            ("cd a b && c", "\"&&\""),
            ("echo $(date)", "\"$(\""),
            ("echo `date`", "\"`\""),
            ("a ${B%x}", "${B%x}"),
            ("a ${B:-${C}}", "${B:-${C}"),
            ("A=1", "`env`"),
            ("", "empty"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(wanted), "{text}: {why}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_can_be_split_whatever_it_was(text in "[ -~]{0,60}") {
            if let Ok(line) = read(&text) {
                let variables = BTreeMap::new();
                let command = crate::interpolate::interpolate(&line.command, &variables).unwrap();
                // A default may hold what only a shell knows; nothing else may.
                prop_assert!(words::split(&command).is_ok() || line.command.contains(":-"), "{command}");
            }
        }
    }
}
