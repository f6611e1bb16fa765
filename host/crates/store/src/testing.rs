//! What the tests of this crate share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_model::lines::{Carry, Stream};
use hostler_model::spec::StopSpec;
use hostler_model::{Exit, Lifecycle, ProcessId, ProcessName, ProcessSpec, RestartPolicy, RunNo, Timestamp};
use tempfile::TempDir;

use crate::{
    IngestBatch, Ingested, JournalPosition, LogPoint, LogQuery, LogRow, NewProcess, NewRun, Order, RowFlags,
    Rows, RunEnd, RunKey, RunReason, Store,
};

pub(crate) const NOW: Timestamp = Timestamp(1_000);

/// A store in a directory of its own.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) dir: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("hostler.db"), NOW).unwrap();
        Self { store, dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("hostler.db")
    }

    pub(crate) async fn process(&self, name: &str) -> ProcessId {
        let project = self.store.ensure_project("/srv/shop", "shop", NOW).await.unwrap();
        self.store.insert_process(new_process(project.id, name)).await.unwrap()
    }

    pub(crate) async fn run(&self, process: ProcessId, run: u32) -> RunKey {
        self.store.begin_run(new_run(process, run), &Lifecycle::default()).await.unwrap()
    }

    /// All rows of a process, read in one page.
    pub(crate) async fn rows(&self, process: ProcessId) -> Vec<LogRow> {
        let query = LogQuery { order: Order::Asc, ..LogQuery::newest(process, usize::MAX) };
        let page = self.store.logs(LogQuery { max_bytes: usize::MAX, ..query }).await.unwrap();
        assert!(!page.more);
        page.rows
    }
}

pub(crate) fn spec() -> ProcessSpec {
    ProcessSpec {
        command: "node".into(),
        args: vec!["server.js".into()],
        cwd: "/srv/shop".into(),
        search_path: "/usr/bin".into(),
        env: BTreeMap::from([("PORT".into(), "80".into())]),
        env_files: Vec::new(),
        env_profile: None,
        env_digest: None,
        restart: RestartPolicy::default(),
        schedule: None,
        watch: None,
        health: Vec::new(),
        stop: StopSpec::default(),
        limits: Default::default(),
        lifetime: Default::default(),
        parsers: Vec::new(),
        pty: false,
        no_new_privs: false,
    }
}

pub(crate) fn new_process(project_id: i64, name: &str) -> NewProcess {
    NewProcess {
        project_id,
        name: ProcessName::try_from(name.to_owned()).unwrap(),
        spec: spec(),
        lifecycle: Lifecycle::default(),
        now: NOW,
    }
}

pub(crate) fn new_run(process_id: ProcessId, run: u32) -> NewRun {
    NewRun {
        process_id,
        run: RunNo(run),
        dir: format!("{process_id}-{run}"),
        boot_id: "boot".into(),
        reason: RunReason::Start,
        before: None,
        now: NOW,
    }
}

pub(crate) fn over(run: RunKey, exit: Exit, descendants_ended: u32) -> RunEnd {
    RunEnd { run, exit, descendants_ended, note: None }
}

/// One row to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewRow {
    pub(crate) time: Timestamp,
    pub(crate) stream: Stream,
    pub(crate) flags: RowFlags,
    pub(crate) raw: Vec<u8>,
}

pub(crate) fn row(time: i64, stream: Stream, raw: &[u8]) -> NewRow {
    NewRow { time: Timestamp(time), stream, flags: RowFlags::NONE, raw: raw.to_vec() }
}

pub(crate) fn batch(run: RunKey, offset: u64, rows: Vec<NewRow>) -> IngestBatch {
    let mut columns = Rows::default();
    rows.iter().for_each(|row| columns.push(row.time, row.stream, row.flags, &row.raw));
    IngestBatch {
        run,
        position: JournalPosition { segment: 1, offset },
        carry_stdout: Carry::default(),
        carry_stderr: Carry::default(),
        rows: columns,
        drained: false,
    }
}

/// `count` rows of 100 bytes on standard output, one a nanosecond.
pub(crate) fn many(count: i64) -> Vec<NewRow> {
    (1..=count).map(|n| row(n, Stream::Stdout, &[b'x'; 100])).collect()
}

/// `count` rows of 100 bytes that cannot be packed.
pub(crate) fn noise(count: i64) -> Vec<NewRow> {
    let mut state = 1_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (1..=count)
        .map(|n| row(n, Stream::Stdout, &std::iter::repeat_with(&mut byte).take(100).collect::<Vec<_>>()))
        .collect()
}

pub(crate) fn stored(first: u64, last: u64) -> Ingested {
    Ingested::Stored { rows: Some(first..=last) }
}

pub(crate) fn point(run: u32, seq: u64) -> LogPoint {
    LogPoint { run: RunNo(run), seq }
}

/// Every file of a directory with its bytes.
pub(crate) fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
}
