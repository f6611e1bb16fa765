//! Large buffers that cost memory only as far as they are used.
//!
//! The allocator would take them from its heap, which it clears, and keeps.
#![allow(unsafe_code, reason = "anonymous memory has no safe form")]

use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

/// Zeroed memory of a fixed length.
pub(crate) struct Pages {
    start: NonNull<u8>,
    length: usize,
}

impl Pages {
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        Self::map(length, MapFlags::PRIVATE)
    }

    /// Memory that a forked process has in common with this one.
    pub(crate) fn shared(length: usize) -> io::Result<Self> {
        Self::map(length, MapFlags::SHARED)
    }

    fn map(length: usize, flags: MapFlags) -> io::Result<Self> {
        // SAFETY: a new mapping that nobody else knows.
        let start = unsafe {
            mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, flags)?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// Gives the memory back to the kernel; what was in it is lost.
    pub(crate) fn release(&mut self) {
        // SAFETY: the mapping is this value's own; it reads as zeros afterwards.
        let _ = unsafe { madvise(self.start.as_ptr().cast(), self.length, Advice::LinuxDontNeed) };
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is this long, initialized by the kernel and lives as long as this value.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: likewise, and borrowed by nobody else.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: nobody can refer to the mapping any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}
