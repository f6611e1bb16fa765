//! Which processes belong to a run, for whoever finds its directory and nobody to ask.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::wire::os_string;

/// Name of the file in the run directory.
pub const FILE_NAME: &str = "pid";

/// Its content: one line, `pid start_ticks shim_pid boot_id stdin stdout stderr cgroup`. The pipes came later than the
/// words before them, and the control group later than the pipes.
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
    /// The control group that the process was started in: `-` in the file when there is none, and as one word.
    pub cgroup: Option<PathBuf>,
}

impl PidFile {
    /// Writes the file.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&self, run_dir: &Path) -> io::Result<()> {
        let Self { pid, start_ticks, shim_pid, boot_id, pipes: [stdin, stdout, stderr], cgroup } = self;
        let cgroup = cgroup.as_deref().map_or(NONE.to_owned(), as_word);
        let line = format!("{pid} {start_ticks} {shim_pid} {boot_id} {stdin} {stdout} {stderr} {cgroup}\n");
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
            cgroup: next().filter(|word| *word != NONE).and_then(from_word),
        })
    }
}

/// Stands where a path would: no absolute one is written like this.
const NONE: &str = "-";

/// A path as one word of letters that every reader of lines understands: other bytes than those as `%` and two digits.
fn as_word(path: &Path) -> String {
    let letter = |byte: &u8| match byte {
        b'%' | 0..=b' ' | 127.. => format!("%{byte:02x}"),
        byte => char::from(*byte).to_string(),
    };
    path.as_os_str().as_bytes().iter().map(letter).collect()
}

fn from_word(word: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match first {
            b'%' => {
                let (digits, after) = after.split_at_checked(2)?;
                (u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?, after)
            }
            byte => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    Some(PathBuf::from(os_string(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_path_is_one_word(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let path = PathBuf::from(os_string(&[b"/", &bytes[..]].concat()));
            let word = as_word(&path);
            prop_assert!(word != NONE && word.bytes().all(|b| b.is_ascii_graphic()), "{}", word);
            prop_assert_eq!(from_word(&word), Some(path));
        }
    }

    #[test]
    fn it_comes_back_and_an_older_one_is_understood() {
        let dir = tempfile::tempdir().unwrap();
        let cgroup = Some("/sys/fs/cgroup/a b/hostler-1".into());
        let file =
            PidFile { pid: 7, start_ticks: 8, shim_pid: 9, boot_id: "b-1".into(), pipes: [1, 2, 3], cgroup };
        assert_eq!(PidFile::read(dir.path()), None);
        file.write(dir.path()).unwrap();
        assert_eq!(PidFile::read(dir.path()), Some(file.clone()));
        let without = PidFile { cgroup: None, ..file };
        without.write(dir.path()).unwrap();
        assert_eq!(PidFile::read(dir.path()), Some(without.clone()));
        assert_eq!(PidFile::parse("7 8 9 b-1 1 2 3\n"), Some(without.clone()));
        assert_eq!(PidFile::parse("7 8 9 b-1\n"), Some(PidFile { pipes: [0; 3], ..without }));
        for torn in ["", "7 8 9 b-", "7 8 9\n", "x 8 9 b-1\n"] {
            assert_eq!(PidFile::parse(torn), None, "{torn}");
        }
    }
}
