use hostler_model::lines::Stream;
use hostler_model::{Desired, Generation, Outcome};

use super::*;
use crate::testing::{Fixture, NOW, batch, many, new_run, over, row};

fn exit() -> Exit {
    Exit { outcome: Outcome::Code(3), max_rss_bytes: 1 << 20, ..Exit::unknown(NOW.plus_ms(9)) }
}

async fn finish(f: &Fixture, run: RunKey) {
    f.store.run_ended(over(run, exit(), 0)).await.unwrap();
    let mut last = batch(run, 9, Vec::new());
    last.drained = true;
    f.store.commit_ingest(vec![last]).await.unwrap();
}

async fn open_keys(f: &Fixture) -> Vec<RunKey> {
    f.store.open_runs().await.unwrap().rows.iter().map(|r| r.key).collect()
}

#[tokio::test]
async fn a_run_is_told_from_start_to_end() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let lifecycle =
        Lifecycle { desired: Desired::Running, generation: Generation(1), ..Lifecycle::default() };
    let key = f.store.begin_run(new_run(process, 1), &lifecycle).await.unwrap();
    assert_eq!(f.store.processes().await.unwrap().rows[0].lifecycle, lifecycle);
    f.store.run_started(key, Pid(42), Some(77), NOW.plus_ms(1)).await.unwrap();
    f.store.run_ended(RunEnd { note: Some("swept".into()), ..over(key, exit(), 2) }).await.unwrap();
    let expected = RunRecord {
        key,
        process_id: process,
        run: RunNo(1),
        dir: "p1-1".into(),
        boot_id: "boot".into(),
        pid: Some(Pid(42)),
        start_ticks: Some(77),
        created_at: NOW,
        started_at: Some(NOW.plus_ms(1)),
        ended_at: Some(NOW.plus_ms(9)),
        exit: Some(exit()),
        reason: RunReason::Start,
        end_note: Some("swept".into()),
        descendants_ended: 2,
        position: JournalPosition::default(),
        next_seq: 1,
        drained: false,
    };
    assert_eq!(f.store.runs(process, 10).await.unwrap().rows, [expected]);
}

#[tokio::test]
async fn a_run_begins_once_and_only_together_with_its_lifecycle() {
    let f = Fixture::new();
    let process = f.process("web").await;
    f.run(process, 1).await;
    let newer = Lifecycle { generation: Generation(8), ..Lifecycle::default() };
    let error = f.store.begin_run(new_run(process, 1), &newer).await.unwrap_err();
    assert_eq!(error, StoreError::Duplicate("run 1 of process p1".into()));
    assert_eq!(f.store.processes().await.unwrap().rows[0].lifecycle, Lifecycle::default());
    let error = f.store.begin_run(new_run(ProcessId(9), 1), &newer).await.unwrap_err();
    assert_eq!(error, StoreError::NotFound("process p9".into()));
}

#[tokio::test]
async fn a_run_is_open_until_it_is_over_and_drained() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let (first, second) = (f.run(process, 1).await, f.run(process, 2).await);
    assert_eq!(open_keys(&f).await, [first, second]);
    f.store.run_ended(over(first, exit(), 0)).await.unwrap();
    assert_eq!(open_keys(&f).await, [first, second]);
    finish(&f, first).await;
    assert_eq!(open_keys(&f).await, [second]);
}

#[tokio::test]
async fn pruning_keeps_the_newest_and_those_still_open() {
    let f = Fixture::new();
    let (process, other) = (f.process("web").await, f.process("db").await);
    let unrelated = f.run(other, 1).await;
    finish(&f, unrelated).await;
    let mut keys = Vec::new();
    for number in 1..=5 {
        let run = f.run(process, number).await;
        f.store.commit_ingest(vec![batch(run, 1, many(10))]).await.unwrap();
        if number != 2 {
            finish(&f, run).await;
        }
        keys.push(run);
    }
    let pruned = f.store.prune_runs(process, 2).await.unwrap();
    assert_eq!(pruned.iter().map(|r| r.dir.as_str()).collect::<Vec<_>>(), ["p1-1", "p1-3"]);
    let left: Vec<_> = f.store.runs(process, 9).await.unwrap().rows.iter().map(|r| r.run.0).collect();
    assert_eq!(left, [5, 4, 2]);
    assert_eq!(f.store.count_rows(process).await, Ok(30));
    assert_eq!(f.store.runs(other, 9).await.unwrap().rows.len(), 1);
    assert_eq!(f.store.prune_runs(process, 100).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_log_longer_than_one_piece_is_deleted_whole() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    let last = u64::try_from(PIECE * 2 + 5).unwrap();
    let chunks = (1..=last).map(|n| batch(run, n, vec![row(0, Stream::Stdout, b"")])).collect();
    f.store.commit_ingest(chunks).await.unwrap();
    f.store.write(move |conn| delete_piece(conn, run)).await.unwrap();
    assert_eq!(f.store.count_rows(process).await, Ok(last - u64::try_from(PIECE).unwrap()));
    f.store.delete_rows(run).await.unwrap();
    assert_eq!(f.store.count_rows(process).await, Ok(0));
}
