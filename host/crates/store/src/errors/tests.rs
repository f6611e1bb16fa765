use std::sync::Arc;

use hostler_model::errors::{Basis, Families, Fault, Fingerprint, Identity, Resolution};
use hostler_model::{Desired, Exit, Lifecycle, Outcome, Pid, Signal, State};

use super::*;
use crate::errors::queries::{ErrorQuery, ErrorSort};
use crate::testing::{Fixture, NOW, over};

fn kind(message: &str) -> Arc<NewKind> {
    let fault = Fault { category: "network".into(), ..Fault::of_text(message) };
    let identity = Identity::of(&fault, message);
    let member = Families::default().place(&identity);
    Arc::new(NewKind { fault, family: identity.family, member, earlier: Vec::new() })
}

fn at(run: RunKey, kind: &Arc<NewKind>, seq: u64) -> NewOccurrence {
    NewOccurrence {
        run,
        stream: Stream::Stderr,
        first_seq: seq,
        last_seq: seq,
        time: Timestamp(seq as i64),
        kind: Arc::clone(kind),
        sample: Some(Sample { lines: vec!["before".into(), format!("line {seq}")], context: 1 }),
    }
}

fn all() -> ErrorQuery {
    ErrorQuery { limit: 100, ..ErrorQuery::default() }
}

fn resolution(at: i64) -> Resolution {
    Resolution { text: "mended".into(), by: "ann".into(), at: Timestamp(at) }
}

async fn started() -> (Fixture, hostler_model::ProcessId, RunKey) {
    let fixture = Fixture::new();
    let process = fixture.process("web").await;
    let run = fixture.run(process, 1).await;
    (fixture, process, run)
}

#[tokio::test]
async fn equal_errors_are_one_group_with_counters_and_samples() {
    let (fixture, process, run) = started().await;
    let (lost, full) = (kind("connection lost"), kind("disk full"));
    fixture.store.record_errors(vec![at(run, &lost, 1), at(run, &full, 2), at(run, &lost, 3)]).await.unwrap();
    let second = fixture.run(process, 2).await;
    fixture.store.record_errors(vec![at(second, &lost, 5)]).await.unwrap();
    let page = fixture.store.errors(ErrorQuery { sort: ErrorSort::Count, ..all() }).await.unwrap();
    let found: Vec<_> = page.groups.iter().map(|g| (g.fault.title.as_str(), g.state.count)).collect();
    assert_eq!(found, [("connection lost", 3), ("disk full", 1)]);
    let group = &page.groups[0];
    assert_eq!((group.state.first_seen, group.state.last_seen), (Timestamp(1), Timestamp(5)));
    let seen = &group.processes[0];
    assert_eq!((seen.process_id, seen.count, seen.runs, seen.last_run), (process, 3, 2, RunNo(2)));
    let (place, sample) = group.sample.as_ref().unwrap();
    assert_eq!((place.run, place.first_seq, sample.lines[1].as_str()), (RunNo(2), 5, "line 5"));
    let occurrences = fixture.store.occurrences(group.id, None, 10).await.unwrap();
    assert_eq!(
        occurrences.iter().map(|o| (o.run.0, o.first_seq)).collect::<Vec<_>>(),
        [(2, 5), (1, 3), (1, 1)]
    );
    assert_eq!(fixture.store.occurrences(group.id, Some(1), 10).await.unwrap().len(), 1);
    fixture.store.resolve_errors(vec![group.id], resolution(9)).await.unwrap();
    let counts = fixture.store.error_counts().await.unwrap();
    assert_eq!(counts, [(process, ErrorCounts { occurrences: 4, open_groups: 1 })].into());
}

#[tokio::test]
async fn a_flood_costs_counters_and_not_rows() {
    let (fixture, _, run) = started().await;
    let lost = kind("connection lost");
    for batch in 0..5_u64 {
        let flood = (1..=1_500).map(|n| NewOccurrence { sample: None, ..at(run, &lost, batch * 1_500 + n) });
        fixture.store.record_errors(flood.collect()).await.unwrap();
    }
    let group = fixture.store.errors(all()).await.unwrap().groups.remove(0);
    assert_eq!(group.state.count, 7_500);
    let kept = fixture.store.occurrences(group.id, None, usize::MAX >> 1).await.unwrap();
    assert_eq!(kept.len() as u64, RING);
    assert!(kept.iter().map(|o| o.first_seq).eq((6_501..=7_500).rev()), "the newest are kept");
}

#[tokio::test]
async fn a_resolved_group_that_is_seen_again_is_a_regression() {
    let (fixture, _, run) = started().await;
    let lost = kind("connection lost");
    fixture.store.record_errors(vec![at(run, &lost, 1)]).await.unwrap();
    let id = fixture.store.errors(all()).await.unwrap().groups[0].id;
    let resolved = fixture.store.resolve_errors(vec![id], resolution(10)).await.unwrap();
    assert!(resolved[0].state.is_resolved());
    let open = ErrorQuery { resolved: Some(false), ..all() };
    assert_eq!(fixture.store.errors(open.clone()).await.unwrap().groups, []);
    fixture.store.record_errors(vec![at(run, &lost, 20)]).await.unwrap();
    let back = fixture.store.errors(open).await.unwrap().groups.remove(0);
    assert!(back.state.is_regression() && back.id == id);
    let missing = fixture.store.resolve_errors(vec![id, ErrorId(99)], resolution(30)).await;
    assert_eq!(missing, Err(StoreError::NotFound("error e99".into())));
    assert!(!fixture.store.error_group(id).await.unwrap().unwrap().state.is_resolved(), "all or none");
}

#[tokio::test]
async fn a_group_of_an_earlier_version_goes_on() {
    let (fixture, _, run) = started().await;
    let old = kind("connection lost");
    let before = Fingerprint { version: 0, ..old.member.fingerprint };
    let old_member = Member { fingerprint: before, ..old.member.clone() };
    let of_before = Arc::new(NewKind { member: old_member, ..(*old).clone() });
    fixture.store.record_errors(vec![at(run, &of_before, 1)]).await.unwrap();
    let now = Arc::new(NewKind { earlier: vec![before], ..(*old).clone() });
    fixture.store.record_errors(vec![at(run, &now, 2)]).await.unwrap();
    let groups = fixture.store.errors(all()).await.unwrap().groups;
    assert_eq!(groups.iter().map(|g| (g.version, g.state.count)).collect::<Vec<_>>(), [(0, 2)]);
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let (fixture, process, run) = started().await;
    let other = fixture.process("db").await;
    let other_run = fixture.run(other, 1).await;
    for (n, run) in [(1, run), (2, run), (3, other_run)] {
        let kind = kind(&format!("{} happened", ["", "this", "that", "it"][n as usize]));
        fixture.store.record_errors(vec![at(run, &kind, n)]).await.unwrap();
    }
    let times = |page: &ErrorPage| page.groups.iter().map(|g| g.state.last_seen.0).collect::<Vec<_>>();
    let first = fixture.store.errors(ErrorQuery { limit: 2, ..all() }).await.unwrap();
    assert_eq!(times(&first), [3, 2]);
    let rest = fixture.store.errors(ErrorQuery { after: first.next, ..all() }).await.unwrap();
    assert_eq!((times(&rest), rest.next), (vec![1], None));
    let of_process = ErrorQuery { process: Some(process), ..all() };
    assert_eq!(times(&fixture.store.errors(of_process.clone()).await.unwrap()), [2, 1]);
    let since = ErrorQuery { since: Some(Timestamp(3)), ..all() };
    assert_eq!(times(&fixture.store.errors(since).await.unwrap()), [3]);
    assert_eq!(
        fixture.store.error_categories(of_process.clone()).await.unwrap(),
        [("network".to_owned(), 2)]
    );
    fixture.run(process, 2).await;
    let newest_run = ErrorQuery { in_newest_run: true, ..of_process };
    assert_eq!(times(&fixture.store.errors(newest_run).await.unwrap()), Vec::<i64>::new());
    assert_eq!(
        fixture.store.error_of_run(other, RunNo(1)).await.unwrap().unwrap().state.last_seen,
        Timestamp(3)
    );
}

#[tokio::test]
async fn what_is_removed_is_forgotten() {
    let (fixture, process, run) = started().await;
    let other = fixture.process("db").await;
    let other_run = fixture.run(other, 1).await;
    let (shared, own) = (kind("connection lost"), kind("disk full"));
    fixture
        .store
        .record_errors(vec![at(run, &shared, 1), at(other_run, &shared, 2), at(run, &own, 3)])
        .await
        .unwrap();
    fixture.store.remove_process(process).await.unwrap();
    let groups = fixture.store.errors(all()).await.unwrap().groups;
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].processes.iter().map(|p| p.process_id).collect::<Vec<_>>(), [other]);
    assert_eq!(fixture.store.occurrences(groups[0].id, None, 10).await.unwrap().len(), 1);
    assert_eq!(fixture.store.record_errors(vec![at(run, &own, 4)]).await, Ok(0));
}

#[tokio::test]
async fn families_are_found_again() {
    let (fixture, process, run) = started().await;
    let lost = kind("user ann may not read it");
    fixture.store.record_errors(vec![at(run, &lost, 1)]).await.unwrap();
    let project = fixture.store.project_of_run(run).await.unwrap().unwrap();
    let known = fixture.store.error_families(project).await.unwrap();
    assert_eq!(known, [(lost.family, lost.member.clone())]);
    let group = fixture.store.error_of_run(process, RunNo(1)).await.unwrap().unwrap();
    let relatives = fixture.store.error_relatives(project, group.family, group.id, 5).await.unwrap();
    assert_eq!(relatives, []);
    assert_eq!(Identity::of(&lost.fault, "").basis, Basis::Message);
}

fn crashed(code: i32) -> Exit {
    Exit { outcome: Outcome::Code(code), ..Exit::unknown(NOW) }
}

#[tokio::test]
async fn an_end_that_nobody_asked_for_is_explained_once() {
    let (fixture, process, run) = started().await;
    let lost = kind("connection lost");
    fixture.store.record_errors(vec![at(run, &lost, 7)]).await.unwrap();
    fixture.store.run_ended(over(run, crashed(1), 0)).await.unwrap();
    assert!(fixture.store.is_run_unexplained(process, RunNo(1)).await.unwrap());
    let exit = kind("exit code 1");
    let judged = fixture.store.judge_crash(5, at(run, &exit, 9)).await.unwrap();
    let group = fixture.store.errors(all()).await.unwrap().groups.remove(0);
    assert_eq!((judged, group.processes[0].ended_runs), (Judged::By(group.id), 1));
    assert_eq!(fixture.store.judge_crash(5, at(run, &exit, 9)).await, Ok(Judged::Before));
}

/// In a loop of crashes the next run has seen the same error before the end of the first is looked at.
#[tokio::test]
async fn an_end_is_explained_when_a_later_run_has_seen_the_error_as_well() {
    let (fixture, process, run) = started().await;
    let lost = kind("connection lost");
    let later = fixture.run(process, 2).await;
    fixture.store.record_errors(vec![at(run, &lost, 7), at(later, &lost, 7)]).await.unwrap();
    fixture.store.run_ended(over(run, crashed(1), 0)).await.unwrap();
    let judged = fixture.store.judge_crash(5, at(run, &kind("exit code 1"), 9)).await.unwrap();
    let group = fixture.store.errors(all()).await.unwrap().groups.remove(0);
    assert_eq!((judged, group.processes[0].ended_runs), (Judged::By(group.id), 1));
    let of_run = fixture.store.error_of_run(process, RunNo(1)).await.unwrap();
    assert_eq!(of_run.map(|found| found.id), Some(group.id));
}

#[tokio::test]
async fn an_end_that_nothing_explains_is_an_error_of_its_own() {
    let (fixture, process, run) = started().await;
    fixture.store.record_errors(vec![at(run, &kind("connection lost"), 7)]).await.unwrap();
    fixture.store.run_ended(over(run, crashed(1), 0)).await.unwrap();
    let judged = fixture.store.judge_crash(500, at(run, &kind("exit code 1"), 600)).await;
    assert_eq!(judged, Ok(Judged::OfItsOwn));
    let groups = fixture.store.errors(all()).await.unwrap().groups;
    let exit = groups.iter().find(|g| g.fault.title == "exit code 1").unwrap();
    assert_eq!(exit.processes[0].ended_runs, 1);

    // Neither a good end nor one that was asked for is a crash.
    let good = fixture.run(process, 2).await;
    fixture.store.run_ended(over(good, crashed(0), 0)).await.unwrap();
    assert!(!fixture.store.is_run_unexplained(process, RunNo(2)).await.unwrap());
    let asked = fixture.run(process, 3).await;
    let state = State::Stopping {
        run: RunNo(3),
        pid: Some(Pid(1)),
        since: NOW,
        how: hostler_model::lifecycle::Ending::Kill(Signal::KILL),
        deadline: NOW,
        then: hostler_model::lifecycle::Then::Rest,
        exit: None,
    };
    let lifecycle = Lifecycle {
        desired: Desired::Stopped,
        state,
        generation: hostler_model::Generation(9),
        ..Lifecycle::default()
    };
    fixture.store.save_lifecycle(process, &lifecycle, NOW).await.unwrap();
    fixture.store.run_ended(over(asked, crashed(143), 0)).await.unwrap();
    assert!(!fixture.store.is_run_unexplained(process, RunNo(3)).await.unwrap());
}

#[tokio::test]
async fn a_project_keeps_only_so_many_groups() {
    let (fixture, _, run) = started().await;
    let letters = |n: i64| {
        format!(
            "{}{}{}",
            char::from(b'a' + (n / 676) as u8),
            char::from(b'a' + (n / 26 % 26) as u8),
            char::from(b'a' + (n % 26) as u8)
        )
    };
    let many: Vec<_> =
        (0..GROUPS + 5).map(|n| at(run, &kind(&format!("{} broke", letters(n))), n as u64 + 1)).collect();
    fixture.store.record_errors(many).await.unwrap();
    let page = fixture.store.errors(ErrorQuery { limit: 10_000, ..all() }).await.unwrap();
    assert_eq!(page.groups.len() as i64, GROUPS);
    assert_eq!(page.groups.last().unwrap().state.first_seen, Timestamp(6));
}
