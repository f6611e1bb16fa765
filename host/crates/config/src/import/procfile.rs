//! `Procfile` (Heroku, foreman, overmind): `name: command`.

use super::Imported;
use crate::draft::Draft;

pub(super) fn read(text: &str, has_env: bool) -> Imported {
    let mut imported = Imported::default();
    for (at, line) in text.lines().enumerate() {
        let (at, line) = (at + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, command)) = line.split_once(':') else {
            imported.note(at, format!("`{line}` is not `name: command`"));
            continue;
        };
        match Draft::of_shell(name.trim(), command) {
            Ok(draft) => {
                // `release` runs once before the others; it is started by hand here.
                let autostart = (draft.name == "release").then_some(false);
                // Those who run a Procfile read this file by themselves.
                let env_files = if has_env { vec![".env".to_owned()] } else { Vec::new() };
                imported.file.processes.push(Draft { autostart, env_files, ..draft });
            }
            Err(why) => imported.left_out(at, name.trim(), why),
        }
    }
    imported
}
