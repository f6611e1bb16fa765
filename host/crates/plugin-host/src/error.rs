//! What can go wrong, in words that name the next step.

use std::time::Duration;

use crate::component::Kind;
use crate::config::ConfigError;

/// The version of `hostler:plugin` that this host speaks.
pub const CONTRACT: &str = "1.0.0";

/// Why the bytes are not a plugin that this host can run. The text says what they are and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// There is nothing.
    #[error("the file is empty; build the plugin again")]
    Empty,
    /// More than the engine takes.
    #[error(
        "the component has {bytes} bytes, more than the limit of {limit}; build it with opt-level \"s\", LTO and strip"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Something else altogether.
    #[error(
        "this is not WebAssembly but {looks_like}; name the .wasm file that the build of the plugin made"
    )]
    NotWasm {
        /// What it seems to be.
        looks_like: &'static str,
    },
    /// It ends too early.
    #[error("the component is cut short ({detail}); copy or build it again")]
    Truncated {
        /// Where.
        detail: String,
    },
    /// A module without the component around it.
    #[error(
        "this is a core WebAssembly module, not a component; build it with `--target wasm32-wasip2` or \
         `cargo component build`, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// Machine code that was compiled ahead of time.
    #[error(
        "this is precompiled machine code (.cwasm), which is never accepted from outside; name the .wasm file it was made from"
    )]
    Precompiled,
    /// Made for WASI 0.3.
    #[error(
        "this component imports `{import}`: it was built for WASI 0.3, this host runs WASI 0.2; build it with \
         `--target wasm32-wasip2` and without async functions"
    )]
    Wasi03 {
        /// The import that says so.
        import: String,
    },
    /// It needs what this host does not have, or not for this kind of plugin.
    #[error("the {kind} imports what it cannot get here: {}; it may import {}", list(.imports), .allowed)]
    UnknownImports {
        /// What it is otherwise.
        kind: Kind,
        /// The imports.
        imports: Vec<String>,
        /// What there is.
        allowed: &'static str,
    },
    /// It is a component, but no plugin.
    #[error(
        "the component exports none of the interfaces of a plugin (hostler:plugin/log-parsing, health-checking, \
         error-categorizing), but {}; target a world of hostler:plugin@{CONTRACT}", list(.exports)
    )]
    NoWorld {
        /// What it exports.
        exports: Vec<String>,
    },
    /// It is more than one kind of plugin.
    #[error("the component is {} at once; a plugin has one world: build one component for each", list_kinds(.0))]
    SeveralWorlds(Vec<Kind>),
    /// Part of its world is missing.
    #[error(
        "the {kind} does not export `{missing}`, which every plugin has; build it against the world as it is in wit/"
    )]
    MissingExport {
        /// What it is otherwise.
        kind: Kind,
        /// The missing interface.
        missing: String,
    },
    /// Made for another contract.
    #[error(
        "the component was built against {found}, this host speaks hostler:plugin@{CONTRACT}; build it against the \
         WIT of this host (`hostler plugin new` has it), or use a hostler that speaks the other version"
    )]
    WrongVersion {
        /// The interface that says so, with its version.
        found: String,
    },
    /// Not valid, or not compilable.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// Its interfaces have the right names and the wrong types.
    #[error(
        "the component does not fit hostler:plugin@{CONTRACT}: {0}; build it against the WIT of this host"
    )]
    Mismatch(String),
}

fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "nothing".to_owned(),
        n if n > shown.len() => format!("{} and {} more", shown.join(", "), n - shown.len()),
        _ => shown.join(", "),
    }
}

fn list_kinds(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| format!("a {kind}")).collect::<Vec<_>>().join(" and ")
}

/// Why a plugin was not loaded, or not loaded anew. What was loaded before goes on.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the component: {0}")]
    Read(#[from] std::io::Error),
    /// It is no plugin.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// What it says of itself is not acceptable.
    #[error("`describe` is not acceptable: {0}")]
    Describe(String),
    /// Another kind of plugin than before.
    #[error("the new file is a {found}, the plugin was a {expected}; give it a name of its own")]
    OtherKind {
        /// What the plugin was.
        expected: Kind,
        /// What the file is.
        found: Kind,
    },
    /// The limits ask for more than there is.
    #[error("{0}")]
    Limits(String),
    /// The configuration does not fit the schema.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The plugin failed in `describe` or `configure`.
    #[error("the plugin failed in `{during}`: {error}")]
    Call {
        /// The function.
        during: &'static str,
        /// How it failed.
        error: CallError,
    },
    /// The host itself failed.
    #[error("the plugin host failed: {0}")]
    Host(String),
}

/// Which time was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// The time to compute.
    Cpu,
    /// The time that the call may last.
    Wall,
}

/// Why there is no answer. Never the end of anything but this call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin failed too often and is left alone for a while.
    #[error("in quarantine for another {} ms after: {reason}", .retry_after.as_millis())]
    Quarantined {
        /// When to ask again; zero while another call tries it out.
        retry_after: Duration,
        /// The failure that led to it.
        reason: String,
    },
    /// It trapped: a panic, an illegal access, an exit.
    #[error("trapped: {0}")]
    Trap(String),
    /// It trapped because it wanted more memory or tables than its limit.
    #[error(
        "needed {wanted} {unit}, more than its limit of {limit}; raise the limit or give it smaller tasks"
    )]
    OverLimit {
        /// What it asked for, in all.
        wanted: usize,
        /// The limit.
        limit: usize,
        /// `bytes of memory` or `table elements`.
        unit: &'static str,
    },
    /// It used up its time.
    #[error("did not answer within {} ms of {}", .after.as_millis(), match .spent { Spent::Cpu => "computing", Spent::Wall => "waiting" })]
    Timeout {
        /// The time it had.
        after: Duration,
        /// Which time.
        spent: Spent,
    },
    /// Its answer breaks the contract.
    #[error("gave an answer that breaks the contract: {0}")]
    InvalidAnswer(String),
    /// It cannot use its configuration. It is not called again before that changes.
    #[error("refuses its configuration: {0}")]
    InvalidConfig(String),
    /// It says that it cannot answer now.
    #[error("is unavailable: {0}")]
    Unavailable(String),
    /// The call is not one for this kind of plugin.
    #[error("is a {0} and does not do that")]
    OtherKind(Kind),
    /// The host could not make an instance. Not the plugin's fault.
    #[error("could not be started: {0}")]
    Host(String),
}

impl CallError {
    /// Whether the plugin is to blame, which counts towards its quarantine.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Trap(_) | Self::OverLimit { .. } | Self::Timeout { .. } | Self::InvalidAnswer(_))
    }
}
