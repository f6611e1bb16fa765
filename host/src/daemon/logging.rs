//! The daemon's own log: a file, never stdout.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use super::home::Home;

/// Beyond this the log of the run before is kept as `daemon.log.old` and a new one begun, bytes.
const MAX_BYTES: u64 = 8 << 20;

/// rmcp logs whole requests at debug level, secrets included.
const DEFAULT_FILTER: &str = "info,rmcp=warn";

/// Sends everything that is traced to the log file. `HOSTLER_LOG` sets the filter.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn start(home: &Home) -> std::io::Result<()> {
    let path = home.log();
    if std::fs::metadata(&path).is_ok_and(|m| m.len() > MAX_BYTES) {
        std::fs::rename(&path, path.with_extension("log.old"))?;
    }
    let file = File::options().create(true).append(true).mode(0o600).open(&path)?;
    let filter = std::env::var("HOSTLER_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .finish();
    // A second call in one process keeps the first log.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}
