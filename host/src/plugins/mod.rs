//! What an author does with a plugin: begin one, check it, try it. Without a daemon, and under the limits that a daemon
//! would set.

pub(crate) mod awkward;
pub(crate) mod builtin;
pub(crate) mod check;
pub(crate) mod commands;
pub(crate) mod config_file;
pub(crate) mod declaration;
pub(crate) mod scaffold;
pub(crate) mod source;
pub(crate) mod trial;
pub(crate) mod workbench;
