//! From the text of a `hostler.toml` to declarations of processes.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_api::stack::ApplyConfig;
use hostler_api::{ErrorKind, ToolError};
use hostler_config::{Mistake, Stack, Wanted};
use hostler_model::{ProcessName, ProcessSpec};
use hostler_plugin_host::Digest;
use hostler_store::Project;

use super::declare;
use crate::daemon::home::Home;
use crate::daemon::plugins::projects::Declared;
use crate::daemon::{resolve, trust};

/// A larger file is none that a person wrote.
const MAX_FILE: u64 = 1 << 20;

/// A file as it was read, once: what is planned, trusted and carried out is this text.
pub(super) struct StackFile {
    pub(super) path: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) text: String,
}

impl StackFile {
    /// Reads it.
    pub(super) fn read(path: PathBuf) -> Result<Self, ToolError> {
        let shown = path.display();
        let cannot = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::NotFound => ToolError::new(
                ErrorKind::NotFound,
                format!("there is no {shown}; write one, or give the `path` of another"),
            ),
            _ => ToolError::invalid(format!("{shown} cannot be read: {e}")),
        };
        let size = std::fs::metadata(&path).map_err(cannot)?.len();
        if size > MAX_FILE {
            return Err(ToolError::invalid(format!("{shown} has {size} bytes; at most {MAX_FILE} are read")));
        }
        let text = std::fs::read_to_string(&path).map_err(cannot)?;
        let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { path, dir, text })
    }

    /// What it declares.
    pub(super) fn parse(&self, request: &ApplyConfig) -> Result<Stack, ToolError> {
        let own_profile = hostler_config::env_profile(&self.text).map_err(|m| self.unreadable(&m))?;
        let profile = request.profile.as_deref().or(own_profile.as_deref());
        if let Some(asked) = &request.profile {
            resolve::check_profile(&self.dir, asked)
                .map_err(|e| ToolError::invalid(format!("`profile`: {e}")))?;
        }
        let mut variables = resolve::variables(&self.dir, profile).map_err(ToolError::invalid)?;
        variables.extend(request.env.clone());
        let dir = self.dir.to_string_lossy();
        hostler_config::read(&self.text, &dir, profile, &variables).map_err(|m| self.unreadable(&m))
    }

    /// The plugins that it declares.
    pub(super) fn plugins(&self, stack: &Stack) -> Result<Declared, ToolError> {
        Declared::read(&stack.plugins, &self.dir).map_err(|wrong| {
            let mistake = stack.places.of_plugin(&self.text, &wrong.plugin, &wrong.why);
            ToolError::invalid(self.told(&mistake))
        })
    }

    /// The plugins alone, for a daemon that does not know with which variables the rest was applied.
    pub(super) fn plugins_alone(&self) -> Result<Declared, ToolError> {
        let wrong = |m: Mistake| self.unreadable(&m);
        let profile = hostler_config::env_profile(&self.text).map_err(wrong)?;
        let variables = resolve::variables(&self.dir, profile.as_deref()).map_err(ToolError::invalid)?;
        let tables = hostler_config::plugins(&self.text, &variables).map_err(wrong)?;
        Declared::read(&tables, &self.dir)
            .map_err(|wrong| ToolError::invalid(format!("{}: {wrong}", self.path.display())))
    }

    /// The declarations of its processes, complete.
    pub(super) fn wanted(
        &self,
        stack: &Stack,
        project: &Project,
        search_path: &str,
    ) -> Result<BTreeMap<ProcessName, Wanted>, ToolError> {
        let declared = stack.processes.iter().map(|(name, declared)| {
            let spec = declare::new_spec(&declared.args, project, search_path)
                .map_err(|e| self.of_process(stack, name, e))?;
            let (schedule, watch) = (declared.schedule.clone(), declared.watch.clone());
            let env_digest = resolve::env_digest(&spec);
            let spec = ProcessSpec { schedule, watch, env_digest, ..spec };
            Ok((name.clone(), Wanted { spec, member: stack.whole.member(name.as_str()).cloned() }))
        });
        declared.collect()
    }

    /// An error about one of its processes, with the place of what it is about.
    pub(super) fn of_process(&self, stack: &Stack, name: &ProcessName, error: ToolError) -> ToolError {
        let is_about_files = error.message.starts_with("the environment file");
        let otherwise = if is_about_files { "env_files" } else { "command" };
        let mistake = stack.mistake(&self.text, name, &error.message, otherwise);
        ToolError::new(error.kind, self.told(&mistake))
    }

    fn told(&self, mistake: &Mistake) -> String {
        match self.may_be_quoted() {
            true => format!("{}: {mistake}", self.path.display()),
            false => format!("{}: {}: {}", self.path.display(), mistake.place(), mistake.message),
        }
    }

    /// Any path may be given, and only of what is meant to be such a file something is shown.
    fn unreadable(&self, mistake: &Mistake) -> ToolError {
        let shown = self.path.display();
        ToolError::invalid(match self.may_be_quoted() {
            true => format!("{shown}: {mistake}"),
            false => format!(
                "{shown} is no hostler.toml ({}); give the `path` of one. What is wrong there is shown of files named \
                 *.toml only",
                mistake.place()
            ),
        })
    }

    fn may_be_quoted(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "toml")
    }

    pub(super) fn is_trusted(&self, home: &Home) -> bool {
        trust::is_trusted(home, &self.path, self.text.as_bytes())
    }

    pub(super) fn digest(&self) -> String {
        Digest::of(self.text.as_bytes()).to_string()
    }
}

/// The error with the process that it is about.
pub(super) fn of_process(name: &ProcessName, error: ToolError) -> ToolError {
    ToolError::new(error.kind, format!("process `{name}`: {}", error.message))
}
