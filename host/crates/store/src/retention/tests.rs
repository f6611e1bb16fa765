use hostler_model::RunNo;
use hostler_model::event::{Event, Severity};
use hostler_model::lines::Stream;

use super::*;
use crate::testing::{Fixture, NewRow, batch, noise, row};
use crate::{Annotations, Stretch};

async fn step(f: &Fixture, keep: Keep) -> Removed {
    let store = f.store.clone();
    tokio::task::spawn_blocking(move || store.retain_step_blocking(keep).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_oldest_goes_until_all_is_within_its_bounds() {
    let f = Fixture::new();
    let (a, b) = (f.process("a").await, f.process("b").await);
    let (run_a, run_b) = (f.run(a, 1).await, f.run(b, 1).await);
    for n in 1..=10 {
        f.store.commit_ingest(vec![batch(run_a, n, noise(100)), batch(run_b, n, noise(100))]).await.unwrap();
    }
    let all = Keep { total_bytes: u64::MAX, process_bytes: u64::MAX, since: None };
    assert_eq!(step(&f, all).await, Removed::default());
    let sizes = f.store.log_sizes().await.unwrap();
    let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(sizes[0].1 * 2, total);

    let half = Keep { total_bytes: total / 2, ..all };
    let removed = step(&f, half).await;
    assert_eq!((removed.lines, removed.bytes), (1_000, total / 2));
    assert_eq!(step(&f, half).await, Removed::default());
    assert_eq!(f.store.count_rows(a).await, Ok(500));
    assert_eq!(f.rows(b).await.first().map(|row| row.seq), Some(501));

    let each = Keep { process_bytes: total / 20, ..all };
    assert_eq!((step(&f, each).await.lines, step(&f, each).await.lines), (400, 400));
    assert_eq!(step(&f, each).await, Removed::default());
    let young = Keep { since: Some(Timestamp(1_000)), ..all };
    assert_eq!(step(&f, young).await.lines, 200);
    assert_eq!((f.rows(a).await.len(), f.rows(b).await.len()), (0, 0));
    assert_eq!(f.store.count_rows(a).await, Ok(0));
    assert!(f.store.log_head(a).await.unwrap().is_some(), "numbers go on where they were");
}

/// Does something that waits on a thread that may.
async fn waiting<T: Send + 'static>(f: &Fixture, work: impl FnOnce(&Store) -> T + Send + 'static) -> T {
    let store = f.store.clone();
    tokio::task::spawn_blocking(move || work(&store)).await.unwrap()
}

async fn clear(f: &Fixture, process: ProcessId, before: Option<i64>, dry_run: bool) -> Removed {
    let before = before.map(Timestamp);
    waiting(f, move |store| store.clear_logs_blocking(process, before, dry_run).unwrap()).await
}

async fn bytes(f: &Fixture) -> u64 {
    f.store.log_sizes().await.unwrap().iter().map(|(_, bytes)| bytes).sum()
}

/// What parsers found in every third of these lines, some of which are events of two.
async fn annotate(f: &Fixture, run: RunKey, from_seq: u64, next_seq: u64) {
    let event = |seq: u64| Event {
        first_seq: seq,
        last_seq: seq + seq % 2,
        stream: Stream::Stdout,
        time: Timestamp(0),
        event_time: None,
        severity: Severity::ERROR,
        message: format!("what stands in no line: {seq}"),
        fields: vec![("number".into(), seq.to_string())],
    };
    let events = (from_seq..next_seq - 1).step_by(3).map(event).collect();
    let annotations = Annotations { run, from_seq, next_seq, events, occurrences: Vec::new() };
    f.store.commit_annotations(annotations, &Stretch::default()).await.unwrap();
}

/// Two runs of 600 lines in six chunks each, or in sealed blocks, with what parsers found in them.
async fn parsed(sealed: bool) -> (Fixture, ProcessId) {
    let f = Fixture::new();
    let process = f.process("web").await;
    for number in 1..=2 {
        let run = f.run(process, number).await;
        let lines = noise(600);
        for n in 0..6_u64 {
            let mut piece = batch(run, n + 1, lines[n as usize * 100..][..100].to_vec());
            piece.drained = sealed && n == 5;
            f.store.commit_ingest(vec![piece]).await.unwrap();
            annotate(&f, run, n * 100 + 1, n * 100 + 101).await;
        }
    }
    if sealed {
        waiting(&f, |store| while store.seal_step_blocking().unwrap() {}).await;
    }
    (f, process)
}

#[tokio::test]
async fn what_a_dry_run_says_is_what_is_freed_and_what_is_gone() {
    for sealed in [false, true] {
        for before in [Some(0), Some(1), Some(101), Some(250), Some(600), Some(601), None] {
            let (f, process) = parsed(sealed).await;
            let (size, rows) = (bytes(&f).await, f.rows(process).await);
            let would = clear(&f, process, before, true).await;
            assert_eq!(
                (bytes(&f).await, f.rows(process).await.len()),
                (size, 1_200),
                "a dry run removes nothing"
            );
            let removed = clear(&f, process, before, false).await;
            assert_eq!(would, removed, "sealed: {sealed}, before {before:?}");
            assert_eq!(size - bytes(&f).await, removed.bytes, "sealed: {sealed}, before {before:?}");
            let kept: Vec<_> =
                rows.into_iter().filter(|row| before.is_some_and(|t| row.time.0 >= t)).collect();
            assert_eq!(removed.lines, 1_200 - kept.len() as u64);
            assert_eq!(f.rows(process).await, kept, "sealed: {sealed}, before {before:?}");
            assert_eq!(clear(&f, process, before, false).await, Removed::default());
            if before.is_none() {
                assert_eq!(bytes(&f).await, 0, "nothing is left of what parsers found");
            }
        }
    }
}

#[tokio::test]
async fn what_is_written_while_the_log_is_cleared_stays() {
    let (f, process) = parsed(true).await;
    let run = f.store.runs(process, 1).await.unwrap().rows[0].key;
    // It was to go up to line 450 when it was one of several chunks; sealing has made one of all.
    let going = Going { run, end: 451, before: None };
    let would = f.store.read(move |conn| would_go(conn, going)).await.unwrap();
    let (removed, done) = f.store.write(move |conn| clear_piece(conn, going)).await.unwrap();
    assert_eq!((removed, done, removed.lines), (would, true, 450));
    let left = f.rows(process).await;
    assert_eq!(left.iter().filter(|row| row.run == RunNo(2)).map(|row| row.seq).next(), Some(451));
}

/// A process that writes, blocks that are sealed and the oldest lines that go, all at once: each line is there or counted
/// among those that went, and numbers have no hole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_lost_beside_those_that_are_accounted_for() {
    const BATCHES: u64 = 400;
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    // More than a block that cannot be packed: blocks go whole.
    let keep = Keep { total_bytes: 3_000_000, process_bytes: u64::MAX, since: None };
    let store = f.store.clone();
    let (over, is_over) = std::sync::mpsc::channel::<()>();
    let upkeep = tokio::task::spawn_blocking(move || {
        let mut removed = Removed::default();
        loop {
            // Looked at first: what is too much after the last line is removed, too.
            let ends = is_over.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected);
            let step = store.retain_step_blocking(keep).unwrap();
            removed.add(step);
            if step == Removed::default() && !store.seal_step_blocking().unwrap() && ends {
                return removed;
            }
        }
    });
    let (mut written, mut lines) = (0, noise(250 * BATCHES as i64).into_iter());
    for n in 1..=BATCHES {
        let rows: Vec<NewRow> = lines.by_ref().take(50 + (n as usize * 37) % 200).collect();
        let from = written + 1;
        written += rows.len() as u64;
        let mut piece = batch(run, n, rows);
        piece.drained = n == BATCHES;
        f.store.commit_ingest(vec![piece]).await.unwrap();
        annotate(&f, run, from, written + 1).await;
    }
    drop(over);
    let removed = upkeep.await.unwrap();
    let left = f.rows(process).await;
    assert!(removed.lines > 0 && !left.is_empty(), "{removed:?}, {} lines left", left.len());
    assert_eq!(removed.lines + left.len() as u64, written);
    let seqs: Vec<u64> = left.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (removed.lines + 1..=written).collect::<Vec<_>>());
    let size = bytes(&f).await;
    assert!(size <= keep.total_bytes, "{size} bytes are kept");
    let rest = clear(&f, process, None, false).await;
    assert_eq!((rest.lines, rest.bytes, bytes(&f).await), (left.len() as u64, size, 0));
}

/// Of a run only the oldest lines ever go: where the clock was set back, a younger line keeps those behind it.
#[tokio::test]
async fn a_clock_that_is_set_back_removes_no_line_from_the_middle() {
    for (before, gone) in [(80, 0), (150, 1), (250, 5), (301, 6)] {
        let f = Fixture::new();
        let process = f.process("web").await;
        let run = f.run(process, 1).await;
        for (offset, times) in [(1, [100, 200]), (2, [50, 60]), (3, [70, 300])] {
            let rows = times.map(|time| row(time, Stream::Stdout, b"line")).to_vec();
            f.store.commit_ingest(vec![batch(run, offset, rows)]).await.unwrap();
        }
        let would = clear(&f, process, Some(before), true).await;
        assert_eq!((clear(&f, process, Some(before), false).await, would.lines), (would, gone), "{before}");
        let left: Vec<u64> = f.rows(process).await.iter().map(|row| row.seq).collect();
        assert_eq!(left, (gone + 1..=6).collect::<Vec<_>>(), "{before}");
    }
}
