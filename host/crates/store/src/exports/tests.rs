use hostler_model::lines::Stream;

use super::*;
use crate::testing::{Fixture, NOW, batch, row};
use crate::{Annotations, Stretch, Unexported};

async fn write(f: &Fixture, run: RunKey, offset: u64, lines: u64) {
    let rows = (0..lines).map(|n| row(n as i64, Stream::Stdout, b"line")).collect();
    f.store.commit_ingest(vec![batch(run, offset, rows)]).await.unwrap();
    let from_seq = f.store.annotation_state(run).await.unwrap();
    let next_seq = from_seq + lines;
    let seen = Annotations { run, from_seq, next_seq, events: Vec::new(), occurrences: Vec::new() };
    f.store.commit_annotations(seen, &Stretch::default()).await.unwrap();
}

#[tokio::test]
async fn a_sink_has_what_was_written_since_it_was_declared() {
    let f = Fixture::new();
    let process = f.process("web").await;
    let old = f.run(process, 1).await;
    write(&f, old, 1, 5).await;
    let sink = f.store.sink("otlp", NOW).await.unwrap();
    assert_eq!(f.store.unexported(sink, 9).await.unwrap(), []);
    write(&f, old, 2, 2).await;
    let new = f.run(process, 2).await;
    write(&f, new, 1, 3).await;
    let waiting =
        |run, number, next_seq, end| Unexported { run, process, number: RunNo(number), next_seq, end };
    let expected = [waiting(old, 1, 6, 8), waiting(new, 2, 1, 4)];
    assert_eq!(f.store.unexported(sink, 9).await.unwrap(), expected);

    f.store.exported(sink, old, 8).await.unwrap();
    f.store.exported(sink, new, 3).await.unwrap();
    f.store.exported(sink, new, 2).await.unwrap();
    assert_eq!(f.store.sink("otlp", NOW).await, Ok(sink), "it is the same one later");
    assert_eq!(f.store.unexported(sink, 9).await.unwrap(), [waiting(new, 2, 3, 4)]);

    f.store.forget_sink("otlp").await.unwrap();
    f.store.exported(sink, new, 4).await.unwrap();
    let again = f.store.sink("otlp", NOW).await.unwrap();
    assert_eq!(f.store.unexported(again, 9).await.unwrap(), []);
}
