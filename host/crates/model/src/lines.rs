//! From chunks of output to lines: bounded, lossless, resumable.
//!
//! The splitter's whole memory is a [`Carry`] per stream. It is stored in the same transaction as the lines
//! and the journal position, so a new daemon goes on in the middle of a line as if nothing had happened.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Which output of the process.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Stream {
    /// Standard output, or all output of a process on a pseudo terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Longest line kept in one piece, bytes. A longer one becomes several rows, marked as continued.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// The beginning of a line whose end has not come yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carry {
    /// The bytes so far.
    pub bytes: Vec<u8>,
    /// When the first of them came.
    pub since: Timestamp,
}

/// One line, without its line feed and without the carriage return before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Where it was written.
    pub stream: Stream,
    /// When its first byte came.
    pub time: Timestamp,
    /// Its bytes as written.
    pub raw: &'a [u8],
    /// The next line of this stream goes on with the same line, which is longer than [`MAX_LINE_BYTES`].
    pub continued: bool,
}

/// Splits two streams into lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Splitter {
    carries: [Carry; 2],
}

impl Splitter {
    /// Goes on where an earlier splitter stood.
    #[must_use]
    pub fn resume(stdout: Carry, stderr: Carry) -> Self {
        Self { carries: [stdout, stderr] }
    }

    /// What is held back of a stream: the line that has no end yet.
    #[must_use]
    pub fn carry(&self, stream: Stream) -> &Carry {
        &self.carries[stream as usize]
    }

    /// Takes a chunk and gives each line that ends in it to `emit`. A line that lies whole in the chunk is given
    /// as it lies there.
    pub fn push(
        &mut self,
        stream: Stream,
        time: Timestamp,
        mut chunk: &[u8],
        mut emit: impl FnMut(Line<'_>),
    ) {
        let carry = &mut self.carries[stream as usize];
        while !chunk.is_empty() {
            let newline = memchr::memchr(b'\n', chunk);
            let part = &chunk[..newline.unwrap_or(chunk.len())];
            if carry.bytes.is_empty() {
                carry.since = time;
                if newline.is_some_and(|at| at <= MAX_LINE_BYTES) {
                    emit(Line { stream, time, raw: without_return(part), continued: false });
                    chunk = &chunk[part.len() + 1..];
                    continue;
                }
            }
            let room = MAX_LINE_BYTES - carry.bytes.len();
            if part.len() > room {
                carry.bytes.extend_from_slice(&part[..room]);
                chunk = &chunk[room..];
                give(carry, stream, true, &mut emit);
                continue;
            }
            carry.bytes.extend_from_slice(part);
            let Some(at) = newline else { return };
            chunk = &chunk[at + 1..];
            give(carry, stream, false, &mut emit);
        }
    }

    /// Gives out what is held back, when no more of it will come.
    pub fn finish(&mut self, mut emit: impl FnMut(Line<'_>)) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let carry = &mut self.carries[stream as usize];
            if !carry.bytes.is_empty() {
                // Nothing came behind it, so a carriage return at its end is part of it.
                emit(Line { stream, time: carry.since, raw: &carry.bytes, continued: false });
                carry.bytes.clear();
            }
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn give(carry: &mut Carry, stream: Stream, continued: bool, emit: &mut impl FnMut(Line<'_>)) {
    let raw = if continued { &carry.bytes[..] } else { without_return(&carry.bytes) };
    emit(Line { stream, time: carry.since, raw, continued });
    carry.bytes.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line that was copied.
    struct Owned {
        raw: Vec<u8>,
        time: Timestamp,
        continued: bool,
    }

    fn owned(line: Line<'_>) -> Owned {
        Owned { raw: line.raw.to_vec(), time: line.time, continued: line.continued }
    }

    fn split(chunks: &[&[u8]]) -> Vec<Owned> {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        for (at, chunk) in chunks.iter().enumerate() {
            splitter.push(Stream::Stdout, Timestamp(at as i64), chunk, |l| lines.push(owned(l)));
        }
        splitter.finish(|l| lines.push(owned(l)));
        lines
    }

    #[test]
    fn a_line_has_the_time_of_its_first_byte() {
        let lines = split(&[b"a", b"b\nc\r\n", b"\nd"]);
        let got: Vec<_> = lines.iter().map(|l| (l.raw.as_slice(), l.time.0)).collect();
        assert_eq!(got, [(&b"ab"[..], 0), (b"c", 1), (b"", 2), (b"d", 2)]);
    }

    #[test]
    fn a_line_beyond_the_bound_comes_in_marked_pieces() {
        let long = vec![b'x'; MAX_LINE_BYTES * 2 + 10];
        let lines = split(&[&long, b"\nshort\n"]);
        let got: Vec<_> = lines.iter().map(|l| (l.raw.len(), l.continued)).collect();
        assert_eq!(got, [(MAX_LINE_BYTES, true), (MAX_LINE_BYTES, true), (10, false), (5, false)]);
    }

    proptest! {
        /// However the bytes are cut into chunks, and wherever a new splitter takes over, the lines are the same.
        #[test]
        fn chunking_and_resuming_change_nothing(
            bytes in prop::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b'\r')], 0..400),
            cuts in prop::collection::vec(0_usize..400, 0..12),
        ) {
            let whole: Vec<Vec<u8>> = split(&[&bytes]).into_iter().map(|l| l.raw).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let (mut splitter, mut lines, mut from) = (Splitter::default(), Vec::new(), 0);
            for to in cuts.into_iter().chain([bytes.len()]) {
                splitter.push(Stream::Stdout, Timestamp(0), &bytes[from..to], |l| lines.push(l.raw.to_vec()));
                splitter = Splitter::resume(splitter.carry(Stream::Stdout).clone(), splitter.carry(Stream::Stderr).clone());
                from = to;
            }
            splitter.finish(|l| lines.push(l.raw.to_vec()));
            prop_assert_eq!(lines, whole);
        }
    }
}
