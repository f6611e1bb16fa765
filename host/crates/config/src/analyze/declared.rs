//! What the project declares itself: in a `hostler.toml`, or in a file of another tool.

use std::collections::BTreeMap;

use super::{Confidence, Directory, Proposal, Proposed, port_in};
use crate::draft::{Draft, DraftFile, literal};
use crate::{FILE_NAME, Imported, NotImported, Place, import};

/// Files that say what is to run; the first that is there counts.
const DECLARATIONS: [&str; 6] = [
    "process-compose.yaml",
    "process-compose.yml",
    "Procfile.dev",
    "Procfile",
    "ecosystem.config.json",
    "supervisord.conf",
];

const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

pub(super) fn wants(name: &str) -> bool {
    name == FILE_NAME || DECLARATIONS.contains(&name) || COMPOSE.contains(&name)
}

/// What a `hostler.toml` declares already.
///
/// # Errors
/// The mistake in it.
pub(super) fn in_hostler_toml(directory: &Directory, text: &str) -> Result<Proposal, String> {
    let unset = crate::unset_variables(text, &directory.variables);
    let mut variables = directory.variables.clone();
    // `up` takes those from the shell of its user: here they stay as they are.
    variables.extend(unset.iter().map(|name| (name.clone(), format!("${{{name}}}"))));
    let dir = format!("/{}", directory.name);
    let stack = crate::read(text, &dir, None, &variables).map_err(|mistake| mistake.to_string())?;
    let processes = stack.processes.iter().map(|(name, declared)| {
        let args = &declared.args;
        let below = args.cwd.as_deref().and_then(|cwd| cwd.strip_prefix(dir.as_str()));
        let draft = Draft {
            name: name.to_string(),
            command: args.command.clone().unwrap_or_default(),
            args: args.args.clone().unwrap_or_default(),
            cwd: below.map(|below| below.trim_start_matches('/').to_owned()).filter(|cwd| !cwd.is_empty()),
            depends_on: declared.depends_on.iter().map(|(on, c)| (on.to_string(), *c)).collect(),
            health: args.health.clone().unwrap_or_default(),
            parsers: args.log.as_ref().map(|log| log.parsers.clone()).unwrap_or_default(),
            ..Draft::default()
        };
        let ports = port_in(&draft.command).into_iter().collect();
        let why = format!("declared in {FILE_NAME}");
        Proposed { draft, why, confidence: Confidence::High, ports }
    });
    let mut notes =
        vec![format!("{FILE_NAME} is there already and declares these: apply_config starts them")];
    if !unset.is_empty() {
        let names: Vec<String> = unset.iter().map(|name| format!("`{name}`")).collect();
        notes.push(format!("not set here, and asked for by {FILE_NAME}: {}", names.join(", ")));
    }
    // Who wants to see the file reads it.
    Ok(Proposal { processes: processes.collect(), notes, is_declared: true, ..Proposal::default() })
}

/// The processes of a file that says what is to run; whether there is one.
pub(super) fn find(directory: &Directory, proposal: &mut Proposal) -> bool {
    let found = DECLARATIONS.iter().find_map(|path| Some((*path, directory.text(path)?)));
    let Some((path, text)) = found else { return false };
    match imported(directory, path, text) {
        Ok(imported) => {
            // What all of them have, and how the stack is called.
            proposal.frame = DraftFile { processes: Vec::new(), ..imported.file.clone() };
            proposal.notes.extend(imported.notes.iter().map(|note| format!("{path}, {note}")));
            for draft in imported.file.processes {
                let ports = port_in(&without_defaults(&draft.command)).into_iter().collect();
                let why = format!("declared in {path}");
                proposal.add(Proposed { draft, why, confidence: Confidence::High, ports });
            }
            true
        }
        Err(why) => {
            proposal.notes.push(format!("{path}: {why}"));
            false
        }
    }
}

/// The services of docker compose that nobody else declares: most of all databases, in their containers.
pub(super) fn add_compose(directory: &Directory, proposal: &mut Proposal) {
    let Some((path, text)) = COMPOSE.iter().find_map(|path| Some((*path, directory.text(path)?))) else {
        return;
    };
    let imported = match imported(directory, path, text) {
        Ok(imported) => imported,
        Err(why) => return proposal.notes.push(format!("{path}: {why}")),
    };
    let mut replaced = Vec::new();
    for draft in imported.file.processes {
        let container = draft.container.as_ref();
        let rival = proposal.processes.iter().any(|other| {
            other.draft.name == draft.name || (container.is_none() && other.draft.cwd == draft.cwd)
        });
        // What the project's own files say of how it is developed is nearer than its image.
        let is_own = container.is_some_and(|container| container.is_built) && !proposal.processes.is_empty();
        if rival || is_own {
            replaced.push(draft.name);
            continue;
        }
        let ports = draft.health.iter().filter_map(|check| port_in(check.config.get("address")?.as_str()?));
        let ports = ports.collect();
        let why = format!("a service of {path}");
        proposal.processes.push(Proposed { draft, why, confidence: Confidence::High, ports });
    }
    if !replaced.is_empty() {
        let names = replaced.join(", ");
        proposal
            .notes
            .push(format!("of {path} these are left out, since the project runs them itself: {names}"));
    }
    let told = imported
        .notes
        .iter()
        .filter(|note| !replaced.iter().any(|name| note.text.contains(&format!("`{name}`"))));
    proposal.notes.extend(told.map(|note| format!("{path}, {note}")));
}

fn imported(directory: &Directory, path: &str, text: &str) -> Result<Imported, NotImported> {
    import(path, text, Place { directory: &directory.name, has_env: directory.has(".env") })
}

/// With the defaults of its variables in their place.
fn without_defaults(command: &str) -> String {
    crate::interpolate::interpolate(command, &BTreeMap::new()).unwrap_or_else(|_| literal(command))
}
