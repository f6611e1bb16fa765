//! Which sequences of four bytes a text may contain: what is not in the filter is not in the text, so a search for
//! any part of a word, a number or a path skips the block.
//!
//! One bit for each hashed sequence, letters in lower case, none across a line end. The table is folded in half while
//! it is nearly empty, so that it takes little room for a text of few words.

/// Bytes of a sequence; what is shorter cannot be looked up.
pub(crate) const GRAM: usize = 4;
/// Bits of the largest table, as a power of two: 64 KiB.
const LARGEST: u32 = 19;
/// Bytes of the smallest table.
const SMALLEST: usize = 64;

fn bit(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (32 - LARGEST)) as usize
}

/// Gives every sequence of a text.
fn each(text: &[u8], mut take: impl FnMut(u32)) {
    let (mut gram, mut have) = (0_u32, 0_usize);
    for byte in text {
        if *byte == b'\n' {
            have = 0;
            continue;
        }
        gram = gram << 8 | u32::from(byte.to_ascii_lowercase());
        have += 1;
        if have >= GRAM {
            take(gram);
        }
    }
}

/// The filter of a text.
pub(crate) fn build(text: &[u8]) -> Vec<u8> {
    let mut table = vec![0_u8; 1 << (LARGEST - 3)];
    each(text, |gram| {
        let at = bit(gram);
        table[at >> 3] |= 1 << (at & 7);
    });
    while table.len() > SMALLEST {
        let ones: usize = table.iter().map(|byte| byte.count_ones() as usize).sum();
        if ones * 8 > table.len() * 8 {
            break;
        }
        let upper = table.split_off(table.len() / 2);
        table.iter_mut().zip(upper).for_each(|(low, high)| *low |= high);
    }
    table
}

/// Sequences that must all be in a text, from pieces that must all be in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Needles(Vec<usize>);

impl Needles {
    /// Those of the pieces.
    pub(crate) fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut bits = Vec::new();
        pieces.into_iter().for_each(|piece| each(piece, |gram| bits.push(bit(gram))));
        bits.sort_unstable();
        bits.dedup();
        Self(bits)
    }

    /// Whether there are none: then every text may have them all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text with this filter may have them all.
    pub(crate) fn may_be_in(&self, filter: &[u8]) -> bool {
        // A filter of another length than build makes says nothing.
        if !filter.len().is_power_of_two() {
            return true;
        }
        let mask = filter.len() * 8 - 1;
        self.0.iter().all(|bit| {
            let at = bit & mask;
            filter[at >> 3] & 1 << (at & 7) != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_there_is_mostly_ruled_out() {
        let text: String = (0..5_000).map(|n| format!("request {n} served in {} ms\n", n % 97)).collect();
        let filter = build(text.as_bytes());
        assert!(filter.len() <= 8 << 10, "{}", filter.len());
        for (word, found) in
            [("quest 49", true), ("SERVED", true), ("needle", false), ("ms", true), ("97 ms\nreq", true)]
        {
            assert_eq!(Needles::of([word.as_bytes()]).may_be_in(&filter), found, "{word}");
        }
    }

    proptest! {
        #[test]
        fn what_is_there_is_never_ruled_out(text in "[a-fA-F\n]{0,300}", from in 0..300_usize, len in 0..20_usize) {
            let filter = build(text.as_bytes());
            for line in text.lines() {
                let from = from.min(line.len());
                let part = &line[from..line.len().min(from + len)];
                prop_assert!(Needles::of([part.to_uppercase().as_bytes()]).may_be_in(&filter));
            }
        }
    }
}
