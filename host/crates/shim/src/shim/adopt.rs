//! From a request to adopt to a process that is looked after.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use hostler_shim::adopt::AdoptSpec;
use hostler_shim::cgroup::Cgroup;
use hostler_shim::descriptors::Descriptor;
use hostler_shim::streams::other_side;

use crate::spawn::{Child, Streams};

/// The process, with what came along of it.
///
/// # Errors
/// When the descriptors are not those that the request names, or the terminal cannot be opened.
pub(crate) fn adopt(spec: &AdoptSpec, fds: Vec<OwnedFd>) -> Result<Child, String> {
    if fds.len() != spec.descriptors.count() {
        return Err(format!("{} descriptors for {}", fds.len(), spec.descriptors.count()));
    }
    let mut held: HashMap<u8, OwnedFd> = spec.descriptors.iter().map(|d| d as u8).zip(fds).collect();
    let mut take = |descriptor: Descriptor| held.remove(&(descriptor as u8));
    let pidfd = take(Descriptor::Main);
    let streams = match take(Descriptor::Terminal) {
        Some(master) => {
            let terminal = other_side(&master).map_err(|e| format!("terminal: {e}"))?;
            Streams::Pty { master, terminal }
        }
        None => Streams::Pipes {
            stdout: take(Descriptor::Stdout),
            stderr: take(Descriptor::Stderr),
            stdin: take(Descriptor::Stdin),
        },
    };
    Ok(Child {
        pid: spec.pid,
        pidfd,
        start_ticks: spec.start_ticks,
        started_unix_nanos: spec.started_unix_nanos,
        streams,
        cgroup: spec.cgroup.clone().map(Cgroup::at),
    })
}
