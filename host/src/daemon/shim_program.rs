//! The shim that is part of this binary, as a file that can be executed.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::home::Home;

const PROGRAM: &[u8] = include_bytes!(env!("HOSTLER_SHIM_PROGRAM"));

/// Names another shim to use, such as one of an earlier version to test that it is understood.
const VARIABLE: &str = "HOSTLER_SHIM";

/// Unpacks the shim under a name made of its content: an upgrade leaves running shims their file, and the
/// same version finds its own again.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn unpack(home: &Home) -> io::Result<PathBuf> {
    if let Some(other) = std::env::var_os(VARIABLE) {
        return Ok(other.into());
    }
    let path =
        home.programs().join(format!("hostler-shim-{:08x}-{}", crc32fast::hash(PROGRAM), PROGRAM.len()));
    if std::fs::read(&path).is_ok_and(|found| found == PROGRAM) {
        return Ok(path);
    }
    std::fs::create_dir_all(home.programs())?;
    let fresh = path.with_extension("new");
    let mut file =
        std::fs::File::options().create(true).truncate(true).write(true).mode(0o700).open(&fresh)?;
    io::Write::write_all(&mut file, PROGRAM)?;
    drop(file);
    std::fs::rename(&fresh, &path)?;
    Ok(path)
}
