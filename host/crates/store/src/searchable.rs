//! Lines as they are searched: as they are shown, terminal escapes removed, and not as the raw bytes are.

use std::borrow::Cow;

use hostler_model::text::{is_readable, readable};

use crate::rows::Rows;

/// The text of rows for a search: the stored one, where all of it is shown as it is.
#[derive(Debug)]
pub(crate) struct Searchable<'a> {
    pub(crate) text: Cow<'a, [u8]>,
    pub(crate) ends: Cow<'a, [usize]>,
}

impl<'a> Searchable<'a> {
    /// That of some rows.
    pub(crate) fn of(rows: &'a Rows) -> Self {
        if is_readable(&rows.text) {
            return Self { text: Cow::Borrowed(&rows.text), ends: Cow::Borrowed(&rows.ends) };
        }
        let mut text = Vec::with_capacity(rows.text.len());
        let mut ends = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            if is_readable(row.raw) {
                text.extend_from_slice(row.raw);
            } else {
                text.extend_from_slice(readable(row.raw).as_bytes());
            }
            ends.push(text.len());
            text.push(b'\n');
        }
        Self { text: text.into(), ends: ends.into() }
    }

    /// One line.
    pub(crate) fn line(&self, at: usize) -> &[u8] {
        &self.text[self.start(at)..self.ends[at]]
    }

    /// Where a line begins.
    pub(crate) fn start(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.ends[at - 1] + 1 }
    }

    /// The line in which a place is.
    pub(crate) fn line_at(&self, place: usize) -> usize {
        self.ends.partition_point(|end| *end < place)
    }
}
