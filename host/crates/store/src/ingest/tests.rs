use hostler_model::Timestamp;
use hostler_model::lines::Stream;

use super::*;
use crate::RowFlags;
use crate::testing::{Fixture, NOW, batch, contents, many, noise, row, stored};

async fn offset(store: &Store, run: RunKey) -> u64 {
    store.ingest_state(run).await.unwrap().position.offset
}

fn limit_pages(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    Ok(conn.query_row(sql, [], |_| Ok(()))?)
}

/// Lets the database grow by no more than `pages`, or without bound.
async fn room(store: &Store, pages: Option<u32>) {
    let limit = store.write(move |conn| {
        let used: u32 = conn.pragma_query_value(None, "page_count", |r| r.get(0))?;
        let limit = pages.map_or(1 << 30, |p| used + p);
        limit_pages(conn, &format!("PRAGMA max_page_count = {limit}"))
    });
    limit.await.unwrap();
}

#[tokio::test]
async fn everything_of_a_batch_is_read_back() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    let mut continued = row(5, Stream::Stderr, b"\xff\x00bytes");
    continued.flags = RowFlags::CONTINUED;
    let mut first = batch(run, 50, vec![continued, row(4, Stream::Stdout, b"")]);
    first.carry_stderr = Carry { bytes: b"half a li".to_vec(), since: NOW };
    let mut second = batch(run, 60, vec![]);
    second.drained = true;
    assert_eq!(f.store.commit_ingest(vec![first.clone()]).await, Ok(vec![stored(1, 2)]));
    let state = f.store.ingest_state(run).await.unwrap();
    assert_eq!((state.position.offset, state.next_seq, state.drained), (50, 3, false));
    assert_eq!((&state.carry_stdout, &state.carry_stderr), (&Carry::default(), &first.carry_stderr));
    let nothing = Ingested::Stored { rows: None };
    assert_eq!(f.store.commit_ingest(vec![second]).await, Ok(vec![nothing]));
    assert!(f.store.ingest_state(run).await.unwrap().drained);
    let rows = f.rows(process).await;
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].stream, rows[0].time), (Stream::Stderr, Timestamp(5)));
    assert!(rows[0].flags.is_continued() && !rows[0].flags.is_gap());
    assert_eq!((&rows[0].raw[..], rows[1].seq), (&b"\xff\x00bytes"[..], 2));
}

#[tokio::test]
async fn a_batch_that_does_not_fit_spoils_no_other() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    let answers = f
        .store
        .commit_ingest(vec![
            batch(run, 10, many(3)),
            batch(RunKey(99), 10, many(3)),
            batch(run, 5, many(3)),
            batch(run, 20, many(2)),
        ])
        .await;
    let stored_at = JournalPosition { segment: 1, offset: 10 };
    let behind = Ingested::Behind { stored: stored_at };
    assert_eq!(answers, Ok(vec![stored(1, 3), Ingested::RunGone, behind, stored(4, 5)]));
    assert_eq!(f.rows(process).await.len(), 5);
}

#[test]
fn a_thread_without_a_runtime_ingests_too() {
    let f = Fixture::new();
    let answers = f.store.commit_ingest_blocking(vec![batch(RunKey(1), 1, many(1))]);
    assert_eq!(answers, Ok(vec![Ingested::RunGone]));
    let state = f.store.ingest_state_blocking(RunKey(1));
    assert_eq!(state, Err(StoreError::NotFound("run number 1".into())));
}

/// What a killed daemon leaves is what stands in the files at that moment.
#[tokio::test]
async fn a_crash_between_batches_loses_and_repeats_nothing() {
    let mut f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    for step in 1..=5_u64 {
        let answer = f.store.commit_ingest(vec![batch(run, step, many(700))]).await.unwrap();
        assert_eq!(answer, [stored(700 * (step - 1) + 1, 700 * step)]);
        let crashed = tempfile::tempdir().unwrap();
        for (name, bytes) in contents(f.dir.path()) {
            std::fs::write(crashed.path().join(name), bytes).unwrap();
        }
        let store = Store::open(&crashed.path().join("hostler.db"), NOW).unwrap();
        f = Fixture { store, dir: crashed };
        assert_eq!(offset(&f.store, run).await, step);
        let rows = f.rows(process).await;
        assert!(rows.iter().map(|r| r.seq).eq(1..=700 * step));
    }
}

#[tokio::test]
async fn a_dropped_store_has_all_that_it_answered() {
    let Fixture { store, dir } = {
        let f = Fixture::new();
        let process = f.process("web").await;
        let run = f.run(process, 1).await;
        f.store.commit_ingest(vec![batch(run, 7, many(10))]).await.unwrap();
        f
    };
    drop(store);
    let store = Store::open(&dir.path().join("hostler.db"), NOW).unwrap();
    assert_eq!(offset(&store, RunKey(1)).await, 7);
    assert_eq!(store.ingest_state(RunKey(1)).await.unwrap().next_seq, 11);
}

#[tokio::test]
async fn without_room_neither_rows_nor_position_are_half_there() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let (run, other) = (f.run(process, 1).await, f.run(process, 2).await);
    f.store.commit_ingest(vec![batch(run, 1, many(10))]).await.unwrap();
    let full = vec![batch(other, 1, many(5)), batch(run, 2, noise(5_000))];
    room(&f.store, Some(8)).await;
    for _ in 0..3 {
        let answer = f.store.commit_ingest(full.clone()).await;
        assert!(matches!(answer, Err(StoreError::Full(_))), "{answer:?}");
        assert_eq!((offset(&f.store, run).await, offset(&f.store, other).await), (1, 0));
        assert_eq!(f.rows(process).await.len(), 10);
    }
    room(&f.store, None).await;
    let answer = f.store.commit_ingest(full).await.unwrap();
    assert_eq!(answer, [stored(1, 5), stored(11, 5_010)]);
    assert_eq!(f.rows(process).await.len(), 5_015);
}
