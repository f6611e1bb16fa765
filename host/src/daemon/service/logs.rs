//! Reading output: pages of it, of one process or of several in one order of time.

use std::sync::Arc;

use hostler_api::ToolError;
use hostler_api::logs::{GetLogs, Level, LogFormat, LogPage, Order, StreamFilter};
use hostler_api::time::parse_instant;
use hostler_model::event::Severity;
use hostler_model::text::readable;
use hostler_model::{ProcessId, RunNo, Stream, Timestamp};
use hostler_store::{LogPoint, LogQuery, LogRow};

use super::logs_form::{Form, render};
use super::logs_places::Places;
use super::{Client, Service, store_error};
use crate::daemon::registry::Entry;

/// An answer has at most about this many characters of output.
pub(super) const ANSWER_CHARS: usize = 10_000;
const DEFAULT_LINES: u32 = 100;
const MAX_LINES: u32 = 1_000;
/// What is read for an answer, bytes: lines are longer on disk than shown, with terminal escapes or cut.
const READ_BYTES: usize = 8 << 20;

impl Service {
    /// `get_logs`.
    ///
    /// # Errors
    /// When an argument is wrong or there is no such process.
    pub(crate) async fn logs(&self, client: &Client, request: GetLogs) -> Result<LogPage, ToolError> {
        let entries = self.logged(client, &request.project, &request.process, &request.group).await?;
        let form =
            Form::of(request.format, request.max_line_chars).with_raw(request.raw, self.errors.redactor());
        let limit = request.limit.unwrap_or(DEFAULT_LINES).clamp(1, MAX_LINES) as usize;
        let places = Places::read(request.cursor.as_deref(), &entries)?;
        let query = LogQuery { max_bytes: read_bytes(entries.len()), ..query(&request, limit)? };
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
        let Merged { mut rows, next } = merge(pages, newest_first, limit, &form);
        let next_cursor = next.text(entries.len() == 1);
        let truncated = next_cursor.is_some();
        // Without an order it is a tail: the newest, as they are read, oldest first.
        if newest_first && request.order.is_none() {
            rows.reverse();
        }
        let note = page_note(&request, truncated, next_cursor.as_deref(), rows.is_empty());
        let count = rows.len() as u32;
        let rows: Vec<(&Entry, &LogRow)> = rows.iter().map(|(entry, row)| (&**entry, row)).collect();
        let (lines, text) = render(&rows, &form, entries.len() > 1);
        let note = self.degraded.with_note(note);
        Ok(LogPage { lines, text, count, next_cursor, truncated, note })
    }

    /// The newest lines of a process as it wrote them, newest first: before any parser took them apart.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) async fn written(
        &self,
        client: &Client,
        process: &str,
        lines: usize,
    ) -> Result<Vec<String>, ToolError> {
        let entry = self.entry(client, None, process).await?;
        entry.caught_up().await;
        let page = self.store.logs(LogQuery::newest(entry.id, lines)).await.map_err(store_error)?;
        Ok(page.rows.iter().map(|row| readable(&row.raw)).collect())
    }

    /// The processes that were named, with commas between them, or the members of the group.
    pub(super) async fn logged(
        &self,
        client: &Client,
        project: &Option<String>,
        process: &Option<String>,
        group: &Option<String>,
    ) -> Result<Vec<Arc<Entry>>, ToolError> {
        match (process, group) {
            (Some(names), None) => {
                let mut entries: Vec<Arc<Entry>> = Vec::new();
                for name in names.split(',').map(str::trim) {
                    let entry = self.entry(client, project.as_deref(), name).await?;
                    if entries.iter().all(|known| known.id != entry.id) {
                        entries.push(entry);
                    }
                }
                Ok(entries)
            }
            (None, Some(group)) => {
                let found = self.group(client, project.as_deref(), group).await?;
                let members = self.members_of(&found);
                if members.is_empty() {
                    return Err(ToolError::invalid(format!("the group `{group}` has no members yet")));
                }
                Ok(members)
            }
            (Some(_), Some(_)) => Err(ToolError::invalid("give either `process` or `group`, not both")),
            (None, None) => Err(ToolError::invalid(
                "the argument `process` is missing: name, project/name or id, or several with commas between them; or \
                 give a `group`",
            )),
        }
    }
}

/// What is read of each of so many processes, bytes.
pub(super) fn read_bytes(processes: usize) -> usize {
    READ_BYTES / processes.max(1)
}

/// Rows of several processes in one order, and where to go on in those that have more.
pub(super) struct Merged {
    pub(super) rows: Vec<(Arc<Entry>, LogRow)>,
    pub(super) next: Places,
}

/// One process of a merge.
struct Source {
    entry: Arc<Entry>,
    rows: std::iter::Peekable<std::vec::IntoIter<LogRow>>,
    /// Further rows match behind those that were read.
    more: bool,
    /// The last row that was taken.
    last: Option<LogPoint>,
}

impl Source {
    /// Whether its next row is not known: it may be the next of all.
    fn is_unread(&mut self) -> bool {
        self.more && self.rows.peek().is_none()
    }

    /// Where to go on; none when all was taken.
    fn place_behind(mut self, newest_first: bool) -> Option<LogPoint> {
        match (self.last, self.rows.peek()) {
            (Some(last), Some(_)) => Some(last),
            (last, None) => last.filter(|_| self.more),
            // None of its rows was taken: on at its first one, this one included.
            (None, Some(row)) if newest_first => Some(LogPoint { seq: row.seq + 1, ..row.point() }),
            (None, Some(row)) => Some(LogPoint { seq: row.seq - 1, ..row.point() }),
        }
    }
}

/// Rows of several processes in one order of time, as many as are wanted and fit into an answer; at least one.
pub(super) fn merge(
    pages: Vec<(Arc<Entry>, hostler_store::LogPage)>,
    newest_first: bool,
    limit: usize,
    form: &Form,
) -> Merged {
    let (mut rows, mut used) = (Vec::new(), 0);
    let mut sources: Vec<Source> = pages
        .into_iter()
        .map(|(entry, page)| Source {
            entry,
            rows: page.rows.into_iter().peekable(),
            more: page.more,
            last: None,
        })
        .collect();
    while rows.len() < limit && !sources.iter_mut().any(Source::is_unread) {
        let heads = sources.iter_mut().filter_map(|source| {
            let time = source.rows.peek()?.time.0;
            Some((if newest_first { -time } else { time }, source))
        });
        let Some((_, source)) = heads.min_by_key(|(time, _)| *time) else { break };
        let Some(row) = source.rows.next_if(|row| used == 0 || used + form.cost(row) <= ANSWER_CHARS) else {
            break;
        };
        used += form.cost(&row);
        source.last = Some(row.point());
        rows.push((Arc::clone(&source.entry), row));
    }
    let places = sources.into_iter().filter_map(|source| {
        let id = source.entry.id;
        Some((id, source.place_behind(newest_first)?))
    });
    Merged { rows, next: Places(places.collect()) }
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
        ..LogQuery::newest(ProcessId(0), limit)
    })
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
