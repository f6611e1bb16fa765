//! Lines in columns: as ingest gathers them, and as a chunk holds them.

use hostler_model::Timestamp;
use hostler_model::lines::Stream;

use crate::codec;
use crate::error::StoreError;

/// What is special about a row: a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RowFlags(pub u8);

impl RowFlags {
    /// An ordinary, whole line.
    pub const NONE: Self = Self(0);
    /// The line goes on in the next row of its stream.
    pub const CONTINUED: Self = Self(1);
    /// No output but a marker: something is missing here, and the row's bytes say what.
    pub const GAP: Self = Self(2);

    /// Whether the line goes on in the next row of its stream.
    #[must_use]
    pub fn is_continued(self) -> bool {
        self.0 & Self::CONTINUED.0 != 0
    }

    /// Whether the row marks a gap.
    #[must_use]
    pub fn is_gap(self) -> bool {
        self.0 & Self::GAP.0 != 0
    }
}

/// One row among [`Rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRef<'a> {
    /// When its first byte came.
    pub time: Timestamp,
    /// Where it was written.
    pub stream: Stream,
    /// What is special about it.
    pub flags: RowFlags,
    /// Its bytes, without the line end.
    pub raw: &'a [u8],
}

/// Rows in columns, their text in one piece: adding one allocates nothing of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    pub(crate) times: Vec<i64>,
    /// Bit 0: standard error; the bits above: the flags.
    pub(crate) marks: Vec<u8>,
    /// Where the line feed behind each row stands in `text`.
    pub(crate) ends: Vec<usize>,
    /// The bytes of all rows, a line feed behind each.
    pub(crate) text: Vec<u8>,
}

impl Rows {
    /// The lines that stand in `log_data`, for whoever looks into a database from outside.
    ///
    /// # Errors
    /// When these bytes are not what this build writes there.
    pub fn decode(data: &[u8]) -> Result<Self, StoreError> {
        codec::rows::decode(data)
    }

    /// Adds a row.
    pub fn push(&mut self, time: Timestamp, stream: Stream, flags: RowFlags, raw: &[u8]) {
        self.times.push(time.0);
        self.marks.push(mark(stream, flags));
        self.text.extend_from_slice(raw);
        self.ends.push(self.text.len());
        self.text.push(b'\n');
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One of them.
    ///
    /// # Panics
    /// When there are not so many.
    #[must_use]
    pub fn get(&self, at: usize) -> RowRef<'_> {
        RowRef {
            time: Timestamp(self.times[at]),
            stream: stream_of(self.marks[at]),
            flags: RowFlags(self.marks[at] >> 1),
            raw: &self.text[self.start(at)..self.ends[at]],
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = RowRef<'_>> + ExactSizeIterator {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Where a row begins in the text.
    pub(crate) fn start(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.ends[at - 1] + 1 }
    }

    /// Keeps the first rows, and gives the others.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let start = self.start(at);
        let mut rest = Self {
            times: self.times.split_off(at),
            marks: self.marks.split_off(at),
            ends: self.ends.split_off(at),
            text: self.text.split_off(start),
        };
        rest.ends.iter_mut().for_each(|end| *end -= start);
        rest
    }

    /// Adds all rows of another.
    pub(crate) fn append(&mut self, other: &Self) {
        let base = self.text.len();
        self.times.extend_from_slice(&other.times);
        self.marks.extend_from_slice(&other.marks);
        self.ends.extend(other.ends.iter().map(|end| base + end));
        self.text.extend_from_slice(&other.text);
    }
}

pub(crate) fn mark(stream: Stream, flags: RowFlags) -> u8 {
    stream as u8 | flags.0 << 1
}

pub(crate) fn stream_of(mark: u8) -> Stream {
    if mark & 1 == 0 { Stream::Stdout } else { Stream::Stderr }
}
