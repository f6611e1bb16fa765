//! Descriptors that tokio waits for.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use hostler_shim::channel::Channel;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A value that owns the descriptor that it shows, and neither closes nor replaces it before it is dropped.
pub(crate) trait OwnsItsFd: AsRawFd {}

impl OwnsItsFd for OwnedFd {}
impl OwnsItsFd for Channel {}

/// Waits, from now on, until the descriptor can be read.
///
/// # Errors
/// When the kernel cannot wait for it.
pub(crate) fn readable<T: OwnsItsFd>(owner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: the descriptor stays open and the same for as long as its owner lives, which the AsyncFd holds.
    #[allow(unsafe_code, reason = "tokio leaves it to the caller that the descriptor stays open")]
    let registered = unsafe { AsyncFd::register_with_interest(owner, Interest::READABLE) };
    Ok(registered?)
}
