//! The messages between daemon and shim: one packet each.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::FORMAT_VERSION;
use crate::descriptors::{Descriptor, Descriptors};
use crate::exit_record::{self, ExitRecord};
use crate::journal::Position;
use crate::wire::{DecodeError, Decoder, Encoder};

/// No packet is longer, bytes.
pub const MAX_PACKET: usize = 64 * 1024;

/// Longest piece of input in one [`Command::Write`], bytes.
pub const MAX_WRITE: usize = 32 * 1024;

/// Whom a signal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The main process.
    Main,
    /// It and all its descendants.
    Tree,
}

/// From the daemon to the shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The streams of the process that is to be launched; comes with both sides of them (`streams::Streams`: ours, then
    /// theirs). Not answered. The first version of the shim refuses it, and opens streams itself.
    Streams,
    /// Start; comes with the locked file of the run, which the shim keeps open, and a file that holds the encoded
    /// `LaunchSpec`.
    Launch,
    /// Take over what another shim left that was killed; comes with the locked file of the run, the descriptors that
    /// the request names, and a file that holds the encoded `AdoptSpec`. Answered with [`Event::Status`].
    Adopt,
    /// Send [`Event::Status`] with the file descriptors.
    Attach,
    /// End the tree: this signal, and SIGKILL after the grace.
    Stop {
        /// The polite signal's number.
        signal: i32,
        /// Milliseconds until SIGKILL; 0 kills at once.
        grace_ms: u32,
        /// Who gets the polite signal first. With `Main`, descendants get it when the main process is gone.
        scope: Scope,
    },
    /// Send a signal and change nothing else.
    Signal {
        /// Its number.
        signal: i32,
        /// To whom.
        scope: Scope,
    },
    /// Input for the process.
    Write(Vec<u8>),
    /// End of input. A process at a pipe sees it when the last duplicate of the write end is closed, so a
    /// daemon closes its own first; to a terminal that reads lines the end-of-file character is written.
    CloseStdin,
    /// The size of the pseudo terminal's window.
    Resize {
        /// Rows.
        rows: u16,
        /// Columns.
        cols: u16,
    },
    /// Everything before this position is safely stored elsewhere.
    Consumed(Position),
}

/// From the shim to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The program runs; comes with the file descriptors of [`Status`].
    Launched(Status),
    /// The program could not be executed, and the shim is gone.
    LaunchFailed(LaunchFailure),
    /// Answer to [`Command::Attach`].
    Status(Status),
    /// There is more in the journal. Sent once until the next [`Command::Consumed`].
    JournalGrew,
    /// The journal cannot be written, with the kernel's error number, or can be again. Output waits meanwhile, and is
    /// counted in place of written when that takes too long.
    JournalRefused(Option<i32>),
    /// The main process ended.
    Exited(ExitRecord),
    /// No process of the tree is left and the journal is complete; the shim is gone.
    Closed(ExitRecord),
    /// Answer to [`Command::Write`]: how many bytes were taken.
    StdinAccepted(u32),
    /// The command was not understood or cannot be carried out.
    Refused(String),
}

/// What a shim knows. Sent with the file descriptors of `descriptors`, in their order. Whoever holds them keeps the
/// process from ever seeing a broken pipe, and can hand them to a successor of the shim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Version of the shim's formats.
    pub version: u16,
    /// The shim itself.
    pub shim_pid: i32,
    /// The main process.
    pub pid: i32,
    /// Its start time in clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub start_ticks: u64,
    /// Its start time, nanoseconds since the epoch.
    pub started_unix_nanos: i64,
    /// The end of the main process, if it has ended.
    pub exit: Option<ExitRecord>,
    /// Whether a stop is under way.
    pub stopping: bool,
    /// Which descriptors come along.
    pub descriptors: Descriptors,
    /// Whether the shim took the process over from another one that was killed.
    pub adopted: bool,
    /// Why the journal cannot be written now, the kernel's error number.
    pub refused: Option<i32>,
}

/// Which step of a launch failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Preparing the run directory, pipes or terminal.
    Prepare,
    /// Creating the process.
    Fork,
    /// Changing to the working directory.
    Chdir,
    /// Setting a limit.
    Rlimit,
    /// Setting up terminal, streams or session.
    Setup,
    /// Executing the program.
    Exec,
}

const STEPS: [Step; 6] = [Step::Prepare, Step::Fork, Step::Chdir, Step::Rlimit, Step::Setup, Step::Exec];

/// Why the program does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchFailure {
    /// Where it failed.
    pub step: Step,
    /// The kernel's error number.
    pub errno: i32,
    /// The path concerned.
    pub path: PathBuf,
}

mod tag {
    pub(super) const KIND: u16 = 1;
    pub(super) const VERSION: u16 = 2;
    pub(super) const SIGNAL: u16 = 3;
    pub(super) const GRACE: u16 = 4;
    pub(super) const SCOPE: u16 = 5;
    pub(super) const DATA: u16 = 6;
    pub(super) const ROWS: u16 = 7;
    pub(super) const COLS: u16 = 8;
    pub(super) const SEGMENT: u16 = 9;
    pub(super) const OFFSET: u16 = 10;
    pub(super) const SHIM_PID: u16 = 11;
    pub(super) const PID: u16 = 12;
    pub(super) const START_TICKS: u16 = 13;
    pub(super) const STARTED: u16 = 14;
    pub(super) const EXIT: u16 = 15;
    pub(super) const STOPPING: u16 = 16;
    pub(super) const HAS_PIDFD: u16 = 17;
    pub(super) const STEP: u16 = 18;
    pub(super) const ERRNO: u16 = 19;
    pub(super) const PATH: u16 = 20;
    pub(super) const DESCRIPTORS: u16 = 21;
    pub(super) const ADOPTED: u16 = 22;
}

fn begin(kind: i64) -> Encoder {
    let mut e = Encoder::default();
    e.number(tag::KIND, kind).number(tag::VERSION, i64::from(FORMAT_VERSION));
    e
}

impl Command {
    /// As one packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut e;
        match self {
            Self::Launch => e = begin(1),
            Self::Attach => e = begin(2),
            Self::Stop { signal, grace_ms, scope } => {
                e = begin(3);
                e.number(tag::SCOPE, *scope as i64)
                    .number(tag::SIGNAL, i64::from(*signal))
                    .number(tag::GRACE, i64::from(*grace_ms));
            }
            Self::Signal { signal, scope } => {
                e = begin(4);
                e.number(tag::SIGNAL, i64::from(*signal)).number(tag::SCOPE, *scope as i64);
            }
            Self::Write(data) => {
                e = begin(5);
                e.bytes(tag::DATA, data);
            }
            Self::CloseStdin => e = begin(6),
            Self::Resize { rows, cols } => {
                e = begin(7);
                e.number(tag::ROWS, i64::from(*rows)).number(tag::COLS, i64::from(*cols));
            }
            Self::Consumed(position) => {
                e = begin(8);
                e.number(tag::SEGMENT, position.segment as i64).number(tag::OFFSET, position.offset as i64);
            }
            Self::Adopt => e = begin(9),
            Self::Streams => e = begin(10),
        }
        e.finish()
    }

    /// From a packet.
    ///
    /// # Errors
    /// When it is not a command of this version.
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let d = Decoder::new(packet)?;
        Ok(match d.number(tag::KIND)? {
            1 => Self::Launch,
            2 => Self::Attach,
            3 => Self::Stop {
                signal: d.int(tag::SIGNAL)?,
                grace_ms: d.int(tag::GRACE)?,
                scope: decode_scope(&d)?,
            },
            4 => Self::Signal { signal: d.int(tag::SIGNAL)?, scope: decode_scope(&d)? },
            5 => Self::Write(d.bytes(tag::DATA)?.to_vec()),
            6 => Self::CloseStdin,
            7 => Self::Resize { rows: d.int(tag::ROWS)?, cols: d.int(tag::COLS)? },
            8 => Self::Consumed(Position { segment: d.int(tag::SEGMENT)?, offset: d.int(tag::OFFSET)? }),
            9 => Self::Adopt,
            10 => Self::Streams,
            _ => return Err(DecodeError::Malformed(tag::KIND)),
        })
    }
}

impl Event {
    /// As one packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut e;
        match self {
            Self::Launched(status) => {
                e = begin(101);
                encode_status(&mut e, status);
            }
            Self::LaunchFailed(failure) => {
                e = begin(102);
                e.number(tag::STEP, failure.step as i64)
                    .number(tag::ERRNO, i64::from(failure.errno))
                    .bytes(tag::PATH, failure.path.as_os_str().as_bytes());
            }
            Self::Status(status) => {
                e = begin(103);
                encode_status(&mut e, status);
            }
            Self::JournalGrew => e = begin(104),
            Self::Exited(exit) => {
                e = begin(105);
                e.bytes(tag::EXIT, &exit.to_bytes());
            }
            Self::Closed(exit) => {
                e = begin(106);
                e.bytes(tag::EXIT, &exit.to_bytes());
            }
            Self::StdinAccepted(bytes) => {
                e = begin(107);
                e.number(tag::DATA, i64::from(*bytes));
            }
            Self::Refused(reason) => {
                e = begin(108);
                e.bytes(tag::DATA, reason.as_bytes());
            }
            Self::JournalRefused(errno) => {
                e = begin(109);
                encode_errno(&mut e, *errno);
            }
        }
        e.finish()
    }

    /// From a packet that came with so many file descriptors.
    ///
    /// # Errors
    /// When it is not an event of this version.
    pub fn decode(packet: &[u8], fds: usize) -> Result<Self, DecodeError> {
        let d = Decoder::new(packet)?;
        Ok(match d.number(tag::KIND)? {
            101 => Self::Launched(decode_status(&d, fds)?),
            102 => Self::LaunchFailed(LaunchFailure {
                step: *STEPS.get(d.int::<usize>(tag::STEP)?).ok_or(DecodeError::Malformed(tag::STEP))?,
                errno: d.int(tag::ERRNO)?,
                path: d.path(tag::PATH)?,
            }),
            103 => Self::Status(decode_status(&d, fds)?),
            104 => Self::JournalGrew,
            105 => Self::Exited(decode_exit(&d)?.ok_or(DecodeError::Missing(tag::EXIT))?),
            106 => Self::Closed(decode_exit(&d)?.ok_or(DecodeError::Missing(tag::EXIT))?),
            107 => Self::StdinAccepted(d.int(tag::DATA)?),
            108 => Self::Refused(String::from_utf8_lossy(d.bytes(tag::DATA)?).into_owned()),
            109 => Self::JournalRefused(decode_errno(&d)?),
            _ => return Err(DecodeError::Malformed(tag::KIND)),
        })
    }
}

fn decode_scope(d: &Decoder<'_>) -> Result<Scope, DecodeError> {
    Ok(if d.number(tag::SCOPE)? == Scope::Tree as i64 { Scope::Tree } else { Scope::Main })
}

fn encode_status(e: &mut Encoder, status: &Status) {
    e.number(tag::SHIM_PID, i64::from(status.shim_pid))
        .number(tag::PID, i64::from(status.pid))
        .number(tag::START_TICKS, status.start_ticks as i64)
        .number(tag::STARTED, status.started_unix_nanos)
        .number(tag::STOPPING, i64::from(status.stopping))
        // What the first version of the daemon wants to know.
        .number(tag::HAS_PIDFD, i64::from(status.descriptors.iter().any(|d| d == Descriptor::Main)))
        .number(tag::ADOPTED, i64::from(status.adopted))
        .number(tag::DESCRIPTORS, status.descriptors.bits());
    if let Some(exit) = &status.exit {
        e.bytes(tag::EXIT, &exit.to_bytes());
    }
    encode_errno(e, status.refused);
}

fn decode_status(d: &Decoder<'_>, fds: usize) -> Result<Status, DecodeError> {
    let descriptors = match d.optional_number(tag::DESCRIPTORS)? {
        Some(bits) => Descriptors::from_bits(bits),
        None => Descriptors::by_count(fds, d.number(tag::HAS_PIDFD)? != 0),
    };
    Ok(Status {
        version: d.int(tag::VERSION)?,
        shim_pid: d.int(tag::SHIM_PID)?,
        pid: d.int(tag::PID)?,
        start_ticks: d.int(tag::START_TICKS)?,
        started_unix_nanos: d.number(tag::STARTED)?,
        exit: decode_exit(d)?,
        stopping: d.number(tag::STOPPING)? != 0,
        descriptors,
        adopted: d.optional_number(tag::ADOPTED)?.is_some_and(|n| n != 0),
        refused: decode_errno(d)?,
    })
}

fn encode_errno(e: &mut Encoder, errno: Option<i32>) {
    if let Some(errno) = errno {
        e.number(tag::ERRNO, i64::from(errno));
    }
}

fn decode_errno(d: &Decoder<'_>) -> Result<Option<i32>, DecodeError> {
    d.optional(tag::ERRNO).map(|_| d.int(tag::ERRNO)).transpose()
}

fn decode_exit(d: &Decoder<'_>) -> Result<Option<ExitRecord>, DecodeError> {
    let Some(bytes) = d.optional(tag::EXIT) else {
        return Ok(None);
    };
    debug_assert_eq!(bytes.len(), exit_record::SIZE);
    ExitRecord::from_bytes(bytes).map_err(|_| DecodeError::Malformed(tag::EXIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_record::Outcome;

    const EXIT: ExitRecord = ExitRecord {
        outcome: Outcome::Signal { signal: 11, core_dumped: true },
        at_unix_nanos: 1,
        user_us: 2,
        system_us: 3,
        max_rss_bytes: 4,
        descendants_ended: 5,
        descendants_killed: 0,
        oom_kills: 0,
        closed: true,
    };

    #[test]
    fn every_command_comes_back() {
        for command in [
            Command::Launch,
            Command::Adopt,
            Command::Streams,
            Command::Attach,
            Command::Stop { signal: 15, grace_ms: 10_000, scope: Scope::Main },
            Command::Signal { signal: 9, scope: Scope::Tree },
            Command::Signal { signal: 1, scope: Scope::Main },
            Command::Write(b"in\0put".to_vec()),
            Command::CloseStdin,
            Command::Resize { rows: 24, cols: 80 },
            Command::Consumed(Position { segment: 3, offset: 99 }),
        ] {
            assert_eq!(Command::decode(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn every_event_comes_back() {
        let status = Status {
            version: FORMAT_VERSION,
            shim_pid: 1,
            pid: 2,
            start_ticks: 3,
            started_unix_nanos: 4,
            exit: Some(EXIT),
            stopping: true,
            descriptors: Descriptors::by_count(4, true),
            adopted: true,
            refused: Some(28),
        };
        for event in [
            Event::Launched(Status { exit: None, refused: None, ..status }),
            Event::LaunchFailed(LaunchFailure { step: Step::Exec, errno: 2, path: "/no/such".into() }),
            Event::Status(status),
            Event::JournalGrew,
            Event::JournalRefused(Some(30)),
            Event::JournalRefused(None),
            Event::Exited(EXIT),
            Event::Closed(EXIT),
            Event::StdinAccepted(7),
            Event::Refused("why".into()),
        ] {
            assert_eq!(Event::decode(&event.encode(), 0), Ok(event));
        }
    }
}
