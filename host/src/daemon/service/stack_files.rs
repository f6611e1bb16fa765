//! From the text of a `hostler.toml` to declarations of processes.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_api::stack::ApplyConfig;
use hostler_api::{ErrorKind, ToolError};
use hostler_config::Stack;
use hostler_model::{ProcessName, ProcessSpec};
use hostler_store::Project;

use super::declare;
use crate::daemon::plugins::projects::Declared;
use crate::daemon::resolve;

/// A larger file is none that a person wrote.
const MAX_FILE: u64 = 1 << 20;

/// The text of a file, and its directory.
pub(super) fn text(file: &Path) -> Result<(String, PathBuf), ToolError> {
    let shown = file.display();
    let cannot = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => ToolError::new(
            ErrorKind::NotFound,
            format!("there is no {shown}; write one, or give the `path` of another"),
        ),
        _ => ToolError::invalid(format!("{shown} cannot be read: {e}")),
    };
    let size = std::fs::metadata(file).map_err(cannot)?.len();
    if size > MAX_FILE {
        return Err(ToolError::invalid(format!("{shown} has {size} bytes; at most {MAX_FILE} are read")));
    }
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    Ok((text, file.parent().unwrap_or(Path::new("/")).to_owned()))
}

/// What it declares.
pub(super) fn parse(file: &Path, dir: &Path, text: &str, request: &ApplyConfig) -> Result<Stack, ToolError> {
    let wrong = |m: hostler_config::Mistake| ToolError::invalid(format!("{}: {m}", file.display()));
    let own_profile = hostler_config::env_profile(text).map_err(wrong)?;
    let profile = request.profile.as_deref().or(own_profile.as_deref());
    if let Some(asked) = &request.profile {
        resolve::check_profile(dir, asked).map_err(|e| ToolError::invalid(format!("`profile`: {e}")))?;
    }
    let mut variables = resolve::variables(dir, profile).map_err(ToolError::invalid)?;
    variables.extend(request.env.clone());
    hostler_config::read(text, &dir.to_string_lossy(), profile, &variables).map_err(wrong)
}

/// The plugins that it declares.
pub(super) fn plugins(file: &Path, dir: &Path, stack: &Stack) -> Result<Declared, ToolError> {
    Declared::read(&stack.plugins, dir)
        .map_err(|why| ToolError::invalid(format!("{}: {why}", file.display())))
}

/// The declarations of its processes, complete.
pub(super) fn wanted(
    stack: &Stack,
    project: &Project,
    search_path: &str,
) -> Result<BTreeMap<ProcessName, ProcessSpec>, ToolError> {
    let declared = stack.processes.iter().map(|(name, declared)| {
        let spec =
            declare::new_spec(&declared.args, project, search_path).map_err(|e| of_process(name, e))?;
        let (schedule, watch) = (declared.schedule.clone(), declared.watch.clone());
        Ok((name.clone(), ProcessSpec { schedule, watch, ..spec }))
    });
    declared.collect()
}

/// The error with the process that it is about.
pub(super) fn of_process(name: &ProcessName, error: ToolError) -> ToolError {
    ToolError::new(error.kind, format!("process `{name}`: {}", error.message))
}
