//! The daemon: the composition root. `boot` wires everything in one place; `service` has one function per
//! operation of the API; the rest are the parts.

mod activity;
mod annotate;
mod backlog;
pub(crate) mod boot;
pub(crate) mod changes;
pub(crate) mod config;
mod degraded;
mod errors;
mod export;
#[cfg(test)]
pub(crate) mod for_tests;
mod groups;
mod health;
pub(crate) mod home;
mod ingest;
mod instance;
mod journals;
mod listening;
mod litter;
mod live;
mod logging;
pub(crate) mod metrics;
mod monitor;
pub(crate) mod plugins;
mod policy;
mod quota;
mod recorder;
pub(crate) mod registry;
mod rescue;
pub(crate) mod resolve;
pub(crate) mod service;
mod shim_program;
mod socket;
mod triggers;
pub(crate) mod trust;
mod upkeep;

pub(crate) use socket::reachable as socket_path;

use hostler_model::Timestamp;

/// Wall-clock time.
pub(crate) fn now() -> Timestamp {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    Timestamp(now.tv_sec * 1_000_000_000 + now.tv_nsec)
}

/// Lets the other threads of this machine go before this one, as `nice` counts.
fn yield_to_others(niceness: i32) {
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), niceness) {
        tracing::debug!(%error, "a thread in the background has the priority of all others");
    }
}

/// Checks the policy of a home; whether there is one.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_policy(home: &home::Home) -> Result<bool, String> {
    policy::Policy::load(home.policy()).map(|_| home.policy().exists())
}

/// Whether runs get control groups of their own here, in words.
pub(crate) fn control_groups() -> String {
    hostler_supervisor::cgroup::find().to_string()
}

/// Finds the program of a specification, as it would be started, if the policy allows it.
///
/// # Errors
/// What is missing or forbidden, and what to do about it.
pub(crate) fn resolve_program(
    home: &home::Home,
    project: &std::path::Path,
    spec: &hostler_model::ProcessSpec,
) -> Result<hostler_supervisor::Program, String> {
    resolve::resolve(home, project, spec).map_err(|error| error.0)
}
