//! What becomes of output, with a daemon and without.

use std::time::Duration;

use hostler_shim::control::{Command, Event, Scope};
use hostler_shim::exit_record::Outcome;
use hostler_shim::journal::{Gap, Kind, Position, Reader, Stream};
use hostler_shim::launch::{JournalLimits, LaunchSpec};

use crate::common::{Shim, eventually, gaps, kept, pass, read_on, script};

const SMALL: JournalLimits = JournalLimits { segment_bytes: 64 << 10, cap_bytes: 512 << 10 };
/// A record, which is the most by which a bound may be passed.
const RECORD: u64 = 64 * 1024 + 32;

fn limited(journal: JournalLimits, script: &str) -> impl FnOnce(&mut LaunchSpec) {
    let script = script.into();
    move |spec| {
        spec.argv[2] = script;
        spec.journal = journal;
    }
}

/// What `seq 1 n` writes.
fn seq(n: u64) -> Gap {
    let text: String = (1..=n).map(|n| format!("{n}\n")).collect();
    let mut sum = Gap::default();
    sum.add(text.as_bytes());
    sum
}

fn plus(a: Gap, b: Gap) -> Gap {
    Gap { bytes: a.bytes + b.bytes, lines: a.lines + b.lines, ..a }
}

#[test]
fn a_long_line_is_kept_whole() {
    let (mut shim, _) = Shim::run("head -c 1000000 /dev/zero | tr '\\0' x; echo");
    shim.closed();
    let output = shim.output(Stream::Stdout);
    assert_eq!(output.len(), 1_000_001);
    assert!(output[..1_000_000].iter().all(|b| *b == b'x') && output[1_000_000] == b'\n');
}

#[test]
fn every_byte_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(300_000).collect();
    let path = dir.path().join("bytes");
    std::fs::write(&path, &bytes).unwrap();
    let (mut shim, _) = Shim::launch(|spec| {
        spec.exec = "/bin/cat".into();
        spec.argv = vec!["cat".into(), path.into()];
    });
    shim.closed();
    assert_eq!(shim.output(Stream::Stdout), bytes);
    assert_eq!(gaps(&shim.journal()), Gap::default());
}

#[test]
fn without_a_daemon_the_oldest_goes_and_is_counted() {
    let (mut shim, _) = Shim::launch(limited(SMALL, "read go; exec seq 1 300000"));
    shim.connect();
    shim.send(Command::Write(b"\n".to_vec()));
    shim.disconnect();
    shim.gone();
    assert!(shim.journal_bytes() <= SMALL.cap_bytes + RECORD, "{}", shim.journal_bytes());
    let records = shim.journal();
    let (kept, lost, written) = (kept(&records), gaps(&records), seq(300_000));
    assert!(lost.lines > 100_000, "{lost:?}");
    assert_eq!(plus(kept, lost), written);
    assert!(shim.stdout().ends_with("299999\n300000\n"), "the newest is kept");
}

#[test]
fn with_a_daemon_the_process_waits_and_nothing_is_lost() {
    let (mut shim, _) = Shim::launch(limited(SMALL, "seq 1 300000; echo end >&2"));
    eventually("full", || shim.journal_bytes() >= SMALL.cap_bytes);
    pass(Duration::from_millis(200));
    assert!(shim.journal_bytes() <= SMALL.cap_bytes + RECORD);
    let records = consume_all(&mut shim);
    assert_eq!(kept_on(&records, Stream::Stdout), seq(300_000));
    assert_eq!(kept_on(&records, Stream::Stderr).bytes, 4);
    assert_eq!(gaps(&records), Gap::default());
}

fn kept_on(records: &[crate::common::Record], stream: Stream) -> Gap {
    let of_stream: Vec<_> = records.iter().filter(|r| r.stream == stream).cloned().collect();
    kept(&of_stream)
}

/// Reads and consumes until the end, as a daemon does.
fn consume_all(shim: &mut Shim) -> Vec<crate::common::Record> {
    let mut reader = Reader::open(shim.dir(), Position::default()).unwrap();
    let mut records = Vec::new();
    loop {
        let closed = matches!(shim.event(), Event::Closed(_));
        records.extend(read_on(&mut reader));
        if closed {
            shim.gone();
            return records;
        }
        shim.consume(reader.position());
    }
}

impl Shim {
    /// The shim may close while this is on its way.
    fn consume(&self, position: Position) {
        self.try_send(&Command::Consumed(position));
    }
}

#[test]
fn a_cap_below_one_record_and_one_segment_is_no_deadlock() {
    for (segment_bytes, cap_bytes) in [(4 << 20, 10_000), (1, 1), (1000, 0)] {
        let limits = JournalLimits { segment_bytes, cap_bytes };
        let (mut shim, _) = Shim::launch(limited(limits, "exec seq 1 50000"));
        eventually("the first record", || shim.journal_bytes() > 0);
        let records = consume_all(&mut shim);
        assert_eq!(plus(kept(&records), gaps(&records)), seq(50_000));
        assert_eq!(gaps(&records), Gap::default());
    }
}

#[test]
fn a_segment_that_is_larger_than_the_cap_still_leaves_the_cap_in_force() {
    let limits = JournalLimits { segment_bytes: 4 << 20, cap_bytes: 512 << 10 };
    let (mut shim, _) = Shim::launch(limited(limits, "read go; exec seq 1 300000"));
    shim.connect();
    shim.send(Command::Write(b"\n".to_vec()));
    shim.disconnect();
    shim.gone();
    assert!(shim.journal_bytes() <= limits.cap_bytes + RECORD, "{}", shim.journal_bytes());
    let records = shim.journal();
    assert_eq!(plus(kept(&records), gaps(&records)), seq(300_000));
}

#[test]
fn a_daemon_that_goes_frees_the_process() {
    let (mut shim, _) = Shim::launch(limited(SMALL, "exec seq 1 300000"));
    eventually("full", || shim.journal_bytes() >= SMALL.cap_bytes);
    shim.disconnect();
    shim.gone();
    let records = shim.journal();
    assert_eq!(plus(kept(&records), gaps(&records)), seq(300_000));
}

#[test]
fn what_was_consumed_is_deleted_and_never_a_gap() {
    let (mut shim, _) = Shim::launch(limited(SMALL, "seq 1 40000; read go; exec seq 1 300000"));
    shim.said("\n40000\n");
    let mut reader = Reader::open(shim.dir(), Position::default()).unwrap();
    let mut records = read_on(&mut reader);
    let before = shim.journal_bytes();
    shim.send(Command::Consumed(reader.position()));
    eventually("deleted", || shim.journal_bytes() < before);
    shim.send(Command::Write(b"\n".to_vec()));
    shim.disconnect();
    shim.gone();
    // A new daemon: the old one's open file would still show it what was deleted meanwhile.
    let mut reader = Reader::open(shim.dir(), reader.position()).unwrap();
    records.extend(read_on(&mut reader));
    let sum = plus(kept(&records), gaps(&records));
    assert_eq!(sum, plus(seq(40_000), seq(300_000)));
}

#[test]
fn growth_is_told_once_until_it_was_consumed() {
    let (mut shim, _) = Shim::run("while read line; do echo $line; done");
    let soon = Duration::from_millis(150);
    for line in ["a", "b", "c"] {
        shim.send(Command::Write(format!("{line}\n").into_bytes()));
        shim.said(line);
    }
    while shim.event_within(soon).is_some() {}
    assert_eq!(shim.grew, 1);
    let mut reader = Reader::open(shim.dir(), Position::default()).unwrap();
    // Half of it: there is more.
    reader.next().unwrap();
    shim.send(Command::Consumed(reader.position()));
    while shim.event_within(soon).is_some() {}
    assert_eq!(shim.grew, 2);
    // All of it: quiet, however often it is said.
    read_on(&mut reader);
    for _ in 0..3 {
        shim.send(Command::Consumed(reader.position()));
    }
    while shim.event_within(soon).is_some() {}
    assert_eq!(shim.grew, 2);
    shim.send(Command::Write(b"d\n".to_vec()));
    shim.until(|e| (e == Event::JournalGrew).then_some(()));
    assert_eq!(shim.grew, 3);
}

#[test]
fn a_daemon_that_cannot_read_on_is_not_told_again_and_again() {
    let (mut shim, _) = Shim::run("echo one; exec sleep 1000");
    shim.until(|e| (e == Event::JournalGrew).then_some(()));
    // It answers each word by saying where it still is.
    for _ in 0..20 {
        shim.send(Command::Consumed(Position::default()));
    }
    while shim.event_within(Duration::from_millis(150)).is_some() {}
    assert_eq!(shim.grew, 1);
    shim.disconnect();
    shim.attach();
    shim.until(|e| (e == Event::JournalGrew).then_some(()));
}

#[test]
fn both_streams_together_lose_nothing() {
    let noise = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo out $i; echo err $i >&2; done";
    let (mut shim, _) = Shim::run(noise);
    assert_eq!(shim.closed().outcome, Outcome::Code(0));
    let wanted = |name| (1..=3000).map(|i| format!("{name} {i}\n")).collect::<String>();
    assert_eq!(shim.stdout(), wanted("out"));
    assert_eq!(shim.output(Stream::Stderr), wanted("err").into_bytes());
}

#[test]
fn times_of_records_rise() {
    let (mut shim, status) = Shim::run("echo a; sleep 0.05; echo b; sleep 0.05; echo c");
    shim.closed();
    let mut reader = Reader::open(shim.dir(), Position::default()).unwrap();
    let (mut mono, mut wall) = (0, status.started_unix_nanos);
    while let Some(r) = reader.next().unwrap() {
        if r.kind == Kind::Output {
            assert!(r.mono_ns > mono && r.wall_ns > wall);
            (mono, wall) = (r.mono_ns, r.wall_ns);
        }
    }
}

#[test]
fn a_writer_outside_the_tree_does_not_hold_the_end_up() {
    // Whoever opens the pipe through /proc is not a descendant, and may write for ever.
    let (mut shim, status) = Shim::run("echo up; exec sleep 1000");
    shim.said("up");
    let pipe = format!("/proc/{}/fd/1", status.pid);
    let target = std::fs::OpenOptions::new().write(true).open(pipe).unwrap();
    let path = script(shim.dir(), "#!/bin/sh\nexec yes\n");
    let mut stranger = std::process::Command::new(path).stdout(target).spawn().unwrap();
    eventually("noise", || shim.stdout().len() > 100_000);
    shim.stop(0, Scope::Tree);
    // It would not end by itself: the harness waits 30 s and then fails.
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shim.closed()));
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(ended.is_ok());
}
