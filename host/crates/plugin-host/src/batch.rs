//! Texts on their way to a plugin: one buffer and where each text ends.

use std::ops::Range;

use crate::bindings::types;

/// Several texts in one buffer, as they cross the border. They need not be UTF-8. Clear it and use it again: the
/// buffers stay.
#[derive(Debug)]
pub struct TextBatch(pub(crate) types::TextBatch);

impl Default for TextBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl TextBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self(types::TextBatch { bytes: Vec::new(), ends: Vec::new() })
    }

    /// Adds a text. Returns false, and adds nothing, when the batch would exceed 4 GiB.
    pub fn push(&mut self, text: &[u8]) -> bool {
        let Ok(end) = u32::try_from(self.0.bytes.len() + text.len()) else { return false };
        self.0.bytes.extend_from_slice(text);
        self.0.ends.push(end);
        true
    }

    /// Number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.ends.len()
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.ends.is_empty()
    }

    /// Length of all texts, bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.0.bytes.len()
    }

    /// Removes all texts and keeps the buffers.
    pub fn clear(&mut self) {
        self.0.bytes.clear();
        self.0.ends.clear();
    }

    /// The text with this number.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.0.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { self.0.ends[index - 1] as usize };
        self.0.bytes.get(start..end)
    }

    /// The bytes of a span that a plugin answered, which was checked to lie in the batch it was about.
    #[must_use]
    pub fn slice(&self, span: Range<u32>) -> Option<&[u8]> {
        self.0.bytes.get(span.start as usize..span.end as usize)
    }
}

impl<'a> FromIterator<&'a [u8]> for TextBatch {
    /// Collects texts, as far as they fit in 4 GiB.
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(texts: I) -> Self {
        let mut batch = Self::new();
        for text in texts {
            if !batch.push(text) {
                break;
            }
        }
        batch
    }
}
