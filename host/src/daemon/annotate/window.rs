//! The lines of a run that are being looked at, and a few before them.

use hostler_store::LogRow;

/// Lines kept before those that are being looked at: what stands before an error belongs to its evidence.
const BEFORE: usize = 20;

/// Rows in their order.
#[derive(Debug, Default)]
pub(super) struct Window {
    rows: Vec<LogRow>,
    bytes: usize,
}

impl Window {
    /// Adds the next rows.
    pub(super) fn extend(&mut self, rows: Vec<LogRow>) {
        self.bytes += rows.iter().map(|row| row.raw.len()).sum::<usize>();
        self.rows.extend(rows);
    }

    /// The row of a number.
    pub(super) fn get(&self, seq: u64) -> Option<&LogRow> {
        let first = self.rows.first()?.seq;
        // Nearly always without holes.
        let guess = usize::try_from(seq.checked_sub(first)?).ok()?;
        match self.rows.get(guess) {
            Some(row) if row.seq == seq => Some(row),
            _ => self.rows.binary_search_by_key(&seq, |row| row.seq).ok().map(|at| &self.rows[at]),
        }
    }

    /// The bytes of a row; none when it is not here.
    pub(super) fn raw(&self, seq: u64) -> &[u8] {
        self.get(seq).map_or(&[], |row| &row.raw)
    }

    /// All rows, in order.
    pub(super) fn rows(&self) -> &[LogRow] {
        &self.rows
    }

    /// What the rows take, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets go of what is before a row, but for a few.
    pub(super) fn forget_before(&mut self, seq: u64) {
        let done = self.rows.partition_point(|row| row.seq < seq);
        let gone = self.rows.drain(..done.saturating_sub(BEFORE));
        self.bytes -= gone.map(|row| row.raw.len()).sum::<usize>();
    }
}
