//! Splits a line into pairs.

/// The pairs of a line.
pub(crate) struct Pairs<'l> {
    line: &'l [u8],
    at: usize,
}

/// A key and its value.
pub(crate) type Pair<'l> = (&'l [u8], &'l [u8]);

impl<'l> Pairs<'l> {
    pub(crate) fn new(line: &'l [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// The next pair: `None` inside when there is none, and `None` outside when the line is not made of pairs.
    pub(crate) fn next(&mut self) -> Option<Option<Pair<'l>>> {
        while self.peek() == Some(b' ') || self.peek() == Some(b'\t') {
            self.at += 1;
        }
        if self.at == self.line.len() {
            return Some(None);
        }
        let key = self.take_while(is_of_key);
        if key.is_empty() || self.peek() != Some(b'=') {
            return None;
        }
        self.at += 1;
        let value = if self.peek() == Some(b'"') {
            self.quoted()?
        } else {
            self.take_while(|b| !matches!(b, b' ' | b'\t'))
        };
        Some(Some((key, value)))
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'l [u8] {
        let rest = &self.line[self.at..];
        let length = rest.iter().position(|b| !fits(*b)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// A value in quotes, its escapes left as they are. A space or the end must follow.
    fn quoted(&mut self) -> Option<&'l [u8]> {
        let start = self.at + 1;
        let mut end = start;
        loop {
            match self.line.get(end)? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.at = end + 1;
        matches!(self.peek(), None | Some(b' ' | b'\t')).then(|| &self.line[start..end])
    }
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'@' | b'#' | 0x80..)
}
