//! The shim's side: append, rotate, forget.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

use super::{FOLDER, HEADER, Kind, MAGIC, Position, Reader, Stream, record_header, segment_path};
use crate::FORMAT_VERSION;
use crate::journal::Gap;

/// Appends to the journal of one run. There is one writer at a time.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    segment_bytes: u64,
    file: File,
    number: u64,
    length: u64,
    /// Closed segments that still exist: number and length, oldest first.
    closed: Vec<(u64, u64)>,
}

impl Writer {
    /// Begins the journal of a run in its directory.
    ///
    /// # Errors
    /// When the folder or the first segment cannot be made.
    pub fn create(run_dir: &Path, segment_bytes: u64) -> io::Result<Self> {
        let folder = run_dir.join(FOLDER);
        match std::fs::create_dir(&folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let number = super::segments(&folder)?.last().map_or(1, |n| n + 1);
        let file = begin_segment(&folder, number)?;
        Ok(Self { folder, segment_bytes, file, number, length: HEADER, closed: Vec::new() })
    }

    /// Appends one record; either whole or, after an error, not at all.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn append(&mut self, kind: Kind, stream: Stream, payload: &[u8]) -> io::Result<()> {
        if self.length >= self.segment_bytes.max(HEADER + 1) {
            self.rotate()?;
        }
        let mono = clock_gettime(ClockId::Monotonic);
        let mono_ns = mono.tv_sec as u64 * 1_000_000_000 + mono.tv_nsec as u64;
        let header = record_header(kind, stream, mono_ns, unix_nanos(), payload);
        let total = header.len() + payload.len();
        let parts = [IoSlice::new(&header), IoSlice::new(payload)];
        match rustix::io::pwritev(&self.file, &parts, self.length) {
            Ok(written) if written == total => {}
            // A short write means that the disk is full: the rest is tried once, to learn the reason.
            Ok(written) => {
                let rest = [&header[..], payload].concat();
                if let Err(error) = self.file.write_all_at(&rest[written..], self.length + written as u64) {
                    return Err(self.undo(error));
                }
            }
            Err(error) => return Err(self.undo(error.into())),
        }
        self.length += total as u64;
        Ok(())
    }

    /// Cuts off what a failed write left behind.
    fn undo(&self, error: io::Error) -> io::Error {
        // If even this fails the reader stops at the torn record, and the next append writes over it.
        let _ = self.file.set_len(self.length);
        error
    }

    fn rotate(&mut self) -> io::Result<()> {
        let file = begin_segment(&self.folder, self.number + 1)?;
        self.closed.push((self.number, self.length));
        self.file = file;
        self.number += 1;
        self.length = HEADER;
        Ok(())
    }

    /// The place after the last record.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { segment: self.number, offset: self.length }
    }

    /// Length of all segments together, bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.length + self.closed.iter().map(|(_, length)| length).sum::<u64>()
    }

    /// Deletes the segments before this one, which are stored elsewhere.
    pub fn remove_before(&mut self, segment: u64) {
        self.closed.retain(|(number, _)| {
            let keep = *number >= segment;
            if !keep {
                let _ = std::fs::remove_file(segment_path(&self.folder, *number));
            }
            keep
        });
    }

    /// Deletes the oldest segment and counts the output that was in it, from `consumed` on; `None` when
    /// only the current segment is left.
    pub fn drop_oldest(&mut self, consumed: Position) -> Option<Gap> {
        if self.closed.is_empty() {
            return None;
        }
        let (number, _) = self.closed.remove(0);
        let gap = self.count_output(number, consumed);
        let _ = std::fs::remove_file(segment_path(&self.folder, number));
        Some(gap)
    }

    fn count_output(&self, number: u64, consumed: Position) -> Gap {
        let from = Position { segment: number, offset: 0 }.max(consumed);
        let mut gap = Gap::default();
        let Some(run_dir) = self.folder.parent() else {
            return gap;
        };
        let Ok(mut reader) = Reader::open(run_dir, from) else {
            return gap;
        };
        while let Ok(Some(record)) = reader.next_in_segment(number) {
            match record.kind {
                Kind::Output => gap.add(record.payload),
                Kind::Gap => {
                    let earlier = Gap::from_bytes(record.payload);
                    gap.bytes += earlier.bytes;
                    gap.lines += earlier.lines;
                }
                Kind::Exit | Kind::Closed => {}
            }
        }
        gap
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Wall-clock time, nanoseconds since the epoch.
#[must_use]
pub(crate) fn unix_nanos() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn begin_segment(folder: &Path, number: u64) -> io::Result<File> {
    let path = segment_path(folder, number);
    let file = File::options().create_new(true).write(true).open(&path)?;
    let mut header = [0_u8; HEADER as usize];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&number.to_le_bytes());
    if let Err(error) = file.write_all_at(&header, 0) {
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    Ok(file)
}
