//! Log parsers: lines in, events out.

use crate::{
    batch::Batch,
    bindings::{
        base::hostler::plugin::types::{Span, TextBatch},
        log_parser::exports::hostler::plugin::log_parsing::{Field, ParsedBatch, Row as RawRow},
    },
    keys::Keys,
    plugin::{Error, Plugin},
    severity,
};

/// The answer of a parser to a line: `Some(())` when it understood it, and `None` when the line should go to the next
/// parser. An `Option`, so that `?` ends the parsing of a line that is not what it seemed.
pub type Understood = Option<()>;

/// Understands single lines.
///
/// ```
/// use hostler_plugin::{severity, Error, LogParser, NoConfig, Plugin, Row, Understood};
///
/// /// Lines such as `E disk full`.
/// struct Letters;
///
/// impl Plugin for Letters {
///     const NAME: &'static str = "letters";
///     const SUMMARY: &'static str = "Reads the level from a line's first letter.";
///     type Config = NoConfig;
///
///     fn new(_: NoConfig) -> Result<Self, Error> {
///         Ok(Self)
///     }
/// }
///
/// impl LogParser for Letters {
///     fn parse(&mut self, line: &[u8], row: &mut Row) -> Understood {
///         row.level(match line.first()? {
///             b'I' => severity::INFO,
///             b'E' => severity::ERROR,
///             _ => return None,
///         });
///         row.message(line.get(2..)?);
///         Some(())
///     }
/// }
///
/// hostler_plugin::export!(log_parser: Letters);
///
/// let events = hostler_plugin::testing::parse(&mut Letters, &["E disk full", "what?"]);
/// assert_eq!(events.len(), 1);
/// assert_eq!(events[0].message, "disk full");
/// ```
pub trait LogParser: Plugin {
    /// Reads a line, which comes without its line end and need not be valid UTF-8, and tells `row` what it found. What
    /// it told of a line that it did not understand in the end is forgotten.
    fn parse(&mut self, line: &[u8], row: &mut Row<'_, '_>) -> Understood;
}

/// Understands lines in their context: joins several into one event, waits for more. For single lines [`LogParser`] is
/// all that is needed.
pub trait BatchParser: Plugin {
    /// Reads the next lines of a stream. With `ended`, no more can follow now.
    fn parse_batch(&mut self, batch: &Batch<'_>, ended: bool, events: &mut Events<'_>) -> Result<(), Error>;
}

impl<P: LogParser> BatchParser for P {
    fn parse_batch(&mut self, batch: &Batch<'_>, _: bool, events: &mut Events<'_>) -> Result<(), Error> {
        for i in 0..batch.len() {
            let _: Understood = events.event(i, i, |row| self.parse(batch.line(i), row));
        }
        Ok(())
    }
}

/// The events of a batch, as they are found.
#[derive(Debug)]
pub struct Events<'b> {
    batch: Batch<'b>,
    rows: Vec<RawRow>,
    fields: Vec<Field>,
    keys: Keys,
    pending_from: Option<u32>,
}

impl<'b> Events<'b> {
    fn new(batch: Batch<'b>) -> Self {
        let (rows, fields) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len() * 4));
        Self { batch, rows, fields, keys: Keys::default(), pending_from: None }
    }

    /// Adds the event of lines `first` to `last` if `read` understands it. Events are added in the order of their
    /// lines.
    pub fn event(
        &mut self,
        first: usize,
        last: usize,
        read: impl FnOnce(&mut Row<'_, 'b>) -> Understood,
    ) -> Understood {
        let fields_before = self.fields.len();
        self.keys.rewind();
        let mut row = Row { events: self, severity: severity::UNKNOWN, unix_nanos: None, message: None };
        let understood = read(&mut row);
        let Row { severity, unix_nanos, message, .. } = row;
        if understood.is_none() {
            self.fields.truncate(fields_before);
            return None;
        }
        let message = message.unwrap_or_else(|| self.span(self.batch.lines(first, last)));
        self.rows.push(RawRow {
            first_line: first as u32,
            last_line: last as u32,
            severity,
            unix_nanos,
            message,
        });
        Some(())
    }

    /// Asks for line `line` and all after it again, together with what follows them. No event may reach into them.
    pub fn pending_from(&mut self, line: usize) {
        self.pending_from = Some(line as u32);
    }

    fn span(&self, piece: &[u8]) -> Span {
        if piece.is_empty() {
            return Span { start: 0, end: 0 };
        }
        let Some((start, end)) = self.batch.span_of(piece) else {
            panic!("a message or a field is no piece of the batch: {}", String::from_utf8_lossy(piece));
        };
        Span { start, end }
    }
}

/// One event, being filled.
#[derive(Debug)]
pub struct Row<'e, 'b> {
    events: &'e mut Events<'b>,
    severity: u8,
    unix_nanos: Option<u64>,
    message: Option<Span>,
}

impl Row<'_, '_> {
    /// Its level: a constant of [`severity`], or any number from 1 to 24.
    pub fn level(&mut self, severity: u8) {
        self.severity = severity;
    }

    /// When it happened, nanoseconds since the Unix epoch.
    pub fn time(&mut self, unix_nanos: u64) {
        self.unix_nanos = Some(unix_nanos);
    }

    /// Its message, a piece of the line. The whole line, when there is none.
    ///
    /// # Panics
    /// When it is no piece of the batch.
    pub fn message(&mut self, piece: &[u8]) {
        self.message = Some(self.events.span(piece));
    }

    /// A field, whose value is a piece of the line. When there are more than 65,534 different names in a batch, those
    /// that come last are left out.
    ///
    /// # Panics
    /// When the value is no piece of the batch.
    pub fn field(&mut self, key: impl AsRef<[u8]>, value: &[u8]) {
        let value = self.events.span(value);
        let row = self.events.rows.len() as u32;
        if let Some(key) = self.events.keys.number(key.as_ref()) {
            self.events.fields.push(Field { row, key, value });
        }
    }

    /// Whether it has a level by now.
    #[must_use]
    pub fn has_level(&self) -> bool {
        self.severity != severity::UNKNOWN
    }

    /// Whether it has a time by now.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.unix_nanos.is_some()
    }

    /// Whether it has a message by now.
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.message.is_some()
    }
}

/// Runs a parser as the host does.
pub fn parse<P: BatchParser>(parser: &mut P, batch: &TextBatch, ended: bool) -> Result<ParsedBatch, Error> {
    let batch = Batch::new(&batch.bytes, &batch.ends);
    let mut events = Events::new(batch);
    parser.parse_batch(&batch, ended, &mut events)?;
    let Events { rows, fields, keys, pending_from, .. } = events;
    Ok(ParsedBatch { rows, keys: keys.into_names(), fields, pending_from })
}
