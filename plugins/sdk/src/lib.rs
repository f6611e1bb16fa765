//! Writes plugins for hostler.
//!
//! Implement [`Plugin`] and one of [`LogParser`], [`HealthCheck`] and [`ErrorCategorizer`] for a type, and [`export!`]
//! it. What crosses the border to the host (batches, spans, key tables, the JSON of the configuration and its schema)
//! stays hidden. Everything but the border compiles natively, so that `cargo test` needs no host and no wasm.

pub mod batch;
pub mod bindings;
pub mod categorizer;
mod config;
mod export;
pub mod health;
#[cfg(all(feature = "net", target_arch = "wasm32"))]
pub mod http;
mod keys;
pub mod log;
#[cfg(feature = "net")]
pub mod net;
pub mod parser;
pub mod plugin;
pub mod prefix;
pub mod severity;
pub mod testing;
pub mod time;

pub use batch::Batch;
pub use categorizer::{ErrorCategorizer, Exception, Frame, Verdict};
pub use health::{Facts, HealthCheck, Report, Status};
pub use parser::{BatchParser, Events, LogParser, Row, Understood};
pub use plugin::{Error, NoConfig, Plugin, invalid};
