//! What a compilation leaves behind in the heap.

/// Gives back what was freed: compiling takes tens of MiB for a moment, of which the allocator would keep most for ever.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "only the C library can give back what it holds")]
    // SAFETY: a plain call, which any thread may make at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
