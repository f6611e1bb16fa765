//! `hostler-shim`: the parent of one supervised process.
//!
//! It waits on file descriptor 0 for a launch, starts the process, and then does four things until no process
//! of the tree is left: it moves output into the journal, it reaps, it obeys the control socket, and it ends
//! the tree when told to. It never depends on the daemon: that may come and go.
//!
//! One thread, no async runtime, no allocation on the way of the output: hundreds of these run at once.

mod adopt;
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

use hostler_shim::adopt::AdoptSpec;
use hostler_shim::channel::Channel;
use hostler_shim::control::{Command, Event, MAX_PACKET};
use hostler_shim::launch::LaunchSpec;

use crate::pages::Pages;
use crate::run::{Buffers, Run};

fn main() -> ExitCode {
    sys::frugal_memory();
    let (Ok(channel), Ok(signals)) = (sys::detach(), sys::child_signals()) else {
        return ExitCode::from(70);
    };
    let Some(order) = await_order(&channel) else {
        return ExitCode::SUCCESS;
    };
    // Made before the start, so that a lack of memory cannot come in between.
    let (Ok(chunk), Ok(packet)) = (Pages::new(output::CHUNK), Pages::new(MAX_PACKET)) else {
        return ExitCode::from(71);
    };
    let begun = match order {
        Order::Launch(spec, lock, streams) => spawn::launch(&spec, streams)
            .map(|child| (Run::launched(&spec, lock), child))
            .map_err(Event::LaunchFailed),
        Order::Adopt(spec, lock, fds) => {
            adopt::adopt(&spec, fds).map(|child| (Run::adopted(&spec, lock), child)).map_err(Event::Refused)
        }
    };
    match begun {
        Ok((run, child)) => run::run(channel, signals, run, child, Buffers { chunk, packet }),
        Err(event) => {
            let _ = channel.send(&event.encode(), &[]);
        }
    }
    ExitCode::SUCCESS
}

/// What a shim can be asked to do with its life; the locked file of the run comes along.
enum Order {
    Launch(LaunchSpec, OwnedFd, Vec<OwnedFd>),
    Adopt(AdoptSpec, OwnedFd, Vec<OwnedFd>),
}

/// Waits for the order; `None` when the daemon went away without one.
fn await_order(channel: &Channel) -> Option<Order> {
    // Orders are short: what is longer is cut off, and so refused.
    let mut buffer = [0; 4096];
    let mut streams = Vec::new();
    loop {
        sys::wait_readable(channel);
        let mut fds = Vec::new();
        let length = match channel.recv(&mut buffer, &mut fds) {
            Ok(0) => return None,
            Ok(length) => length,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        };
        let order = match Command::decode(&buffer[..length]) {
            Ok(Command::Streams) => {
                streams = fds;
                continue;
            }
            Ok(command) => understand(&command, fds, &mut streams),
            Err(error) => Err(error.to_string()),
        };
        match order {
            Ok(order) => return Some(order),
            Err(reason) => channel.send(&Event::Refused(reason).encode(), &[]).ok()?,
        }
    }
}

fn understand(command: &Command, mut fds: Vec<OwnedFd>, streams: &mut Vec<OwnedFd>) -> Result<Order, String> {
    match command {
        Command::Launch => {
            let spec = LaunchSpec::decode(&request(&mut fds)?).map_err(|e| format!("launch request: {e}"))?;
            Ok(Order::Launch(spec, lock(&mut fds)?, std::mem::take(streams)))
        }
        Command::Adopt => {
            let spec = AdoptSpec::decode(&request(&mut fds)?).map_err(|e| format!("adopt request: {e}"))?;
            let lock = lock(&mut fds)?;
            Ok(Order::Adopt(spec, lock, fds))
        }
        _ => Err("there is no process yet: launch or adopt one first".to_owned()),
    }
}

/// The locked file of the run, which came first.
fn lock(fds: &mut Vec<OwnedFd>) -> Result<OwnedFd, String> {
    if fds.is_empty() {
        Err("the request came without the lock of its run".to_owned())
    } else {
        Ok(fds.remove(0))
    }
}

/// The content of the file that came last.
fn request(fds: &mut Vec<OwnedFd>) -> Result<Vec<u8>, String> {
    let mut file = File::from(fds.pop().ok_or("the request came without its file")?);
    // The offset is shared with whoever wrote the file, so it may be at its end.
    let _ = file.rewind();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| format!("request: {e}"))?;
    Ok(bytes)
}
