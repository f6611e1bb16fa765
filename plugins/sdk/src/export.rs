//! The macro that makes a component of a type. Natively it makes nothing, so that the crate's tests run without a host.

/// Exports a type as the plugin of this crate: `export!(log_parser: T)`, `export!(health_check: T)` or
/// `export!(error_categorizer: T)`.
#[macro_export]
macro_rules! export {
    (log_parser: $plugin:ty) => {
        $crate::__export_base!($plugin, {
            use $crate::bindings::log_parser::exports::hostler::plugin::log_parsing::{Guest, ParsedBatch};

            impl Guest for Component {
                fn parse(batch: TextBatch, end_of_stream: bool) -> Result<ParsedBatch, Error> {
                    with_plugin(|plugin| $crate::parser::parse(plugin, &batch, end_of_stream))
                }
            }

            $crate::bindings::log_parser::export!(Component with_types_in $crate::bindings::log_parser);
        });
    };
    (health_check: $plugin:ty) => {
        $crate::__export_base!($plugin, {
            use $crate::bindings::health_check::exports::hostler::plugin::health_checking::{Guest, Report};

            impl Guest for Component {
                fn check() -> Result<Report, Error> {
                    with_plugin($crate::HealthCheck::check)
                }
            }

            $crate::bindings::health_check::export!(Component with_types_in $crate::bindings::health_check);
        });
    };
    (error_categorizer: $plugin:ty) => {
        $crate::__export_base!($plugin, {
            use $crate::bindings::error_categorizer::exports::hostler::plugin::error_categorizing::{Guest, Verdict};

            impl Guest for Component {
                fn categorize(errors: TextBatch) -> Result<Vec<Option<Verdict>>, Error> {
                    with_plugin(|plugin| Ok($crate::categorizer::categorize(plugin, &errors)))
                }
            }

            $crate::bindings::error_categorizer::export!(Component with_types_in $crate::bindings::error_categorizer);
        });
    };
}

/// What every component has, beside what its world adds.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_base {
    ($plugin:ty, { $($rest:tt)* }) => {
        #[cfg(target_arch = "wasm32")]
        mod component {
            #![allow(unsafe_code, reason = "the exports of a component are called from outside of Rust")]
            #![allow(unused_imports, reason = "not every world needs every name")]

            use super::*;
            use std::cell::RefCell;
            use $crate::bindings::base::{
                exports::hostler::plugin::{lifecycle, metadata},
                hostler::plugin::types::{Error, TextBatch},
            };

            struct Component;

            thread_local! {
                static PLUGIN: RefCell<Option<$plugin>> = const { RefCell::new(None) };
            }

            fn with_plugin<T>(call: impl FnOnce(&mut $plugin) -> Result<T, Error>) -> Result<T, Error> {
                PLUGIN.with_borrow_mut(|plugin| match plugin {
                    Some(plugin) => call(plugin),
                    None => Err(Error::Other("called before it was configured".to_owned())),
                })
            }

            impl metadata::Guest for Component {
                fn describe() -> metadata::Info {
                    $crate::plugin::describe::<$plugin>(env!("CARGO_PKG_VERSION"))
                }
            }

            impl lifecycle::Guest for Component {
                fn configure(config_json: String) -> Result<(), Error> {
                    let plugin = $crate::plugin::configure::<$plugin>(&config_json)?;
                    PLUGIN.set(Some(plugin));
                    Ok(())
                }
            }

            $crate::bindings::base::export!(Component with_types_in $crate::bindings::base);

            $($rest)*
        }
    };
}
