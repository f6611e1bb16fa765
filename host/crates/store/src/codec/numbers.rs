//! Numbers in as few bytes as they need: seven bits a byte, the lowest first, the highest bit says that more follow.

use super::damaged;
use crate::error::StoreError;

/// Writes a number.
pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes a number that may be negative; small ones of both signs stay short.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Reads what was written, from the beginning on.
pub(crate) struct Numbers<'a>(pub(crate) &'a [u8]);

impl<'a> Numbers<'a> {
    /// The next number.
    pub(crate) fn take(&mut self) -> Result<u64, StoreError> {
        let (mut number, mut shift) = (0_u64, 0_u32);
        loop {
            let (byte, rest) = self.0.split_first().ok_or_else(|| damaged("it ends too soon"))?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
            if shift > 63 {
                return Err(damaged("a number has no end"));
            }
        }
    }

    /// The next number that may be negative.
    pub(crate) fn take_signed(&mut self) -> Result<i64, StoreError> {
        let number = self.take()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The next number, of something of which each takes at least a byte: it cannot be more than there are bytes.
    pub(crate) fn take_count(&mut self) -> Result<usize, StoreError> {
        let count = self.take()?;
        if count > self.0.len() as u64 {
            return Err(damaged("it says that it has more than it can have"));
        }
        Ok(count as usize)
    }

    /// The next bytes.
    pub(crate) fn take_bytes(&mut self, length: usize) -> Result<&'a [u8], StoreError> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(|| damaged("it ends too soon"))?;
        self.0 = rest;
        Ok(bytes)
    }
}
