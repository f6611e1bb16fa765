//! Supervision: one actor per process, which holds its lifecycle and is the only one to talk to its shim.
//!
//! The crate knows nothing of databases, clients or policy: what it needs of them it asks its [`Host`].

pub mod actor;
pub mod adopt;
pub mod cgroup;
pub mod group_limits;
pub mod handle;
pub mod host;
mod notify;
mod orphan;
pub mod proc;
mod run_lock;
mod shim_client;
pub mod shim_pool;
mod sock_diag;
mod wait_fd;

pub use handle::{ProcessHandle, Snapshot, Written};
pub use host::{Host, LaunchError, Program, RunKey};
pub use shim_pool::ShimPool;
