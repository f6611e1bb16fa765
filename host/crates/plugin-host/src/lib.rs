//! hostler plugin-host
