//! `Procfile` (Heroku, foreman, overmind): `name: command`.

use super::{Found, Imported};

pub(super) fn read(text: &str) -> Imported {
    let mut imported = Imported::default();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let Some((name, command)) = line.split_once(':') else {
            imported.left_out.push(format!("the line `{line}`, which is not `name: command`"));
            continue;
        };
        let (name, command) = (name.trim(), command.trim());
        // Variables are replaced when the file is read.
        if let Err(why) = hostler_model::words::split(&command.replace('$', "")) {
            imported.left_out.push(format!("`{name}`: {why}"));
            continue;
        }
        // `release` runs once before the others; it is started by hand here.
        let autostart = (name == "release").then_some(false);
        let command = braced(command);
        imported.processes.push(Found { name: name.to_owned(), command, autostart, ..Found::default() });
    }
    imported
}

/// `$PORT` of a shell as `${PORT}`.
pub(super) fn braced(command: &str) -> String {
    let mut out = String::new();
    let mut rest = command;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            out.push_str(&format!("${{{name}}}"));
            rest = &rest[name.len()..];
        } else {
            out.push('$');
        }
    }
    out + rest
}
