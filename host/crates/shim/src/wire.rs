//! A minimal tag-length-value encoding: `[u16 tag][u32 length][bytes]`, little endian.
//!
//! Fields may come in any order; a tag may repeat (lists); an unknown tag is skipped, so that fields can be
//! added without breaking what is already running.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Why bytes are not the message they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// A field ends after the end of the message.
    Truncated,
    /// A required field is not there.
    Missing(u16),
    /// A field has the wrong length or an impossible value.
    Malformed(u16),
    /// Written by a newer version than this one understands.
    Version(u16),
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => write!(f, "message is cut off"),
            Self::Missing(tag) => write!(f, "field {tag} is missing"),
            Self::Malformed(tag) => write!(f, "field {tag} is malformed"),
            Self::Version(v) => write!(f, "format version {v} is not known here"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Writes fields.
#[derive(Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// One field.
    pub fn bytes(&mut self, tag: u16, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&tag.to_le_bytes());
        self.0.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.0.extend_from_slice(value);
        self
    }

    /// A number.
    pub fn number(&mut self, tag: u16, value: i64) -> &mut Self {
        self.bytes(tag, &value.to_le_bytes())
    }

    /// The encoded message.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads fields.
#[derive(Debug, Clone, Copy)]
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// Checks that the message is whole.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn new(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = message;
        while !rest.is_empty() {
            (_, _, rest) = split_field(rest).ok_or(DecodeError::Truncated)?;
        }
        Ok(Self(message))
    }

    /// All fields, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (tag, value, after) = split_field(rest)?;
            rest = after;
            Some((tag, value))
        })
    }

    /// All fields of one tag.
    pub fn all(&self, tag: u16) -> impl Iterator<Item = &'a [u8]> {
        self.fields().filter(move |(t, _)| *t == tag).map(|(_, value)| value)
    }

    /// The field of this tag, if there is one.
    #[must_use]
    pub fn optional(&self, tag: u16) -> Option<&'a [u8]> {
        self.all(tag).next()
    }

    /// The field of this tag.
    ///
    /// # Errors
    /// [`DecodeError::Missing`].
    pub fn bytes(&self, tag: u16) -> Result<&'a [u8], DecodeError> {
        self.optional(tag).ok_or(DecodeError::Missing(tag))
    }

    /// The number of this tag.
    ///
    /// # Errors
    /// When it is missing or not 8 bytes long.
    pub fn number(&self, tag: u16) -> Result<i64, DecodeError> {
        let bytes = self.bytes(tag)?.try_into().map_err(|_| DecodeError::Malformed(tag))?;
        Ok(i64::from_le_bytes(bytes))
    }

    /// The number of this tag, if there is one.
    ///
    /// # Errors
    /// When it is not 8 bytes long.
    pub fn optional_number(&self, tag: u16) -> Result<Option<i64>, DecodeError> {
        self.optional(tag).map(|_| self.number(tag)).transpose()
    }

    /// The number of this tag in a narrower type.
    ///
    /// # Errors
    /// When it is missing or does not fit.
    pub fn int<T: TryFrom<i64>>(&self, tag: u16) -> Result<T, DecodeError> {
        T::try_from(self.number(tag)?).map_err(|_| DecodeError::Malformed(tag))
    }

    /// The path of this tag.
    ///
    /// # Errors
    /// When it is missing.
    pub fn path(&self, tag: u16) -> Result<PathBuf, DecodeError> {
        Ok(PathBuf::from(os_string(self.bytes(tag)?)))
    }

    /// The path of this tag, if there is one.
    #[must_use]
    pub fn optional_path(&self, tag: u16) -> Option<PathBuf> {
        self.optional(tag).map(|bytes| PathBuf::from(os_string(bytes)))
    }
}

/// Bytes as the kernel has them, as a string of the operating system.
#[must_use]
pub fn os_string(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

fn split_field(message: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (tag, rest) = message.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    (length <= rest.len()).then(|| {
        let (value, rest) = rest.split_at(length);
        (u16::from_le_bytes(*tag), value, rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_come_back(fields in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..50)), 0..20)) {
            let mut encoder = Encoder::default();
            for (tag, value) in &fields {
                encoder.bytes(*tag, value);
            }
            let bytes = encoder.finish();
            let back: Vec<_> = Decoder::new(&bytes).unwrap().fields().map(|(t, v)| (t, v.to_vec())).collect();
            prop_assert_eq!(back, fields);
        }

        #[test]
        fn garbage_is_an_error_or_fields_but_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(decoder) = Decoder::new(&bytes) {
                let total: usize = decoder.fields().map(|(_, v)| v.len() + 6).sum();
                prop_assert_eq!(total, bytes.len());
            }
        }
    }
}
