//! A hermetic stage for end-to-end tests: a private home, a project, the real `hostler` binary, hand-written MCP
//! clients of both eras of the protocol, and a program that misbehaves on demand.
//!
//! Nothing here sleeps: every wait has a condition and a deadline. At the end of each test its [`Env`] ends
//! everything that it started and fails the test when a process is left.

mod bytes;
mod cli;
mod env;
mod mcp;
mod procs;
mod terminal;
mod tight;

use std::time::{Duration, Instant};

pub use bytes::{Bytes, Piece};
pub use cli::Output;
pub use env::Env;
pub use mcp::{Answer, Era, Mcp};
pub use procs::{adopt_orphans, alive, kill, reap};
pub use terminal::OnTerminal;
pub use tight::TightGroup;

/// The longest that anything here waits: generous, because tests share their machine.
pub const DEADLINE: Duration = Duration::from_secs(40);

/// Waits until a probe answers something.
///
/// # Panics
/// When the deadline passes.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Waits until a condition holds.
///
/// # Panics
/// When the deadline passes.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Lines `n 1`, `n 2`, …: none is lost, and none is there twice.
///
/// # Panics
/// When that is not so.
pub fn assert_numbered(lines: &[serde_json::Value], count: Option<usize>) {
    assert!(count.is_none_or(|count| count == lines.len()), "{} lines", lines.len());
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["message"], format!("n {}", at + 1), "{line}");
        assert_eq!(line["seq"], at as u64 + 1, "{line}");
    }
}

/// Makes each of these functions a test in the legacy and in the modern era of the protocol.
#[macro_export]
macro_rules! in_both_eras {
    ($($test:ident),+ $(,)?) => {
        mod legacy {
            $(#[test] fn $test() { super::$test($crate::Era::Legacy); })+
        }
        mod modern {
            $(#[test] fn $test() { super::$test($crate::Era::Modern); })+
        }
    };
}
