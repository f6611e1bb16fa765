//! From events to occurrences of groups.

use std::collections::HashMap;
use std::sync::Arc;

use hostler_model::{Event, Timestamp};
use hostler_store::{NewKind, NewOccurrence, RunKey, StoreError, Stretch};

use super::Errors;
use super::candidate::{self, Candidate};
use super::categorize::Read;

/// Texts of which it is remembered how they were read.
const REMEMBERED: usize = 1_024;
/// Texts that are read in one call.
const BATCH: usize = 64;
/// How often a group gets a new sample from one run.
const SAMPLE_EVERY_MS: u64 = 1_000;

/// Finds the errors of one run. It remembers how it read what it has seen, so that a flood of one error is read once.
#[derive(Debug)]
pub(crate) struct Detector {
    errors: Errors,
    project: Option<i64>,
    /// By the text without its numbers; `None` for what is no error.
    seen: HashMap<String, Option<Seen>>,
    /// The categorizers that read it.
    read_by: Vec<String>,
}

#[derive(Debug)]
struct Seen {
    kind: Arc<NewKind>,
    sampled: Option<Timestamp>,
}

impl Detector {
    pub(super) fn new(errors: Errors) -> Self {
        Self { errors, project: None, seen: HashMap::new(), read_by: Vec::new() }
    }

    /// Finds what of these events are errors. `rows` are the lines they were made of, and some before them, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn detect(
        &mut self,
        run: RunKey,
        events: &[Event],
        rows: &Stretch,
    ) -> Result<Vec<NewOccurrence>, StoreError> {
        let mut candidates: Vec<Candidate<'_>> =
            events.iter().filter_map(|event| candidate::of(event, rows)).collect();
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let Some(project) = self.project_of(run).await? else { return Ok(Vec::new()) };
        candidates.sort_by_key(|candidate| candidate.event.first_seq);
        let keys: Vec<String> = candidates.iter().map(|c| candidate::key(&c.text)).collect();
        let mut fresh = self.read(project, &candidates, &keys).await?;
        let mut occurrences = Vec::new();
        for (candidate, key) in candidates.iter().zip(&keys) {
            let known = fresh.get_mut(key).or_else(|| self.seen.get_mut(key));
            if let Some(seen) = known.and_then(Option::as_mut) {
                occurrences.push(occurrence(&self.errors, run, candidate, rows, seen));
            }
        }
        Ok(occurrences)
    }

    async fn project_of(&mut self, run: RunKey) -> Result<Option<i64>, StoreError> {
        if self.project.is_none() {
            self.project = self.errors.project_of(run).await?;
        }
        Ok(self.project)
    }

    /// Reads what was not seen before. What a failed categorizer left is not remembered, but answered.
    async fn read(
        &mut self,
        project: i64,
        candidates: &[Candidate<'_>],
        keys: &[String],
    ) -> Result<HashMap<String, Option<Seen>>, StoreError> {
        let names = self.errors.0.config.current().errors.categorizers.clone();
        if names != self.read_by || self.seen.len() > REMEMBERED {
            self.seen.clear();
            self.read_by.clone_from(&names);
        }
        let mut new: Vec<(&String, &Candidate<'_>)> = Vec::new();
        for (candidate, key) in candidates.iter().zip(keys) {
            if !self.seen.contains_key(key) && !new.iter().any(|(known, _)| *known == key) {
                new.push((key, candidate));
            }
        }
        let mut unsure = HashMap::new();
        let redactor = self.errors.redactor();
        for part in new.chunks(BATCH) {
            let texts: Vec<String> = part.iter().map(|(_, c)| redactor.redact(&c.text)).collect();
            let asked: Vec<&str> = texts.iter().map(String::as_str).collect();
            let answers = self.errors.0.categorizers.read(&names, &asked).await;
            for (((key, candidate), text), read) in part.iter().zip(&texts).zip(answers) {
                let is_error = !candidate.needs_stack || is_trace(&read, text);
                let unsure_of_it = read.is_unsure();
                let seen = match is_error {
                    true => {
                        let kind = self.errors.kind(project, read.fault, text).await?;
                        Some(Seen { kind: Arc::new(kind), sampled: None })
                    }
                    false => None,
                };
                let memory = if unsure_of_it { &mut unsure } else { &mut self.seen };
                memory.insert((*key).clone(), seen);
            }
        }
        Ok(unsure)
    }
}

/// Whether there is a stack trace in it; the text tells when no categorizer did.
fn is_trace(read: &Read, text: &str) -> bool {
    read.fault.has_frames()
        || (!read.understood
            && read.is_unsure()
            && ["\n    at ", "\n\tat ", "Traceback (most"].iter().any(|m| text.contains(m)))
}

fn occurrence(
    errors: &Errors,
    run: RunKey,
    candidate: &Candidate<'_>,
    rows: &Stretch,
    seen: &mut Seen,
) -> NewOccurrence {
    let event = candidate.event;
    let due = seen.sampled.is_none_or(|last| event.time.ms_since(last) >= SAMPLE_EVERY_MS);
    if due {
        seen.sampled = Some(event.time);
    }
    NewOccurrence {
        run,
        stream: event.stream,
        first_seq: event.first_seq,
        last_seq: event.last_seq,
        time: event.time,
        kind: Arc::clone(&seen.kind),
        sample: due.then(|| candidate::sample(event, rows, &errors.redactor())),
    }
}
