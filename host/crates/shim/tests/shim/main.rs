//! The shim as a whole: the real binary, real processes, real signals.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests are tests; a skip must be seen"
)]

#[path = "../common/mod.rs"]
mod common;

mod adopt;
mod attach;
mod cgroup;
mod disk;
mod ending;
mod input;
mod launch;
mod output;
