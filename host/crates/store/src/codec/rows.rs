//! A chunk of lines: number of rows; times, each as the difference to the one before; streams and flags, each with how
//! often it is repeated; lengths; and the text, a line feed behind each line.

use std::ops::Range;

use super::numbers::{Numbers, put, put_signed};
use super::{Effort, damaged, pack, unpack};
use crate::error::StoreError;
use crate::rows::Rows;

/// Most rows of a chunk.
pub(crate) const MAX_ROWS: usize = 32_768;
/// A chunk ends with the row that reaches this, bytes of text.
pub(crate) const FULL: usize = 2 << 20;

/// Cuts rows into ranges that each make a chunk.
pub(crate) fn pieces(rows: &Rows) -> Vec<Range<usize>> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    while from < rows.len() {
        let begin = rows.start(from);
        let reaches = from + rows.ends[from..].partition_point(|end| end - begin < FULL);
        let to = (reaches + 1).min(from + MAX_ROWS).min(rows.len());
        pieces.push(from..to);
        from = to;
    }
    pieces
}

/// The blob of some of the rows.
pub(crate) fn encode(rows: &Rows, range: Range<usize>, effort: Effort) -> Vec<u8> {
    let text = &rows.text[rows.start(range.start)..rows.start(range.end)];
    let mut content = Vec::with_capacity(text.len() + range.len() * 3 + 32);
    put(&mut content, range.len() as u64);
    let mut before = 0_i64;
    for time in &rows.times[range.clone()] {
        put_signed(&mut content, time.wrapping_sub(before));
        before = *time;
    }
    for run in rows.marks[range.clone()].chunk_by(|a, b| a == b) {
        content.push(run[0]);
        put(&mut content, run.len() as u64);
    }
    let mut begin = rows.start(range.start);
    for end in &rows.ends[range] {
        put(&mut content, (end - begin) as u64);
        begin = end + 1;
    }
    content.extend_from_slice(text);
    pack(&content, effort)
}

/// The rows of a blob.
pub(crate) fn decode(blob: &[u8]) -> Result<Rows, StoreError> {
    let mut content = unpack(blob)?;
    let mut numbers = Numbers(&content);
    let count = numbers.take_count()?;
    let mut rows = Rows {
        times: Vec::with_capacity(count),
        marks: Vec::with_capacity(count),
        ends: Vec::with_capacity(count),
        text: Vec::new(),
    };
    let mut before = 0_i64;
    for _ in 0..count {
        before = before.wrapping_add(numbers.take_signed()?);
        rows.times.push(before);
    }
    while rows.marks.len() < count {
        let mark = numbers.take_bytes(1)?[0];
        let times = numbers.take()?;
        if times == 0 || times > (count - rows.marks.len()) as u64 {
            return Err(damaged("its marks are not as many as its rows"));
        }
        rows.marks.resize(rows.marks.len() + times as usize, mark);
    }
    let mut end = 0_usize;
    for _ in 0..count {
        let length = numbers.take()?;
        if length > content.len() as u64 {
            return Err(damaged("a row is longer than all of it"));
        }
        end += length as usize;
        rows.ends.push(end);
        end += 1;
    }
    if numbers.0.len() != end {
        return Err(damaged("its text has another length"));
    }
    // The text is the tail of the content: moved to its front, it need not be copied elsewhere.
    content.drain(..content.len() - end);
    rows.text = content;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use hostler_model::Timestamp;
    use hostler_model::lines::Stream;
    use proptest::prelude::*;

    use super::*;
    use crate::rows::RowFlags;

    fn any_rows() -> impl Strategy<Value = Rows> {
        let row = (any::<i64>(), any::<bool>(), 0..4_u8, prop::collection::vec(any::<u8>(), 0..80));
        prop::collection::vec(row, 0..60).prop_map(|list| {
            let mut rows = Rows::default();
            for (time, err, flags, raw) in list {
                let stream = if err { Stream::Stderr } else { Stream::Stdout };
                rows.push(Timestamp(time), stream, RowFlags(flags), &raw);
            }
            rows
        })
    }

    #[test]
    fn pieces_are_bounded_by_rows_and_by_bytes() {
        let mut rows = Rows::default();
        for _ in 0..MAX_ROWS + 1 {
            rows.push(Timestamp(0), Stream::Stdout, RowFlags::NONE, b"");
        }
        assert_eq!(pieces(&rows), [0..MAX_ROWS, MAX_ROWS..MAX_ROWS + 1]);
        let mut rows = Rows::default();
        for _ in 0..10 {
            rows.push(Timestamp(0), Stream::Stdout, RowFlags::NONE, &vec![b'x'; FULL / 2]);
        }
        assert_eq!(pieces(&rows), [0..2, 2..4, 4..6, 6..8, 8..10]);
        assert!(pieces(&Rows::default()).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in any_rows(), cut in 0..60_usize) {
            let cut = cut.min(rows.len());
            let mut read = Rows::default();
            for range in [0..cut, cut..rows.len()] {
                read.append(&decode(&encode(&rows, range, Effort::Quick)).unwrap());
            }
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn damage_is_an_error_and_no_panic(rows in any_rows(), at in any::<prop::sample::Index>(), by in 1..=255_u8, cut in any::<bool>()) {
            let mut blob = encode(&rows, 0..rows.len(), Effort::Quick);
            let at = at.index(blob.len());
            if cut {
                blob.truncate(at);
                prop_assert!(decode(&blob).is_err());
            } else {
                blob[at] ^= by;
                if let Ok(read) = decode(&blob) {
                    prop_assert!(read.iter().count() == read.len());
                }
            }
        }
    }
}
