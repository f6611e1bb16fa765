//! The daemon's side: read on from a position, while the shim writes or long after it is gone.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{
    FOLDER, Gap, HEADER, Kind, MAX_PAYLOAD, OPEN, Position, RECORD_HEADER, Stream, has_header, segment_path,
    segments,
};

/// How much is read at once, bytes; a longer record is read whole.
const CHUNK: usize = 256 * 1024;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: Kind,
    /// Which output; meaningless for other kinds.
    pub stream: Stream,
    /// Monotonic clock when it was read, nanoseconds.
    pub mono_ns: u64,
    /// Wall clock when it was read, nanoseconds since the epoch.
    pub wall_ns: i64,
    /// Its content.
    pub payload: &'a [u8],
}

/// Reads the journal of one run in order.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    position: Position,
    file: Option<File>,
    /// The segment begins as one does. Otherwise it was just made, or is damaged.
    has_header: bool,
    buffer: Vec<u8>,
    /// Offset in the segment of `buffer[0]`.
    buffer_at: u64,
    /// Where the record that was last found begins and ends in `buffer`.
    found: std::ops::Range<usize>,
    gap_payload: [u8; 17],
}

enum Scan {
    Found,
    End,
    Damaged,
}

impl Reader {
    /// Opens a run's journal at a position that this reader gave, or at the default, its beginning.
    ///
    /// # Errors
    /// When the run directory has no journal.
    pub fn open(run_dir: &Path, position: Position) -> io::Result<Self> {
        let folder = run_dir.join(FOLDER);
        segments(&folder)?;
        Ok(Self {
            folder,
            position,
            file: None,
            has_header: false,
            buffer: Vec::new(),
            buffer_at: 0,
            found: 0..0,
            gap_payload: [0; 17],
        })
    }

    /// The place after the last record that was given out.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next record; `None` when there is none yet. It can be called again later.
    ///
    /// # Errors
    /// When a file cannot be read, or a newer hostler wrote it.
    #[allow(clippy::should_implement_trait, reason = "a record borrows the reader, so it is no Iterator")]
    pub fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        loop {
            match self.scan()? {
                Scan::Found => return Ok(Some(self.take())),
                Scan::End | Scan::Damaged => {}
            }
            let Some(next) = self.next_segment()? else {
                return Ok(None);
            };
            // The writer closes a segment before it begins the next. So now that there is a next one, this
            // one is complete, but it may have grown since it was looked at.
            if let Scan::Found = self.scan()? {
                return Ok(Some(self.take()));
            }
            let lost = self.unread_bytes()?;
            self.enter(Position { segment: next, offset: HEADER });
            if lost > 0 {
                return Ok(Some(self.damage(lost)));
            }
        }
    }

    /// How many bytes behind the last record are no whole one. In the journal of a run that is over it is damage.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn unread(&mut self) -> io::Result<u64> {
        // Of an open record the header is none of what was lost.
        let header = if self.is_before_open_record()? { RECORD_HEADER as u64 } else { 0 };
        Ok(self.unread_bytes()?.saturating_sub(header))
    }

    fn is_before_open_record(&mut self) -> io::Result<bool> {
        if !self.has_header || self.fill(RECORD_HEADER)? < RECORD_HEADER {
            return Ok(false);
        }
        let at = self.at();
        let crc = u32::from_le_bytes(self.array(at + 4));
        Ok(self.buffer[at + 8] == OPEN && crc32fast::hash(&self.buffer[at + 8..at + RECORD_HEADER]) == crc)
    }

    /// The next record, but only of this segment.
    pub(super) fn next_in_segment(&mut self, segment: u64) -> io::Result<Option<Record<'_>>> {
        match self.scan()? {
            Scan::Found if self.position.segment == segment => Ok(Some(self.take())),
            _ => Ok(None),
        }
    }

    /// Finds the next whole record of the current segment.
    fn scan(&mut self) -> io::Result<Scan> {
        if !self.open_segment()? || !self.look_at_header()? {
            return Ok(Scan::End);
        }
        if self.fill(RECORD_HEADER)? < RECORD_HEADER {
            return Ok(self.torn());
        }
        let at = self.at();
        let length = u32::from_le_bytes(self.array(at));
        if length > MAX_PAYLOAD {
            return Ok(Scan::Damaged);
        }
        let total = RECORD_HEADER + length as usize;
        if self.fill(total)? < total {
            return Ok(self.torn());
        }
        let at = self.at();
        let crc = u32::from_le_bytes(self.array(at + 4));
        if crc32fast::hash(&self.buffer[at + 8..at + total]) != crc || !(1..=4).contains(&self.buffer[at + 8])
        {
            self.torn();
            return Ok(Scan::Damaged);
        }
        self.found = at..at + total;
        Ok(Scan::Found)
    }

    fn take(&mut self) -> Record<'_> {
        self.position.offset += self.found.len() as u64;
        let r = &self.buffer[self.found.clone()];
        let number = |at: usize| r[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        Record {
            kind: match r[8] {
                1 => Kind::Output,
                2 => Kind::Gap,
                3 => Kind::Exit,
                _ => Kind::Closed,
            },
            stream: if r[9] == Stream::Stderr as u8 { Stream::Stderr } else { Stream::Stdout },
            mono_ns: number(16),
            wall_ns: number(24) as i64,
            payload: &r[RECORD_HEADER..],
        }
    }

    /// A damaged rest of a segment, as the gap that it is.
    fn damage(&mut self, bytes: u64) -> Record<'_> {
        self.gap_payload = Gap { bytes, lines: 0, here: true }.to_bytes();
        Record { kind: Kind::Gap, stream: Stream::Stdout, mono_ns: 0, wall_ns: 0, payload: &self.gap_payload }
    }

    /// Opens the segment of the position, or the oldest after it; false when there is none.
    fn open_segment(&mut self) -> io::Result<bool> {
        if self.file.is_some() {
            return Ok(true);
        }
        let Some(number) = segments(&self.folder)?.into_iter().find(|n| *n >= self.position.segment) else {
            return Ok(false);
        };
        let file = match File::open(segment_path(&self.folder, number)) {
            Ok(file) => file,
            // Dropped by the writer between the two looks.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        if number != self.position.segment || self.position.offset < HEADER {
            self.position = Position { segment: number, offset: HEADER };
        }
        self.file = Some(file);
        Ok(true)
    }

    fn look_at_header(&mut self) -> io::Result<bool> {
        if let (false, Some(file)) = (self.has_header, &self.file) {
            self.has_header = has_header(file)?;
        }
        Ok(self.has_header)
    }

    fn next_segment(&self) -> io::Result<Option<u64>> {
        if self.file.is_none() {
            return Ok(None);
        }
        Ok(segments(&self.folder)?.into_iter().find(|n| *n > self.position.segment))
    }

    fn enter(&mut self, position: Position) {
        self.position = position;
        self.file = None;
        self.has_header = false;
        self.forget_buffer();
    }

    fn unread_bytes(&self) -> io::Result<u64> {
        let length = self.file.as_ref().map_or(Ok(0), |f| f.metadata().map(|m| m.len()))?;
        Ok(length.saturating_sub(self.position.offset))
    }

    /// Where the position is in the buffer.
    fn at(&self) -> usize {
        (self.position.offset - self.buffer_at) as usize
    }

    fn array(&self, at: usize) -> [u8; 4] {
        self.buffer[at..at + 4].try_into().unwrap_or_default()
    }

    /// What is torn now may be written anew and whole at the next look.
    fn torn(&mut self) -> Scan {
        self.forget_buffer();
        Scan::End
    }

    fn forget_buffer(&mut self) {
        self.buffer.clear();
        self.buffer_at = self.position.offset;
    }

    /// Makes `wanted` bytes from the position on available, if the file has them; answers how many there are.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        let end = self.buffer_at + self.buffer.len() as u64;
        if self.buffer.is_empty() || self.position.offset < self.buffer_at || self.position.offset > end {
            self.forget_buffer();
        }
        let have = self.buffer.len() - self.at();
        if have >= wanted {
            return Ok(have);
        }
        self.buffer.drain(..self.at());
        self.buffer_at = self.position.offset;
        let Some(file) = &self.file else { return Ok(0) };
        self.buffer.resize(wanted.max(CHUNK), 0);
        let mut filled = have;
        while filled < self.buffer.len() {
            match file.read_at(&mut self.buffer[filled..], self.buffer_at + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.buffer.truncate(filled);
        Ok(filled)
    }
}
