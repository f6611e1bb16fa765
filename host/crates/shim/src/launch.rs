//! What a shim is asked to start. Everything is resolved: absolute paths, the whole environment.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::FORMAT_VERSION;
use crate::wire::{DecodeError, Decoder, Encoder, os_string};

/// What the process reads from and writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// Three pipes.
    Pipes,
    /// One pseudo terminal of this size.
    Pty {
        /// Rows of the window.
        rows: u16,
        /// Columns of the window.
        cols: u16,
    },
}

/// A resource that `setrlimit` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// `RLIMIT_DATA`, bytes.
    Data,
    /// `RLIMIT_NOFILE`, files.
    OpenFiles,
}

const RESOURCES: [Resource; 2] = [Resource::Data, Resource::OpenFiles];

/// One limit. Both are clamped to the hard limit that the shim itself is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// Of what.
    pub resource: Resource,
    /// The limit in force.
    pub soft: u64,
    /// Up to which the process may raise it.
    pub hard: u64,
}

/// How much the journal may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalLimits {
    /// A segment is closed when it is this long, bytes.
    pub segment_bytes: u64,
    /// All segments together, bytes. Beyond it the process waits (daemon there) or the oldest go (daemon away).
    pub cap_bytes: u64,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self { segment_bytes: 4 << 20, cap_bytes: 64 << 20 }
    }
}

/// The request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchSpec {
    /// Directory of this run: journal, exit record, control socket.
    pub run_dir: PathBuf,
    /// Path of the program.
    pub exec: PathBuf,
    /// Its arguments, the zeroth included.
    pub argv: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Its terminal or pipes.
    pub stdio: Stdio,
    /// Its limits.
    pub rlimits: Vec<Rlimit>,
    /// Whether `no_new_privs` is set.
    pub no_new_privs: bool,
    /// Time that descendants get to end after the main process ended by itself, milliseconds.
    pub leftover_grace_ms: u32,
    /// Bounds of the journal.
    pub journal: JournalLimits,
    /// The control group to make and to start the process in. Where that is not possible it is started without.
    pub cgroup: Option<PathBuf>,
    /// What to write into files of that group before the process is started: its limits.
    pub cgroup_limits: Vec<(String, String)>,
}

mod tag {
    pub(super) const VERSION: u16 = 1;
    pub(super) const RUN_DIR: u16 = 2;
    pub(super) const EXEC: u16 = 3;
    pub(super) const ARG: u16 = 4;
    pub(super) const ENV: u16 = 5;
    pub(super) const CWD: u16 = 6;
    pub(super) const PTY: u16 = 7;
    pub(super) const RLIMIT: u16 = 8;
    pub(super) const NO_NEW_PRIVS: u16 = 9;
    pub(super) const LEFTOVER_GRACE: u16 = 10;
    pub(super) const SEGMENT_BYTES: u16 = 11;
    pub(super) const CAP_BYTES: u16 = 12;
    pub(super) const CGROUP: u16 = 13;
    pub(super) const CGROUP_LIMIT: u16 = 14;
}

impl LaunchSpec {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::default();
        e.number(tag::VERSION, i64::from(FORMAT_VERSION))
            .bytes(tag::RUN_DIR, self.run_dir.as_os_str().as_bytes())
            .bytes(tag::EXEC, self.exec.as_os_str().as_bytes())
            .bytes(tag::CWD, self.cwd.as_os_str().as_bytes())
            .number(tag::NO_NEW_PRIVS, i64::from(self.no_new_privs))
            .number(tag::LEFTOVER_GRACE, i64::from(self.leftover_grace_ms))
            .number(tag::SEGMENT_BYTES, self.journal.segment_bytes as i64)
            .number(tag::CAP_BYTES, self.journal.cap_bytes as i64);
        for arg in &self.argv {
            e.bytes(tag::ARG, arg.as_bytes());
        }
        for (name, value) in &self.env {
            // As execve wants it; a name cannot contain '='.
            let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
            e.bytes(tag::ENV, &pair);
        }
        if let Stdio::Pty { rows, cols } = self.stdio {
            e.bytes(tag::PTY, &[rows.to_le_bytes(), cols.to_le_bytes()].concat());
        }
        for limit in &self.rlimits {
            let mut bytes = vec![limit.resource as u8];
            bytes.extend_from_slice(&limit.soft.to_le_bytes());
            bytes.extend_from_slice(&limit.hard.to_le_bytes());
            e.bytes(tag::RLIMIT, &bytes);
        }
        if let Some(cgroup) = &self.cgroup {
            e.bytes(tag::CGROUP, cgroup.as_os_str().as_bytes());
        }
        for (file, value) in &self.cgroup_limits {
            e.bytes(tag::CGROUP_LIMIT, format!("{file}={value}").as_bytes());
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
            exec: d.path(tag::EXEC)?,
            argv: d.all(tag::ARG).map(os_string).collect(),
            env: d.all(tag::ENV).map(decode_env).collect::<Result<_, _>>()?,
            cwd: d.path(tag::CWD)?,
            stdio: d.optional(tag::PTY).map_or(Ok(Stdio::Pipes), decode_pty)?,
            rlimits: d.all(tag::RLIMIT).map(decode_rlimit).collect::<Result<_, _>>()?,
            no_new_privs: d.number(tag::NO_NEW_PRIVS)? != 0,
            leftover_grace_ms: d.int(tag::LEFTOVER_GRACE)?,
            journal: JournalLimits {
                segment_bytes: d.int(tag::SEGMENT_BYTES)?,
                cap_bytes: d.int(tag::CAP_BYTES)?,
            },
            cgroup: d.optional_path(tag::CGROUP),
            cgroup_limits: d.all(tag::CGROUP_LIMIT).map(decode_cgroup_limit).collect::<Result<_, _>>()?,
        })
    }
}

fn decode_env(pair: &[u8]) -> Result<(OsString, OsString), DecodeError> {
    let at = pair.iter().position(|b| *b == b'=').ok_or(DecodeError::Malformed(tag::ENV))?;
    Ok((os_string(&pair[..at]), os_string(&pair[at + 1..])))
}

fn decode_cgroup_limit(pair: &[u8]) -> Result<(String, String), DecodeError> {
    let pair = std::str::from_utf8(pair).ok().and_then(|text| text.split_once('='));
    // A file of the group, and no other.
    let (file, value) =
        pair.filter(|(file, _)| !file.contains('/')).ok_or(DecodeError::Malformed(tag::CGROUP_LIMIT))?;
    Ok((file.to_owned(), value.to_owned()))
}

fn decode_pty(bytes: &[u8]) -> Result<Stdio, DecodeError> {
    match bytes {
        [r0, r1, c0, c1] => {
            Ok(Stdio::Pty { rows: u16::from_le_bytes([*r0, *r1]), cols: u16::from_le_bytes([*c0, *c1]) })
        }
        _ => Err(DecodeError::Malformed(tag::PTY)),
    }
}

fn decode_rlimit(bytes: &[u8]) -> Result<Rlimit, DecodeError> {
    let malformed = DecodeError::Malformed(tag::RLIMIT);
    let (kind, rest) = bytes.split_first().ok_or(malformed)?;
    let (soft, rest) = rest.split_first_chunk::<8>().ok_or(malformed)?;
    let hard: [u8; 8] = rest.try_into().map_err(|_| malformed)?;
    let resource = *RESOURCES.get(usize::from(*kind)).ok_or(malformed)?;
    Ok(Rlimit { resource, soft: u64::from_le_bytes(*soft), hard: u64::from_le_bytes(hard) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn os() -> impl Strategy<Value = OsString> {
        prop::collection::vec(1_u8..=255, 0..30).prop_map(|b| os_string(&b))
    }

    prop_compose! {
        fn spec()(
            run_dir in os(), exec in os(), cwd in os(),
            argv in prop::collection::vec(os(), 0..5),
            env in prop::collection::vec(("[A-Z]{1,5}", os()), 0..5),
            pty in prop::option::of((any::<u16>(), any::<u16>())),
            rlimits in prop::collection::vec((0..RESOURCES.len(), any::<u64>(), any::<u64>()), 0..3),
            no_new_privs in any::<bool>(), leftover_grace_ms in any::<u32>(),
            cgroup in prop::option::of(os()),
            cgroup_limits in prop::collection::vec(("[a-z.]{1,12}", "[ -~]{0,12}"), 0..3),
        ) -> LaunchSpec {
            LaunchSpec {
                run_dir: run_dir.into(), exec: exec.into(), argv,
                env: env.into_iter().map(|(n, v)| (n.into(), v)).collect(),
                cwd: cwd.into(),
                stdio: pty.map_or(Stdio::Pipes, |(rows, cols)| Stdio::Pty { rows, cols }),
                rlimits: rlimits.into_iter().map(|(r, soft, hard)| Rlimit { resource: RESOURCES[r], soft, hard }).collect(),
                no_new_privs, leftover_grace_ms, journal: JournalLimits::default(),
                cgroup: cgroup.map(PathBuf::from), cgroup_limits,
            }
        }
    }

    proptest! {
        #[test]
        fn a_launch_comes_back_as_it_was(spec in spec()) {
            prop_assert_eq!(LaunchSpec::decode(&spec.encode()), Ok(spec));
        }

        #[test]
        fn a_cut_launch_is_refused(spec in spec(), cut in 1_usize..100) {
            let bytes = spec.encode();
            prop_assert!(LaunchSpec::decode(&bytes[..bytes.len() - cut.min(bytes.len())]) != Ok(spec));
        }
    }
}
