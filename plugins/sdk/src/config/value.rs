//! JSON as a tree.

/// A JSON value. Numbers stay text until it is known what they should be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// Deeper nesting is refused.
const DEPTH: usize = 64;

impl Value {
    /// Reads JSON text.
    pub(super) fn read(json: &str) -> Result<Self, String> {
        let mut reader = Reader { json, at: 0 };
        let value = reader.value(0);
        reader.skip_space();
        match value {
            Some(value) if reader.at == json.len() => Ok(value),
            _ => Err(format!("no JSON from byte {} on", reader.at)),
        }
    }

    /// The value as JSON, shortened: for messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) => text.clone(),
            Self::Text(text) => format!("\"{text}\""),
            Self::List(_) => "a list".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }
}

struct Reader<'j> {
    json: &'j str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            b'"' => self.text().map(Value::Text),
            b'[' if depth < DEPTH => self.list(depth).map(Value::List),
            b'{' if depth < DEPTH => self.object(depth).map(Value::Object),
            b'-' | b'0'..=b'9' => Some(Value::Number(self.number())),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Option<Value> {
        let words = [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
        let (word, value) = words.into_iter().find(|(word, _)| self.json[self.at..].starts_with(word))?;
        self.at += word.len();
        Some(value)
    }

    fn number(&mut self) -> String {
        let rest = &self.json[self.at..];
        let of_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let length = rest.find(|c| !of_number(c)).unwrap_or(rest.len());
        self.at += length;
        rest[..length].to_owned()
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Value>> {
        self.at += 1;
        let mut list = Vec::new();
        if self.eat(b']') {
            return Some(list);
        }
        loop {
            list.push(self.value(depth + 1)?);
            if self.eat(b']') {
                return Some(list);
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Vec<(String, Value)>> {
        self.at += 1;
        let mut members = Vec::new();
        if self.eat(b'}') {
            return Some(members);
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let key = self.text()?;
            self.expect(b':')?;
            members.push((key, self.value(depth + 1)?));
            if self.eat(b'}') {
                return Some(members);
            }
            self.expect(b',')?;
        }
    }

    fn text(&mut self) -> Option<String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.json[self.at..];
            let length = rest.find(['"', '\\'])?;
            text.push_str(&rest[..length]);
            self.at += length + 1;
            if rest.as_bytes()[length] == b'"' {
                return Some(text);
            }
            text.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let letter = *self.json.as_bytes().get(self.at)?;
        self.at += 1;
        Some(match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => return self.code_point(),
            b'"' | b'\\' | b'/' => letter.into(),
            _ => return None,
        })
    }

    /// The rest of `\u0041`, or of two of them that make one character.
    fn code_point(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        if !self.json[self.at..].starts_with("\\u") {
            return None;
        }
        self.at += 2;
        let second = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + second)
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.json.get(self.at..self.at + 4)?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.json.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        let bytes = self.json.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}
