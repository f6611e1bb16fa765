//! The host of the plugins: WASM components that parse logs, check health and categorize errors.
//!
//! The contract is in `wit/`. An [`Engine`] is made once. A [`Plugin`] is a component under a name, with a
//! configuration, limits and what the user consented to; it is loaded, reloaded and shown. An [`Instance`] is a plugin
//! at work for one user of it (a stream of a process, a check), and answers typed calls. The daemon is there for an
//! instance as its [`Surroundings`].
//!
//! Whatever a plugin does, it costs its own answer and nothing else: every call has a time, every instance a limit of
//! memory, every answer is checked, and one that fails too often is left alone for a while.

mod answers;
mod batch;
mod bindings;
mod breaker;
mod cache;
mod component;
mod config;
mod engine;
mod error;
mod grants;
mod heap;
mod http;
mod info;
mod inspect;
mod instance;
mod limits;
mod log;
mod network;
mod plugin;
mod slots;
mod state;
mod stats;
mod surroundings;
mod text;
mod ticker;
mod warm;

pub use answers::categorize::{Categorized, Exception, Frame};
pub use answers::check::{Health, Metric, Report};
pub use answers::parse::{Field, Parsed, Row};
pub use batch::TextBatch;
pub use breaker::{BreakerPolicy, Trust};
pub use component::{Component, Kind};
pub use config::{ConfigError, ConfigProblem};
pub use engine::{Engine, EngineOptions};
pub use error::{CONTRACT, CallError, ComponentError, LoadError, Spent};
pub use grants::{Consents, Digest, DigestError, Grants, PatternError, PeerPattern};
pub use info::Info;
pub use inspect::{Capability, Inspection, inspect};
pub use instance::Instance;
pub use limits::Limits;
pub use log::{LogEntry, RecentLog};
pub use plugin::{Plugin, PluginSettings, PluginStatus};
pub use stats::Stats;
pub use surroundings::{
    BoxFuture, Command, CommandError, CommandOutput, Nowhere, ProcessFacts, Surroundings,
};
