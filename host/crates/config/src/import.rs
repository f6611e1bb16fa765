//! Coming from elsewhere: other tools' files as a `hostler.toml`, and what could not be carried over.

mod compose;
mod pm2;
mod probe;
mod process_compose;
mod procfile;
mod supervisord;
mod yaml;

#[cfg(test)]
mod tests;

use hostler_model::groups::Condition;

use crate::draft::{Draft, DraftFile, Note};
use crate::shell;

/// What was read from another tool's file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    pub(crate) file: DraftFile,
    /// What could not be carried over, and what to do instead; by line.
    pub notes: Vec<Note>,
}

/// A file that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotImported(String);

/// Files that can be imported, the most telling first.
pub const IMPORTABLE: [&str; 12] = [
    "Procfile",
    "process-compose.yaml",
    "process-compose.yml",
    "ecosystem.config.json",
    "supervisord.conf",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "Procfile.dev",
    "package.json",
    "ecosystem.config.js",
];

/// Reads a file by its name: a Procfile, package.json, a pm2 ecosystem file in JSON, supervisord.conf, or YAML of
/// process-compose or docker compose. `has_env` tells whether there is a `.env` beside it.
///
/// # Errors
/// When nothing is known of files of that name, or it is not what its name says.
pub fn import(file_name: &str, text: &str, has_env: bool) -> Result<Imported, NotImported> {
    let name = file_name.to_ascii_lowercase();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut imported = match name.as_str() {
        _ if name.starts_with("procfile") => procfile::read(text, has_env),
        "package.json" => pm2::package_json(text)?,
        _ if name.ends_with(".json") => pm2::ecosystem(text)?,
        _ if name.ends_with(".conf") || name.ends_with(".ini") => supervisord::read(text)?,
        _ if name.ends_with(".yml") || name.ends_with(".yaml") => from_yaml(file_name, text, has_env)?,
        _ if [".js", ".cjs", ".mjs"].iter().any(|end| name.ends_with(end)) => {
            return Err(NotImported(format!(
                "it is a program, and nothing here runs it. Let Node write it as data, and import that: \
                 node -p \"JSON.stringify(require('./{file_name}'))\" > ecosystem.config.json"
            )));
        }
        _ => {
            return Err(NotImported(format!(
                "nothing is known of {file_name}: there are Procfile, package.json, pm2's ecosystem in JSON, \
                 supervisord.conf, and YAML of process-compose and docker compose"
            )));
        }
    };
    imported.finish();
    Ok(imported)
}

/// YAML says by its fields whose it is.
fn from_yaml(file_name: &str, text: &str, has_env: bool) -> Result<Imported, NotImported> {
    let root = yaml::parse(text).map_err(|why| NotImported(format!("it is not YAML: {why}")))?;
    match (root.get("processes"), root.get("services")) {
        (Some(_), _) => process_compose::read(&root, has_env),
        (None, Some(_)) => compose::read(file_name, &root),
        (None, None) => Err(NotImported(
            "it has neither `processes`, as files of process-compose have, nor `services`, as those of docker compose"
                .to_owned(),
        )),
    }
}

impl Imported {
    fn note(&mut self, line: impl Into<Option<usize>>, text: impl Into<String>) {
        self.notes.push(Note { line: line.into(), text: text.into() });
    }

    /// Notes that a process is left out.
    fn left_out(&mut self, line: impl Into<Option<usize>>, name: &str, why: impl std::fmt::Display) {
        self.note(line, format!("`{name}` is left out: {why}"));
    }

    /// Notes fields that are not among the known ones.
    fn unknown<'a>(&mut self, fields: impl Iterator<Item = (usize, &'a str)>, known: &[&str], of: &str) {
        for (line, field) in fields.filter(|(_, field)| !known.contains(field) && !field.starts_with("x-")) {
            self.note(line, format!("`{field}` of `{of}` is not carried over"));
        }
    }

    /// Makes a file of it that can be read: valid names, and nobody depends on who is not there.
    fn finish(&mut self) {
        self.without_unknown_dependencies();
        for (old, new) in self.file.make_names_valid() {
            self.note(None, format!("the name `{old}` became `{new}`"));
        }
        for (name, on) in self.file.make_conditions_valid() {
            self.note(
                None,
                format!("`{name}` waits for `{on}` to be ready: without health checks it is never healthy"),
            );
        }
        self.notes.sort_by_key(|note| note.line.unwrap_or(usize::MAX));
    }

    fn without_unknown_dependencies(&mut self) {
        let names: Vec<String> = self.file.processes.iter().map(|draft| draft.name.clone()).collect();
        let mut lost = Vec::new();
        for draft in &mut self.file.processes {
            let name = draft.name.clone();
            draft.depends_on.retain(|on, _| {
                let known = names.contains(on) && *on != name;
                if !known {
                    lost.push(format!("`{name}` does not wait for `{on}`, which is not there"));
                }
                known
            });
        }
        lost.into_iter().for_each(|text| self.note(None, text));
    }

    /// The `hostler.toml`.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let remarks: Vec<String> = self.notes.iter().map(|note| format!("Import, {note}")).collect();
        self.file.to_toml(&remarks)
    }

    /// How many processes were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.file.processes.len()
    }

    /// Whether none was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.file.processes.is_empty()
    }
}

impl Draft {
    /// One of this name that runs what a shell would have been given.
    fn of_shell(name: &str, line: &str) -> Result<Self, String> {
        // Tools that run a Procfile give each process a port of its own, the first one this.
        let default = |variable: &str| if variable == "PORT" { "5000".to_owned() } else { String::new() };
        let shell::Line { command, env, cwd } = shell::line(line, default)?;
        Ok(Self { name: name.to_owned(), command, env, cwd, ..Self::default() })
    }
}

/// A condition of another tool by its name.
fn condition(name: &str) -> Option<Condition> {
    Some(match name {
        "service_started" | "process_started" => Condition::Started,
        "process_log_ready" => Condition::Ready,
        "service_healthy" | "process_healthy" => Condition::Healthy,
        "service_completed_successfully" | "process_completed_successfully" | "process_completed" => {
            Condition::Completed
        }
        _ => return None,
    })
}
