//! Searching output, and removing it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostler_api::ToolError;
use hostler_api::logs::{
    ClearLogs, Level, LogFormat, LogMatch, LogSearch, LogTemplate, LogsCleared, SearchLogs, SearchMode,
    StreamFilter,
};
use hostler_api::time::parse_instant;
use hostler_model::event::Severity;
use hostler_model::templates::Templates;
use hostler_model::text::{clip, readable};
use hostler_model::{ProcessId, RunNo, Stream, Timestamp};
use hostler_store::{FieldFilter, Found, LogPoint, LogQuery, Matcher, Order, Search, Searched};
use serde_json::Value;

use super::logs::ANSWER_CHARS;
use super::logs_form::{Form, record};
use super::logs_places::Places;
use super::{Client, Patience, Service, store_error};
use crate::daemon::registry::Entry;

const DEFAULT_MATCHES: u32 = 50;
const MAX_MATCHES: u32 = 1_000;
const MAX_CONTEXT: u32 = 20;
/// Matches that a summary is made of, the newest.
const SUMMARIZED: usize = 100_000;
/// Templates of a summary.
const TEMPLATES: usize = 20;
/// No search takes longer, unless a single step does.
const LONGEST: Duration = Duration::from_secs(20);

impl Service {
    /// `search_logs`.
    ///
    /// # Errors
    /// When an argument is wrong or there is no such process.
    pub(crate) async fn search_logs(
        &self,
        client: &Client,
        request: SearchLogs,
        patience: &Patience,
    ) -> Result<LogSearch, ToolError> {
        let started = Instant::now();
        let entries = match (&request.process, &request.group) {
            (None, None) => self.entries(client),
            (process, group) => self.logged(client, &request.project, process, group).await?,
        };
        let search = read(&request)?;
        let places = Places::read(request.cursor.as_deref(), &entries)?;
        let cut_short = patience.cut_short.clone();
        let mut searched = Vec::new();
        for entry in &entries {
            entry.caught_up().await;
            let mut search = search.clone();
            search.lines.process_id = entry.id;
            if request.cursor.is_some() {
                // A process that is not in the cursor is done.
                let Some(before) = places.0.get(&entry.id) else { continue };
                search.lines.before = Some(*before);
            }
            let (store, cut_short) = (self.store.clone(), cut_short.clone());
            let enough = move || cut_short.is_cancelled() || started.elapsed() > LONGEST;
            let work = move || store.search_blocking(&search, enough);
            let done = tokio::task::spawn_blocking(work).await;
            let done = done.map_err(|e| ToolError::internal(format!("the search broke off: {e}")))?;
            searched.push((Arc::clone(entry), done.map_err(store_error)?));
        }
        let mut answer = if request.summarize {
            summary(searched, search.lines.limit)
        } else {
            let form = Form::of(LogFormat::Records, request.max_line_chars)
                .with_raw(request.raw, self.errors.redactor());
            matches(searched, search.lines.limit, &form)
        };
        answer.elapsed_ms = started.elapsed().as_millis() as u64;
        answer.note = self.degraded.with_note(note(&answer, &request));
        Ok(answer)
    }

    /// `clear_logs`.
    ///
    /// # Errors
    /// When an argument is wrong or there is no such process.
    pub(crate) async fn clear_logs(
        &self,
        client: &Client,
        request: ClearLogs,
    ) -> Result<LogsCleared, ToolError> {
        let before = instant("before", &request.before)?;
        let entries = match (&request.process, request.all) {
            (Some(process), false) => vec![self.entry(client, request.project.as_deref(), process).await?],
            (None, true) => self.entries(client),
            (Some(_), true) => {
                return Err(ToolError::invalid("give either `process` or `all: true`, not both"));
            }
            (None, false) => {
                return Err(ToolError::invalid(
                    "give `process`, or `all: true` for all processes of this project",
                ));
            }
        };
        let mut cleared = LogsCleared { removed_lines: 0, freed_bytes: 0, dry_run: request.dry_run };
        for entry in entries {
            entry.caught_up().await;
            let (store, id, dry_run) = (self.store.clone(), entry.id, request.dry_run);
            let work = move || store.clear_logs_blocking(id, before, dry_run);
            let done = tokio::task::spawn_blocking(work).await;
            let done = done.map_err(|e| ToolError::internal(format!("the removal broke off: {e}")))?;
            let done = done.map_err(store_error)?;
            cleared.removed_lines += done.lines;
            cleared.freed_bytes += done.bytes;
        }
        Ok(cleared)
    }
}

fn instant(field: &str, text: &Option<String>) -> Result<Option<Timestamp>, ToolError> {
    text.as_deref().map(|t| parse_instant(field, t, crate::daemon::now())).transpose()
}

/// What is searched for, in a process that is filled in later.
fn read(request: &SearchLogs) -> Result<Search, ToolError> {
    let matcher = match request.mode {
        SearchMode::Text => Matcher::text(&request.query, request.case_sensitive),
        SearchMode::Regex => Matcher::regex(&request.query, request.case_sensitive),
    };
    let matcher = matcher.map_err(|e| ToolError::invalid(format!("`query`: {e}")))?;
    let limit = request.limit.unwrap_or(DEFAULT_MATCHES).clamp(1, MAX_MATCHES) as usize;
    let fields = request.field_filters.iter().map(|(name, condition)| match condition {
        Value::String(text) => FieldFilter::read(name, text),
        other => FieldFilter::read(name, &other.to_string()),
    });
    Ok(Search {
        lines: LogQuery {
            run: request.run.map(RunNo),
            stream: match request.stream {
                StreamFilter::Stdout => Some(Stream::Stdout),
                StreamFilter::Stderr => Some(Stream::Stderr),
                StreamFilter::Both => None,
            },
            min_level: request.min_level.map_or(Severity::UNKNOWN, Level::severity),
            since: instant("since", &request.since)?,
            until: instant("until", &request.until)?,
            order: Order::Desc,
            ..LogQuery::newest(ProcessId(0), if request.summarize { SUMMARIZED } else { limit })
        },
        matcher,
        fields: fields.collect(),
        context: if request.summarize { 0 } else { request.context.unwrap_or(0).min(MAX_CONTEXT) as usize },
    })
}

/// The sums of several searches, without their matches.
fn sums<'a>(searched: impl Iterator<Item = &'a Searched>) -> LogSearch {
    let mut answer = LogSearch { total_exact: true, ..LogSearch::default() };
    for one in searched {
        answer.total += one.total;
        answer.total_exact &= one.ended_at.is_none();
        answer.scanned_bytes += one.scanned_bytes;
    }
    answer
}

/// The newest matches of all processes, as many as are wanted and fit.
fn matches(searched: Vec<(Arc<Entry>, Searched)>, limit: usize, form: &Form) -> LogSearch {
    let mut answer = sums(searched.iter().map(|(_, one)| one));
    let alone = searched.len() == 1;
    let mut left: Vec<_> = searched
        .into_iter()
        .map(|(e, one)| {
            let counted_only = one.total > one.found.len() as u64;
            (e, one.found.into_iter().peekable(), one.ended_at, counted_only, None)
        })
        .collect();
    let mut used = 0;
    while answer.matches.len() < limit {
        let newest = left.iter_mut().filter_map(|(entry, found, _, _, last)| {
            let time = found.peek()?.row.time;
            Some((time, entry, found, last))
        });
        let Some((_, entry, found, last)) = newest.max_by_key(|(time, ..)| *time) else { break };
        let cost: usize = found.peek().map_or(0, |f| {
            std::iter::once(&f.row).chain(&f.before).chain(&f.after).map(|row| form.cost(row)).sum()
        });
        if used > 0 && used + cost > ANSWER_CHARS {
            break;
        }
        used += cost;
        let Some(found) = found.next() else { break };
        *last = Some(found.row.point());
        answer.matches.push(shown(&entry.full_name(), &found, form));
    }
    let mut places = BTreeMap::new();
    for (entry, mut found, ended_at, counted_only, last) in left {
        let before = match (found.peek(), last) {
            // Some were left out: on behind the last one that was shown.
            (Some(_), Some(last)) => Some(last),
            (Some(next), None) => Some(LogPoint { seq: next.row.seq + 1, ..next.row.point() }),
            (None, Some(last)) if counted_only => Some(last),
            (None, last) => ended_at.map(|ended| last.unwrap_or(ended)),
        };
        places.extend(before.map(|before| (entry.id, before)));
    }
    answer.next_cursor = Places(places).text(alone);
    answer.truncated = answer.next_cursor.is_some();
    answer
}

fn shown(process: &str, found: &Found, form: &Form) -> LogMatch {
    LogMatch {
        line: record(process, &found.row, form),
        before: found.before.iter().map(|row| record(process, row, form)).collect(),
        after: found.after.iter().map(|row| record(process, row, form)).collect(),
    }
}

/// What the matches have in common.
fn summary(searched: Vec<(Arc<Entry>, Searched)>, limit: usize) -> LogSearch {
    let mut answer = sums(searched.iter().map(|(_, one)| one));
    let mut templates = Templates::default();
    let found = searched.iter().flat_map(|(_, one)| &one.found);
    for found in found.take(limit) {
        templates.add(&readable(&found.row.raw));
    }
    let most = templates.most_frequent(TEMPLATES);
    let told: u64 = most.iter().map(|template| template.count).sum();
    answer.truncated = told < answer.total;
    let shown = most.into_iter().map(|template| LogTemplate {
        template: clip(template.text, 200),
        count: template.count,
        example: clip(template.example, 200),
    });
    answer.templates = Some(shown.collect());
    answer
}

fn note(answer: &LogSearch, request: &SearchLogs) -> Option<String> {
    if let Some(templates) = &answer.templates {
        let told: u64 = templates.iter().map(|template| template.count).sum();
        return (told < answer.total || !answer.total_exact)
            .then(|| format!("the templates tell of {told} of these lines, the newest and most frequent"));
    }
    if let Some(cursor) = &answer.next_cursor {
        let more = if answer.total_exact {
            ""
        } else {
            "; older lines were not looked at yet, so `total` is a lower bound"
        };
        return Some(format!("the next matches: the same call with \"cursor\": \"{cursor}\"{more}"));
    }
    let parsed = request.min_level.is_some() || !request.field_filters.is_empty();
    (answer.total == 0 && parsed).then(|| {
        "no line matches; levels and fields are known of lines that a parser has read (`log.parsers`)"
            .to_owned()
    })
}
