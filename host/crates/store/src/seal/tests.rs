use super::*;
use crate::Stretch;
use crate::testing::{Fixture, batch, many, row};
use crate::{Annotations, LogQuery};

fn open(sizes: &[(i64, i64)]) -> Vec<Open> {
    let mut next = 1;
    let chunks = sizes.iter().map(|(rows, text_bytes)| {
        let candidate = Candidate { first_seq: next, last_seq: next + rows - 1, id: next };
        next += rows;
        Open { candidate, text_bytes: *text_bytes }
    });
    chunks.collect()
}

#[test]
fn what_makes_a_block_is_sealed_and_many_small_chunks_are_merged() {
    let mib = FULL as i64;
    assert_eq!(choose(&[], true), None);
    assert_eq!(choose(&open(&[(1, 10); 31]), false), None);
    assert_eq!(choose(&open(&[(1, 10); 31]), true), Some((0..31, true)));
    assert_eq!(choose(&open(&[(1, 10); 32]), false), Some((0..32, false)));
    let grown = [&[(900, SMALL)][..], &[(1, 10); 40]].concat();
    assert_eq!(choose(&open(&grown), false), Some((1..41, false)));
    assert_eq!(choose(&open(&[(10, mib + 7)]), false), Some((0..1, true)));
    assert_eq!(choose(&open(&[(10, mib / 2), (10, mib / 3), (10, mib / 2)]), false), Some((0..2, true)));
    let most = MAX_ROWS as i64 - 10;
    assert_eq!(choose(&open(&[(most, 9_000), (most, 9_000)]), false), Some((0..1, true)));
}

async fn seal_all(f: &Fixture) -> usize {
    let store = f.store.clone();
    let steps = move || (0..).take_while(|_| store.seal_step_blocking().unwrap()).count();
    tokio::task::spawn_blocking(steps).await.unwrap()
}

async fn chunks(f: &Fixture) -> Vec<(i64, i64, bool)> {
    let found = f.store.read(|conn| {
        let mut statement =
            conn.prepare("SELECT first_seq, last_seq, sealed FROM log_chunks ORDER BY run_id, first_seq")?;
        Ok(statement.query_map([], |row| row.try_into())?.collect::<Result<Vec<_>, _>>()?)
    });
    found.await.unwrap()
}

#[tokio::test]
async fn nobody_who_reads_notices() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    for n in 0..100 {
        let text = format!("\x1b[1mERROR\x1b[0m number {n}");
        let rows = vec![row(n, hostler_model::Stream::Stdout, text.as_bytes())];
        f.store.commit_ingest(vec![batch(run, 1 + n as u64, rows)]).await.unwrap();
    }
    for n in 1..=50 {
        let event = hostler_model::event::Event {
            first_seq: n,
            last_seq: n,
            stream: hostler_model::Stream::Stdout,
            time: hostler_model::Timestamp(0),
            event_time: None,
            severity: hostler_model::event::Severity::ERROR,
            message: format!("number {n}"),
            fields: Vec::new(),
        };
        let events =
            Annotations { run, from_seq: n, next_seq: n + 1, events: vec![event], occurrences: Vec::new() };
        f.store.commit_annotations(events, &Stretch::default()).await.unwrap();
    }
    let before = f.rows(process).await;
    assert_eq!(seal_all(&f).await, 1);
    assert_eq!(chunks(&f).await, [(1, 100, false)]);
    assert_eq!(f.rows(process).await, before);

    let mut end = batch(run, 200, many(20_000));
    end.drained = true;
    f.store.commit_ingest(vec![end]).await.unwrap();
    let before = f.rows(process).await;
    seal_all(&f).await;
    let sealed = chunks(&f).await;
    assert!(sealed.iter().all(|(_, _, sealed)| *sealed), "{sealed:?}");
    assert!(sealed.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{sealed:?}");
    assert_eq!(f.rows(process).await, before);
    let rows = f.store.read(|conn| Ok(conn.query_row("SELECT count(*) FROM log_events", [], |r| r.get(0))?));
    assert_eq!(rows.await, Ok(1));
    let errors =
        LogQuery { min_level: hostler_model::event::Severity::ERROR, ..LogQuery::newest(process, 100) };
    assert_eq!(f.store.logs(errors).await.unwrap().rows.len(), 50);
}
