//! Lines of a run that follow each other, in columns: how whoever looks at all lines reads them, chunk by chunk.

use std::ops::RangeInclusive;

use rusqlite::{Connection, params};

use crate::chunks::{self, Candidate};
use crate::error::StoreError;
use crate::rows::{RowRef, Rows};
use crate::runs::RunKey;
use crate::sql;
use crate::store::Store;

/// Lines of a run that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretch {
    first_seq: u64,
    rows: Rows,
}

impl Stretch {
    /// Rows, the first of which has this number.
    #[must_use]
    pub fn new(first_seq: u64, rows: Rows) -> Self {
        Self { first_seq, rows }
    }

    /// The number of the line behind the last one.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first_seq + self.rows.len() as u64
    }

    /// How many lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What their text takes, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.text.len()
    }

    /// The line of a number, if it is one of them.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<RowRef<'_>> {
        let at = usize::try_from(seq.checked_sub(self.first_seq)?).ok()?;
        (at < self.rows.len()).then(|| self.rows.get(at))
    }

    /// Those of these numbers, in order.
    pub fn range(&self, seqs: RangeInclusive<u64>) -> impl DoubleEndedIterator<Item = RowRef<'_>> {
        let at = |seq: u64| (seq.saturating_sub(self.first_seq) as usize).min(self.rows.len());
        (at(*seqs.start())..at(seqs.end().saturating_add(1))).map(|at| self.rows.get(at))
    }

    /// All of them with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u64, RowRef<'_>)> {
        (self.first_seq..).zip(self.rows.iter())
    }

    /// Takes the first lines off: so many, and no further one beyond so many bytes, but at least one.
    #[must_use]
    pub fn take(&mut self, lines: usize, bytes: usize) -> Self {
        let fitting = self.rows.ends.partition_point(|end| *end < bytes);
        let rest = self.rows.split_off(fitting.clamp(1, lines.max(1)).min(self.rows.len()));
        let taken = Self { first_seq: self.first_seq, rows: std::mem::replace(&mut self.rows, rest) };
        self.first_seq = taken.end();
        taken
    }

    /// Adds lines. Where some between were removed meanwhile, those before are let go.
    pub fn extend(&mut self, more: Self) {
        if more.is_empty() {
            return;
        }
        if more.first_seq == self.end() {
            self.rows.append(&more.rows);
        } else {
            *self = more;
        }
    }

    /// Lets go of the lines before this one.
    pub fn forget_before(&mut self, seq: u64) {
        let gone = (seq.saturating_sub(self.first_seq) as usize).min(self.rows.len());
        self.rows = self.rows.split_off(gone);
        self.first_seq += gone as u64;
    }
}

impl Store {
    /// The lines of a run from this one on, as many as stand together, and whether there are more behind them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn stretch(&self, run: RunKey, from: u64) -> Result<(Stretch, bool), StoreError> {
        self.read(move |conn| read(conn, run, sql::int(from))).await
    }
}

fn read(conn: &Connection, run: RunKey, from: i64) -> Result<(Stretch, bool), StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT first_seq, last_seq, id FROM log_chunks WHERE run_id = ?1 AND first_seq >= ?2 AND last_seq >= ?3
             ORDER BY first_seq LIMIT 2",
        )?
        .query_map(params![run.0, chunks::chunk_start(conn, run, from)?, from], chunks::candidate)?
        .collect::<Result<Vec<Candidate>, _>>()?;
    let Some(chunk) = found.first() else { return Ok((Stretch::default(), false)) };
    let mut stretch = Stretch { first_seq: sql::uint(chunk.first_seq), rows: chunks::load(conn, chunk)? };
    stretch.forget_before(sql::uint(from));
    Ok((stretch, found.len() > 1))
}

#[cfg(test)]
mod tests {
    use hostler_model::lines::Stream;

    use super::*;
    use crate::testing::{Fixture, batch, row};

    fn seqs(stretch: &Stretch) -> Vec<u64> {
        stretch.iter().map(|(seq, _)| seq).collect()
    }

    #[tokio::test]
    async fn chunk_after_chunk_all_lines_are_read_once() {
        let f = Fixture::new();
        let run = f.run(f.process("web").await, 1).await;
        for offset in 1..=3 {
            let rows = (0..4).map(|n| row(n, Stream::Stdout, b"line")).collect();
            f.store.commit_ingest(vec![batch(run, offset, rows)]).await.unwrap();
        }
        let (mut all, mut from) = (Vec::new(), 3);
        loop {
            let (stretch, more) = f.store.stretch(run, from).await.unwrap();
            all.extend(seqs(&stretch));
            from = stretch.end();
            if !more {
                break;
            }
        }
        assert_eq!(all, (3..=12).collect::<Vec<_>>());
        assert_eq!(f.store.stretch(run, 13).await.unwrap(), (Stretch::default(), false));
    }

    #[test]
    fn lines_are_taken_off_and_added_under_their_numbers() {
        let mut rows = Rows::default();
        for n in 0..6 {
            rows.push(hostler_model::Timestamp(n), Stream::Stdout, crate::RowFlags::NONE, &[b'x'; 9]);
        }
        let mut rest = Stretch { first_seq: 5, rows };
        let first = rest.take(2, usize::MAX);
        assert_eq!((seqs(&first), seqs(&rest)), (vec![5, 6], vec![7, 8, 9, 10]));
        let second = rest.take(9, 25);
        assert_eq!(seqs(&second), [7, 8], "as many as fit");
        let third = rest.take(9, 1);
        assert_eq!(seqs(&third), [9], "at least one");
        let mut window = first;
        window.extend(second);
        window.forget_before(6);
        assert_eq!(seqs(&window), [6, 7, 8]);
        assert_eq!(window.range(7..=99).map(|row| row.time.0).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(window.get(8).unwrap().time.0, 3);
        assert!(window.get(5).is_none() && window.get(9).is_none());
        window.extend(Stretch::default());
        assert_eq!(seqs(&window), [6, 7, 8], "none changes nothing");
        window.extend(rest);
        assert_eq!(seqs(&window), [10], "what is between is gone");
    }
}
