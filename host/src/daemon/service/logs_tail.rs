//! Following output: the newest lines of one or several processes, and what comes behind them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{FutureExt, select_all};
use hostler_api::ToolError;
use hostler_api::logs::{Level, LogTail, TailLogs};
use hostler_model::RunNo;
use hostler_model::event::Severity;
use hostler_model::text::readable;
use hostler_store::{LogPage, LogPoint, LogQuery, LogRow};
use regex::Regex;
use tokio::time::Instant;

use super::logs::{Merged, merge, read_bytes};
use super::logs_form::{Form, render};
use super::logs_places::Places;
use super::waiting::{LONGEST, new_lines, pattern_of};
use super::{Client, Patience, Service, store_error};
use crate::daemon::registry::{Entry, LogMark};

const DEFAULT_LINES: u32 = 50;
const MAX_LINES: u32 = 1_000;
/// So much is shown of a line that has no end yet, bytes.
const UNFINISHED: u32 = 1_000;
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// Before the first line of a process.
const BEGINNING: LogPoint = LogPoint { run: RunNo(0), seq: 0 };

/// What a tail is asked for.
struct Wanted {
    entries: Vec<Arc<Entry>>,
    /// `"process": "web"` or `"group": "shop"`, for the next call.
    whose: String,
    form: Form,
    lines: usize,
    pattern: Option<Regex>,
    /// Only lines that parsers have seen, of this level and above.
    parsed: Option<Severity>,
    follow: bool,
    wait: Duration,
}

/// What was found, and where to go on.
struct Tailed {
    rows: Vec<(Arc<Entry>, LogRow)>,
    places: Places,
    /// It has what was waited for.
    done: bool,
    /// Lines that match were left out.
    truncated: bool,
    live: bool,
}

impl Service {
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
        let places = Places::read(request.cursor.as_deref(), &entries)?;
        for entry in &entries {
            entry.caught_up().await;
        }
        let wait = request.wait_ms.map_or(DEFAULT_WAIT, Duration::from_millis).min(LONGEST);
        let waits = request.follow || pattern.is_some();
        let wanted = Wanted {
            entries,
            whose: whose(&request.process, &request.group),
            form: Form::of(request.format, request.max_line_chars)
                .with_raw(request.raw, self.errors.redactor()),
            lines: request.lines.unwrap_or(DEFAULT_LINES).clamp(1, MAX_LINES) as usize,
            pattern,
            parsed: request.min_level.map(Level::severity),
            follow: request.follow,
            wait: if waits { wait } else { Duration::ZERO },
        };
        let tailed = match request.cursor {
            Some(_) => self.newer(&wanted, places, patience).await?,
            None => self.newest(&wanted, patience).await?,
        };
        let unfinished = if tailed.truncated { None } else { self.unfinished(&wanted.entries).await? };
        let answer = wanted.answer(tailed, unfinished);
        Ok(LogTail { note: self.degraded.with_note(answer.note.clone()), ..answer })
    }

    /// What stands behind the last lines and has no line end yet.
    async fn unfinished(&self, entries: &[Arc<Entry>]) -> Result<Option<String>, ToolError> {
        let mut texts = Vec::new();
        for entry in entries {
            let named = |text| if entries.len() > 1 { format!("{}: {text}", entry.name) } else { text };
            texts.extend(self.unfinished_of(entry).await?.into_iter().map(named));
        }
        Ok((!texts.is_empty()).then(|| texts.join("\n")))
    }

    /// The same of one process, by stream.
    pub(super) async fn unfinished_of(&self, entry: &Entry) -> Result<Vec<String>, ToolError> {
        let streams = self.store.unfinished(entry.id, UNFINISHED).await.map_err(store_error)?;
        Ok(streams.iter().filter(|raw| !raw.is_empty()).map(|raw| readable(raw)).collect())
    }

    /// The newest lines; and where a pattern is not among them, or there are none to follow on, what comes after.
    async fn newest(&self, wanted: &Wanted, patience: &Patience) -> Result<Tailed, ToolError> {
        let live = wanted.may_write();
        let (mut pages, mut places) = (Vec::new(), Places::default());
        for entry in &wanted.entries {
            let query = wanted.query(entry, LogQuery::newest(entry.id, wanted.lines));
            let page = self.store.logs(query).await.map_err(store_error)?;
            places.0.insert(entry.id, page.rows.first().map_or(BEGINNING, LogRow::point));
            pages.push((Arc::clone(entry), page));
        }
        let is_empty = pages.iter().all(|(_, page)| page.rows.is_empty());
        let Merged { mut rows, next } = merge(pages, true, wanted.lines, &wanted.form);
        rows.reverse();
        let found = wanted.pattern.is_none() || wanted.position(&rows).is_some();
        if !found || (wanted.follow && is_empty) {
            return self.newer(wanted, places, patience).await;
        }
        Ok(Tailed { rows, places, done: true, truncated: !next.0.is_empty(), live })
    }

    /// What is newer than these places; waits for it, and for a pattern.
    async fn newer(
        &self,
        wanted: &Wanted,
        mut places: Places,
        patience: &Patience,
    ) -> Result<Tailed, ToolError> {
        let deadline = Instant::now() + wanted.wait;
        let mut logs: Vec<_> = wanted.entries.iter().map(|e| e.logs.subscribe()).collect();
        let mut snapshots: Vec<_> = wanted.entries.iter().map(|e| e.handle.watch()).collect();
        loop {
            let marks: Vec<LogMark> = logs.iter_mut().map(|logs| *logs.borrow_and_update()).collect();
            snapshots.iter_mut().for_each(|snapshot| snapshot.mark_unchanged());
            // Looked at before the lines are read: what comes after the last line is its end, never before.
            let live = wanted.may_write();
            let mut pages = Vec::new();
            for (entry, mark) in wanted.entries.iter().zip(marks) {
                let page = self.page_after(wanted, entry, mark, &mut places).await?;
                pages.push((Arc::clone(entry), page));
            }
            let Merged { mut rows, next } = merge(pages, false, wanted.lines, &wanted.form);
            let mut truncated = !next.0.is_empty();
            let matched = wanted.position(&rows);
            if let Some(at) = matched {
                truncated |= at + 1 < rows.len();
                rows.truncate(at + 1);
            }
            let came = match wanted.pattern {
                Some(_) => matched.is_some(),
                None => !rows.is_empty() || wanted.wait.is_zero(),
            };
            let late = Instant::now() >= deadline || patience.cut_short.is_cancelled();
            if came || truncated || late || !live {
                places.0.extend(rows.iter().map(|(entry, row)| (entry.id, row.point())));
                return Ok(Tailed { rows, places, done: came, truncated, live });
            }
            let more_lines = select_all(logs.iter_mut().map(|logs| logs.changed().boxed()));
            let ends = select_all(snapshots.iter_mut().map(|snapshot| snapshot.changed().boxed()));
            tokio::select! {
                _ = more_lines => {}
                _ = ends => {}
                () = tokio::time::sleep_until(deadline) => {}
                () = patience.cut_short.cancelled() => {}
            }
        }
    }

    /// The lines of one process behind its place. Where only parsed ones are wanted, the place moves behind those that
    /// parsers have seen and that do not match, so that they are looked at once.
    async fn page_after(
        &self,
        wanted: &Wanted,
        entry: &Entry,
        mark: LogMark,
        places: &mut Places,
    ) -> Result<LogPage, ToolError> {
        let place = places.0.entry(entry.id).or_insert(BEGINNING);
        let mut query = wanted.query(entry, new_lines(entry.id, None, *place));
        query.limit = wanted.lines;
        let seen = wanted.parsed.and_then(|_| mark.seen());
        query.before = seen.map(|seen| LogPoint { seq: seen.seq + 1, ..seen });
        let page = self.store.logs(query).await.map_err(store_error)?;
        if let Some(seen) = seen.filter(|_| page.rows.is_empty()) {
            *place = seen.max(*place);
        }
        Ok(page)
    }
}

impl Wanted {
    /// Whether lines may still come.
    fn may_write(&self) -> bool {
        let is_unparsed = |entry: &Entry| self.parsed.is_some() && entry.logs.borrow().is_unparsed();
        self.entries.iter().any(|entry| entry.may_write() || is_unparsed(entry))
    }

    fn query(&self, entry: &Entry, query: LogQuery) -> LogQuery {
        LogQuery {
            process_id: entry.id,
            min_level: self.parsed.unwrap_or(Severity::UNKNOWN),
            max_bytes: read_bytes(self.entries.len()),
            ..query
        }
    }

    /// Where the pattern first matches.
    fn position(&self, rows: &[(Arc<Entry>, LogRow)]) -> Option<usize> {
        let pattern = self.pattern.as_ref()?;
        rows.iter().position(|(_, row)| pattern.is_match(&readable(&row.raw)))
    }

    fn answer(&self, tailed: Tailed, unfinished: Option<String>) -> LogTail {
        let Tailed { rows, places, done, truncated, live } = tailed;
        let several = self.entries.len() > 1;
        let shown: Vec<(&Entry, &LogRow)> = rows.iter().map(|(entry, row)| (&**entry, row)).collect();
        let (lines, text) = render(&shown, &self.form, several);
        let cursor = places.text(!several).unwrap_or_default();
        let note = match (done, live || truncated) {
            (true, _) => None,
            (false, true) => Some(format!(
                "not yet; go on with tail_logs {{{}, \"cursor\": \"{cursor}\", \"follow\": true}}",
                self.whose
            )),
            (false, false) => Some(self.ended()),
        };
        LogTail { lines, text, count: rows.len() as u32, unfinished, cursor, done, live, truncated, note }
    }

    /// That nothing will come any more.
    fn ended(&self) -> String {
        match &self.entries[..] {
            [entry] => {
                format!("`{}` has ended, so no more lines will come; get_process_info says how", entry.name)
            }
            _ => "all of these processes have ended, so no more lines will come; list_processes says how"
                .to_owned(),
        }
    }
}

fn whose(process: &Option<String>, group: &Option<String>) -> String {
    match (process, group) {
        (None, Some(group)) => format!("\"group\": {group:?}"),
        (process, _) => format!("\"process\": {:?}", process.as_deref().unwrap_or_default()),
    }
}
