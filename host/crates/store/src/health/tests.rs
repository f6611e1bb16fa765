use hostler_model::health::{Last, OnUnhealthy, Outcome, Schedule, Verdict};

use super::*;
use crate::testing::{Fixture, NOW};

fn record(process: ProcessId, failures: u32) -> CheckRecord {
    let spec = CheckSpec {
        plugin: "http".into(),
        config: serde_json::from_str(r#"{"url": "http://localhost/"}"#).unwrap(),
        schedule: Schedule::default(),
        on_unhealthy: OnUnhealthy::Restart,
    };
    let outcome = Outcome::Found(Verdict::Unhealthy);
    let last = Some(Last { at: NOW, outcome, message: "answered 503".into(), latency_us: 9 });
    let state = CheckState { failures, last, ..CheckState::new(RunNo(1), NOW) };
    CheckRecord { process, position: 0, spec, state }
}

fn result(n: u64, changed_to: Option<Status>) -> CheckResult {
    CheckResult {
        run: RunNo(1),
        time: Timestamp(n as i64),
        found: Status::Unhealthy,
        changed_to,
        message: format!("result {n}"),
        latency_us: n,
        metrics: "[]".into(),
    }
}

#[tokio::test]
async fn a_check_is_found_as_it_was_left_and_goes_with_its_process() {
    let f = Fixture::new();
    let process = f.process("web").await;
    f.store.record_check(&record(process, 1), Some(result(1, None))).await.unwrap();
    f.store.record_check(&record(process, 2), Some(result(2, Some(Status::Unhealthy)))).await.unwrap();
    assert_eq!(f.store.checks(process).await.unwrap().rows, [record(process, 2)]);
    let all = f.store.check_results(process, 0, false, 10).await.unwrap().rows;
    assert_eq!(all, [result(2, Some(Status::Unhealthy)), result(1, None)]);
    let changes = f.store.check_results(process, 0, true, 10).await.unwrap().rows;
    assert_eq!(changes, [result(2, Some(Status::Unhealthy))]);
    f.store.remove_process(process).await.unwrap();
    assert!(f.store.checks(process).await.unwrap().rows.is_empty());
    assert!(f.store.check_results(process, 0, false, 10).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn the_history_is_bounded_and_changes_outlive_the_rest() {
    let f = Fixture::new();
    let process = f.process("web").await;
    f.store.record_check(&record(process, 0), Some(result(0, Some(Status::Healthy)))).await.unwrap();
    for n in 1..600 {
        f.store.record_check(&record(process, 0), Some(result(n, None))).await.unwrap();
    }
    let kept = f.store.check_results(process, 0, false, 1_000).await.unwrap().rows;
    assert!(kept.len() <= (KEPT.0 + PRUNE_EVERY) as usize + 1, "{}", kept.len());
    assert_eq!(kept.first(), Some(&result(599, None)));
    assert_eq!(kept.last(), Some(&result(0, Some(Status::Healthy))));
}
