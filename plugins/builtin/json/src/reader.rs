//! Walks over JSON text without building anything.

use memchr::{memchr2, memchr3};

/// A value, or the beginning of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'l> {
    /// A string without its quotes, escapes left as they are.
    Text(&'l [u8]),
    /// A number, a boolean, or a nested value as it stands.
    Bare(&'l [u8]),
    /// `null`.
    Null,
    /// An object, of which the brace was read.
    Object,
    /// An array, of which the bracket was read.
    Array,
}

/// A place in a line.
#[derive(Debug)]
pub(crate) struct Reader<'l> {
    line: &'l [u8],
    at: usize,
}

impl<'l> Reader<'l> {
    pub(crate) fn new(line: &'l [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// Reads a value; of objects and arrays only the beginning.
    #[inline]
    pub(crate) fn value(&mut self) -> Option<Value<'l>> {
        match self.next_byte()? {
            b'"' => self.text().map(Value::Text),
            b'{' => Some(Value::Object),
            b'[' => Some(Value::Array),
            _ => self.bare(),
        }
    }

    /// Reads a member's name and the colon.
    #[inline]
    pub(crate) fn key(&mut self) -> Option<&'l [u8]> {
        self.expect(b'"')?;
        let key = self.text()?;
        self.expect(b':')?;
        Some(key)
    }

    /// Whether a comma follows; otherwise the end must.
    #[inline]
    pub(crate) fn continues(&mut self, end: u8) -> Option<bool> {
        match self.next_byte()? {
            b',' => Some(true),
            byte if byte == end => Some(false),
            _ => None,
        }
    }

    /// Reads the end of an object or array if it is there.
    pub(crate) fn closes(&mut self, end: u8) -> bool {
        let before = self.at;
        let closes = self.next_byte() == Some(end);
        if !closes {
            self.at = before;
        }
        closes
    }

    /// Skips the rest of an object or array, whose first byte was read.
    pub(crate) fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next_byte()? {
                b'"' => drop(self.text()?),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
        }
        Some(())
    }

    /// Nothing but space may be left.
    pub(crate) fn end(&mut self) -> Option<()> {
        self.next_byte().is_none().then_some(())
    }

    pub(crate) fn position(&mut self) -> usize {
        self.skip_space();
        self.at
    }

    /// What was read since a position.
    pub(crate) fn since(&self, position: usize) -> &'l [u8] {
        &self.line[position..self.at]
    }

    /// Reads a string up to its end, of which the first quote was read.
    #[inline]
    fn text(&mut self) -> Option<&'l [u8]> {
        let start = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', self.line.get(self.at..)?)?;
            if self.line[self.at] == b'"' {
                self.at += 1;
                return Some(&self.line[start..self.at - 1]);
            }
            self.at += 2;
        }
    }

    /// Reads a number or a word, of which the first byte was read.
    fn bare(&mut self) -> Option<Value<'l>> {
        let start = self.at - 1;
        let rest = &self.line[start..];
        let length = memchr3(b',', b'}', b']', rest).unwrap_or(rest.len());
        let token = rest[..length].trim_ascii_end();
        self.at = start + token.len();
        match token {
            b"null" => Some(Value::Null),
            // Python and others write the last three, though JSON has none of them.
            b"true" | b"false" | b"NaN" | b"Infinity" | b"-Infinity" => Some(Value::Bare(token)),
            [b'-' | b'0'..=b'9', rest @ ..] if rest.iter().all(is_of_number) => Some(Value::Bare(token)),
            _ => None,
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next_byte()? == byte).then_some(())
    }

    /// The next byte that is no space.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = *self.line.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn skip_space(&mut self) {
        while self.line.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

fn is_of_number(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
}
