//! What a shim is asked to take over when another one was killed.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::FORMAT_VERSION;
use crate::descriptors::Descriptors;
use crate::launch::JournalLimits;
use crate::wire::{DecodeError, Decoder, Encoder};

/// Name of the environment variable that tells to which run a process belongs: its value is the run directory.
/// By it the processes of a tree are found again whose parents are gone.
pub const MARK: &str = "HOSTLER_RUN";

/// The request. What the killed shim left is in the run directory: its journal and, if the main process had
/// ended, the exit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptSpec {
    /// Directory of the run.
    pub run_dir: PathBuf,
    /// The main process.
    pub pid: i32,
    /// Its start time in clock ticks since boot.
    pub start_ticks: u64,
    /// Its start time, nanoseconds since the epoch.
    pub started_unix_nanos: i64,
    /// Which descriptors come along.
    pub descriptors: Descriptors,
    /// Time that descendants get to end after the main process ended by itself, milliseconds.
    pub leftover_grace_ms: u32,
    /// Bounds of the journal.
    pub journal: JournalLimits,
    /// The control group that the process was started in.
    pub cgroup: Option<PathBuf>,
}

mod tag {
    pub(super) const VERSION: u16 = 1;
    pub(super) const RUN_DIR: u16 = 2;
    pub(super) const PID: u16 = 3;
    pub(super) const START_TICKS: u16 = 4;
    pub(super) const STARTED: u16 = 5;
    pub(super) const DESCRIPTORS: u16 = 6;
    pub(super) const LEFTOVER_GRACE: u16 = 10;
    pub(super) const SEGMENT_BYTES: u16 = 11;
    pub(super) const CAP_BYTES: u16 = 12;
    pub(super) const CGROUP: u16 = 13;
}

impl AdoptSpec {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.number(tag::VERSION, i64::from(FORMAT_VERSION))
            .bytes(tag::RUN_DIR, self.run_dir.as_os_str().as_bytes())
            .number(tag::PID, i64::from(self.pid))
            .number(tag::START_TICKS, self.start_ticks as i64)
            .number(tag::STARTED, self.started_unix_nanos)
            .number(tag::DESCRIPTORS, self.descriptors.bits())
            .number(tag::LEFTOVER_GRACE, i64::from(self.leftover_grace_ms))
            .number(tag::SEGMENT_BYTES, self.journal.segment_bytes as i64)
            .number(tag::CAP_BYTES, self.journal.cap_bytes as i64);
        if let Some(cgroup) = &self.cgroup {
            e.bytes(tag::CGROUP, cgroup.as_os_str().as_bytes());
        }
        e.finish()
    }

    /// From bytes.
    ///
    /// # Errors
    /// When a field is missing or malformed, or the version is unknown.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let d = Decoder::new(bytes)?;
        let version: u16 = d.int(tag::VERSION)?;
        if version != FORMAT_VERSION {
            return Err(DecodeError::Version(version));
        }
        Ok(Self {
            run_dir: d.path(tag::RUN_DIR)?,
            pid: d.int(tag::PID)?,
            start_ticks: d.int(tag::START_TICKS)?,
            started_unix_nanos: d.number(tag::STARTED)?,
            descriptors: Descriptors::from_bits(d.number(tag::DESCRIPTORS)?),
            leftover_grace_ms: d.int(tag::LEFTOVER_GRACE)?,
            journal: JournalLimits {
                segment_bytes: d.int(tag::SEGMENT_BYTES)?,
                cap_bytes: d.int(tag::CAP_BYTES)?,
            },
            cgroup: d.optional_path(tag::CGROUP),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_request_comes_back_as_it_was(
            pid in any::<i32>(), start_ticks in 0_u64..1 << 63, started_unix_nanos in any::<i64>(), bits in 0_i64..32,
            leftover_grace_ms in any::<u32>(), cgroup in prop::option::of("/[ -~]{0,30}"),
        ) {
            let descriptors = Descriptors::from_bits(bits);
            let spec = AdoptSpec {
                run_dir: "/runs/1-2".into(), pid, start_ticks, started_unix_nanos, descriptors, leftover_grace_ms,
                journal: JournalLimits::default(), cgroup: cgroup.map(PathBuf::from),
            };
            prop_assert_eq!(AdoptSpec::decode(&spec.encode()), Ok(spec));
        }
    }
}
