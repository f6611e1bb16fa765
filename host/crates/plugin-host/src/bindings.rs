//! The contract in Rust, generated from `wit/`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated; the WIT has the documentation"
)]

wasmtime::component::bindgen!({
    path: "../../../wit",
    inline: "
        package hostler:host;
        // Every interface of every world once, so that all worlds share their types. A component exports the
        // interfaces of one world only: they are looked up one by one.
        world every {
            include hostler:plugin/log-parser@1.0.0;
            include hostler:plugin/health-check@1.0.0;
            include hostler:plugin/error-categorizer@1.0.0;
        }
    ",
    world: "hostler:host/every",
    imports: {
        "hostler:plugin/process@1.0.0": async,
        "hostler:plugin/commands@1.0.0": async,
    },
    exports: { default: async },
});

pub(crate) use exports::hostler::plugin::{
    error_categorizing, health_checking, lifecycle, log_parsing, metadata,
};
pub(crate) use hostler::plugin::{commands, log, process, types};
