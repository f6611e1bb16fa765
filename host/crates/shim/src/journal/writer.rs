//! The shim's side: append, rotate, forget.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};
use rustix::time::{ClockId, clock_gettime};

use super::{
    FOLDER, HEADER, Kind, MAGIC, Position, RECORD_HEADER, Reader, Stamp, Stream, open_header, record_header,
    recover, segment_path,
};
use crate::FORMAT_VERSION;
use crate::journal::Gap;

/// What became of an attempt to move output from a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// So many bytes were moved.
    Bytes(usize),
    /// There is nothing in the pipe now.
    Nothing,
    /// Nobody has the pipe open for writing any more.
    End,
    /// This is no pipe, or the file system cannot take from one.
    Impossible,
}

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
    /// A record that has its payload but not its final header yet.
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    stream: Stream,
    stamp: Stamp,
    length: usize,
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
        Ok(Self { folder, segment_bytes, file, number, length: HEADER, closed: Vec::new(), open: None })
    }

    /// Goes on with the journal of a writer that was killed: what it had moved from a pipe without having closed
    /// the record is kept, what it had only begun to write is cut off.
    ///
    /// # Errors
    /// When the folder or a segment cannot be read or written, or a newer hostler wrote it.
    pub fn resume(run_dir: &Path, segment_bytes: u64) -> io::Result<Self> {
        let folder = run_dir.join(FOLDER);
        let numbers = match super::segments(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            numbers => numbers?,
        };
        let Some((&number, earlier)) = numbers.split_last() else {
            return Self::create(run_dir, segment_bytes);
        };
        let length_of = |n: u64| std::fs::metadata(segment_path(&folder, n)).map_or(0, |m| m.len());
        let closed = earlier.iter().map(|n| (*n, length_of(*n))).collect();
        let file = File::options().read(true).write(true).open(segment_path(&folder, number))?;
        let length = recover::make_whole(&file, number)?;
        Ok(Self { folder, segment_bytes, file, number, length, closed, open: None })
    }

    /// Appends one record; either whole or, after an error, not at all.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn append(&mut self, kind: Kind, stream: Stream, payload: &[u8]) -> io::Result<()> {
        self.prepare()?;
        let header = record_header(kind, stream, Stamp::now(), payload);
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

    /// Moves what is in a pipe into a record, as much as fits `buffer`, whose content is then that of the record.
    ///
    /// The kernel moves it from one to the other. So whenever this process is killed each byte is in the pipe or
    /// in the journal: never lost, never in both. Until its final header is written the record is open, and
    /// [`Self::resume`] closes it.
    ///
    /// # Errors
    /// When the disk is full or fails: what was not moved is still in the pipe.
    pub fn append_from(
        &mut self,
        pipe: BorrowedFd<'_>,
        stream: Stream,
        buffer: &mut [u8],
    ) -> io::Result<Moved> {
        self.prepare()?;
        let stamp = Stamp::now();
        if let Err(error) = self.file.write_all_at(&open_header(stream, stamp), self.length) {
            return Err(self.undo(error));
        }
        let mut to = self.length + RECORD_HEADER as u64;
        let moved = splice(pipe, None, &self.file, Some(&mut to), buffer.len(), SpliceFlags::NONBLOCK);
        let length = match moved {
            Ok(0) => return Ok(self.moved_nothing(Moved::End)),
            Ok(length) => length,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(self.moved_nothing(Moved::Nothing)),
            Err(Errno::INVAL | Errno::NOSYS) => return Ok(self.moved_nothing(Moved::Impossible)),
            Err(error) => return Err(self.undo(error.into())),
        };
        self.open = Some(Open { stream, stamp, length });
        self.close_record(buffer)?;
        Ok(Moved::Bytes(length))
    }

    fn moved_nothing(&self, why: Moved) -> Moved {
        let _ = self.file.set_len(self.length);
        why
    }

    /// Writes the final header of the open record, if there is one.
    fn close_record(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Some(Open { stream, stamp, length }) = self.open else { return Ok(()) };
        let payload = &mut buffer[..length];
        self.file.read_exact_at(payload, self.length + RECORD_HEADER as u64)?;
        let header = record_header(Kind::Output, stream, stamp, payload);
        self.file.write_all_at(&header, self.length)?;
        self.length += (RECORD_HEADER + length) as u64;
        self.open = None;
        Ok(())
    }

    /// Makes the end of the journal a place for the next record.
    fn prepare(&mut self) -> io::Result<()> {
        if let Some(open) = self.open {
            // Only after the disk refused a header: the buffer of that time is gone.
            self.close_record(&mut vec![0; open.length])?;
        }
        if self.length >= self.segment_bytes.max(HEADER + 1) {
            self.rotate()?;
        }
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
        if reader.position().segment == number {
            // Damage.
            gap.bytes += reader.unread().unwrap_or(0);
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

impl Stamp {
    fn now() -> Self {
        let mono = clock_gettime(ClockId::Monotonic);
        let wall = clock_gettime(ClockId::Realtime);
        Self {
            mono_ns: mono.tv_sec as u64 * 1_000_000_000 + mono.tv_nsec as u64,
            wall_ns: wall.tv_sec * 1_000_000_000 + wall.tv_nsec,
        }
    }
}

fn begin_segment(folder: &Path, number: u64) -> io::Result<File> {
    let path = segment_path(folder, number);
    let file = File::options().create_new(true).read(true).write(true).open(&path)?;
    if let Err(error) = file.write_all_at(&segment_header(number), 0) {
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    Ok(file)
}

pub(super) fn segment_header(number: u64) -> [u8; HEADER as usize] {
    let mut header = [0_u8; HEADER as usize];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&number.to_le_bytes());
    header
}
