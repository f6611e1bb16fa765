//! Which processes belong to a run, for whoever finds its directory and nobody to ask.

use std::io;
use std::path::Path;

/// Name of the file in the run directory.
pub const FILE_NAME: &str = "pid";

/// Its content: one line, `pid start_ticks shim_pid boot_id stdin stdout stderr`. The last three came later than the
/// others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidFile {
    /// The main process.
    pub pid: i32,
    /// Its start time in clock ticks since boot.
    pub start_ticks: u64,
    /// The shim.
    pub shim_pid: i32,
    /// The kernel's boot id when it was written.
    pub boot_id: String,
    /// Inodes of the pipes of stdin, stdout and stderr, 0 for one that is not there: by them their other ends are
    /// found at those who hold them.
    pub pipes: [u64; 3],
}

impl PidFile {
    /// Writes the file.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&self, run_dir: &Path) -> io::Result<()> {
        let Self { pid, start_ticks, shim_pid, boot_id, pipes: [stdin, stdout, stderr] } = self;
        let line = format!("{pid} {start_ticks} {shim_pid} {boot_id} {stdin} {stdout} {stderr}\n");
        std::fs::write(run_dir.join(FILE_NAME), line)
    }

    /// Reads the file; `None` when it is not there or was not written to its end.
    #[must_use]
    pub fn read(run_dir: &Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(run_dir.join(FILE_NAME)).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        let mut next = || words.next();
        Some(Self {
            pid: next()?.parse().ok()?,
            start_ticks: next()?.parse().ok()?,
            shim_pid: next()?.parse().ok()?,
            boot_id: next()?.to_owned(),
            pipes: std::array::from_fn(|_| next().and_then(|inode| inode.parse().ok()).unwrap_or(0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_and_an_older_one_is_understood() {
        let dir = tempfile::tempdir().unwrap();
        let file = PidFile { pid: 7, start_ticks: 8, shim_pid: 9, boot_id: "b-1".into(), pipes: [1, 2, 3] };
        assert_eq!(PidFile::read(dir.path()), None);
        file.write(dir.path()).unwrap();
        assert_eq!(PidFile::read(dir.path()), Some(file.clone()));
        assert_eq!(PidFile::parse("7 8 9 b-1\n"), Some(PidFile { pipes: [0; 3], ..file }));
        for torn in ["", "7 8 9 b-", "7 8 9\n", "x 8 9 b-1\n"] {
            assert_eq!(PidFile::parse(torn), None, "{torn}");
        }
    }
}
