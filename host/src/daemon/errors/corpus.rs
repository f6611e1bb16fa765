//! How well real errors are grouped: every trace of `tests/corpus/errors` goes through the real parsers and the real
//! categorizer, and the groups that come out are compared with the faults that made them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::tests::Bench;

#[derive(Deserialize)]
struct Entry {
    fault: String,
    category: String,
    text: String,
}

/// What came of an entry.
struct Scored {
    fault: String,
    group: u128,
    right: bool,
}

fn corpus() -> Vec<Entry> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/errors/traces.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Right pairs and all pairs of equal `key`, with what is wrong.
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

#[tokio::test]
#[allow(clippy::print_stdout, reason = "the score is what somebody who runs this wants to see")]
async fn real_errors_are_grouped_by_their_faults() {
    let bench = Bench::new().await;
    let mut detector = bench.errors.detector();
    let mut scored = Vec::new();
    let (mut seq, mut odd) = (1, Vec::new());
    for entry in corpus() {
        let (events, rows) = bench.parse(&entry.text, seq).await;
        seq = rows.end();
        let found = detector.detect(bench.run, &events, &rows).await.unwrap();
        if found.len() != 1 {
            odd.push(format!("{} is {} errors", entry.fault, found.len()));
        }
        let Some(first) = found.first() else { continue };
        let category = &first.kind.fault.category;
        let right = *category == entry.category;
        if !right {
            odd.push(format!("{} is {category}, not {}", entry.fault, entry.category));
        }
        scored.push(Scored { fault: entry.fault, group: first.kind.member.fingerprint.hash, right });
    }
    let (precision, recall) = pairs(&scored);
    let mut faults: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for one in &scored {
        let of_fault = faults.entry(&one.fault).or_default();
        of_fault.0 += usize::from(one.right);
        of_fault.1 += 1;
    }
    let right = faults.values().filter(|(right, all)| 10 * right >= 9 * all).count();
    odd.sort();
    odd.dedup();
    odd.iter().for_each(|line| println!("{line}"));
    for (at, one) in scored.iter().enumerate() {
        if let Some(other) = scored[..at].iter().find(|o| (o.group == one.group) != (o.fault == one.fault)) {
            println!(
                "{} and {}: {}",
                one.fault,
                other.fault,
                if one.group == other.group { "one group" } else { "two groups" }
            );
        }
    }
    println!(
        "{} occurrences of {} faults: precision {precision:.3}, recall {recall:.3}, category right for {right}",
        scored.len(),
        faults.len()
    );
    assert!(precision >= 0.95 && recall >= 0.95, "precision {precision}, recall {recall}");
    assert!(10 * right >= 9 * faults.len(), "{right} of {}", faults.len());
}
