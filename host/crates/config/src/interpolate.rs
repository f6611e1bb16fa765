//! `${NAME}` and `${NAME:-default}` in the strings of a file; `$$` is a dollar sign.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hostler_model::nearest::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::mistake::Mistake;

/// Replaces the variables in all strings of a table.
pub(crate) fn table(
    text: &str,
    table: &mut DeTable<'_>,
    variables: &BTreeMap<String, String>,
) -> Result<(), Mistake> {
    table.iter_mut().try_for_each(|(_, v)| value(text, v, variables))
}

/// Replaces the variables in all strings of a value.
pub(crate) fn value(
    text: &str,
    spanned: &mut Spanned<DeValue<'_>>,
    variables: &BTreeMap<String, String>,
) -> Result<(), Mistake> {
    let span = spanned.span();
    match spanned.get_mut() {
        DeValue::String(string) if string.contains('$') => {
            let replaced = interpolate(string, variables).map_err(|why| Mistake::at(text, span, why))?;
            *string = Cow::Owned(replaced);
            Ok(())
        }
        DeValue::Array(items) => items.iter_mut().try_for_each(|item| value(text, item, variables)),
        DeValue::Table(inner) => table(text, inner, variables),
        _ => Ok(()),
    }
}

/// Replaces the variables of one string. A `$` that begins neither `${` nor `$$` stays as it is.
pub(crate) fn interpolate(string: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    replace(string, |inside| variable(inside, variables))
}

/// Puts what `value` makes of the inside of each `${…}` in its place.
pub(crate) fn replace(
    string: &str,
    value: impl Fn(&str) -> Result<String, String>,
) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), string);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let (inside, after) =
                after.split_once('}').ok_or("`${` is never closed; write `$$` for a dollar sign")?;
            out.push_str(&value(inside)?);
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn variable(inside: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(format!("`${{{inside}}}` is no variable; write ${{NAME}} or ${{NAME:-default}}"));
    }
    match (variables.get(name), default) {
        (Some(value), None) => Ok(value.clone()),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value.clone()),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            let near = nearest(name, variables.keys().map(String::as_str));
            let hint = near.map_or_else(|| ".".to_owned(), |n| format!("; did you mean `{n}`?"));
            Err(format!(
                "the variable `{name}` is not set{hint} It can stand in .env, in [env], or have a default: ${{{name}:-…}}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_defaults_and_dollar_signs() {
        let variables =
            BTreeMap::from([("PORT".to_owned(), "80".to_owned()), ("EMPTY".to_owned(), String::new())]);
        for (text, wanted) in [
            ("a ${PORT} b", "a 80 b"),
            ("${HOST:-local}:${PORT:-1}", "local:80"),
            ("${EMPTY:-x}${EMPTY}", "x"),
            ("cost $$5 $5 $", "cost $5 $5 $"),
            ("${NONE:-}", ""),
        ] {
            assert_eq!(interpolate(text, &variables).as_deref(), Ok(wanted), "{text}");
        }
        for (text, wanted) in [
            ("${PROT}", "is not set; did you mean `PORT`? It can stand in"),
            ("${ZZZ}", "is not set. It can stand in"),
            ("${PORT", "never closed"),
            ("${a-b}", "no variable"),
        ] {
            let message = interpolate(text, &variables).unwrap_err();
            assert!(message.contains(wanted), "{text}: {message}");
        }
    }
}
