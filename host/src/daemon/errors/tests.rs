use std::sync::Arc;

use hostler_model::chain::Line;
use hostler_model::lines::Stream;
use hostler_model::spec::StopSpec;
use hostler_model::{Event, Lifecycle, ProcessName, ProcessSpec, RestartPolicy, RunNo, Severity, Timestamp};
use hostler_plugin_host::{Instance, Kind, Nowhere, TextBatch};
use hostler_store::{NewProcess, NewRun, RowFlags, Rows, RunReason, Stretch};
use serde_json::Map;
use tokio::sync::Mutex;

use super::*;
use crate::daemon::annotate::{events_of, names};

const NOW: Timestamp = Timestamp(1_772_366_400_000_000_000);

/// The real parts, with a run to which lines belong.
pub(super) struct Bench {
    pub(super) errors: Errors,
    pub(super) run: RunKey,
    parsers: Vec<Mutex<Instance>>,
    dir: tempfile::TempDir,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("hostler.db"), NOW).unwrap();
        let config = ConfigFile::open(dir.path().join("config.toml"), Degraded::default());
        let plugins = Plugins::new(config.clone(), &dir.path().join("code"));
        let mut parsers = Vec::new();
        for name in names(&[]) {
            let loaded = plugins.find(&name, &Map::new(), Kind::LogParser).await.unwrap();
            parsers.push(Mutex::new(loaded.instance(Arc::new(Nowhere))));
        }
        let project = store.ensure_project("/srv/shop", "shop", NOW).await.unwrap();
        let process = store.insert_process(new_process(project.id)).await.unwrap();
        let run = NewRun {
            process_id: process,
            run: RunNo(1),
            dir: "1".into(),
            boot_id: "boot".into(),
            before: None,
            reason: RunReason::Start,
            now: NOW,
        };
        let run = store.begin_run(run, &Lifecycle::default()).await.unwrap();
        Self {
            errors: Errors::new(store, Arc::default(), plugins, config, Degraded::default()),
            run,
            parsers,
            dir,
        }
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.dir.path().join("config.toml"), text).unwrap();
    }

    /// What the parsers make of lines on standard error.
    pub(super) async fn parse(&self, text: &str, first_seq: u64) -> (Vec<Event>, Stretch) {
        let lines: Vec<&str> = text.split('\n').collect();
        let rows = stretch(&lines, first_seq);
        let mut open: Vec<usize> = (0..lines.len()).collect();
        let mut events = Vec::new();
        for parser in &self.parsers {
            let batch: TextBatch = open.iter().map(|at| lines[*at].as_bytes()).collect();
            let parsed = parser.lock().await.parse(&batch, true).await.unwrap();
            let seq = |at: &usize| first_seq + *at as u64;
            let places: Vec<Line> = open.iter().map(|at| Line { seq: seq(at), place: seq(at) }).collect();
            let time = |seq| Timestamp(NOW.0 + seq as i64);
            events.extend(events_of(
                &parsed,
                &batch,
                &places,
                &vec![true; parsed.rows.len()],
                Stream::Stderr,
                time,
            ));
            let taken: Vec<usize> =
                parsed.rows.iter().flat_map(|row| row.lines.clone()).map(|at| open[at as usize]).collect();
            open.retain(|at| !taken.contains(at));
        }
        (events, rows)
    }
}

/// Lines on standard error.
fn stretch(lines: &[&str], first_seq: u64) -> Stretch {
    let mut rows = Rows::default();
    for (line, seq) in lines.iter().zip(first_seq..) {
        rows.push(Timestamp(NOW.0 + seq as i64), Stream::Stderr, RowFlags::NONE, line.as_bytes());
    }
    Stretch::new(first_seq, rows)
}

fn new_process(project_id: i64) -> NewProcess {
    NewProcess {
        project_id,
        name: ProcessName::try_from("web".to_owned()).unwrap(),
        spec: spec(),
        lifecycle: Lifecycle::default(),
        now: NOW,
    }
}

fn spec() -> ProcessSpec {
    let (restart, stop) = (RestartPolicy::default(), StopSpec::default());
    let spec = serde_json::json!({
        "command": "python3", "args": [], "cwd": "/srv/shop", "search_path": "/usr/bin", "restart": restart, "stop": stop
    });
    serde_json::from_value(spec).unwrap()
}

const TRACE: &str = "ready
Traceback (most recent call last):
  File \"/app/main.py\", line 3, in load
    connect(password='hunter2hunter2')
ConnectionError: cannot reach postgres://app:hunter2hunter2@db/shop
done";

#[tokio::test]
async fn a_trace_is_an_occurrence_with_context_and_without_secrets() {
    let bench = Bench::new().await;
    let (events, rows) = bench.parse(TRACE, 10).await;
    let found = bench.errors.detector().detect(bench.run, &events, &rows).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].first_seq, found[0].last_seq), (11, 14));
    let fault = &found[0].kind.fault;
    assert_eq!(fault.category, "network");
    assert_eq!(fault.culprit().map(|frame| (frame.function.as_str(), frame.line)), Some(("load", Some(3))));
    let sample = found[0].sample.as_ref().unwrap();
    assert_eq!((sample.context, sample.lines[0].as_str(), sample.lines.len()), (1, "ready", 5));
    let shown = format!("{} {:?}", sample.lines.join("\n"), fault);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn an_error_that_was_seen_is_not_read_again() {
    let bench = Bench::new().await;
    let mut detector = bench.errors.detector();
    let flood: Vec<String> = (0..200).map(|n| format!("ERROR: job {n} failed")).collect();
    let (events, rows) = bench.parse(&flood.join("\n"), 1).await;
    let found = detector.detect(bench.run, &events, &rows).await.unwrap();
    assert_eq!(found.len(), 200);
    assert!(found.iter().all(|one| Arc::ptr_eq(&one.kind, &found[0].kind)));
    assert_eq!(found.iter().filter(|one| one.sample.is_some()).count(), 1);
}

#[tokio::test]
async fn a_trace_of_a_warning_is_an_error_and_other_lines_are_not() {
    let bench = Bench::new().await;
    let text = "2026-05-01 12:00:00 WARN [main] c.e.App - slow\n\tat com.example.App.main(App.java:7)\nINFO: fine\nWARN: low";
    let (events, rows) = bench.parse(text, 1).await;
    let found = bench.errors.detector().detect(bench.run, &events, &rows).await.unwrap();
    assert_eq!(found.iter().map(|one| one.last_seq).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_categorizer_that_fails_costs_the_grouping_and_no_error() {
    let bench = Bench::new().await;
    bench.configure("[errors]\ncategorizers = [\"nobody\"]\n");
    let (events, rows) = bench.parse(TRACE, 1).await;
    let mut detector = bench.errors.detector();
    let found = detector.detect(bench.run, &events, &rows).await.unwrap();
    assert_eq!(found.len(), 1);
    let note = found[0].kind.fault.note.as_deref().unwrap();
    assert!(note.contains("nobody") && note.contains("its text alone"), "{note}");
    // Once it works again, what it failed at is read anew.
    bench.configure("[errors]\nredact = [\"load\"]\n");
    let found = detector.detect(bench.run, &events, &rows).await.unwrap();
    assert_eq!(
        (found[0].kind.fault.note.as_deref(), found[0].kind.fault.category.as_str()),
        (None, "network")
    );
    assert!(!found[0].sample.as_ref().unwrap().lines.join("").contains("load"));
}

#[tokio::test]
async fn what_another_categorizer_understands_is_read_anew_once_the_first_one_works() {
    let bench = Bench::new().await;
    bench.configure("[errors]\ncategorizers = [\"nobody\", \"generic\"]\n");
    let (events, rows) = bench.parse(TRACE, 1).await;
    let mut detector = bench.errors.detector();
    let found = detector.detect(bench.run, &events, &rows).await.unwrap();
    let fault = &found[0].kind.fault;
    let note = fault.note.as_deref().unwrap();
    assert_eq!(fault.category, "network");
    assert!(note.contains("what `generic` knows") && note.contains("`nobody` failed"), "{note}");
    bench.configure("[errors]\ncategorizers = [\"generic\"]\n");
    let found = detector.detect(bench.run, &events, &rows).await.unwrap();
    assert_eq!(
        (found[0].kind.fault.note.as_deref(), found[0].kind.fault.category.as_str()),
        (None, "network")
    );
}

#[tokio::test]
async fn a_stack_in_a_field_is_read() {
    let bench = Bench::new().await;
    let event = Event {
        first_seq: 1,
        last_seq: 1,
        stream: Stream::Stdout,
        time: NOW,
        event_time: None,
        severity: Severity::ERROR,
        message: "request failed".into(),
        fields: vec![("err.stack".into(), r"TypeError: boom\n    at handler (/app/server.js:10:11)".into())],
    };
    let rows = stretch(&["{}"], 1);
    let found = bench.errors.detector().detect(bench.run, &[event], &rows).await.unwrap();
    assert_eq!(found[0].kind.fault.culprit().map(|frame| frame.function.as_str()), Some("handler"));
}

#[tokio::test]
async fn a_stack_in_a_line_of_json_is_read_by_the_parsers_that_every_process_has() {
    let bench = Bench::new().await;
    let line = r#"{"level":50,"msg":"boom","err":{"type":"TypeError","stack":"TypeError: boom\n    at pay (/app/pay.js:3:5)"}}"#;
    let (events, rows) = bench.parse(line, 1).await;
    let found = bench.errors.detector().detect(bench.run, &events, &rows).await.unwrap();
    assert_eq!(found[0].kind.fault.culprit().map(|frame| frame.function.as_str()), Some("pay"));
}
