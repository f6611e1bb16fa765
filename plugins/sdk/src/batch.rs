//! Several texts in one buffer.

/// The lines (or texts) of one call, in their order.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'b> {
    bytes: &'b [u8],
    ends: &'b [u32],
}

impl<'b> Batch<'b> {
    /// A batch of `bytes`, whose texts end at `ends`.
    #[must_use]
    pub fn new(bytes: &'b [u8], ends: &'b [u32]) -> Self {
        Self { bytes, ends }
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// How many texts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where text `i` begins.
    #[must_use]
    pub fn start(&self, i: usize) -> usize {
        if i == 0 { 0 } else { self.ends[i - 1] as usize }
    }

    /// Text `i`.
    #[must_use]
    pub fn line(&self, i: usize) -> &'b [u8] {
        &self.bytes[self.start(i)..self.ends[i] as usize]
    }

    /// Texts `first` to `last` with nothing between them, as they stand in the batch.
    #[must_use]
    pub fn lines(&self, first: usize, last: usize) -> &'b [u8] {
        &self.bytes[self.start(first)..self.ends[last] as usize]
    }

    /// All texts.
    pub fn iter(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let batch = *self;
        (0..batch.len()).map(move |i| batch.line(i))
    }

    /// The place of a piece of the batch in it; `None` when it is no piece of it.
    pub(crate) fn span_of(&self, piece: &[u8]) -> Option<(u32, u32)> {
        let start = (piece.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        let end = start + piece.len();
        (end <= self.bytes.len()).then_some((start as u32, end as u32))
    }
}
