//! The last segment of a writer that was killed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::writer::segment_header;
use super::{
    HEADER, Kind, MAX_PAYLOAD, OPEN, RECORD_HEADER, Stamp, Stream, checksum, has_header, record_header,
};

/// What stands at a place in a segment.
enum Found {
    /// A whole record of this length, header included.
    Whole(u64),
    /// An open record.
    Open(Stream, Stamp),
    /// The end, or the beginning of a record that was never finished.
    Nothing,
}

/// Closes an open record at the end, cuts off an unfinished one and mends a header that is none; answers the length of
/// the segment then.
pub(super) fn make_whole(file: &File, number: u64) -> io::Result<u64> {
    let length = file.metadata()?.len();
    if !has_header(file)? {
        file.write_all_at(&segment_header(number), 0)?;
    }
    if length < HEADER {
        return Ok(HEADER);
    }
    let mut at = HEADER;
    loop {
        match look(file, at)? {
            Found::Whole(bytes) => at += bytes,
            Found::Open(stream, stamp) => {
                at += close(file, at, length, stream, stamp)?;
                break;
            }
            Found::Nothing => break,
        }
    }
    file.set_len(at)?;
    Ok(at)
}

fn look(file: &File, at: u64) -> io::Result<Found> {
    let mut header = [0; RECORD_HEADER];
    if !read_whole(file, &mut header, at)? {
        return Ok(Found::Nothing);
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (length, crc) = (number(0), number(4));
    if length > MAX_PAYLOAD {
        return Ok(Found::Nothing);
    }
    let mut payload = vec![0; length as usize];
    if !read_whole(file, &mut payload, at + RECORD_HEADER as u64)? || checksum(&header, &payload) != crc {
        return Ok(Found::Nothing);
    }
    if header[8] != OPEN {
        return Ok(Found::Whole(RECORD_HEADER as u64 + u64::from(length)));
    }
    let long = |at: usize| header[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
    let stream = if header[9] == Stream::Stderr as u8 { Stream::Stderr } else { Stream::Stdout };
    Ok(Found::Open(stream, Stamp { mono_ns: long(16), wall_ns: long(24) as i64 }))
}

/// Gives an open record its final header; its length, 0 when nothing had been moved into it yet.
fn close(file: &File, at: u64, end: u64, stream: Stream, stamp: Stamp) -> io::Result<u64> {
    let begin = at + RECORD_HEADER as u64;
    let length = end.saturating_sub(begin).min(u64::from(MAX_PAYLOAD));
    if length == 0 {
        return Ok(0);
    }
    let mut payload = vec![0; length as usize];
    file.read_exact_at(&mut payload, begin)?;
    file.write_all_at(&record_header(Kind::Output, stream, stamp, &payload), at)?;
    Ok(RECORD_HEADER as u64 + length)
}

/// Fills the buffer; false when the file ends before.
fn read_whole(file: &File, buffer: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, at) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}
