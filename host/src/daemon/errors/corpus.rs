//! How well real errors are grouped: every trace of `tests/corpus/errors` goes through the real parsers and the real
//! categorizer, and the groups that come out are compared with the faults that made them. What was held out is scored
//! apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::tests::Bench;

#[derive(Deserialize)]
struct Entry {
    fault: String,
    /// The right one, or several of which each is, with a bar between.
    category: String,
    text: String,
}

/// An error that came of an entry. One that came of none is in a group of its own.
struct Scored {
    fault: String,
    group: u128,
    right: bool,
}

fn corpus(part: &str) -> Vec<Entry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/errors");
    let text = std::fs::read_to_string(folder.join(part).join("traces.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Of the pairs that are in one group, how many are of one fault; and of those of one fault, how many are in one group.
fn pairs(scored: &[Scored]) -> (f64, f64) {
    let (mut both, mut grouped, mut same) = (0_u64, 0_u64, 0_u64);
    for (at, one) in scored.iter().enumerate() {
        for other in &scored[at + 1..] {
            let (in_group, of_fault) = (one.group == other.group, one.fault == other.fault);
            both += u64::from(in_group && of_fault);
            grouped += u64::from(in_group);
            same += u64::from(of_fault);
        }
    }
    (both as f64 / grouped.max(1) as f64, both as f64 / same.max(1) as f64)
}

/// Detects the errors of all entries, one process writing after another. What is wrong is noted in words.
async fn detect(entries: Vec<Entry>, wrong: &mut BTreeSet<String>) -> Vec<Scored> {
    let bench = Bench::new().await;
    let mut detector = bench.errors.detector();
    let (mut scored, mut seq) = (Vec::new(), 1);
    for (number, Entry { fault, category, text }) in entries.into_iter().enumerate() {
        let (events, rows) = bench.parse(&text, seq).await;
        seq = rows.end();
        let found = detector.detect(bench.run, &events, &rows).await.unwrap();
        // The same told twice is one.
        let groups: BTreeMap<u128, &str> =
            found.iter().map(|f| (f.kind.member.fingerprint.hash, &*f.kind.fault.category)).collect();
        if groups.len() != 1 {
            wrong.insert(format!("{fault} is {} errors", groups.len()));
        }
        if groups.is_empty() {
            scored.push(Scored { fault: fault.clone(), group: number as u128, right: false });
        }
        for (group, found) in groups {
            let right = category.split('|').any(|right| right == found);
            if !right {
                wrong.insert(format!("{fault} is {found}, not {category}"));
            }
            scored.push(Scored { fault: fault.clone(), group, right });
        }
    }
    scored
}

/// Faults that are in several groups, and groups that have several faults.
fn confusions(scored: &[Scored], wrong: &mut BTreeSet<String>) {
    let mut groups: BTreeMap<&str, BTreeSet<u128>> = BTreeMap::new();
    let mut faults: BTreeMap<u128, BTreeSet<&str>> = BTreeMap::new();
    for one in scored {
        groups.entry(&one.fault).or_default().insert(one.group);
        faults.entry(one.group).or_default().insert(&one.fault);
    }
    wrong.extend(
        groups.iter().filter(|(_, g)| g.len() > 1).map(|(f, g)| format!("{f} is {} groups", g.len())),
    );
    wrong.extend(faults.values().filter(|f| f.len() > 1).map(|f| format!("{f:?} are one group")));
}

#[allow(clippy::print_stdout, reason = "the score is what somebody who runs this wants to see")]
async fn score(part: &str) {
    let mut wrong = BTreeSet::new();
    let scored = detect(corpus(part), &mut wrong).await;
    confusions(&scored, &mut wrong);
    let (precision, recall) = pairs(&scored);
    let mut faults: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for one in &scored {
        let of_fault = faults.entry(&one.fault).or_default();
        of_fault.0 += usize::from(one.right);
        of_fault.1 += 1;
    }
    let right = faults.values().filter(|(right, all)| 10 * right >= 9 * all).count();
    wrong.iter().for_each(|line| println!("{line}"));
    println!(
        "{part} {} errors of {} faults: precision {precision:.3}, recall {recall:.3}, category right for {right}",
        scored.len(),
        faults.len()
    );
    assert!(precision >= 0.95 && recall >= 0.95, "precision {precision}, recall {recall}");
    assert!(10 * right >= 9 * faults.len(), "{right} of {}", faults.len());
}

#[tokio::test]
async fn real_errors_are_grouped_by_their_faults() {
    score("").await;
}

#[tokio::test]
async fn errors_that_nothing_was_made_for_are_as_well() {
    score("held-out").await;
}

#[tokio::test]
async fn errors_of_a_second_try_are_as_well() {
    score("held-out-2").await;
}

#[tokio::test]
async fn errors_of_a_third_try_are_as_well() {
    score("held-out-3").await;
}
