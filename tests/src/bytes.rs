//! Bytes of any kind in pieces of any length, on both streams: the same for the same seed.

use std::time::Duration;

/// Longest piece, bytes: more than a pipe takes at once, and than a line may have.
const LONGEST: u64 = 300_000;

/// What is written at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where.
    pub is_stderr: bool,
    /// What.
    pub bytes: Vec<u8>,
    /// How long nothing is written behind it.
    pub pause: Duration,
}

/// Pieces without an end.
#[derive(Debug, Clone)]
pub struct Bytes(u64);

impl Bytes {
    /// Those of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    /// A few bytes that come often in what programs write by mistake, or any other.
    fn byte(&mut self, line_feeds: u64) -> u8 {
        match self.below(line_feeds) {
            0 => b'\n',
            1 => b'\r',
            2 => 0,
            3 => 0x1b,
            4 => 0xff,
            _ => self.below(256) as u8,
        }
    }
}

impl Iterator for Bytes {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let longest = match self.below(30) {
            0 => LONGEST,
            1..=7 => 8,
            8..=15 => 200,
            _ => 4_000,
        };
        let length = 1 + self.below(longest);
        // Lines of a few bytes, and such as are longer than a store keeps in one piece.
        let line_feeds = if self.below(8) == 0 { 1_000_000 } else { 40 };
        let is_stderr = self.below(3) == 0;
        let bytes = (0..length).map(|_| self.byte(line_feeds)).collect();
        let pause = Duration::from_micros(if self.below(4) == 0 { self.below(16_000) } else { 0 });
        Some(Piece { is_stderr, bytes, pause })
    }
}
