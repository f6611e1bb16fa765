//! Machine code that was compiled before: one file per component and compiler, in a directory that only its owner can
//! write. A file carries a checksum of its content in its name, so that a damaged one is compiled again, not executed.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::grants::Digest;

/// All files together, bytes; the ones that were not used for longest go first.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// The directory. A cache that cannot be used costs time, nothing else.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    /// What the machine code depends on beyond the component.
    compiler: u64,
}

/// A number for each file that is being written by this process.
static WRITES: AtomicU64 = AtomicU64::new(0);

impl Cache {
    /// Opens or makes the directory.
    ///
    /// # Errors
    /// When it cannot be made, or others could write into it.
    pub(crate) fn open(dir: &Path, engine: &wasmtime::Engine) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let metadata = fs::metadata(dir)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else"));
        }
        if metadata.mode() & 0o077 != 0 {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { dir: dir.to_owned(), compiler: hasher.finish() })
    }

    /// Loads the machine code of a component; `None` when there is none that can be used.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, digest: &Digest) -> Option<Component> {
        let (path, sum) = self.find(digest)?;
        match load_checked(engine, &path, &sum) {
            Ok(component) => {
                if let Ok(file) = File::open(&path) {
                    // Only the order of what goes first depends on it.
                    let _ = file.set_modified(SystemTime::now());
                }
                Some(component)
            }
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "cached machine code is not usable; compiling again");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Keeps machine code. It is there whole or not at all.
    pub(crate) fn store(&self, digest: &Digest, code: &[u8]) -> io::Result<()> {
        let name = format!("{}{}.cwasm", self.prefix(digest), checksum(code));
        let draft =
            self.dir.join(format!("{name}.{}.{}.tmp", std::process::id(), WRITES.fetch_add(1, Relaxed)));
        let written = File::create_new(&draft)
            .and_then(|mut file| file.write_all(code))
            .and_then(|()| fs::rename(&draft, self.dir.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        self.prune();
        written
    }

    fn prefix(&self, digest: &Digest) -> String {
        format!("{digest}-{:016x}-", self.compiler)
    }

    /// The file of a component and the checksum in its name.
    fn find(&self, digest: &Digest) -> Option<(PathBuf, String)> {
        let prefix = self.prefix(digest);
        fs::read_dir(&self.dir).ok()?.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let sum = name.strip_prefix(&prefix)?.strip_suffix(".cwasm")?;
            Some((entry.path(), sum.to_owned()))
        })
    }

    /// Removes the files that were not used for longest, as many as are too many.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut files: Vec<_> = entries
            .flatten()
            .filter_map(|entry| {
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, bytes, path) in files {
            if total <= MAX_BYTES {
                return;
            }
            if fs::remove_file(path).is_ok() {
                total -= bytes;
            }
        }
    }
}

fn checksum(code: &[u8]) -> String {
    let mut sum = Digest::of(code).to_string();
    sum.truncate(32);
    sum
}

/// Loads a file whose content has the checksum.
fn load_checked(engine: &wasmtime::Engine, path: &Path, sum: &str) -> Result<Component, String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    io::copy(&mut file, &mut HashWriter(&mut hasher)).map_err(|error| error.to_string())?;
    let found: String = hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    if found != sum {
        return Err("its content is not what was written".to_owned());
    }
    // SAFETY: the file is in a directory that only this user can write to, was written by this program, and has the
    // content that was written; wasmtime checks that it is from the same compiler with the same settings.
    #[allow(unsafe_code, reason = "machine code has to be mapped; what it is was checked")]
    unsafe { Component::deserialize_file(engine, path) }.map_err(|error| format!("{error:#}"))
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
