//! From stored lines to what is sent: one record for each event, or for a line that is part of none. Pure.

use hostler_model::event::Severity;
use hostler_model::text::readable;
use hostler_model::{Stream, Timestamp};
use hostler_store::LogRow;

/// What is sent of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The number of its first line.
    pub(super) seq: u64,
    pub(super) stream: Stream,
    /// When its first line came.
    pub(super) observed: Timestamp,
    /// When it happened, as it says itself.
    pub(super) time: Option<Timestamp>,
    pub(super) severity: Severity,
    /// Its lines as they are shown.
    pub(super) body: String,
    pub(super) fields: Vec<(String, String)>,
}

/// The records of lines that follow each other, and the first line that is not among them: an event whose end is not
/// there waits for the next lines, unless it is all that there is.
pub(super) fn records(rows: &[LogRow]) -> (Vec<Record>, u64) {
    let Some(last) = rows.last() else { return (Vec::new(), 0) };
    let cut = rows.iter().find(|row| row.event.as_ref().is_some_and(|event| event.last_seq > last.seq));
    let end = match cut {
        Some(row) if row.seq > rows[0].seq => row.seq,
        _ => last.seq + 1,
    };
    let mut records: Vec<Record> = Vec::new();
    // Of each stream, the record that is an event of further lines, and its last line.
    let mut open: [Option<(usize, u64)>; 2] = [None, None];
    for row in rows.iter().take_while(|row| row.seq < end) {
        let place = &mut open[row.stream as usize];
        match (&row.event, *place) {
            (None, Some((at, last))) if row.seq <= last && !row.flags.is_gap() => {
                records[at].body.push('\n');
                records[at].body.push_str(&readable(&row.raw));
            }
            (event, _) => {
                *place = event.as_ref().map(|event| (records.len(), event.last_seq));
                records.push(record(row));
            }
        }
    }
    (records, end)
}

fn record(row: &LogRow) -> Record {
    Record {
        seq: row.seq,
        stream: row.stream,
        observed: row.time,
        time: row.event.as_ref().and_then(|event| event.event_time),
        severity: row.level,
        body: readable(&row.raw),
        fields: row.event.as_ref().map(|event| event.fields.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use hostler_model::RunNo;
    use hostler_store::{LogEvent, RowFlags, RunKey};

    use super::*;

    fn row(seq: u64, stream: Stream, raw: &str, last_seq: Option<u64>) -> LogRow {
        LogRow {
            run: RunNo(1),
            run_key: RunKey(1),
            seq,
            time: Timestamp(seq as i64),
            stream,
            level: Severity::UNKNOWN,
            flags: RowFlags::NONE,
            raw: raw.as_bytes().to_vec(),
            event: last_seq.map(|last_seq| LogEvent {
                last_seq,
                event_time: None,
                message: String::new(),
                fields: Vec::new(),
            }),
        }
    }

    #[test]
    fn the_lines_of_an_event_are_one_record_and_no_event_is_cut() {
        use Stream::{Stderr, Stdout};
        let rows = [
            row(1, Stdout, "plain", None),
            row(2, Stderr, "Traceback", Some(4)),
            row(3, Stdout, "between", Some(3)),
            row(4, Stderr, "  File", None),
            row(5, Stderr, "another", Some(7)),
            row(6, Stdout, "behind", None),
        ];
        let (sent, next) = records(&rows);
        let told: Vec<(u64, &str)> = sent.iter().map(|r| (r.seq, r.body.as_str())).collect();
        assert_eq!(told, [(1, "plain"), (2, "Traceback\n  File"), (3, "between")]);
        assert_eq!(next, 5);
        let (sent, next) = records(&rows[4..]);
        assert_eq!((sent.len(), next), (2, 7), "what is all that there is, is sent as it is");
        assert_eq!(records(&[]), (Vec::new(), 0));
    }
}
