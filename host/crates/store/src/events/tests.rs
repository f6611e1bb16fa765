use hostler_model::{ProcessId, RunNo};

use super::*;
use crate::LogQuery;
use crate::testing::{Fixture, batch, row};

fn event(first_seq: u64, last_seq: u64, severity: Severity, message: &str) -> Event {
    Event {
        first_seq,
        last_seq,
        stream: Stream::Stdout,
        time: Timestamp(0),
        event_time: None,
        severity,
        message: message.to_owned(),
        fields: Vec::new(),
    }
}

/// A run of six lines, the fourth on standard error.
async fn six() -> (Fixture, ProcessId, RunKey) {
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    let mut rows: Vec<_> =
        (1..=6).map(|n| row(n, Stream::Stdout, format!("WARN line {n}").as_bytes())).collect();
    rows[3].stream = Stream::Stderr;
    f.store.commit_ingest(vec![batch(run, 1, rows)]).await.unwrap();
    (f, process, run)
}

#[tokio::test]
async fn rows_are_read_with_what_parsers_made_of_them() {
    let (f, process, run) = six().await;
    let (lines, _) = f.store.stretch(run, 1).await.unwrap();
    let mut warn = event(1, 1, Severity::WARN, "line 1");
    warn.fields = vec![("port".into(), "80".into())];
    warn.event_time = Some(Timestamp(77));
    let first = Annotations { run, from_seq: 1, next_seq: 3, events: vec![warn], occurrences: Vec::new() };
    assert_eq!(f.store.commit_annotations(first.clone(), &lines).await, Ok(Annotated::Stored));
    let again = f.store.commit_annotations(first, &lines).await;
    assert_eq!(again, Ok(Annotated::Elsewhere { next_seq: 3 }), "nothing is stored twice");
    // A trace of stdout, with a line of stderr among its own.
    let trace = event(3, 5, Severity::ERROR, "a trace\nof two lines");
    let second = Annotations { run, from_seq: 3, next_seq: 7, events: vec![trace], occurrences: Vec::new() };
    assert_eq!(f.store.commit_annotations(second, &Stretch::default()).await, Ok(Annotated::Stored));
    assert_eq!(f.store.annotation_state(run).await, Ok(7));

    let rows = f.rows(process).await;
    let levels: Vec<u8> = rows.iter().map(|row| row.level.number()).collect();
    assert_eq!(levels, [13, 0, 17, 0, 17, 0]);
    let event = rows[0].event.as_ref().unwrap();
    assert_eq!((event.message.as_str(), event.event_time), ("line 1", Some(Timestamp(77))));
    assert_eq!(event.fields, [("port".to_owned(), "80".to_owned())]);
    let event = rows[2].event.as_ref().unwrap();
    assert_eq!((event.message.as_str(), event.last_seq), ("a trace\nof two lines", 5));
    assert_eq!(rows.iter().filter(|row| row.event.is_some()).count(), 2);

    let seqs = async |min_level| {
        let query = LogQuery { min_level, run: Some(RunNo(1)), ..LogQuery::newest(process, 9) };
        f.store.logs(query).await.unwrap().rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(Severity::WARN).await, [5, 3, 1]);
    assert_eq!(seqs(Severity::ERROR).await, [5, 3]);
    assert_eq!(seqs(Severity::FATAL).await, [0_u64; 0]);
}

#[tokio::test]
async fn an_event_stays_among_the_lines_that_were_looked_at() {
    let (f, _, run) = six().await;
    for (from_seq, next_seq, first, last) in [(1, 3, 2, 3), (1, 3, 3, 3), (1, 9, 8, 8), (1, 4, 3, 2)] {
        let events = vec![event(first, last, Severity::INFO, "")];
        let answer = f
            .store
            .commit_annotations(
                Annotations { run, from_seq, next_seq, events, occurrences: Vec::new() },
                &Stretch::default(),
            )
            .await;
        assert!(matches!(answer, Err(StoreError::Unreadable(_))), "{answer:?}");
        assert_eq!(f.store.annotation_state(run).await, Ok(1));
    }
    let nothing = Annotations {
        run: RunKey(99),
        from_seq: 1,
        next_seq: 1,
        events: Vec::new(),
        occurrences: Vec::new(),
    };
    assert_eq!(f.store.commit_annotations(nothing, &Stretch::default()).await, Ok(Annotated::RunGone));
}
