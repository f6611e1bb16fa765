//! How a run ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::signal::Signal;
use crate::time::Timestamp;

/// How the main process of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It called exit with this status, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// Which one.
        signal: Signal,
        /// Whether the kernel wrote a core file.
        core_dumped: bool,
    },
    /// It is gone and nobody was there to read its status: shim and daemon were killed together, or the
    /// machine was reset.
    Unknown,
}

/// The end of a run: how, when, and what it had used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How it ended.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// CPU time in user mode, microseconds.
    pub user_us: u64,
    /// CPU time in the kernel, microseconds.
    pub system_us: u64,
    /// Largest resident set, bytes.
    pub max_rss_bytes: u64,
    /// What ended it, where the outcome does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What ended a run that did not end by itself and that nobody ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its tree used more memory than it may.
    Memory {
        /// What it may, bytes.
        limit: u64,
        /// What it used, bytes.
        used: u64,
    },
    /// The kernel killed it because its control group was at its limit of memory.
    OutOfMemory {
        /// The limit, bytes.
        limit: Option<u64>,
    },
    /// Nobody is known to have killed it, and the kernel killed processes of the machine for lack of memory at that time.
    MachineOutOfMemory {
        /// How many.
        kills: u64,
    },
    /// Its tree used more CPU than it may, for seconds.
    Cpu {
        /// What it may, percent of a core.
        limit: u32,
        /// What it used, percent of a core.
        used: u32,
    },
    /// Its tree had more processes and threads than it may.
    Processes {
        /// What it may.
        limit: u64,
        /// What it had.
        used: u64,
    },
}

impl Cause {
    /// What sort of cause it is, in words that are the same each time.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory { .. } | Self::OutOfMemory { limit: Some(_) } => "memory limit exceeded",
            Self::OutOfMemory { limit: None } => "out of memory, killed by the kernel",
            Self::MachineOutOfMemory { .. } => "probably out of memory, killed by the kernel",
            Self::Cpu { .. } => "CPU limit exceeded",
            Self::Processes { .. } => "process limit exceeded",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        match *self {
            Self::Memory { limit, used } => {
                write!(f, "memory limit exceeded: {:.1} MiB used, {:.1} MiB allowed", mib(used), mib(limit))
            }
            Self::OutOfMemory { limit: Some(limit) } => {
                write!(
                    f,
                    "memory limit exceeded: out of memory (OOM) at {:.1} MiB, killed by the kernel",
                    mib(limit)
                )
            }
            Self::OutOfMemory { limit: None } => write!(f, "out of memory (OOM): killed by the kernel"),
            Self::MachineOutOfMemory { kills } => {
                let processes = if kills == 1 { "process" } else { "processes" };
                write!(f, "probably out of memory (OOM): the kernel killed {kills} {processes} meanwhile")
            }
            Self::Cpu { limit, used } => {
                write!(f, "CPU limit exceeded: {used} % of a core used, {limit} % allowed")
            }
            Self::Processes { limit, used } => {
                write!(f, "process limit exceeded: {used} processes and threads, {limit} allowed")
            }
        }
    }
}

impl Exit {
    /// An end of which only the time it was noticed is known.
    #[must_use]
    pub fn unknown(at: Timestamp) -> Self {
        Self { outcome: Outcome::Unknown, at, user_us: 0, system_us: 0, max_rss_bytes: 0, cause: None }
    }

    /// With what ended it, as far as that can be told: what hostler ended it for, or signs of a lack of memory.
    #[must_use]
    pub fn explained(self, breach: Option<Cause>, group_oom_kills: u32, memory_limit: Option<u64>) -> Self {
        let beyond = memory_limit.filter(|limit| !self.is_success() && self.max_rss_bytes >= *limit);
        let cause = self.cause.or(breach).or_else(|| {
            if self.is_kill() && group_oom_kills > 0 {
                return Some(Cause::OutOfMemory { limit: memory_limit });
            }
            beyond.map(|limit| Cause::Memory { limit, used: self.max_rss_bytes })
        });
        Self { cause, ..self }
    }

    /// Whether something that nobody knows of killed it.
    #[must_use]
    pub fn is_unexplained_kill(&self) -> bool {
        self.cause.is_none() && self.is_kill()
    }

    /// With a lack of memory as the probable cause, when the kernel killed so many processes of the machine for it at that
    /// time and nothing else explains the end.
    #[must_use]
    pub fn suspected(self, kills: u64) -> Self {
        if kills == 0 || !self.is_unexplained_kill() {
            return self;
        }
        Self { cause: Some(Cause::MachineOutOfMemory { kills }), ..self }
    }

    fn is_kill(&self) -> bool {
        matches!(self.outcome, Outcome::Signal { signal: Signal::KILL, .. })
    }

    /// Whether the process ended as it should: with status 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.outcome == Outcome::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            Outcome::Code(code) => write!(f, "exit code {code}"),
            Outcome::Signal { signal, core_dumped: false } => write!(f, "ended by {signal}"),
            Outcome::Signal { signal, core_dumped: true } => write!(f, "ended by {signal}, core dumped"),
            Outcome::Unknown => write!(f, "ended while neither daemon nor shim was there to read its status"),
        }?;
        self.cause.map_or(Ok(()), |cause| write!(f, " ({cause})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed(max_rss_bytes: u64) -> Exit {
        let outcome = Outcome::Signal { signal: Signal::KILL, core_dumped: false };
        Exit { outcome, max_rss_bytes, ..Exit::unknown(Timestamp(0)) }
    }

    #[test]
    fn a_lack_of_memory_is_named_when_the_signs_are_there() {
        let limit = Some(64 << 20);
        assert_eq!(killed(1).explained(None, 0, limit).cause, None);
        assert_eq!(killed(1).explained(None, 0, None).cause, None);
        assert_eq!(killed(1).explained(None, 1, limit).cause, Some(Cause::OutOfMemory { limit }));
        let used = 65 << 20;
        let beyond = Some(Cause::Memory { limit: 64 << 20, used });
        assert_eq!(killed(used).explained(None, 0, limit).cause, beyond);
        let failed = Exit { outcome: Outcome::Code(1), ..killed(used) };
        assert_eq!(failed.explained(None, 0, limit).cause, beyond);
        let done = Exit { outcome: Outcome::Code(0), ..killed(used) };
        assert_eq!(done.explained(None, 0, limit).cause, None);
        let cpu = Some(Cause::Cpu { limit: 50, used: 99 });
        assert_eq!(killed(used).explained(cpu, 0, limit).cause, cpu, "what hostler knows comes first");
        assert_eq!(
            killed(used).explained(None, 0, limit).to_string(),
            "ended by SIGKILL (memory limit exceeded: 65.0 MiB used, 64.0 MiB allowed)"
        );
    }

    #[test]
    fn a_kill_that_nothing_explains_is_suspected_to_be_one_for_memory() {
        assert_eq!(killed(1).suspected(0), killed(1));
        assert_eq!(
            killed(1).suspected(2).to_string(),
            "ended by SIGKILL (probably out of memory (OOM): the kernel killed 2 processes meanwhile)"
        );
        let explained = killed(1).explained(Some(Cause::Cpu { limit: 1, used: 2 }), 0, None);
        assert_eq!(explained.suspected(1), explained);
        let terminated = Outcome::Signal { signal: Signal::TERM, core_dumped: false };
        for outcome in [Outcome::Code(137), Outcome::Unknown, terminated] {
            let exit = Exit { outcome, ..killed(1) };
            assert_eq!(exit.suspected(1), exit);
        }
    }
}
