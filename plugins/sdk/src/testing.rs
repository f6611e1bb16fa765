//! For the tests of a plugin: runs it as the host does, natively.

use crate::{
    bindings::{
        base::hostler::plugin::types::{Span, TextBatch},
        log_parser::exports::hostler::plugin::log_parsing::ParsedBatch,
    },
    parser::{self, BatchParser},
    plugin::{self, Plugin},
};

/// An event with its texts in place of spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// First and last line, by their numbers in the batch.
    pub lines: (usize, usize),
    /// Its level.
    pub severity: u8,
    /// Its time.
    pub unix_nanos: Option<u64>,
    /// Its message.
    pub message: String,
    /// Its fields, in their order.
    pub fields: Vec<(String, String)>,
}

impl Event {
    /// The first value of a field.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }
}

/// Texts as the host hands them over.
pub fn batch<T: AsRef<[u8]>>(texts: &[T]) -> TextBatch {
    let mut batch = TextBatch { bytes: Vec::new(), ends: Vec::new() };
    for text in texts {
        batch.bytes.extend_from_slice(text.as_ref());
        batch.ends.push(batch.bytes.len() as u32);
    }
    batch
}

/// Parses lines, after which the stream ends.
///
/// # Panics
/// When the parser fails, or when the host would refuse its answer.
pub fn parse<P: BatchParser, T: AsRef<[u8]>>(parser: &mut P, lines: &[T]) -> Vec<Event> {
    parse_some(parser, lines, true).0
}

/// Parses lines, and tells which ones it wants again.
///
/// # Panics
/// As [`parse`] does.
pub fn parse_some<P: BatchParser, T: AsRef<[u8]>>(
    parser: &mut P,
    lines: &[T],
    ended: bool,
) -> (Vec<Event>, Option<usize>) {
    let batch = batch(lines);
    let parsed = parser::parse(parser, &batch, ended).unwrap_or_else(|e| panic!("the parser failed: {e:?}"));
    if let Err(why) = validate(&batch, &parsed) {
        panic!("the host would refuse this answer: {why}");
    }
    let text = |span: Span| {
        let piece = &batch.bytes[span.start as usize..span.end as usize];
        String::from_utf8_lossy(piece).into_owned()
    };
    let events = parsed.rows.iter().zip(0..).map(|(row, number)| Event {
        lines: (row.first_line as usize, row.last_line as usize),
        severity: row.severity,
        unix_nanos: row.unix_nanos,
        message: text(row.message),
        fields: (parsed.fields.iter().filter(|field| field.row == number))
            .map(|field| (parsed.keys[field.key as usize].clone(), text(field.value)))
            .collect(),
    });
    (events.collect(), parsed.pending_from.map(|line| line as usize))
}

/// Compares a plugin's `schema.json` with the schema of its type, and writes it anew where the environment variable
/// `UPDATE_SCHEMA` is set. Called in a test of the plugin's crate.
///
/// # Panics
/// When they differ.
pub fn schema_is_current<P: Plugin>() {
    let schema = plugin::schema_of::<P::Config>() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_none() {
        assert!(
            P::schema() == schema,
            "schema.json is not the schema of the type: run this with UPDATE_SCHEMA=1"
        );
    } else if let Err(error) = std::fs::write("schema.json", &schema) {
        panic!("schema.json could not be written: {error}");
    }
}

/// Whether an answer keeps what `wit/log-parsing.wit` promises.
pub fn validate(batch: &TextBatch, parsed: &ParsedBatch) -> Result<(), String> {
    let lines = parsed.pending_from.map_or(batch.ends.len(), |line| line as usize);
    if lines > batch.ends.len() {
        return Err(format!("pending from line {lines} of {}", batch.ends.len()));
    }
    let inside = |span: Span| span.start <= span.end && span.end as usize <= batch.bytes.len();
    let mut next = 0;
    for row in &parsed.rows {
        let (first, last) = (row.first_line as usize, row.last_line as usize);
        if first < next || last < first || last >= lines {
            return Err(format!("the event of lines {first} to {last} after line {next} of {lines}"));
        }
        if !inside(row.message) {
            return Err(format!("the message of lines {first} to {last} lies outside of the batch"));
        }
        next = last + 1;
    }
    let mut row = 0;
    for field in &parsed.fields {
        if field.row < row || field.row as usize >= parsed.rows.len() {
            return Err(format!("a field of event {} after one of event {row}", field.row));
        }
        if field.key as usize >= parsed.keys.len() || !inside(field.value) {
            return Err(format!("a field of event {row} has no key or lies outside of the batch"));
        }
        row = field.row;
    }
    Ok(())
}

/// Feeds a parser some thousand batches of damaged lines, made of good ones, and of noise. The same ones every time.
///
/// # Panics
/// When the parser panics or fails, or when the host would refuse an answer.
pub fn torture<P: BatchParser>(parser: &mut P, samples: &[&str]) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..4_000 {
        let lines: Vec<Vec<u8>> = (0..dice.below(8)).map(|_| dice.damaged(samples)).collect();
        let ended = dice.below(2) == 0;
        parse_some(parser, &lines, ended);
    }
}

/// How many lines a second a parser takes natively, of samples in turn: for a benchmark of a plugin. In a component it
/// is about half as many.
///
/// # Panics
/// When the parser fails.
pub fn lines_per_second<P: BatchParser>(parser: &mut P, samples: &[&str]) -> f64 {
    const LINES: usize = 256;
    let lines: Vec<&str> = samples.iter().copied().cycle().take(LINES).collect();
    let batch = batch(&lines);
    let began = std::time::Instant::now();
    let mut count = 0;
    while count < 100_000 || began.elapsed().as_millis() < 500 {
        let parsed =
            parser::parse(parser, &batch, false).unwrap_or_else(|e| panic!("the parser failed: {e:?}"));
        std::hint::black_box(parsed);
        count += LINES;
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// Texts that are damaged as [`torture`] damages lines, for a test of what is no parser.
pub fn damaged_texts(samples: &[&str]) -> impl Iterator<Item = String> {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    (0..4_000).map(move |_| String::from_utf8_lossy(&dice.damaged(samples)).into_owned())
}

/// A small generator of numbers that look random (xorshift), so that plugins need no dependency for it.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() >> 11) as usize % limit.max(1)
    }

    /// A sample with some of its bytes lost, doubled, cut off or replaced by ones that mean something to parsers.
    fn damaged(&mut self, samples: &[&str]) -> Vec<u8> {
        const TELLING: &[u8] = b"\"'\\{}[]:,=<>()|/.-+ \t\n\r\x1b0a9TZ%\0\x80\xff\xc3";
        if samples.is_empty() || self.below(10) == 0 {
            return (0..self.below(60)).map(|_| TELLING[self.below(TELLING.len())]).collect();
        }
        let mut text = samples[self.below(samples.len())].as_bytes().to_vec();
        for _ in 0..self.below(5) {
            let at = self.below(text.len());
            match self.below(5) {
                0 => text.truncate(at),
                1 if !text.is_empty() => text[at] = TELLING[self.below(TELLING.len())],
                2 => text.insert(at, TELLING[self.below(TELLING.len())]),
                3 => drop(text.drain(at..(at + self.below(9)).min(text.len()))),
                _ => text.extend_from_within(at..),
            }
        }
        text
    }
}
