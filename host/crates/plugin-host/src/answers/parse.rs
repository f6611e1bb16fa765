//! The answer of a log parser.

use std::collections::HashSet;
use std::ops::Range;

use super::Broken;
use crate::batch::TextBatch;
use crate::bindings::log_parsing as raw;
use crate::bindings::types::Span;
use crate::text::one_line;

/// Names of fields in one answer.
const MAX_KEYS: usize = 4096;
/// The length of such a name, bytes.
const MAX_KEY: usize = 256;
/// Fields of one event; the ones after these are left out and counted.
const MAX_FIELDS: u32 = 128;

/// What was found in a batch. Spans are bytes of the batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// The events, in the order of their lines, without overlap.
    pub rows: Vec<Row>,
    /// Names of fields.
    pub keys: Vec<String>,
    /// The fields of all rows, in the order of the rows.
    pub fields: Vec<Field>,
    /// The first line that has to come again with the next batch. No row reaches into it.
    pub pending_from: Option<u32>,
    /// Fields left out because their event has more than 128.
    pub cut_fields: u32,
}

/// One event, made of one line or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its lines, by their numbers in the batch; never empty.
    pub lines: Range<u32>,
    /// OpenTelemetry severity number, 0 when unknown.
    pub severity: u8,
    /// When it happened, nanoseconds since the Unix epoch, if it says so.
    pub unix_nanos: Option<i64>,
    /// The message.
    pub message: Range<u32>,
}

/// A field of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The event, by its number in `rows`.
    pub row: u32,
    /// The name, by its number in `keys`.
    pub key: u16,
    /// The value.
    pub value: Range<u32>,
}

/// Checks an answer about `batch`.
///
/// # Errors
/// The first thing in it that breaks the contract.
pub(crate) fn accept(answer: raw::ParsedBatch, batch: &TextBatch, end: bool) -> Result<Parsed, Broken> {
    let lines = u32::try_from(batch.len()).unwrap_or(u32::MAX);
    let bytes = u32::try_from(batch.byte_len()).unwrap_or(u32::MAX);
    let pending_from = pending(answer.pending_from, lines, end)?;
    let row_limit = pending_from.unwrap_or(lines);
    let rows = accept_rows(answer.rows, row_limit, bytes)?;
    check_keys(&answer.keys)?;
    let (fields, cut_fields) = accept_fields(answer.fields, rows.len(), answer.keys.len(), bytes)?;
    Ok(Parsed { rows, keys: answer.keys, fields, pending_from, cut_fields })
}

/// At the end of the stream nothing can be pending, whatever the plugin says.
fn pending(from: Option<u32>, lines: u32, end: bool) -> Result<Option<u32>, Broken> {
    match from {
        Some(line) if line > lines => {
            Err(format!("`pending-from` is {line}, but the batch has {lines} lines"))
        }
        Some(line) if line < lines && !end => Ok(Some(line)),
        _ => Ok(None),
    }
}

/// The rows as they are checked; they stay in the same memory.
fn accept_rows(rows: Vec<raw::Row>, line_limit: u32, bytes: u32) -> Result<Vec<Row>, Broken> {
    if rows.len() > line_limit as usize {
        return Err(format!("{} rows for {line_limit} lines", rows.len()));
    }
    let mut next = 0;
    let accept = |(index, row): (usize, raw::Row)| {
        if row.first_line > row.last_line || row.last_line >= line_limit {
            return Err(format!(
                "row {index} has lines {} to {}, but only 0 to {} can be in rows",
                row.first_line,
                row.last_line,
                line_limit.saturating_sub(1)
            ));
        }
        if row.first_line < next {
            return Err(format!(
                "row {index} begins with line {}, which an earlier row has or follows",
                row.first_line
            ));
        }
        next = row.last_line + 1;
        Ok(Row {
            lines: row.first_line..next,
            severity: if row.severity > 24 { 0 } else { row.severity },
            unix_nanos: row.unix_nanos.and_then(|nanos| i64::try_from(nanos).ok()),
            message: span(row.message, bytes)
                .ok_or_else(|| outside("the message of row", index, row.message, bytes))?,
        })
    };
    rows.into_iter().enumerate().map(accept).collect()
}

fn check_keys(keys: &[String]) -> Result<(), Broken> {
    if keys.len() > MAX_KEYS {
        return Err(format!("{} keys, more than {MAX_KEYS}", keys.len()));
    }
    let mut seen = HashSet::with_capacity(keys.len());
    for key in keys {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(format!(
                "the key `{}` has {} bytes, not 1 to {MAX_KEY}",
                one_line(key, 80),
                key.len()
            ));
        }
        if !seen.insert(key) {
            return Err(format!("the key `{}` is there twice", one_line(key, 80)));
        }
    }
    Ok(())
}

/// The fields as they are checked, in the same memory, and how many are left out.
fn accept_fields(
    fields: Vec<raw::Field>,
    rows: usize,
    keys: usize,
    bytes: u32,
) -> Result<(Vec<Field>, u32), Broken> {
    let (mut row, mut in_row, mut cut) = (0, 0_u32, 0_u32);
    let accept = |(index, field): (usize, raw::Field)| {
        if field.row as usize >= rows || usize::from(field.key) >= keys {
            return Some(Err(format!(
                "field {index} is of row {} and key {}, but there are {rows} rows and {keys} keys",
                field.row, field.key
            )));
        }
        if field.row < row {
            return Some(Err(format!("field {index} is of row {}, after one of row {row}", field.row)));
        }
        let Some(value) = span(field.value, bytes) else {
            return Some(Err(outside("field", index, field.value, bytes)));
        };
        in_row = if field.row == row { in_row + 1 } else { 1 };
        row = field.row;
        if in_row > MAX_FIELDS {
            cut = cut.saturating_add(1);
            return None;
        }
        Some(Ok(Field { row, key: field.key, value }))
    };
    let accepted = fields.into_iter().enumerate().filter_map(accept).collect::<Result<_, _>>()?;
    Ok((accepted, cut))
}

fn span(span: Span, bytes: u32) -> Option<Range<u32>> {
    (span.start <= span.end && span.end <= bytes).then_some(span.start..span.end)
}

fn outside(what: &str, index: usize, span: Span, bytes: u32) -> Broken {
    format!("{what} {index} has the span {}..{}, but the batch has {bytes} bytes", span.start, span.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batch(lines: usize) -> TextBatch {
        (0..lines).map(|_| b"0123456789".as_slice()).collect()
    }

    fn row(first_line: u32, last_line: u32) -> raw::Row {
        raw::Row { first_line, last_line, severity: 9, unix_nanos: None, message: Span { start: 0, end: 5 } }
    }

    fn answer(rows: Vec<raw::Row>) -> raw::ParsedBatch {
        raw::ParsedBatch { rows, keys: Vec::new(), fields: Vec::new(), pending_from: None }
    }

    fn broken(answer: raw::ParsedBatch) -> String {
        accept(answer, &batch(4), false).unwrap_err()
    }

    #[test]
    fn rows_are_in_order_and_in_the_batch() {
        let good = accept(answer(vec![row(0, 1), row(3, 3)]), &batch(4), false).unwrap();
        assert_eq!(good.rows[0].lines, 0..2);
        assert_eq!(good.rows[1].lines, 3..4);
        assert!(broken(answer(vec![row(0, 1), row(1, 2)])).contains("earlier row"));
        assert!(broken(answer(vec![row(2, 2), row(0, 0)])).contains("earlier row"));
        assert!(broken(answer(vec![row(2, 1)])).contains("lines 2 to 1"));
        assert!(broken(answer(vec![row(3, 4)])).contains("only 0 to 3"));
        assert!(broken(answer(vec![row(0, u32::MAX)])).contains("only 0 to 3"));
        assert!(broken(answer((0..9).map(|_| row(0, 0)).collect())).contains("9 rows for 4 lines"));
    }

    #[test]
    fn spans_lie_in_the_batch() {
        let mut bad = row(0, 0);
        for (start, end) in [(0, 41), (3, 2), (u32::MAX, u32::MAX)] {
            bad.message = Span { start, end };
            assert!(broken(answer(vec![bad])).contains("40 bytes"));
        }
        bad.message = Span { start: 40, end: 40 };
        assert!(accept(answer(vec![bad]), &batch(4), false).is_ok());
    }

    #[test]
    fn pending_lines_are_not_in_rows_and_none_are_at_the_end() {
        let with = |pending_from, rows| raw::ParsedBatch { pending_from: Some(pending_from), ..answer(rows) };
        let parsed = accept(with(2, vec![row(0, 1)]), &batch(4), false).unwrap();
        assert_eq!(parsed.pending_from, Some(2));
        assert!(broken(with(1, vec![row(0, 1)])).contains("only 0 to 0"));
        assert!(broken(with(5, vec![])).contains("pending-from"));
        assert_eq!(accept(with(4, vec![]), &batch(4), false).unwrap().pending_from, None);
        assert_eq!(accept(with(2, vec![row(0, 3)]), &batch(4), true).unwrap().pending_from, None);
    }

    #[test]
    fn fields_point_to_rows_keys_and_bytes() {
        let with = |keys: &[&str], fields: &[(u32, u16, u32)]| raw::ParsedBatch {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            fields: fields
                .iter()
                .map(|(row, key, end)| raw::Field {
                    row: *row,
                    key: *key,
                    value: Span { start: 0, end: *end },
                })
                .collect(),
            ..answer(vec![row(0, 0), row(1, 1)])
        };
        assert!(accept(with(&["a", "b"], &[(0, 1, 3), (1, 0, 3)]), &batch(4), false).is_ok());
        assert!(broken(with(&["a"], &[(2, 0, 3)])).contains("2 rows"));
        assert!(broken(with(&["a"], &[(0, 1, 3)])).contains("1 keys"));
        assert!(broken(with(&["a"], &[(1, 0, 3), (0, 0, 3)])).contains("after one of row 1"));
        assert!(broken(with(&["a"], &[(0, 0, 99)])).contains("40 bytes"));
        assert!(broken(with(&["a", "a"], &[])).contains("twice"));
        assert!(broken(with(&[""], &[])).contains("0 bytes"));
        let many = accept(with(&["a"], &[(0, 0, 3); 200]), &batch(4), false).unwrap();
        assert_eq!((many.fields.len(), many.cut_fields), (128, 72));
    }

    #[test]
    fn unknown_severities_and_impossible_times_are_left_out() {
        let odd = raw::Row { severity: 25, unix_nanos: Some(u64::MAX), ..row(0, 0) };
        let parsed = accept(answer(vec![odd]), &batch(1), false).unwrap();
        assert_eq!((parsed.rows[0].severity, parsed.rows[0].unix_nanos), (0, None));
    }

    prop_compose! {
        fn any_row()(first_line in 0..8_u32, more in 0..3_u32, start in 0..50_u32, end in 0..50_u32) -> raw::Row {
            raw::Row { first_line, last_line: first_line + more, severity: 9, unix_nanos: None, message: Span { start, end } }
        }
    }

    proptest! {
        /// Whatever comes, what is accepted can be used without a second look.
        #[test]
        fn what_is_accepted_is_sound(
            rows in prop::collection::vec(any_row(), 0..6),
            pending_from in prop::option::of(0..8_u32),
            end in any::<bool>(),
        ) {
            let batch = batch(4);
            if let Ok(parsed) = accept(raw::ParsedBatch { pending_from, ..answer(rows) }, &batch, end) {
                let mut next = 0;
                for row in &parsed.rows {
                    prop_assert!(row.lines.start >= next && row.lines.start < row.lines.end);
                    next = row.lines.end;
                    prop_assert!(batch.slice(row.message.clone()).is_some());
                }
                prop_assert!(next <= parsed.pending_from.unwrap_or(4));
                prop_assert!(!end || parsed.pending_from.is_none());
            }
        }
    }
}
