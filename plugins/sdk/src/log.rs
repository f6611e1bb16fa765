//! The plugin's own log, which the daemon keeps under the plugin's name. Natively, in tests, it goes nowhere.

/// Writes a message.
pub fn write(severity: u8, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::base::hostler::plugin::log::write(severity, message);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = (severity, message);
}
