//! The contract between a shim and the daemon: what is sent, and what is written to disk.
//!
//! A shim (`hostler-shim`, the binary of this package) is the parent of one supervised process. This library
//! is what both sides share: the launch request, the control messages, the journal of the output and the
//! record of the exit. Each format begins with a version, and readers skip what they do not know, so that an
//! old shim works with a new daemon.

pub mod adopt;
pub mod cgroup;
pub mod channel;
pub mod control;
pub mod descriptors;
pub mod exit_record;
pub mod journal;
pub mod launch;
pub mod pid_file;
pub mod streams;
pub mod wire;

/// Version of everything that this library sends and writes.
pub const FORMAT_VERSION: u16 = 1;

/// Refuses what a newer hostler wrote: what its version changed cannot be known here.
fn refuse_newer(what: &str, version: u16) -> std::io::Result<()> {
    if version <= FORMAT_VERSION {
        return Ok(());
    }
    let why = format!(
        "the {what} is of version {version}, and this hostler reads those up to {FORMAT_VERSION}: a newer one wrote it; \
         install that again"
    );
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, why))
}

/// Name of the control socket in the run directory.
pub const CONTROL_SOCKET: &str = "control.sock";

/// Name of the file that is locked (`flock`) for as long as a shim is responsible for the run, and by the daemon from
/// before it asks one.
pub const LOCK_FILE: &str = "lock";
