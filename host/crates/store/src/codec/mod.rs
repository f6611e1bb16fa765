//! What stands in the blobs: formats of our own, columns of small numbers and text, packed with zstd.
//!
//! Pure functions. Reading checks everything: a damaged blob is an error, never a panic, and never takes more
//! memory than it says it does, up to a bound.

pub(crate) mod events;
pub(crate) mod numbers;
pub(crate) mod rows;

use crate::error::StoreError;

/// Largest content that is unpacked, bytes: far beyond anything that is packed here.
const MAX_CONTENT: usize = 64 << 20;
/// Content below this is not worth packing, bytes.
const SMALL: usize = 512;
/// Version and way of packing, then the length of the content.
const HEADER: usize = 5;

const PLAIN: u8 = 0x10;
const ZSTD: u8 = 0x11;

/// How much time packing may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As little as pays: on the way of the lines into the store.
    Quick,
    /// What saves space: in the background.
    Thorough,
}

impl Effort {
    /// Of zstd. Lines pack no better at 2 to 5 than at 1; at 6 they take a tenth less and are unpacked faster, and beyond
    /// that little is to be had for much.
    fn level(self) -> i32 {
        match self {
            Self::Quick => 1,
            Self::Thorough => 6,
        }
    }
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Corrupt(format!("stored output: {what}"))
}

/// Packs a content.
fn pack(content: &[u8], effort: Effort) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes();
    let packed =
        if content.len() < SMALL { None } else { zstd::bulk::compress(content, effort.level()).ok() };
    let (way, body) = match &packed {
        Some(packed) if packed.len() < content.len() => (ZSTD, &packed[..]),
        _ => (PLAIN, content),
    };
    [&[way], &length[..], body].concat()
}

/// What was packed.
fn unpack(blob: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (header, body) = blob.split_at_checked(HEADER).ok_or_else(|| damaged("it is too short"))?;
    let length = header[1..].try_into().map_or(0, u32::from_le_bytes) as usize;
    if length > MAX_CONTENT {
        return Err(damaged("it says that it is too long"));
    }
    let content = match header[0] {
        PLAIN => body.to_vec(),
        ZSTD => zstd::bulk::decompress(body, length).map_err(|_| damaged("it cannot be unpacked"))?,
        format => {
            let text = format!("stored output is in format {format}, which this build does not know");
            return Err(StoreError::Unreadable(text));
        }
    };
    if content.len() == length { Ok(content) } else { Err(damaged("its length is another")) }
}
