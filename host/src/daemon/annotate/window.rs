//! The lines of a run that are being looked at, and a few before them.

use hostler_store::{RowRef, Stretch};

/// Lines kept before those that are being looked at: what stands before an error belongs to its evidence.
const BEFORE: u64 = 20;

/// Lines in their order.
#[derive(Debug, Default)]
pub(super) struct Window(Stretch);

impl Window {
    /// Adds the next lines.
    pub(super) fn extend(&mut self, lines: Stretch) {
        self.0.extend(lines);
    }

    /// The line of a number.
    pub(super) fn get(&self, seq: u64) -> Option<RowRef<'_>> {
        self.0.get(seq)
    }

    /// The bytes of a line; none when it is not here.
    pub(super) fn raw(&self, seq: u64) -> &[u8] {
        self.get(seq).map_or(&[], |row| row.raw)
    }

    /// All lines, in order.
    pub(super) fn lines(&self) -> &Stretch {
        &self.0
    }

    /// Lets go of what is before a line, but for a few.
    pub(super) fn forget_before(&mut self, seq: u64) {
        self.0.forget_before(seq.saturating_sub(BEFORE));
    }
}
