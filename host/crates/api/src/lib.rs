//! The one API of hostler: every tool's request and response, and how arguments are read.
//!
//! The daemon answers with these types over MCP, the command line prints them with `--json`, and the schemas
//! that clients see are generated from them. Names and fields are a contract: add, never rename.
//! Durations are integers in milliseconds and end in `_ms`, sizes are bytes and end in `_bytes`, times are
//! RFC 3339 in UTC.

pub mod analyze;
pub mod arguments;
pub mod connection;
pub mod daemon;
pub mod error;
pub mod errors;
pub mod groups;
pub mod health;
pub mod input;
pub mod logs;
pub mod monitoring;
pub mod overview;
pub mod plugin;
pub mod process;
pub mod schema;
pub mod stack;
pub mod time;
pub mod view;

pub use error::{ErrorKind, ToolError};
