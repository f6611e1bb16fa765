//! Where everything is kept.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hostler_model::{ProcessId, RunNo};

/// The variable that moves all state, policy included.
pub(crate) const VARIABLE: &str = "HOSTLER_HOME";

/// Names another directory for the machine code of plugins.
pub(crate) const CODE_VARIABLE: &str = "HOSTLER_PLUGIN_CODE";

/// Set by a client for the daemon that it starts: where the client looked for the policy.
pub(crate) const POLICY_VARIABLE: &str = "HOSTLER_POLICY_FILE";

/// The directory of all state, readable by its user only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    root: PathBuf,
    policy: PathBuf,
}

impl Home {
    /// `$HOSTLER_HOME`, or `hostler` in the user's state directory with the policy in the configuration
    /// directory (XDG Base Directory Specification).
    ///
    /// # Errors
    /// When no directory can be named, or it is not absolute.
    pub(crate) fn find() -> Result<Self, String> {
        if let Some(root) = std::env::var_os(VARIABLE).filter(|v| !v.is_empty()) {
            let mut home = Self::at(PathBuf::from(root))?;
            if let Some(policy) = std::env::var_os(POLICY_VARIABLE) {
                home.policy = PathBuf::from(policy);
            }
            return Ok(home);
        }
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let base = |variable: &str, below: &str| {
            std::env::var_os(variable)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
                .or_else(|| home.as_ref().map(|h| h.join(below)))
                .ok_or_else(|| {
                    format!("neither {VARIABLE}, {variable} nor HOME is set; set {VARIABLE} to a directory")
                })
        };
        Ok(Self {
            root: base("XDG_STATE_HOME", ".local/state")?.join("hostler"),
            policy: base("XDG_CONFIG_HOME", ".config")?.join("hostler/policy.toml"),
        })
    }

    /// A home in this directory.
    ///
    /// # Errors
    /// When the path is not absolute and the working directory is gone.
    pub(crate) fn at(root: PathBuf) -> Result<Self, String> {
        let root = std::path::absolute(&root).map_err(|e| format!("{VARIABLE}={}: {e}", root.display()))?;
        Ok(Self { policy: root.join("policy.toml"), root })
    }

    /// Makes the directory, for this user only.
    ///
    /// # Errors
    /// When it cannot be made, belongs to somebody else or is open to others.
    pub(crate) fn create(&self) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let make = |path: &Path| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(&self.root)?;
        let meta = std::fs::metadata(&self.root)?;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            let message = format!("{} belongs to another user", self.root.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        if meta.mode() & 0o077 != 0 {
            std::fs::set_permissions(&self.root, std::fs::Permissions::from_mode(0o700))?;
        }
        make(&self.runs())?;
        // Where there is no such attribute it is done without.
        let _ = spread(&self.runs());
        Ok(())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join("daemon.sock")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("daemon.lock")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("daemon.log")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("hostler.db")
    }

    /// The token of clients over HTTP.
    pub(crate) fn http_token(&self) -> PathBuf {
        self.root.join("http-token")
    }

    /// The files of projects that the user trusts.
    pub(crate) fn trusted(&self) -> PathBuf {
        self.root.join("trusted")
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Machine code of plugins. It is the same for all homes, so several can share it.
    pub(crate) fn plugin_code(&self) -> PathBuf {
        let shared = std::env::var_os(CODE_VARIABLE).map(PathBuf::from).filter(|path| path.is_absolute());
        shared.unwrap_or_else(|| self.root.join("plugin-code"))
    }

    pub(crate) fn policy(&self) -> &Path {
        &self.policy
    }

    /// The user's configuration, beside the policy.
    pub(crate) fn config(&self) -> PathBuf {
        self.policy.with_file_name("config.toml")
    }

    /// Name of a run's directory below [`Self::runs`].
    pub(crate) fn run_dir_name(process: ProcessId, run: RunNo) -> String {
        format!("{process}-{run}")
    }

    /// What [`run_dir_name`](Self::run_dir_name) was made of.
    pub(crate) fn parse_run_dir_name(name: &str) -> Option<(ProcessId, RunNo)> {
        let (process, run) = name.split_once('-')?;
        Some((process.parse().ok()?, RunNo(run.parse().ok()?)))
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }
}

/// Tells an ext4 file system to put each directory in here into a block group of its own choice, as it does with those
/// of the root (`chattr +T`). Otherwise all of them share one group, in which each new file has to pass by every inode
/// that was freed within the last minutes: ext4 does not use those again at once (`recently_deleted` in its `ialloc.c`).
/// With some thousand runs that have ended, a start takes three times as long.
fn spread(dir: &Path) -> io::Result<()> {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    let dir = std::fs::File::open(dir)?;
    let flags = ioctl_getflags(&dir)?;
    if !flags.contains(IFlags::TOPDIR) {
        ioctl_setflags(&dir, flags | IFlags::TOPDIR)?;
    }
    Ok(())
}
