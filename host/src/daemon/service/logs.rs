//! Reading output: pages of it, its tail, and what is newer.

use std::sync::Arc;
use std::time::Duration;

use hostler_api::ToolError;
use hostler_api::logs::{
    GetLogs, Level, LogFormat, LogPage, LogRecord, LogTail, Order, StreamFilter, TailLogs,
};
use hostler_api::time::{parse_instant, rfc3339, time_of_day};
use hostler_model::event::Severity;
use hostler_model::text::{clip, readable};
use hostler_model::{ProcessId, RunNo, Stream, Timestamp};
use hostler_store::{LogPoint, LogQuery, LogRow};
use regex::Regex;
use tokio::time::Instant;

use super::logs_places::{Places, cursor, parse_cursor};
use super::waiting::{LONGEST, new_lines, pattern_of};
use super::{Client, Patience, Service, store_error};
use crate::daemon::registry::Entry;

/// An answer has at most about this many characters of output.
pub(super) const ANSWER_CHARS: usize = 10_000;
/// One line is cut here, unless the call says otherwise.
const LINE_CHARS: u32 = 2_000;
const MAX_LINE_CHARS: u32 = 256 * 1024;
const DEFAULT_LINES: u32 = 100;
const DEFAULT_TAIL: u32 = 50;
const MAX_LINES: u32 = 1_000;
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// Lines are longer on disk than shown: terminal escapes, long lines.
const READ_BYTES: usize = 8 << 20;

impl Service {
    /// `get_logs`.
    ///
    /// # Errors
    /// When an argument is wrong or there is no such process.
    pub(crate) async fn logs(&self, client: &Client, request: GetLogs) -> Result<LogPage, ToolError> {
        let entries = self.logged(client, &request.project, &request.process, &request.group).await?;
        let form = Form::of(request.format, request.max_line_chars);
        let limit = request.limit.unwrap_or(DEFAULT_LINES).clamp(1, MAX_LINES) as usize;
        let places = Places::read(request.cursor.as_deref(), &entries)?;
        let query = query(&request, limit)?;
        let mut pages = Vec::new();
        for entry in &entries {
            entry.caught_up().await;
            if request.min_level.is_some() || request.format == LogFormat::Records {
                entry.annotated().await;
            }
            let mut query = LogQuery { process_id: entry.id, ..query.clone() };
            if request.cursor.is_some() {
                let Some(place) = places.0.get(&entry.id) else { continue };
                match query.order {
                    hostler_store::Order::Asc => query.after = Some(*place),
                    hostler_store::Order::Desc => query.before = Some(*place),
                }
            }
            pages.push((Arc::clone(entry), self.store.logs(query).await.map_err(store_error)?));
        }
        let newest_first = query.order == hostler_store::Order::Desc;
        let (mut rows, next) = merge(pages, newest_first, limit, form);
        let next_cursor = next.text(entries.len() == 1);
        let truncated = next_cursor.is_some();
        // Without an order it is a tail: the newest, as they are read, oldest first.
        if newest_first && request.order.is_none() {
            rows.reverse();
        }
        let note = page_note(&request, truncated, next_cursor.as_deref(), rows.is_empty());
        let count = rows.len() as u32;
        let rows: Vec<(&Entry, &LogRow)> = rows.iter().map(|(entry, row)| (&**entry, row)).collect();
        let (lines, text) = render(&rows, form, entries.len() > 1);
        let note = self.degraded.with_note(note);
        Ok(LogPage { lines, text, count, next_cursor, truncated, note })
    }

    /// `tail_logs`.
    ///
    /// # Errors
    /// When an argument is wrong or there is no such process.
    pub(crate) async fn tail(
        &self,
        client: &Client,
        request: TailLogs,
        patience: &Patience,
    ) -> Result<LogTail, ToolError> {
        let pattern = request.until_pattern.as_deref().map(|p| pattern_of("until_pattern", p)).transpose()?;
        let entries = self.logged(client, &request.project, &request.process, &request.group).await?;
        let [entry] = &entries[..] else {
            return Err(ToolError::invalid(
                "tail_logs follows one process: give `process`; get_logs and search_logs take a `group`",
            ));
        };
        let lines = request.lines.unwrap_or(DEFAULT_TAIL).clamp(1, MAX_LINES) as usize;
        let wait = request.wait_ms.map_or(DEFAULT_WAIT, Duration::from_millis).min(LONGEST);
        entry.caught_up().await;
        let form = Form::of(request.format, request.max_line_chars);
        let waits = request.follow || pattern.is_some();
        let wait = if waits { wait } else { Duration::ZERO };
        let wanted = Wanted { entry, form, lines, pattern, wait };
        match &request.cursor {
            Some(text) => self.newer(&wanted, parse_cursor(text)?, patience).await,
            None => self.newest(&wanted, request.follow, patience).await,
        }
    }

    /// The newest lines; and where a pattern is not among them, or there are none to follow on, what comes after.
    async fn newest(
        &self,
        wanted: &Wanted<'_>,
        follow: bool,
        patience: &Patience,
    ) -> Result<LogTail, ToolError> {
        let Wanted { entry, form, lines, .. } = *wanted;
        let is_live = entry.may_write();
        let query = LogQuery { max_bytes: READ_BYTES, ..LogQuery::newest(entry.id, lines) };
        let page = self.store.logs(query).await.map_err(store_error)?;
        let newest = page.rows.first().map_or(LogPoint { run: RunNo(0), seq: 0 }, LogRow::point);
        let found = wanted.pattern.is_none() || wanted.position(&page.rows).is_some();
        if !found || (follow && page.rows.is_empty()) {
            return self.newer(wanted, newest, patience).await;
        }
        let shown = form.fitting(&page.rows);
        let rows: Vec<&LogRow> = page.rows[..shown].iter().rev().collect();
        let truncated = page.more || shown < page.rows.len();
        Ok(tail(entry, form, &rows, newest, true, truncated, is_live))
    }

    /// What is newer than a point; waits for it, and for a pattern.
    async fn newer(
        &self,
        wanted: &Wanted<'_>,
        after: LogPoint,
        patience: &Patience,
    ) -> Result<LogTail, ToolError> {
        let Wanted { entry, form, lines, wait, .. } = *wanted;
        let deadline = Instant::now() + wait;
        let mut logs = entry.logs.subscribe();
        let mut snapshots = entry.handle.watch();
        loop {
            logs.mark_unchanged();
            snapshots.mark_unchanged();
            // Looked at before the lines are read: what comes after the last line is its end, never before.
            let is_live = entry.may_write();
            let query = LogQuery { limit: lines, max_bytes: READ_BYTES, ..new_lines(entry.id, None, after) };
            let page = self.store.logs(query).await.map_err(store_error)?;
            let matched = wanted.position(&page.rows);
            let came = match wanted.pattern {
                Some(_) => matched.is_some(),
                None => !page.rows.is_empty() || wait.is_zero(),
            };
            let late = Instant::now() >= deadline || patience.cut_short.is_cancelled();
            if came || page.more || late || !is_live {
                let rows = &page.rows[..matched.map_or(page.rows.len(), |at| at + 1)];
                let shown = form.fitting(rows);
                let newest = rows[..shown].last().map_or(after, LogRow::point);
                let truncated = page.more || shown < rows.len();
                // A match that did not fit into the answer comes with the next one.
                let done = came && (wanted.pattern.is_none() || shown == rows.len());
                let rows: Vec<&LogRow> = rows[..shown].iter().collect();
                return Ok(tail(entry, form, &rows, newest, done, truncated, is_live));
            }
            tokio::select! {
                _ = logs.changed() => {}
                _ = snapshots.changed() => {}
                () = tokio::time::sleep_until(deadline) => {}
                () = patience.cut_short.cancelled() => {}
            }
        }
    }

    /// The process that was named, or the members of the group.
    pub(super) async fn logged(
        &self,
        client: &Client,
        project: &Option<String>,
        process: &Option<String>,
        group: &Option<String>,
    ) -> Result<Vec<Arc<Entry>>, ToolError> {
        match (process, group) {
            (Some(process), None) => Ok(vec![self.entry(client, project.as_deref(), process).await?]),
            (None, Some(group)) => {
                let group = self.group(client, project.as_deref(), group).await?;
                Ok(self.members_of(&group))
            }
            (Some(_), Some(_)) => Err(ToolError::invalid("give either `process` or `group`, not both")),
            (None, None) => {
                Err(ToolError::invalid("the argument `process` is missing: name, project/name or id"))
            }
        }
    }
}

/// Rows of several processes in one order of time, as many as are wanted and fit, and where to go on.
fn merge(
    pages: Vec<(Arc<Entry>, hostler_store::LogPage)>,
    newest_first: bool,
    limit: usize,
    form: Form,
) -> (Vec<(Arc<Entry>, LogRow)>, Places) {
    let (mut merged, mut used, mut next) = (Vec::new(), 0, Places::default());
    let mut left: Vec<_> = pages
        .into_iter()
        .map(|(entry, page)| (entry, page.rows.into_iter().peekable(), page.more, None))
        .collect();
    while merged.len() < limit {
        let heads = left.iter_mut().filter_map(|(entry, rows, _, last)| {
            let time = rows.peek()?.time;
            Some((if newest_first { -time.0 } else { time.0 }, entry, rows, last))
        });
        let Some((_, entry, rows, last)) = heads.min_by_key(|(time, ..)| *time) else { break };
        let cost = rows.peek().map_or(0, |row| form.cost(row));
        if used > 0 && used + cost > ANSWER_CHARS {
            break;
        }
        used += cost;
        let Some(row) = rows.next() else { break };
        *last = Some(row.point());
        merged.push((Arc::clone(entry), row));
    }
    for (entry, mut rows, more, last) in left {
        let place = match (last, rows.peek()) {
            (Some(last), Some(_)) => Some(last),
            (Some(last), None) => more.then_some(last),
            // None of its rows was shown: on at its first one, this one included.
            (None, Some(row)) if newest_first => Some(LogPoint { seq: row.seq + 1, ..row.point() }),
            (None, Some(row)) => Some(LogPoint { seq: row.seq - 1, ..row.point() }),
            (None, None) => None,
        };
        next.0.extend(place.map(|place| (entry.id, place)));
    }
    (merged, next)
}

/// The filters of a request, for a process that is filled in later.
fn query(request: &GetLogs, limit: usize) -> Result<LogQuery, ToolError> {
    let now = crate::daemon::now();
    let time = |field: &str, text: &Option<String>| -> Result<Option<Timestamp>, ToolError> {
        text.as_deref().map(|t| parse_instant(field, t, now)).transpose()
    };
    let ascending = request.order == Some(Order::Asc);
    Ok(LogQuery {
        run: request.run.map(RunNo),
        stream: match request.stream {
            StreamFilter::Stdout => Some(Stream::Stdout),
            StreamFilter::Stderr => Some(Stream::Stderr),
            StreamFilter::Both => None,
        },
        min_level: request.min_level.map_or(Severity::UNKNOWN, Level::severity),
        since: time("since", &request.since)?,
        until: time("until", &request.until)?,
        order: if ascending { hostler_store::Order::Asc } else { hostler_store::Order::Desc },
        max_bytes: READ_BYTES,
        ..LogQuery::newest(ProcessId(0), limit)
    })
}

/// What a tail is asked for.
struct Wanted<'a> {
    entry: &'a Entry,
    form: Form,
    lines: usize,
    pattern: Option<Regex>,
    wait: Duration,
}

impl Wanted<'_> {
    /// Where the pattern first matches.
    fn position(&self, rows: &[LogRow]) -> Option<usize> {
        let pattern = self.pattern.as_ref()?;
        rows.iter().position(|row| pattern.is_match(&readable(&row.raw)))
    }
}

/// How lines are shown.
#[derive(Clone, Copy)]
pub(super) struct Form {
    format: LogFormat,
    line_chars: usize,
}

impl Form {
    pub(super) fn of(format: LogFormat, line_chars: Option<u32>) -> Self {
        let line_chars = line_chars.unwrap_or(LINE_CHARS).clamp(1, MAX_LINE_CHARS);
        Self { format, line_chars: line_chars as usize }
    }

    /// How many of the rows fit into one answer; at least one.
    fn fitting(self, rows: &[LogRow]) -> usize {
        let mut used = 0;
        let fitting = rows.iter().take_while(|row| {
            let first = used == 0;
            used += self.cost(row);
            first || used <= ANSWER_CHARS
        });
        fitting.count()
    }

    /// About how many characters of an answer a line takes: its text, and time and mark or the keys of a record.
    pub(super) fn cost(self, row: &LogRow) -> usize {
        let overhead = if self.format == LogFormat::Text { 16 } else { 120 };
        row.raw.len().min(self.line_chars) + overhead
    }

    fn message(self, row: &LogRow) -> String {
        clip(readable(&row.raw), self.line_chars)
    }

    /// What a parser found the line to say; the text of each line where an event has many.
    fn parsed(self, row: &LogRow) -> String {
        match &row.event {
            Some(event) if event.last_seq == row.seq => {
                clip(readable(event.message.as_bytes()), self.line_chars)
            }
            Some(_) | None => self.message(row),
        }
    }
}

/// The rows as they are asked for; `named`: as text, each with its process.
fn render(rows: &[(&Entry, &LogRow)], form: Form, named: bool) -> (Option<Vec<LogRecord>>, Option<String>) {
    match form.format {
        LogFormat::Records => {
            let records = rows.iter().map(|(entry, row)| record(&entry.full_name(), row, form));
            (Some(records.collect()), None)
        }
        LogFormat::Text => {
            let line = |(entry, row): &(&Entry, &LogRow)| {
                if named { format!("{} {}", entry.name, text_line(row, form)) } else { text_line(row, form) }
            };
            (None, Some(rows.iter().map(line).collect::<Vec<_>>().join("\n")))
        }
    }
}

pub(super) fn record(process: &str, row: &LogRow, form: Form) -> LogRecord {
    LogRecord {
        seq: row.seq,
        run: row.run.0,
        time: rfc3339(row.time),
        process: process.to_owned(),
        stream: row.stream,
        level: Level::of(row.level),
        message: form.parsed(row),
        continued: row.flags.is_continued(),
        fields: row
            .event
            .iter()
            .flat_map(|e| &e.fields)
            .map(|(k, v)| (k.clone(), v.clone().into()))
            .collect(),
    }
}

fn text_line(row: &LogRow, form: Form) -> String {
    let mark = if row.stream == Stream::Stderr { 'E' } else { ' ' };
    format!("{} {mark} {}", time_of_day(row.time), form.message(row))
}

fn tail(
    entry: &Entry,
    form: Form,
    rows: &[&LogRow],
    newest: LogPoint,
    done: bool,
    truncated: bool,
    live: bool,
) -> LogTail {
    let rows: Vec<(&Entry, &LogRow)> = rows.iter().map(|row| (entry, *row)).collect();
    let (lines, text) = render(&rows, form, false);
    let cursor = cursor(newest);
    let note = if !done && !live && !truncated {
        Some(format!("`{}` has ended, so no more lines will come; get_process_info says how", entry.name))
    } else if !done {
        Some(format!(
            "not yet; go on with tail_logs {{\"process\": \"{}\", \"cursor\": \"{cursor}\", \"follow\": true}}",
            entry.name
        ))
    } else {
        None
    };
    LogTail { lines, text, count: rows.len() as u32, cursor, done, live, truncated, note }
}

fn page_note(request: &GetLogs, truncated: bool, next: Option<&str>, empty: bool) -> Option<String> {
    let (kind, name) = match (&request.process, &request.group) {
        (None, Some(group)) => ("group", group.as_str()),
        (process, _) => ("process", process.as_deref().unwrap_or_default()),
    };
    if let (true, Some(next)) = (truncated, next) {
        let which = match request.order {
            Some(Order::Asc) => "newer",
            Some(Order::Desc) | None => "older",
        };
        let order = match request.order {
            Some(Order::Asc) => ", \"order\": \"asc\"",
            Some(Order::Desc) => ", \"order\": \"desc\"",
            None => "",
        };
        return Some(format!(
            "there are {which} lines; the next page is get_logs {{\"{kind}\": \"{name}\", \"cursor\": \"{next}\"{order}}}, with the same filters"
        ));
    }
    let filtered = request.since.is_some()
        || request.until.is_some()
        || request.run.is_some()
        || request.cursor.is_some()
        || request.min_level.is_some()
        || request.stream != StreamFilter::Both;
    match (empty, filtered) {
        (true, true) => Some("no line matches".to_owned()),
        (true, false) => Some(format!("`{name}` has written nothing yet")),
        (false, _) => None,
    }
}
