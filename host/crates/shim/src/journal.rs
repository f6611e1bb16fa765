//! The journal of one run: what it wrote, in the order in which it was read.
//!
//! Segments `journal/0000000000000001.seg`, … in the run directory, each a header and records:
//!
//! ```text
//! header   magic "HOSTLERJ"  u16 version  u16 0  u32 0  u64 segment number                        (24 bytes)
//! record   u32 payload length  u32 crc32 of all that follows
//!          u8 kind  u8 stream  u16 0  u32 0  u64 monotonic ns  i64 wall clock ns  payload          (32 + n)
//! ```
//!
//! All numbers are little endian. A segment is only ever appended to. A record that is cut off or whose
//! checksum does not match is the end of what has been written so far, or, in a segment that has a
//! successor, damage that the reader reports as a gap; so is a segment that does not begin with the magic. One of a newer
//! version is refused.
//!
//! Output comes from a pipe by `splice`, which needs a place in the file: so the record begins with an *open*
//! header, of kind 5, length 0 and a checksum of its own. Its payload goes as far as the file does. Readers stop before it;
//! the writer puts the final header in its place, or, when it was killed meanwhile, its successor does.

mod reader;
mod recover;
mod writer;

pub use reader::{Reader, Record};
pub use writer::{Moved, Writer};

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Name of the journal's folder in the run directory.
pub const FOLDER: &str = "journal";

const MAGIC: &[u8; 8] = b"HOSTLERJ";
const HEADER: u64 = 24;
const RECORD_HEADER: usize = 32;
/// Longest payload that a reader believes, bytes.
const MAX_PAYLOAD: u32 = 1 << 20;

/// A place in the journal. The default is its very beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Number of the segment; 0 stands for the oldest there is.
    pub segment: u64,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes that the process wrote.
    Output,
    /// Output that was lost; the payload is a [`Gap`].
    Gap,
    /// The main process ended; the payload is an `ExitRecord`.
    Exit,
    /// The end: no process of the tree is left.
    Closed,
}

/// Which output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the pseudo terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Output that could not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gap {
    /// How many bytes.
    pub bytes: u64,
    /// How many line feeds were among them.
    pub lines: u64,
    /// It is missing at this very place, perhaps in the middle of a line: not only what was dropped from the beginning
    /// of the journal. A shim of the first version does not say so.
    pub here: bool,
}

impl Gap {
    /// As a payload.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 17] {
        let mut b = [0; 17];
        b[..8].copy_from_slice(&self.bytes.to_le_bytes());
        b[8..16].copy_from_slice(&self.lines.to_le_bytes());
        b[16] = u8::from(self.here);
        b
    }

    /// From a payload; nothing lost when it is not one.
    #[must_use]
    pub fn from_bytes(b: &[u8]) -> Self {
        let number =
            |at: usize| b.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        Self { bytes: number(0), lines: number(8), here: b.get(16) == Some(&1) }
    }

    /// Counts more that was lost.
    pub fn add(&mut self, lost: &[u8]) {
        self.bytes += lost.len() as u64;
        self.lines += lost.iter().filter(|b| **b == b'\n').count() as u64;
    }
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}.seg"))
}

/// The numbers of the segments in a folder, in order.
fn segments(folder: &Path) -> std::io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".seg")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Whether a segment begins as one does: one that was just made, or is damaged, does not.
///
/// # Errors
/// When it cannot be read, or a newer hostler wrote it.
fn has_header(file: &File) -> io::Result<bool> {
    let mut header = [0; HEADER as usize];
    match file.read_exact_at(&mut header, 0) {
        Ok(()) if header.starts_with(MAGIC) => {}
        Ok(()) => return Ok(false),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(e) => return Err(e),
    }
    crate::refuse_newer("journal", u16::from_le_bytes([header[8], header[9]]))?;
    Ok(true)
}

/// When a record was read.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    mono_ns: u64,
    wall_ns: i64,
}

/// The byte that marks an open record; kinds have theirs below it.
const OPEN: u8 = 5;

fn record_header(kind: Kind, stream: Stream, stamp: Stamp, payload: &[u8]) -> [u8; RECORD_HEADER] {
    header(kind as u8 + 1, stream, stamp, payload)
}

fn open_header(stream: Stream, stamp: Stamp) -> [u8; RECORD_HEADER] {
    header(OPEN, stream, stamp, &[])
}

fn header(kind: u8, stream: Stream, stamp: Stamp, payload: &[u8]) -> [u8; RECORD_HEADER] {
    let mut h = [0_u8; RECORD_HEADER];
    h[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    h[8] = kind;
    h[9] = stream as u8;
    h[16..24].copy_from_slice(&stamp.mono_ns.to_le_bytes());
    h[24..32].copy_from_slice(&stamp.wall_ns.to_le_bytes());
    let crc = checksum(&h, payload);
    h[4..8].copy_from_slice(&crc.to_le_bytes());
    h
}

fn checksum(header: &[u8; RECORD_HEADER], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[8..]);
    crc.update(payload);
    crc.finalize()
}

#[cfg(test)]
mod tests;
