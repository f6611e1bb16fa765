//! `Procfile` (Heroku, foreman, overmind): `name: command`.

use super::Imported;
use crate::draft::Draft;

/// Tools that run a Procfile give each process a port of its own: the first one this, the next one a hundred more.
const FIRST_PORT: usize = 5000;
const STEP: usize = 100;

pub(super) fn read(text: &str, has_env: bool) -> Imported {
    let mut imported = Imported::default();
    let mut number = 0;
    for (at, line) in text.lines().enumerate() {
        let (at, line) = (at + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, command)) = line.split_once(':') else {
            imported.note(at, format!("`{line}` is not `name: command`"));
            continue;
        };
        let port = (FIRST_PORT + number * STEP).to_string();
        number += 1;
        let default = |variable: &str| if variable == "PORT" { port.clone() } else { String::new() };
        match Draft::of_shell(name.trim(), command, default) {
            Ok(draft) => {
                let autostart = (draft.name == "release").then_some(false);
                if autostart.is_some() {
                    let text = "`release` runs before each new version, and so is declared but not started with the others: \
                                `hostler start release` runs it";
                    imported.note(at, text);
                }
                // Those who run a Procfile read this file by themselves.
                let env_files = if has_env { vec![".env".to_owned()] } else { Vec::new() };
                let mut draft = Draft { autostart, env_files, line: Some(at), ..draft };
                draft.fill_in_own_values();
                imported.file.processes.push(draft);
            }
            Err(why) => imported.left_out(at, name.trim(), why),
        }
    }
    imported
}
