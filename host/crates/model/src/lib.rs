//! The pure heart of hostler: what a process is, which states it can be in, and what to do next.
//!
//! Nothing in this crate does I/O, reads a clock or draws a random number: time and jitter are arguments.
//! That is what lets every policy be tested over thousands of random histories in milliseconds.

pub mod bucket;
pub mod chain;
pub mod dotenv;
pub mod errors;
pub mod event;
pub mod exit;
pub mod groups;
pub mod health;
pub mod ids;
pub mod keys;
pub mod lifecycle;
pub mod limits;
pub mod lines;
pub mod nearest;
pub mod oom;
pub mod programs;
pub mod restart;
pub mod schedule;
pub mod signal;
pub mod spec;
pub mod templates;
pub mod text;
pub mod time;
pub mod usage;
pub mod visible;
pub mod watch;
pub mod words;

pub use event::{Event, Severity};
pub use exit::{Cause, Exit, Outcome};
pub use groups::{Condition, Group, GroupRun, InvalidGroup, StopStrategy};
pub use ids::{ErrorId, Generation, InvalidName, Pid, ProcessId, ProcessName, RunNo};
pub use lifecycle::{Desired, Lifecycle, State};
pub use lines::Stream;
pub use restart::RestartPolicy;
pub use schedule::Schedule;
pub use signal::Signal;
pub use spec::ProcessSpec;
pub use time::Timestamp;
pub use watch::WatchSpec;
