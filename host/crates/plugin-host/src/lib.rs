//! The door to the plugins.
mod bindings;
mod breaker;
mod grants;
mod http;
mod limits;
mod log;
mod network;
mod state;
mod stats;
mod surroundings;
mod text;
