//! The record of a run's end, in a file of its own.
//!
//! It has a fixed size and is written in place over zeros that the launch put there, so that it can be
//! written when the disk is full.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::FORMAT_VERSION;

/// Name of the file in the run directory.
pub const FILE_NAME: &str = "exit";

/// Its size, bytes.
pub const SIZE: usize = 64;

/// How the main process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With this status.
    Code(i32),
    /// By a signal.
    Signal {
        /// Its number.
        signal: i32,
        /// Whether a core was dumped.
        core_dumped: bool,
    },
    /// Nobody saw it: its shim was killed, and when another one came it was gone.
    Unknown,
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitRecord {
    /// How.
    pub outcome: Outcome,
    /// When, nanoseconds since the epoch.
    pub at_unix_nanos: i64,
    /// CPU time in user mode, microseconds, of the main process and the children it waited for.
    pub user_us: u64,
    /// CPU time in the kernel, likewise.
    pub system_us: u64,
    /// Largest resident set of one of them, bytes.
    pub max_rss_bytes: u64,
    /// Descendants that had to be ended: what outlived the main process, orphans that a stop met, and whoever
    /// was killed together with it.
    pub descendants_ended: u32,
    /// How many of these had to be killed: by SIGKILL, past the grace or without one.
    pub descendants_killed: u32,
    /// How many of the tree the kernel killed because its control group was at its limit of memory.
    pub oom_kills: u32,
    /// Whether the whole tree is gone and the journal complete; until then only the main process is known
    /// to have ended.
    pub closed: bool,
}

impl ExitRecord {
    /// As the bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SIZE] {
        let (kind, value, core) = match self.outcome {
            Outcome::Code(code) => (1_u8, code, false),
            Outcome::Signal { signal, core_dumped } => (2, signal, core_dumped),
            Outcome::Unknown => (3, 0, false),
        };
        let mut b = [0_u8; SIZE];
        b[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        b[6] = kind;
        b[7] = u8::from(core) | u8::from(self.closed) << 1;
        b[8..12].copy_from_slice(&value.to_le_bytes());
        b[12..16].copy_from_slice(&self.descendants_ended.to_le_bytes());
        b[16..24].copy_from_slice(&self.at_unix_nanos.to_le_bytes());
        b[24..32].copy_from_slice(&self.user_us.to_le_bytes());
        b[32..40].copy_from_slice(&self.system_us.to_le_bytes());
        b[40..48].copy_from_slice(&self.max_rss_bytes.to_le_bytes());
        b[48..52].copy_from_slice(&self.oom_kills.to_le_bytes());
        b[52..56].copy_from_slice(&self.descendants_killed.to_le_bytes());
        let crc = crc32fast::hash(&b[4..]);
        b[..4].copy_from_slice(&crc.to_le_bytes());
        b
    }

    /// From the bytes of the file; `Ok(None)` when the run has not ended.
    ///
    /// # Errors
    /// When the bytes are not a record, or a newer hostler wrote them.
    pub fn from_bytes(b: &[u8]) -> io::Result<Option<Self>> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("exit record: {what}"));
        let b: &[u8; SIZE] = b.try_into().map_err(|_| invalid("wrong size"))?;
        if b.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if crc32fast::hash(&b[4..]).to_le_bytes() != b[..4] {
            return Err(invalid("checksum does not match"));
        }
        crate::refuse_newer("exit record", u16::from_le_bytes([b[4], b[5]]))?;
        let small = |at: usize| u32::from_le_bytes(b[at..at + 4].try_into().unwrap_or_default());
        let number = |at: usize| u64::from_le_bytes(b[at..at + 8].try_into().unwrap_or_default());
        let value = i32::from_le_bytes(b[8..12].try_into().unwrap_or_default());
        let outcome = match b[6] {
            1 => Outcome::Code(value),
            2 => Outcome::Signal { signal: value, core_dumped: b[7] & 1 != 0 },
            3 => Outcome::Unknown,
            _ => return Err(invalid("unknown kind of end")),
        };
        Ok(Some(Self {
            outcome,
            at_unix_nanos: number(16) as i64,
            user_us: number(24),
            system_us: number(32),
            max_rss_bytes: number(40),
            descendants_ended: small(12),
            // Zeros in the records of older shims.
            oom_kills: small(48),
            descendants_killed: small(52),
            closed: b[7] & 2 != 0,
        }))
    }
}

/// Makes room for the record; called before the process is started.
///
/// # Errors
/// When the file cannot be made.
pub fn preallocate(run_dir: &Path) -> io::Result<File> {
    let path = run_dir.join(FILE_NAME);
    let file = File::options().create(true).truncate(true).write(true).open(&path)?;
    if let Err(error) = file.write_all_at(&[0; SIZE], 0) {
        // An empty file would be no record.
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    Ok(file)
}

/// Opens the file that a predecessor made, or makes it.
///
/// # Errors
/// When there is none and it cannot be made.
pub fn reopen(run_dir: &Path) -> io::Result<File> {
    match File::options().write(true).open(run_dir.join(FILE_NAME)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => preallocate(run_dir),
        found => found,
    }
}

/// Reads the record of a run; `Ok(None)` when it has not ended, or never began.
///
/// # Errors
/// When the file cannot be read or is not a record.
pub fn read(run_dir: &Path) -> io::Result<Option<ExitRecord>> {
    match std::fs::read(run_dir.join(FILE_NAME)) {
        Ok(bytes) => ExitRecord::from_bytes(&bytes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        pub(crate) fn record()(
            kind in 0..3, value in any::<i32>(), core_dumped in any::<bool>(), at_unix_nanos in any::<i64>(),
            user_us in any::<u64>(), system_us in any::<u64>(), max_rss_bytes in any::<u64>(),
            descendants_ended in any::<u32>(), oom_kills in any::<u32>(), descendants_killed in any::<u32>(),
            closed in any::<bool>(),
        ) -> ExitRecord {
            let outcome = match kind {
                0 => Outcome::Code(value),
                1 => Outcome::Signal { signal: value, core_dumped },
                _ => Outcome::Unknown,
            };
            ExitRecord {
                outcome, at_unix_nanos, user_us, system_us, max_rss_bytes, descendants_ended, descendants_killed,
                oom_kills, closed,
            }
        }
    }

    proptest! {
        #[test]
        fn a_record_comes_back(record in record()) {
            prop_assert_eq!(ExitRecord::from_bytes(&record.to_bytes()).unwrap(), Some(record));
        }

        #[test]
        fn a_damaged_record_is_noticed(record in record(), at in 0_usize..SIZE, flip in 1_u8..=255) {
            let mut bytes = record.to_bytes();
            bytes[at] ^= flip;
            prop_assert!(ExitRecord::from_bytes(&bytes).is_err());
        }
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused_and_says_so() {
        let record = ExitRecord {
            outcome: Outcome::Code(3),
            at_unix_nanos: 4,
            user_us: 0,
            system_us: 0,
            max_rss_bytes: 0,
            descendants_ended: 0,
            descendants_killed: 0,
            oom_kills: 0,
            closed: true,
        };
        let mut bytes = record.to_bytes();
        bytes[4..6].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
        let crc = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        let why = ExitRecord::from_bytes(&bytes).unwrap_err().to_string();
        assert!(why.contains("exit record is of version 2") && why.contains("up to 1"), "{why}");
    }

    #[test]
    fn a_run_that_has_not_ended_has_no_record() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        preallocate(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
    }
}
