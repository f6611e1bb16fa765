//! From events to occurrences of groups.

use std::collections::HashMap;
use std::sync::Arc;

use hostler_model::errors::Fingerprint;
use hostler_model::{Event, Timestamp};
use hostler_store::{NewKind, NewOccurrence, RunKey, StoreError, Stretch};

use super::Errors;
use super::candidate::{self, Candidate};
use super::categorize::Read;

/// Texts of which it is remembered how they were read, and groups of which it is when they were sampled.
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
    seen: HashMap<String, Option<Arc<NewKind>>>,
    /// The categorizers that read it.
    read_by: Vec<String>,
    /// When a group got its last sample from here.
    sampled: HashMap<Fingerprint, Timestamp>,
}

impl Detector {
    pub(super) fn new(errors: Errors) -> Self {
        Self { errors, project: None, seen: HashMap::new(), read_by: Vec::new(), sampled: HashMap::new() }
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
        let fresh = self.read(project, &candidates, &keys).await?;
        let mut occurrences = Vec::new();
        for (candidate, key) in candidates.iter().zip(&keys) {
            let known = fresh.get(key).or_else(|| self.seen.get(key));
            if let Some(kind) = known.and_then(Option::clone) {
                occurrences.push(self.occurrence(run, candidate.event, rows, kind));
            }
        }
        Ok(occurrences)
    }

    fn occurrence(
        &mut self,
        run: RunKey,
        event: &Event,
        rows: &Stretch,
        kind: Arc<NewKind>,
    ) -> NewOccurrence {
        let due = self.is_sample_due(kind.member.fingerprint, event.time);
        NewOccurrence {
            run,
            stream: event.stream,
            first_seq: event.first_seq,
            last_seq: event.last_seq,
            time: event.time,
            kind,
            sample: due.then(|| candidate::sample(event, rows, &self.errors.redactor())),
        }
    }

    fn is_sample_due(&mut self, group: Fingerprint, now: Timestamp) -> bool {
        let last = self.sampled.get(&group);
        let due = last.is_none_or(|last| now.ms_since(*last) >= SAMPLE_EVERY_MS);
        if due {
            if self.sampled.len() >= REMEMBERED {
                self.sampled.clear();
            }
            self.sampled.insert(group, now);
        }
        due
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
    ) -> Result<HashMap<String, Option<Arc<NewKind>>>, StoreError> {
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
                let kind = match is_error {
                    true => Some(Arc::new(self.errors.kind(project, read.fault, text).await?)),
                    false => None,
                };
                let memory = if unsure_of_it { &mut unsure } else { &mut self.seen };
                memory.insert((*key).clone(), kind);
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
