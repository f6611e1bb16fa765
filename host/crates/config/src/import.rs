//! Coming from elsewhere: other tools' files as a `hostler.toml`, and what could not be carried over.

mod compose;
mod package;
mod pm2;
mod probe;
mod process_compose;
mod procfile;
mod supervisord;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use hostler_model::groups::Condition;
use hostler_model::programs::shell_of;
use hostler_model::schedule::CronExpr;
use hostler_model::words;
use hostler_model::{ProcessName, Signal};

use crate::draft::{Cron, Draft, DraftFile, Note};
use crate::{interpolate, shell};

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

/// What is known of the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place<'a> {
    /// The name of its directory.
    pub directory: &'a str,
    /// Whether there is a `.env` beside it.
    pub has_env: bool,
}

/// Reads a file by its name: a Procfile, package.json, a pm2 ecosystem file in JSON, supervisord.conf, or YAML of
/// process-compose or docker compose.
///
/// # Errors
/// When nothing is known of files of that name, or it is not what its name says.
pub fn import(file_name: &str, text: &str, place: Place<'_>) -> Result<Imported, NotImported> {
    let has_env = place.has_env;
    let name = file_name.to_ascii_lowercase();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut imported = match name.as_str() {
        _ if name.starts_with("procfile") => procfile::read(text, has_env),
        "package.json" => package::read(text)?,
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
    imported.finish(place.directory);
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

    /// A signal by which a process is ended, when it is one.
    fn signal(&mut self, line: impl Into<Option<usize>>, of: &str, text: &str) -> Option<String> {
        match text.parse::<Signal>() {
            Ok(_) => Some(text.to_owned()),
            Err(why) => {
                self.note(line, format!("`{of}` is ended by TERM, as usual: {why}"));
                None
            }
        }
    }

    /// A schedule, when it is one.
    fn cron(&mut self, line: impl Into<Option<usize>>, of: &str, cron: &str, restarts: bool) -> Option<Cron> {
        match CronExpr::try_from(cron.to_owned()) {
            Ok(_) => Some(Cron { cron: cron.to_owned(), restarts }),
            Err(why) => {
                self.note(line, format!("the schedule of `{of}` is not carried over: {why}"));
                None
            }
        }
    }

    /// Fills the variables that a process sets itself into its command and arguments, where a shell would have had them,
    /// and names those that only a file may set which is read later.
    fn fill_in_own_values(&mut self, draft: &mut Draft) {
        let later: Vec<String> =
            draft.env_files.iter().filter(|file| *file != ".env" && *file != ".env.local").cloned().collect();
        let texts = std::iter::once(&draft.command).chain(&draft.args);
        let names: BTreeSet<String> = texts.flat_map(|text| shell::has_names(text)).collect();
        let is_set = |name: &String| draft.env.contains_key(name) || self.file.env.contains_key(name);
        let names: Vec<String> = names.into_iter().filter(|name| !is_set(name)).collect();
        draft.fill_in_own_values();
        if later.is_empty() || names.is_empty() {
            return;
        }
        let text = format!(
            "the command of `{}` names {}, which {} may set: that file is read when it starts, after the command was filled \
             in. Set it in [env] or in .env beside hostler.toml",
            draft.name,
            names.join(", "),
            later.join(", "),
        );
        self.note(draft.line, text);
    }

    /// Makes a file of it that can be read and brought up: valid names, and nobody depends on who is not there.
    fn finish(&mut self, directory: &str) {
        self.without_unknown_dependencies();
        self.without_checks_that_nobody_makes();
        self.without_odd_variables();
        self.shells();
        for (old, new) in self.file.make_names_valid() {
            self.note(None, format!("the name `{old}` became `{new}`"));
        }
        if self.file.part_name_from_groups(directory) {
            let name = self.file.name.clone().unwrap_or_default();
            let text =
                format!("the stack as a whole is `{name}`: a group has the name that it would have had");
            self.note(None, text);
        }
        self.notes.sort_by_key(|note| note.line.unwrap_or(usize::MAX));
    }

    /// Who waits for the health of a process without checks would wait for ever.
    fn without_checks_that_nobody_makes(&mut self) {
        for (line, name, on) in self.file.make_conditions_valid() {
            self.note(
                line,
                format!("`{name}` waits until `{on}` is ready, not healthy: it has no health check"),
            );
        }
    }

    /// What no environment can have.
    fn without_odd_variables(&mut self) {
        fn is_odd(name: &str, value: &str) -> bool {
            name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
        }
        let mut lost = Vec::new();
        let all = self.file.processes.iter_mut().map(|draft| (draft.line, &mut draft.env));
        for (line, env) in all.chain(std::iter::once((None, &mut self.file.env))) {
            env.retain(|name, value| {
                let kept = !is_odd(name, value);
                if !kept {
                    lost.push((
                        line,
                        format!("the variable {name:?} is left out: no environment can have it"),
                    ));
                }
                kept
            });
        }
        lost.into_iter().for_each(|(line, text)| self.note(line, text));
    }

    /// Notes what runs a shell, which the policy forbids unless its user says otherwise.
    fn shells(&mut self) {
        let mut found = Vec::new();
        for draft in &self.file.processes {
            let line = interpolate::interpolate(&draft.command, &BTreeMap::new());
            let mut words = shell::plain_words(line.as_ref().unwrap_or(&draft.command)).unwrap_or_default();
            words.extend(draft.args.iter().cloned());
            if let Some(shell) = shell_of(words.iter().map(String::as_str)) {
                let text = format!(
                    "`{}` runs {shell}, and shells are not allowed by default: give the program itself or a script file of \
                     the project, or let the user write `shells = true` below [commands] in policy.toml",
                    draft.name
                );
                found.push((draft.line, text));
            }
        }
        found.into_iter().for_each(|(line, text)| self.note(line, text));
    }

    fn without_unknown_dependencies(&mut self) {
        let names: Vec<String> = self.file.processes.iter().map(|draft| draft.name.clone()).collect();
        let mut lost = Vec::new();
        for draft in &mut self.file.processes {
            let name = draft.name.clone();
            draft.depends_on.retain(|on, _| {
                let known = names.contains(on) && *on != name;
                if !known {
                    lost.push((draft.line, format!("`{name}` does not wait for `{on}`, which is not there")));
                }
                known
            });
        }
        lost.into_iter().for_each(|(line, text)| self.note(line, text));
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
    /// One of this name that runs what a shell would have been given; `default` is what a variable is that nobody sets.
    fn of_shell(name: &str, line: &str, default: impl Fn(&str) -> String) -> Result<Self, String> {
        let shell::Line { command, env, cwd } = shell::line(line, default)?;
        Ok(Self { name: name.to_owned(), command, env, cwd, ..Self::default() })
    }

    /// One of this name that runs these words.
    fn of_words(name: &str, words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let command = shell::program(&words.next().ok_or("its command is empty")?)?;
        Ok(Self { name: name.to_owned(), command, args: words.collect(), ..Self::default() })
    }

    /// Fills the variables that it sets itself into its command and arguments.
    fn fill_in_own_values(&mut self) {
        let command = shell::with_values(&self.command, &self.env);
        // A value may be what only a shell could make a word of.
        if words::split(&shell::without_variables(&command)).is_ok() {
            self.command = command;
        }
        for arg in &mut self.args {
            *arg = shell::with_plain_values(arg, &self.env);
        }
    }
}

/// The name of a stack that another tool has by this name.
fn stack_name(name: &str) -> Option<String> {
    ProcessName::suggest(name).map(String::from)
}

/// What a variable is to a shell that nobody sets.
fn nothing(_: &str) -> String {
    String::new()
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
