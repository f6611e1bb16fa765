//! A health check: a process that was restarted more than a few times is degraded.

// Made by cargo-component before it compiles.
#[allow(warnings)]
mod bindings;

use bindings::{
    exports::hostler::plugin::{health_checking, lifecycle, metadata},
    hostler::plugin::{process::get_facts, types::Error},
};

const FEW: u32 = 3;

struct Restarts;

impl metadata::Guest for Restarts {
    fn describe() -> metadata::Info {
        metadata::Info {
            name: "restarts".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Counts the restarts of a process.".to_owned(),
            config_schema: None,
            extra: Vec::new(),
        }
    }
}

impl lifecycle::Guest for Restarts {
    fn configure(_: String) -> Result<(), Error> {
        Ok(())
    }
}

impl health_checking::Guest for Restarts {
    fn check() -> Result<health_checking::Report, Error> {
        let restarts = get_facts().restarts;
        let status = if restarts > FEW { health_checking::Status::Degraded } else { health_checking::Status::Healthy };
        let message = format!("{restarts} restarts since it was started by hand");
        Ok(health_checking::Report { status, message, metrics: Vec::new() })
    }
}

bindings::export!(Restarts with_types_in bindings);
