//! `hostler.toml`: what a project declares of its processes, and what has to change for it to be so.
//!
//! Nothing here does I/O: the text, the variables and what runs now are arguments.

pub mod analyze;
mod checks;
mod draft;
mod import;
mod interpolate;
mod mistake;
mod places;
mod plan;
mod read;
mod schema;
mod settings;
mod shell;
mod stack;
mod triggers;
mod units;

#[cfg(test)]
mod tests;

pub use draft::Note;
pub use import::{IMPORTABLE, Imported, NotImported, Place, import};
pub use mistake::Mistake;
pub use places::Places;
pub use plan::{Change, Current, PlannedChange, PlannedPart, Wanted, changed_groups, plan};
pub use read::{env_profile, plugins, read, unset_variables, variables};
pub use schema::schema;
pub use settings::{DependsOn, File, GroupTable, ProcessTable, Settings};
pub use stack::{Declared, Stack};

/// The name of the file.
pub const FILE_NAME: &str = "hostler.toml";
