//! From what a parser answers to events.

use hostler_model::{Event, Severity, Stream, Timestamp};
use hostler_plugin_host::{Parsed, Row, TextBatch};

use hostler_model::chain::Line;
use hostler_model::text::lossy;

/// Makes the events of an answer that stand. `lines` are those of the batch, and `time` says when one came.
pub(in crate::daemon) fn events_of(
    parsed: &Parsed,
    batch: &TextBatch,
    lines: &[Line],
    stands: &[bool],
    stream: Stream,
    time: impl Fn(u64) -> Timestamp,
) -> Vec<Event> {
    let mut fields = parsed.fields.iter().peekable();
    let mut events = Vec::with_capacity(parsed.rows.len());
    for (index, row) in parsed.rows.iter().enumerate() {
        let mut found = Vec::new();
        while let Some(field) = fields.next_if(|field| field.row as usize <= index) {
            if let Some(key) = parsed.keys.get(usize::from(field.key)) {
                found.push((key.clone(), text(batch, field.value.clone())));
            }
        }
        let (Some((first, last)), Some(true)) = (ends(row, lines), stands.get(index)) else { continue };
        events.push(Event {
            first_seq: first,
            last_seq: last,
            stream,
            time: time(first),
            event_time: row.unix_nanos.map(Timestamp),
            severity: Severity::new(row.severity),
            message: text(batch, row.message.clone()),
            fields: found,
        });
    }
    events
}

fn ends(row: &Row, lines: &[Line]) -> Option<(u64, u64)> {
    let first = lines.get(row.lines.start as usize)?;
    let last = lines.get((row.lines.end as usize).checked_sub(1)?)?;
    Some((first.seq, last.seq))
}

fn text(batch: &TextBatch, span: std::ops::Range<u32>) -> String {
    lossy(batch.slice(span).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use hostler_plugin_host::Field;

    use super::*;

    #[test]
    fn fields_go_with_their_events() {
        let batch: TextBatch = [&b"a=1 x"[..], b"b=2 \xff", b"c=3 z"].into_iter().collect();
        let row =
            |line: u32, message| Row { lines: line..line + 1, severity: 9, unix_nanos: Some(7), message };
        let field = |row, key, value| Field { row, key, value };
        let parsed = Parsed {
            rows: vec![row(0, 4..5), row(1, 9..10), row(2, 14..15)],
            keys: vec!["a".into(), "b".into()],
            fields: vec![field(0, 0, 2..3), field(1, 1, 7..8), field(2, 0, 12..13), field(2, 1, 10..11)],
            ..Parsed::default()
        };
        let lines = [10, 12, 13].map(|seq| Line { seq, place: seq });
        let time = |seq| Timestamp(seq as i64);
        let events = events_of(&parsed, &batch, &lines, &[true, false, true], Stream::Stderr, time);
        let shown: Vec<_> =
            events.iter().map(|e| (e.first_seq, &*e.message, e.fields.len(), e.time.0)).collect();
        assert_eq!(shown, [(10, "x", 1, 10), (13, "z", 2, 13)]);
        assert_eq!(events[1].fields, [("a".to_owned(), "3".to_owned()), ("b".to_owned(), "c".to_owned())]);
        let lossy = events_of(&parsed, &batch, &lines, &[false, true, false], Stream::Stderr, time);
        assert_eq!(lossy[0].message, "\u{fffd}");
    }
}
