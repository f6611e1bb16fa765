//! What `wit-bindgen` makes of `wit/`: the base of all worlds once, and beside it what each world has of its own. A
//! component of, say, the world `log-parser` exports `base` and `log_parser`; the linker unites their types.
#![allow(unsafe_op_in_unsafe_fn, missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

/// What every plugin has.
pub mod base {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "hostler:plugin/base@1.0.0",
        pub_export_macro: true,
        default_bindings_module: "hostler_plugin::bindings::base",
    });
}

/// What log parsers have beyond that.
pub mod log_parser {
    wit_bindgen::generate!({
        inline: "package hostler:sdk; world log-parser { export hostler:plugin/log-parsing@1.0.0; }",
        path: "../../wit",
        pub_export_macro: true,
        default_bindings_module: "hostler_plugin::bindings::log_parser",
        with: { "hostler:plugin/types@1.0.0": super::base::hostler::plugin::types },
    });
}

/// What health checks have beyond that.
pub mod health_check {
    wit_bindgen::generate!({
        inline: "package hostler:sdk; world health-check {
            import hostler:plugin/process@1.0.0;
            import hostler:plugin/commands@1.0.0;
            export hostler:plugin/health-checking@1.0.0;
        }",
        path: "../../wit",
        pub_export_macro: true,
        default_bindings_module: "hostler_plugin::bindings::health_check",
        with: { "hostler:plugin/types@1.0.0": super::base::hostler::plugin::types },
        generate_all,
    });
}

/// What error categorizers have beyond that.
pub mod error_categorizer {
    wit_bindgen::generate!({
        inline: "package hostler:sdk; world error-categorizer { export hostler:plugin/error-categorizing@1.0.0; }",
        path: "../../wit",
        pub_export_macro: true,
        default_bindings_module: "hostler_plugin::bindings::error_categorizer",
        with: { "hostler:plugin/types@1.0.0": super::base::hostler::plugin::types },
        generate_all,
    });
}
