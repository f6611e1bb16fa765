use super::*;
use crate::testing::{Fixture, batch, noise};

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
