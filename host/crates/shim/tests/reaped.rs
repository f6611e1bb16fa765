//! A process whose shim was killed and which somebody else has reaped before another shim came: only the kernel still
//! knows how it ended. A program of its own, for it makes itself the one who reaps orphans.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[allow(dead_code, reason = "shared with the other tests of shims")]
mod common;

use hostler_shim::exit_record::Outcome;
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

use crate::common::{Shim, signal};

/// Linux 6.15, where `PIDFD_GET_INFO` began to tell of the exit.
fn kernel_knows() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

#[test]
fn the_kernel_tells_how_it_ended() {
    set_child_subreaper(Some(getpid())).unwrap();
    for (script, outcome) in [
        ("read go; exit 42", Outcome::Code(42)),
        ("read go; kill -TERM $$", Outcome::Signal { signal: libc::SIGTERM, core_dumped: false }),
    ] {
        let (mut shim, status) = Shim::run(script);
        signal(shim.pid(), libc::SIGKILL);
        shim.gone();
        rustix::io::write(&shim.fds[3], b"\n").unwrap();
        let reaped = waitpid(Pid::from_raw(status.pid), WaitOptions::empty()).unwrap();
        assert!(reaped.is_some(), "it is ours now");
        shim.take_over(&status);
        let expected = if kernel_knows() { outcome } else { Outcome::Unknown };
        assert_eq!(shim.closed().outcome, expected);
    }
}
