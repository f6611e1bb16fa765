use proptest::prelude::*;

use super::*;
use crate::IngestBatch;
use crate::testing::{Fixture, NewRow, batch, many, point, row};

fn asc(process_id: ProcessId) -> LogQuery {
    LogQuery { order: Order::Asc, ..LogQuery::newest(process_id, 100) }
}

fn points(page: &LogPage) -> Vec<LogPoint> {
    page.rows.iter().map(LogRow::point).collect()
}

/// Two runs of five rows; the third of each on standard error.
async fn two_runs() -> (Fixture, ProcessId) {
    let f = Fixture::new();
    let process = f.process("web").await;
    for number in 1..=2 {
        let run = f.run(process, number).await;
        let mut rows = many(5);
        rows[2].stream = Stream::Stderr;
        f.store.commit_ingest(vec![batch(run, 1, rows)]).await.unwrap();
    }
    (f, process)
}

#[tokio::test]
async fn a_page_goes_across_runs_in_both_directions() {
    let (f, process) = two_runs().await;
    let newest = f.store.logs(LogQuery::newest(process, 7)).await.unwrap();
    let expected = [(2, 5), (2, 4), (2, 3), (2, 2), (2, 1), (1, 5), (1, 4)].map(|(r, s)| point(r, s));
    assert_eq!((points(&newest), newest.more), (expected.to_vec(), true));
    let between = LogQuery { after: Some(point(1, 4)), before: Some(point(2, 2)), ..asc(process) };
    let page = f.store.logs(between).await.unwrap();
    assert_eq!((points(&page), page.more), (vec![point(1, 5), point(2, 1)], false));
    assert_eq!(f.store.log_head(process).await, Ok(Some(point(2, 5))));
    assert_eq!(f.store.count_rows(process).await, Ok(10));
}

#[tokio::test]
async fn filters_hold() {
    let (f, process) = two_runs().await;
    let of = async |query: LogQuery| points(&f.store.logs(query).await.unwrap());
    let stderr = LogQuery { stream: Some(Stream::Stderr), ..asc(process) };
    assert_eq!(of(stderr.clone()).await, [point(1, 3), point(2, 3)]);
    let run = LogQuery { run: Some(RunNo(2)), ..stderr };
    assert_eq!(of(run).await, [point(2, 3)]);
    let time = LogQuery { since: Some(Timestamp(2)), until: Some(Timestamp(4)), ..asc(process) };
    assert_eq!(of(time).await, [point(1, 2), point(1, 3), point(2, 2), point(2, 3)]);
}

#[tokio::test]
async fn bytes_bound_a_page_and_the_first_row_always_fits() {
    let (f, process) = two_runs().await;
    for (max_bytes, rows) in [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)] {
        let page = f.store.logs(LogQuery { max_bytes, ..asc(process) }).await.unwrap();
        assert_eq!((page.rows.len(), page.more), (rows, true), "{max_bytes}");
    }
    let page = f.store.logs(LogQuery { limit: 10, ..asc(process) }).await.unwrap();
    assert!(!page.more, "a full page is not a promise of more");
    let page = f.store.logs(LogQuery { limit: 0, ..asc(process) }).await.unwrap();
    assert_eq!((page.rows.len(), page.more), (0, true));
}

#[tokio::test]
async fn a_process_without_output_has_no_head() {
    let f = Fixture::new();
    let process = f.process("web").await;
    f.run(process, 1).await;
    assert_eq!(f.store.log_head(process).await, Ok(None));
    assert_eq!(f.store.count_rows(process).await, Ok(0));
    let page = f.store.logs(LogQuery::newest(process, 5)).await.unwrap();
    assert_eq!(page, LogPage { rows: Vec::new(), more: false });
}

/// The plan of each statement goes by key: no scan, no sort.
#[tokio::test]
async fn pages_are_found_by_key() {
    let f = Fixture::new();
    let plans = f.store.read(|conn| {
        let mut plans = Vec::new();
        for order in [Order::Asc, Order::Desc] {
            for sql in [runs_sql(order), chunks::candidates_sql(order)] {
                let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                // Unbound parameters are NULL, which does not change the plan.
                let steps =
                    statement.raw_query().mapped(|r| r.get::<_, String>(3)).collect::<Result<Vec<_>, _>>()?;
                plans.push(steps.join("; "));
            }
        }
        Ok(plans)
    });
    for plan in plans.await.unwrap() {
        assert!(plan.starts_with("SEARCH") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

/// Rows whose order of time is nearly, but not quite, their order of arrival.
fn any_batches() -> impl Strategy<Value = Vec<(u8, Vec<NewRow>)>> {
    let row = (0..40_i64, any::<bool>(), 0..30_usize).prop_map(|(time, err, size)| {
        let stream = if err { Stream::Stderr } else { Stream::Stdout };
        row(time, stream, &vec![b'x'; size])
    });
    let rows = prop_oneof![15 => prop::collection::vec(row, 0..12), 1 => (4_000..5_000_i64).prop_map(many)];
    prop::collection::vec((0..3_u8, rows), 0..12)
}

#[derive(Debug, Clone)]
struct Walk {
    limits: Vec<usize>,
    max_bytes: usize,
    order: Order,
    stream: Option<Stream>,
    times: Option<(i64, i64)>,
    run: Option<u32>,
}

fn any_walk() -> impl Strategy<Value = Walk> {
    (
        prop::collection::vec(1..20_usize, 1..5),
        prop_oneof![Just(usize::MAX), 1..200_usize],
        prop_oneof![Just(Order::Asc), Just(Order::Desc)],
        prop::option::of(prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)]),
        prop::option::of((0..40_i64, 0..40_i64)),
        prop::option::of(1..4_u32),
    )
        .prop_map(|(limits, max_bytes, order, stream, times, run)| Walk {
            limits,
            max_bytes,
            order,
            stream,
            times,
            run,
        })
}

impl Walk {
    fn query(&self, process_id: ProcessId) -> LogQuery {
        LogQuery {
            process_id,
            run: self.run.map(RunNo),
            stream: self.stream,
            min_level: Severity::UNKNOWN,
            since: self.times.map(|t| Timestamp(t.0)),
            until: self.times.map(|t| Timestamp(t.1)),
            after: None,
            before: None,
            limit: 0,
            order: self.order,
            max_bytes: self.max_bytes,
        }
    }

    fn wants(&self, row: &LogRow) -> bool {
        self.run.is_none_or(|run| row.run.0 == run)
            && self.stream.is_none_or(|stream| row.stream == stream)
            && self.times.is_none_or(|(since, until)| (since..until).contains(&row.time.0))
    }

    /// All rows, page by page.
    async fn collect(&self, store: &Store, process: ProcessId) -> Vec<LogRow> {
        let (mut query, mut rows) = (self.query(process), Vec::<LogRow>::new());
        // Many thousand rows need larger steps, or the test takes long.
        let scale = if self.max_bytes == usize::MAX { 200 } else { 1 };
        for limit in self.limits.iter().cycle() {
            query.limit = limit * scale;
            let page = store.logs(query.clone()).await.unwrap();
            assert!(page.rows.len() <= query.limit);
            rows.extend(page.rows);
            if !page.more {
                break;
            }
            let last = rows.last().map(LogRow::point);
            match self.order {
                Order::Asc => query.after = last,
                Order::Desc => query.before = last,
            }
        }
        rows
    }
}

/// Stores the batches and answers the rows as they should be found, oldest first.
async fn ingest(f: &Fixture, process: ProcessId, batches: Vec<(u8, Vec<NewRow>)>) -> Vec<LogRow> {
    let mut keys = Vec::new();
    for number in 1..=3 {
        keys.push(f.run(process, number).await);
    }
    let mut expected: Vec<LogRow> = Vec::new();
    let mut given: Vec<IngestBatch> = Vec::new();
    let mut next = [1_u64; 3];
    for (offset, (which, rows)) in (1..).zip(batches) {
        let index = usize::from(which);
        for row in &rows {
            expected.push(LogRow {
                run: RunNo(u32::from(which) + 1),
                run_key: keys[index],
                seq: next[index],
                time: row.time,
                stream: row.stream,
                level: Severity::UNKNOWN,
                flags: row.flags,
                raw: row.raw.clone(),
                event: None,
            });
            next[index] += 1;
        }
        given.push(batch(keys[index], offset, rows));
        // Some alone, some together.
        if offset % 2 == 0 {
            f.store.commit_ingest(std::mem::take(&mut given)).await.unwrap();
        }
    }
    f.store.commit_ingest(given).await.unwrap();
    expected.sort_by_key(LogRow::point);
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was ingested, a walk by any steps finds each row that it asks for once, in order.
    #[test]
    fn a_walk_finds_every_row_once(batches in any_batches(), walks in prop::collection::vec(any_walk(), 3)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let f = Fixture::new();
            let process = f.process("web").await;
            let all = ingest(&f, process, batches).await;
            prop_assert_eq!(f.store.count_rows(process).await.unwrap(), all.len() as u64);
            prop_assert_eq!(f.store.log_head(process).await.unwrap(), all.last().map(LogRow::point));
            for walk in walks {
                let mut expected: Vec<LogRow> = all.iter().filter(|r| walk.wants(r)).cloned().collect();
                if walk.order == Order::Desc {
                    expected.reverse();
                }
                let found = walk.collect(&f.store, process).await;
                prop_assert!(found == expected, "{:?}: {} of {} rows", walk, found.len(), expected.len());
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_hides_no_line() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let run = f.run(process, 1).await;
    for (offset, times) in [(1, [100, 200]), (2, [50, 60]), (3, [70, 300])] {
        let rows = times.map(|time| row(time, Stream::Stdout, b"line")).to_vec();
        f.store.commit_ingest(vec![batch(run, offset, rows)]).await.unwrap();
    }
    let seqs = async |since, until| {
        let (since, until) = (Some(Timestamp(since)), Some(Timestamp(until)));
        let query = LogQuery { since, until, order: Order::Asc, ..LogQuery::newest(process, 9) };
        f.store.logs(query).await.unwrap().rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, 1_000).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(seqs(55, 100).await, [4, 5]);
    assert_eq!(seqs(100, 1_000).await, [1, 2, 6]);
}
