use hostler_model::usage::{Gauge, Quantity, roll_up};

use super::*;
use crate::testing::Fixture;

/// A point in which the number is told by each value.
fn point(n: u64) -> Point {
    Point {
        looks: 1,
        span_ms: 10_000,
        cpu_us: n * 10_000,
        cpu_min: n,
        cpu_max: n,
        memory: Gauge::of(n),
        threads: Gauge::of(n),
        open_files: Gauge::of(n),
        read_bytes: n,
        written_bytes: n,
    }
}

/// Ticks of ten seconds for these processes.
async fn run(f: &Fixture, from: i64, to: i64, processes: &[i64]) {
    for start in (from..to).step_by(10) {
        let points = processes.iter().map(|id| (ProcessId(*id), point((start as u64 + *id as u64) % 97)));
        f.store.keep_usage(start, points.collect()).await.unwrap();
    }
}

fn expected(id: i64, from: i64, to: i64) -> impl Iterator<Item = (i64, Point)> {
    (from..to).step_by(10).map(move |start| (start, point((start + id) as u64 % 97)))
}

#[tokio::test]
async fn points_are_merged_as_they_become_complete() {
    let f = Fixture::new();
    run(&f, 900, 2_030, &[1, 2, 40]).await;
    for id in [1, 2, 40] {
        let fine = f.store.usage(ProcessId(id), Resolution::TenSeconds, 0).await.unwrap();
        assert_eq!(fine, expected(id, 900, 2_030).collect::<Series>());
        let minutes = f.store.usage(ProcessId(id), Resolution::Minute, 0).await.unwrap();
        let mut wanted = roll_up(expected(id, 900, 1_980), 60);
        // The last minute is not over: its points are still the fine ones.
        wanted.extend(expected(id, 1_980, 2_030));
        assert_eq!(minutes, wanted);
        let quarters = f.store.usage(ProcessId(id), Resolution::Quarter, 0).await.unwrap();
        assert_eq!(quarters[&900], roll_up(expected(id, 900, 1_800), 900)[&900]);
        assert_eq!(quarters.keys().copied().find(|start| *start > 900), Some(1_800));
        assert_eq!(quarters[&1_800].looks, 6);
    }
}

#[tokio::test]
async fn a_restart_in_the_middle_loses_and_doubles_nothing() {
    let f = Fixture::new();
    run(&f, 0, 50, &[1]).await;
    // The same ten seconds, seen by two daemons.
    f.store.keep_usage(50, vec![(ProcessId(1), point(3))]).await.unwrap();
    f.store.keep_usage(50, vec![(ProcessId(1), point(5))]).await.unwrap();
    // The next tick comes minutes later.
    run(&f, 300, 310, &[1]).await;
    let minutes = f.store.usage(ProcessId(1), Resolution::Minute, 0).await.unwrap();
    assert_eq!(minutes[&0].looks, 7);
    let of_two = f.store.usage(ProcessId(1), Resolution::TenSeconds, 50).await.unwrap()[&50];
    assert_eq!(of_two.value(Quantity::Threads).mean, 4.0);
    assert_eq!(minutes.keys().copied().collect::<Vec<_>>(), [0, 300]);
}

#[tokio::test]
async fn each_resolution_is_kept_for_its_time() {
    let f = Fixture::new();
    run(&f, 0, 7_200, &[1]).await;
    let fine = f.store.usage(ProcessId(1), Resolution::TenSeconds, 0).await.unwrap();
    assert_eq!(fine.keys().next().copied(), Some(3_600));
    let minutes = f.store.usage(ProcessId(1), Resolution::Minute, 0).await.unwrap();
    assert_eq!(minutes.keys().next().copied(), Some(0));
    f.store.forget_old_usage(40 * 86_400).await.unwrap();
    for resolution in Resolution::ALL {
        assert!(f.store.usage(ProcessId(1), resolution, 0).await.unwrap().is_empty(), "{resolution:?}");
    }
}

#[tokio::test]
async fn a_process_that_came_late_has_no_points_before() {
    let f = Fixture::new();
    run(&f, 0, 120, &[1]).await;
    run(&f, 120, 240, &[1, 2]).await;
    let series = f.store.usage(ProcessId(2), Resolution::Minute, 0).await.unwrap();
    assert_eq!(series.keys().copied().collect::<Vec<_>>(), [120, 180]);
    assert!(f.store.usage(ProcessId(3), Resolution::Minute, 0).await.unwrap().is_empty());
}
