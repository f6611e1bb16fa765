use std::sync::mpsc;

use super::*;
use crate::testing::{Fixture, NOW, contents};

#[tokio::test]
async fn shutdown_finishes_what_is_queued_and_leaves_one_file() {
    let f = Fixture::new();
    let (open_gate, gate) = mpsc::channel::<()>();
    let held = f.store.write(move |_| Ok(gate.recv().is_ok()));
    let queued = f.store.ensure_project("/a", "a", NOW);
    let closing = async {
        open_gate.send(()).unwrap();
        f.store.shutdown().await;
    };
    let (held, queued, ()) = tokio::join!(held, queued, closing);
    assert!(held.unwrap() && queued.is_ok());
    assert_eq!(contents(f.dir.path()).into_keys().collect::<Vec<_>>(), ["hostler.db"]);

    assert_eq!(f.store.projects().await, Err(StoreError::Closed));
    assert_eq!(f.store.ensure_project("/b", "b", NOW).await, Err(StoreError::Closed));
    f.store.shutdown().await;

    let again = Store::open(&f.path(), NOW).unwrap();
    assert_eq!(again.projects().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_write_whose_caller_went_away_still_happens() {
    let f = Fixture::new();
    {
        let mut write = Box::pin(f.store.ensure_project("/a", "a", NOW));
        let once = std::future::poll_fn(|cx| std::task::Poll::Ready(write.as_mut().poll(cx).is_pending()));
        once.await;
    }
    f.store.ensure_project("/b", "b", NOW).await.unwrap();
    assert_eq!(f.store.projects().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_long_read_delays_neither_writes_nor_other_reads() {
    let f = Fixture::new();
    let (finish, wait) = mpsc::channel::<()>();
    let long = f.store.read(move |conn| {
        let before: u32 = conn.query_row("SELECT count(*) FROM projects", [], |r| r.get(0))?;
        assert!(wait.recv().is_ok());
        let after: u32 = conn.query_row("SELECT count(*) FROM projects", [], |r| r.get(0))?;
        Ok((before, after))
    });
    let rest = async {
        for name in ["a", "b"] {
            f.store.ensure_project(&format!("/{name}"), name, NOW).await.unwrap();
        }
        let seen = f.store.projects().await.unwrap().len();
        finish.send(()).unwrap();
        seen
    };
    let (long, seen) = tokio::join!(long, rest);
    assert_eq!(seen, 2);
    let (before, after) = long.unwrap();
    assert_eq!(before, after, "one read sees one state");
}

#[tokio::test]
async fn a_panicking_read_answers_and_the_reader_lives() {
    let f = Fixture::new();
    for _ in 0..4 {
        let answer: Result<(), _> = f.store.read(|_| panic!("on purpose")).await;
        assert_eq!(answer, Err(StoreError::Panicked("on purpose".into())));
    }
    assert_eq!(f.store.projects().await, Ok(Vec::new()));
}

#[tokio::test]
async fn readers_cannot_write() {
    let f = Fixture::new();
    let answer = f.store.read(|conn| Ok(conn.execute("DELETE FROM projects", [])?)).await;
    assert!(matches!(answer, Err(StoreError::Io(_))), "{answer:?}");
}

#[tokio::test]
async fn the_size_is_that_of_the_files() {
    let f = Fixture::new();
    let on_disk: usize = contents(f.dir.path()).values().map(Vec::len).sum();
    assert_eq!(f.store.store_size_bytes().await, Ok(on_disk as u64));
}
