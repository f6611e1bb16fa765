use hostler_model::lines::Stream;
use hostler_model::{ProcessId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::Stretch;
use crate::testing::{Fixture, batch, row};
use crate::{Annotations, Removed};

fn search(process: ProcessId, text: &str, limit: usize) -> Search {
    Search {
        lines: LogQuery::newest(process, limit),
        matcher: Matcher::text(text, false).unwrap(),
        fields: Vec::new(),
        context: 0,
    }
}

/// Does something that waits on a thread that may.
async fn waiting<T: Send + 'static>(f: &Fixture, work: impl FnOnce(&Store) -> T + Send + 'static) -> T {
    let store = f.store.clone();
    tokio::task::spawn_blocking(move || work(&store)).await.unwrap()
}

async fn find(f: &Fixture, search: Search) -> Searched {
    waiting(f, move |store| store.search_blocking(&search, || false).unwrap()).await
}

async fn seal_all(f: &Fixture) {
    waiting(f, |store| while store.seal_step_blocking().unwrap() {}).await;
}

/// Some blocks of lines.
const LINES: i64 = 120_000;

/// A run that is over, with lines in several blocks; one of them, and one only, has the needle.
async fn haystack() -> (Fixture, ProcessId) {
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    let text = |n: i64| match n {
        12_345 => "a Needle in the hay".to_owned(),
        n => format!("GET /items/{n} took {} ms", n % 83),
    };
    let rows = (1..=LINES).map(|n| row(n, Stream::Stdout, text(n).as_bytes())).collect();
    let mut end = batch(run, 1, rows);
    end.drained = true;
    f.store.commit_ingest(vec![end]).await.unwrap();
    seal_all(&f).await;
    (f, process)
}

#[tokio::test]
async fn what_the_filter_rules_out_is_not_read() {
    let (f, process) = haystack().await;
    let found = find(&f, Search { context: 2, ..search(process, "needle", 10) }).await;
    assert_eq!((found.total, found.found.len(), found.ended_at), (1, 1, None));
    let seqs = |rows: &[LogRow]| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
    let Found { row, before, after } = &found.found[0];
    assert_eq!((seqs(before), row.seq, seqs(after)), (vec![12_343, 12_344], 12_345, vec![12_346, 12_347]));
    assert!(found.scanned_bytes < found.skipped_bytes, "{found:?}");
}

#[tokio::test]
async fn a_search_stops_when_it_has_enough_and_says_where() {
    let (f, process) = haystack().await;
    let page = search(process, "took 7 ms", 50);
    let first = find(&f, page.clone()).await;
    let ended_at = first.ended_at.unwrap();
    assert!(first.total >= 50 && first.found.len() == 50);
    let mut seen: Vec<u64> = first.found.iter().map(|found| found.row.seq).collect();
    let mut before = first.found.last().unwrap().row.point();
    assert!(before >= ended_at);
    loop {
        let lines = LogQuery { before: Some(before), ..page.lines.clone() };
        let next = find(&f, Search { lines, ..page.clone() }).await;
        seen.extend(next.found.iter().map(|found| found.row.seq));
        let Some(last) = next.found.last() else { break };
        before = last.row.point();
    }
    let expected: Vec<u64> = (1..=LINES as u64).rev().filter(|n| n % 83 == 7).collect();
    assert_eq!(seen, expected);
    let store = f.store.clone();
    let hurried = tokio::task::spawn_blocking(move || {
        store.search_blocking(&search(process, "items/1", usize::MAX), || true).unwrap()
    });
    assert!(hurried.await.unwrap().ended_at.is_some());
}

#[tokio::test]
async fn fields_and_levels_narrow_a_search() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    let rows = (1..=9).map(|n| row(n, Stream::Stdout, format!("line {n}").as_bytes())).collect();
    f.store.commit_ingest(vec![batch(run, 1, rows)]).await.unwrap();
    let events = (1..=9).map(|n| hostler_model::event::Event {
        first_seq: n,
        last_seq: n,
        stream: Stream::Stdout,
        time: Timestamp(0),
        event_time: None,
        severity: Severity::new(n as u8 * 2),
        message: format!("line {n}"),
        fields: vec![("status".into(), (n * 100).to_string())],
    });
    let events = events.collect();
    let annotations = Annotations { run, from_seq: 1, next_seq: 10, events, occurrences: Vec::new() };
    f.store.commit_annotations(annotations, &Stretch::default()).await.unwrap();
    let mut wanted = search(process, "", 100);
    wanted.fields = vec![FieldFilter::read("status", ">=500"), FieldFilter::read("status", "!=600")];
    wanted.lines.min_level = Severity::new(13);
    let found = find(&f, wanted).await;
    assert_eq!(found.found.iter().map(|found| found.row.seq).collect::<Vec<_>>(), [9, 8, 7]);
}

#[derive(Debug, Clone)]
enum Step {
    Ingest(Vec<(i64, bool, u8)>),
    Seal,
    Clear(i64),
    End,
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let rows = prop::collection::vec((0..100_i64, any::<bool>(), 0..5_u8), 1..60);
    let step = prop_oneof![
        6 => rows.prop_map(Step::Ingest),
        2 => Just(Step::Seal),
        1 => (0..100_i64).prop_map(Step::Clear),
        1 => Just(Step::End),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever is ingested, sealed and removed in whatever order: pages and searches find what is there, and nothing else.
    #[test]
    fn sealing_and_retention_are_seen_by_nobody(steps in any_steps(), word in 0..5_u8) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let f = Fixture::new();
            let process = f.process("web").await;
            let (mut number, mut next_seq, mut offset) = (1, 1_u64, 0);
            let mut run = f.run(process, number).await;
            // Run, number, time, word.
            let mut model: Vec<(u32, u64, i64, String)> = Vec::new();
            for step in steps {
                offset += 1;
                match step {
                    Step::Ingest(lines) => {
                        let mut rows = Vec::new();
                        for (time, err, word) in lines {
                            let stream = if err { Stream::Stderr } else { Stream::Stdout };
                            let text = format!("\x1b[3{word}mword{word}\x1b[0m of line {next_seq}");
                            rows.push(row(time, stream, text.as_bytes()));
                            model.push((number, next_seq, time, text));
                            next_seq += 1;
                        }
                        f.store.commit_ingest(vec![batch(run, offset, rows)]).await.unwrap();
                    }
                    Step::Seal => seal_all(&f).await,
                    Step::Clear(time) => {
                        let clear = move |store: &Store| {
                            let told = store.clear_logs_blocking(process, Some(Timestamp(time)), true).unwrap();
                            (told, store.clear_logs_blocking(process, Some(Timestamp(time)), false).unwrap())
                        };
                        let (told, done): (Removed, Removed) = waiting(&f, clear).await;
                        let before = model.len() as u64;
                        let mut kept = Vec::new();
                        let mut open = None;
                        for line in model {
                            if open == Some(line.0) || line.2 >= time {
                                open = Some(line.0);
                                kept.push(line);
                            }
                        }
                        model = kept;
                        prop_assert_eq!((told, done.lines), (done, before - model.len() as u64));
                    }
                    Step::End => {
                        let mut end = batch(run, offset, Vec::new());
                        end.drained = true;
                        f.store.commit_ingest(vec![end]).await.unwrap();
                        (number, next_seq, offset) = (number + 1, 1, 0);
                        run = f.run(process, number).await;
                    }
                }
            }
            let rows = f.rows(process).await;
            let read: Vec<_> = rows.iter()
                .map(|r| (r.run.0, r.seq, r.time.0, String::from_utf8(r.raw.clone()).unwrap())).collect();
            prop_assert_eq!(&read, &model);
            let wanted = format!("word{word} of");
            let mut expected: Vec<_> = model.iter().filter(|l| l.3.contains(&format!("word{word}\x1b"))).map(|l| (l.0, l.1)).collect();
            expected.reverse();
            let found = find(&f, search(process, &wanted, usize::MAX)).await;
            let found: Vec<_> = found.found.iter().map(|f| (f.row.run.0, f.row.seq)).collect();
            prop_assert_eq!(found, expected);
            Ok(())
        })?;
    }
}
