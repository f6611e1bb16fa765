//! The door to the plugins: WASM components that check health, parse logs and categorize errors.
//!
//! Nothing is behind it yet. The host has no checker, parser or categorizer of its own: a request that needs
//! one is answered with "not configured", and every line is kept raw.
