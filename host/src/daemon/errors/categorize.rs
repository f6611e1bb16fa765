//! The categorizers at work: each gets what those before it did not understand. One that fails costs the quality of
//! the grouping, and the group says so; the error is counted all the same.

use std::sync::Arc;

use hostler_model::errors::{Exception, Fault, Frame};
use hostler_plugin_host::{Categorized, Instance, Kind, Nowhere, TextBatch};
use serde_json::Map;
use tokio::sync::Mutex;

use crate::daemon::plugins::{Loaded, Plugins};

/// The categorizers, with an instance of each that is in use.
pub(super) struct Categorizers {
    plugins: Plugins,
    /// One batch at a time: it is not the plugin that is slow, but there is one of it.
    at_work: Mutex<Vec<AtWork>>,
}

struct AtWork {
    name: String,
    instance: Instance,
    // As long as it is in use.
    _loaded: Arc<Loaded>,
}

/// What was found out about a text. When a categorizer failed that might have known it better, its note says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) fault: Fault,
    /// A categorizer understood it; otherwise only its text is known.
    pub(super) understood: bool,
}

impl Read {
    /// A categorizer failed: another time it may be known better.
    pub(super) fn is_unsure(&self) -> bool {
        self.fault.note.is_some()
    }
}

impl Categorizers {
    pub(super) fn new(plugins: Plugins) -> Self {
        Self { plugins, at_work: Mutex::default() }
    }

    /// Reads texts; there is an answer for each.
    pub(super) async fn read(&self, names: &[String], texts: &[&str]) -> Vec<Read> {
        let mut found: Vec<Option<Read>> = vec![None; texts.len()];
        let mut failures: Vec<String> = Vec::new();
        let mut at_work = self.at_work.lock().await;
        at_work.retain(|known| names.contains(&known.name));
        self.plugins.keep_current().await;
        for name in names {
            let open: Vec<usize> = (0..texts.len()).filter(|at| found[*at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            match self.ask(&mut at_work, name, texts, &open).await {
                Ok(answers) => {
                    for (at, answer) in open.iter().zip(answers) {
                        found[*at] = answer.map(|answer| understood(answer, name, &failures));
                    }
                }
                Err(why) => failures.push(format!("the categorizer `{name}` failed: {why}")),
            }
        }
        let read = |(read, text): (Option<Read>, &&str)| read.unwrap_or_else(|| by_text(text, &failures));
        found.into_iter().zip(texts).map(read).collect()
    }

    async fn ask(
        &self,
        at_work: &mut Vec<AtWork>,
        name: &str,
        texts: &[&str],
        open: &[usize],
    ) -> Result<Vec<Option<Categorized>>, String> {
        if !at_work.iter().any(|known| known.name == name) {
            let loaded = self.plugins.find(name, &Map::new(), Kind::ErrorCategorizer).await;
            let loaded = loaded.map_err(|error| error.message)?;
            let instance = loaded.instance(Arc::new(Nowhere));
            at_work.push(AtWork { name: name.to_owned(), instance, _loaded: loaded });
        }
        let Some(known) = at_work.iter_mut().find(|known| known.name == name) else { return Ok(Vec::new()) };
        let batch: TextBatch = open.iter().map(|at| texts[*at].as_bytes()).collect();
        known.instance.categorize(&batch).await.map_err(|error| error.to_string())
    }
}

/// What one categorizer understood, after those that failed.
fn understood(answer: Categorized, name: &str, failures: &[String]) -> Read {
    let note = (!failures.is_empty())
        .then(|| format!("grouped by what `{name}` knows, for {}", failures.join("; ")));
    Read { fault: Fault { note, ..fault(answer) }, understood: true }
}

/// What nobody understood.
fn by_text(text: &str, failures: &[String]) -> Read {
    let note =
        (!failures.is_empty()).then(|| format!("grouped by its text alone, for {}", failures.join("; ")));
    Read { fault: Fault { note, ..Fault::of_text(text) }, understood: false }
}

fn fault(read: Categorized) -> Fault {
    let frame = |f: hostler_plugin_host::Frame| Frame {
        function: f.function,
        file: f.file,
        line: f.line,
        in_app: f.in_app,
    };
    let exception = |e: hostler_plugin_host::Exception| Exception {
        kind: e.kind,
        message: e.message,
        frames: e.frames.into_iter().map(frame).collect(),
    };
    Fault {
        category: read.category,
        confidence: read.confidence,
        title: read.title,
        exceptions: read.exceptions.into_iter().map(exception).collect(),
        parts: read.fingerprint,
        suggestion: read.suggestion,
        note: None,
    }
}
