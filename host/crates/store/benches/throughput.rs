//! Measures ingest and reads. Run with
//! `cargo bench -p hostler-store`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement ends at the first failure, and its output is for people"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use hostler_model::lines::Stream;
use hostler_model::{Lifecycle, ProcessId, ProcessName, ProcessSpec, RestartPolicy, RunNo, Timestamp};
use hostler_store::{
    Carry, IngestBatch, JournalPosition, LogPoint, LogQuery, Matcher, NewProcess, NewRun, Order, RowFlags,
    Rows, RunKey, RunReason, Search, Store,
};

const BATCH: u64 = 4_000;
const BATCHES: u64 = 500;

fn spec() -> ProcessSpec {
    ProcessSpec {
        command: "node".into(),
        args: Vec::new(),
        cwd: "/".into(),
        search_path: "/usr/bin".into(),
        env: BTreeMap::new(),
        env_files: Vec::new(),
        env_profile: None,
        env_digest: None,
        restart: RestartPolicy::default(),
        schedule: None,
        watch: None,
        health: Vec::new(),
        stop: Default::default(),
        limits: Default::default(),
        lifetime: Default::default(),
        parsers: Vec::new(),
        pty: false,
        no_new_privs: false,
    }
}

async fn prepare(store: &Store) -> (ProcessId, RunKey) {
    let now = Timestamp(0);
    let project = store.ensure_project("/", "root", now).await.unwrap();
    let process = NewProcess {
        project_id: project.id,
        name: ProcessName::try_from("web".to_owned()).unwrap(),
        spec: spec(),
        lifecycle: Lifecycle::default(),
        now,
    };
    let process_id = store.insert_process(process).await.unwrap();
    let run = NewRun {
        process_id,
        run: RunNo(1),
        dir: "1".into(),
        boot_id: "boot".into(),
        before: None,
        reason: RunReason::Start,
        now,
    };
    (process_id, store.begin_run(run, &Lifecycle::default()).await.unwrap())
}

fn batch(run: RunKey, number: u64, rows: u64) -> IngestBatch {
    let first = i64::try_from(number * rows).unwrap();
    let mut lines = Rows::default();
    for n in 0..i64::try_from(rows).unwrap() {
        let stream = if n == 7 { Stream::Stderr } else { Stream::Stdout };
        let number = first + n;
        let word = if number == 1_000_000 { "needle" } else { "cache miss" };
        let text = format!(
            "{number:012} GET /api/items/{:08x} 200 in {} ms, {word}, user agent curl/8.5.0 on linux x86_64 ........",
            number.wrapping_mul(2_654_435_761) & 0xffff_ffff,
            number % 977
        );
        lines.push(Timestamp(number * 1_000_000), stream, RowFlags::NONE, &text.as_bytes()[..100]);
    }
    IngestBatch {
        run,
        position: JournalPosition { segment: 1, offset: number + 1 },
        carry_stdout: Carry::default(),
        carry_stderr: Carry::default(),
        rows: lines,
        drained: false,
    }
}

fn private_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let lines = text.lines().filter(|l| l.starts_with("Private_"));
    lines.filter_map(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let before = private_kib();
    let store = Store::open(&dir.path().join("hostler.db"), Timestamp(0)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (process, run) = runtime.block_on(prepare(&store));
    let mut spent = std::time::Duration::ZERO;
    for number in 0..BATCHES {
        let batch = vec![batch(run, number, BATCH)];
        let start = Instant::now();
        store.commit_ingest_blocking(batch).unwrap();
        spent += start.elapsed();
    }
    let rows = BATCH * BATCHES;
    println!("batches of {BATCH}: {:.0} rows/s", rows as f64 / spent.as_secs_f64());
    let start = Instant::now();
    for number in 0..2_000 {
        store.commit_ingest_blocking(vec![batch(run, BATCHES + number, 1)]).unwrap();
    }
    println!("batches of 1: {:.0} rows/s", 2_000.0 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    while store.seal_step_blocking().unwrap() {}
    println!("sealing: {:.0} rows/s", rows as f64 / start.elapsed().as_secs_f64());
    pages(&runtime, &store, process, rows);
    searches(&store, process);
    println!("private memory of the store: {} KiB", private_kib().saturating_sub(before));
    let stored = runtime.block_on(store.log_sizes()).unwrap()[0].1;
    let text = (rows + 2_000) * 101;
    println!("lines and filters: {:.1} % of the text", 100.0 * stored as f64 / text as f64);
    let files = runtime.block_on(store.store_size_bytes()).unwrap();
    println!("files: {files} bytes for {text} bytes of text, the room for what comes next included");
    runtime.block_on(store.shutdown());
}

fn searches(store: &Store, process: ProcessId) {
    let text = |text: &str| Matcher::text(text, false).unwrap();
    for (name, matcher, limit) in [
        ("rare word", text("needle"), 100),
        ("newest 100 of a common word", text("cache miss"), 100),
        ("expression over everything", Matcher::regex("[x-z]{4}[0-9]q", true).unwrap(), 100),
    ] {
        let lines = LogQuery::newest(process, limit);
        let search = Search { lines, matcher, fields: Vec::new(), context: 0 };
        let start = Instant::now();
        let found = store.search_blocking(&search, || false).unwrap();
        let spent = start.elapsed().as_secs_f64();
        println!(
            "{name}: {} found, {:.1} ms; looked at {} MB ({:.2} GB/s), left out {} MB",
            found.found.len(),
            spent * 1e3,
            found.scanned_bytes / 1_000_000,
            found.scanned_bytes as f64 / spent / 1e9,
            found.skipped_bytes / 1_000_000
        );
    }
}

fn pages(runtime: &tokio::runtime::Runtime, store: &Store, process: ProcessId, rows: u64) {
    let newest = LogQuery::newest(process, 100);
    let deep = LogQuery {
        after: Some(LogPoint { run: RunNo(1), seq: rows / 2 }),
        order: Order::Asc,
        ..newest.clone()
    };
    let middle = i64::try_from(rows / 2).unwrap() * 1_000_000;
    let time = LogQuery {
        since: Some(Timestamp(middle)),
        until: Some(Timestamp(middle + 50_000_000)),
        ..newest.clone()
    };
    let stderr = LogQuery { stream: Some(Stream::Stderr), limit: 10, ..newest.clone() };
    let head = LogQuery { limit: 1, ..newest.clone() };
    for (name, query) in [
        ("newest 1", head),
        ("newest 100", newest),
        ("deep 100", deep),
        ("50 by time", time),
        ("10 stderr", stderr),
    ] {
        let start = Instant::now();
        for _ in 0..100 {
            runtime.block_on(store.logs(query.clone())).unwrap();
        }
        println!("{name}: {:.1} µs", start.elapsed().as_secs_f64() * 1e4);
    }
    let start = Instant::now();
    let count = runtime.block_on(store.count_rows(process)).unwrap();
    println!("count of {count}: {:.1} µs", start.elapsed().as_secs_f64() * 1e6);
}
