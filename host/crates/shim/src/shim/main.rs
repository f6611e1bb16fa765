//! `hostler-shim`: the parent of one supervised process.
//!
//! It waits on file descriptor 0 for a launch, starts the process, and then does four things until no process
//! of the tree is left: it moves output into the journal, it reaps, it obeys the control socket, and it ends
//! the tree when told to. It never depends on the daemon: that may come and go.
//!
//! One thread, no async runtime, no allocation on the way of the output: hundreds of these run at once.

mod ending;
mod output;
mod pages;
mod run;
mod spawn;
mod stdin;
mod sys;
mod tree;

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use hostler_shim::channel::Channel;
use hostler_shim::control::{Command, Event, MAX_PACKET};
use hostler_shim::launch::LaunchSpec;

use crate::pages::Pages;
use crate::run::Buffers;

fn main() -> ExitCode {
    sys::frugal_memory();
    let (Ok(channel), Ok(signals)) = (sys::detach(), sys::child_signals()) else {
        return ExitCode::from(70);
    };
    let Some(spec) = await_launch(&channel) else {
        return ExitCode::SUCCESS;
    };
    // Made before the start, so that a lack of memory cannot come in between.
    let (Ok(chunk), Ok(packet)) = (Pages::new(output::CHUNK), Pages::new(MAX_PACKET)) else {
        return ExitCode::from(71);
    };
    match spawn::launch(&spec) {
        Ok(child) => run::run(channel, signals, spec, child, Buffers { chunk, packet }),
        Err(failure) => {
            let _ = channel.send(&Event::LaunchFailed(failure).encode(), &[]);
        }
    }
    ExitCode::SUCCESS
}

/// Waits for the launch; `None` when the daemon went away without one.
fn await_launch(channel: &Channel) -> Option<LaunchSpec> {
    // A launch is short: what is longer is cut off, and so refused.
    let mut buffer = [0; 4096];
    loop {
        sys::wait_readable(channel);
        let mut fds = Vec::new();
        let length = match channel.recv(&mut buffer, &mut fds) {
            Ok(0) => return None,
            Ok(length) => length,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        };
        let answer = match (Command::decode(&buffer[..length]), fds.pop()) {
            (Ok(Command::Launch), Some(fd)) => match read_spec(fd) {
                Ok(spec) => return Some(spec),
                Err(reason) => reason,
            },
            (Ok(_), _) => "only a launch is possible before the launch".to_owned(),
            (Err(reason), _) => reason.to_string(),
        };
        channel.send(&Event::Refused(answer).encode(), &[]).ok()?;
    }
}

fn read_spec(fd: OwnedFd) -> Result<LaunchSpec, String> {
    let mut file = File::from(fd);
    // The offset is shared with whoever wrote the file, so it may be at its end.
    let _ = file.rewind();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| format!("launch request: {e}"))?;
    LaunchSpec::decode(&bytes).map_err(|e| format!("launch request: {e}"))
}
