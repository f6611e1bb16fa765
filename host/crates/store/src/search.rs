//! Searching: block after block from the newest, those skipped that the filter rules out, several at a time.
//!
//! What is read at once is one state of the database; between the steps lines may come, be sealed or go. As places are
//! numbers of lines, nothing is seen twice or missed for that.

use hostler_model::RunNo;
use hostler_model::event::Severity;
use rusqlite::{Connection, OptionalExtension, params};

use crate::chunks::{self, Candidate};
use crate::error::StoreError;
use crate::events::{self, EventsOf};
use crate::filter::Needles;
use crate::logs::{LogPoint, LogQuery, LogRow, Order, log_row, runs_sql};
use crate::matcher::{FieldFilter, Matcher};
use crate::rows::Rows;
use crate::runs::RunKey;
use crate::searchable::Searchable;
use crate::sql;
use crate::store::Store;

/// Most chunks of one step.
const STEP: usize = 16;
/// Most blobs of one step, bytes.
const STEP_BYTES: usize = 4 << 20;

/// What is searched for.
#[derive(Debug, Clone)]
pub struct Search {
    /// In which lines; its order is the newest first, its limit how many matches are wanted.
    pub lines: LogQuery,
    /// What they contain.
    pub matcher: Matcher,
    /// What their events say.
    pub fields: Vec<FieldFilter>,
    /// So many lines before and behind each match.
    pub context: usize,
}

/// A match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The line.
    pub row: LogRow,
    /// Those before it, oldest first.
    pub before: Vec<LogRow>,
    /// Those behind it.
    pub after: Vec<LogRow>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Searched {
    /// The newest matches, newest first.
    pub found: Vec<Found>,
    /// How many lines matched among those that were looked at.
    pub total: u64,
    /// Where it ended before it had looked at all lines: those from here on, this one included, were looked at.
    pub ended_at: Option<LogPoint>,
    /// Text that was looked at, bytes.
    pub scanned_bytes: u64,
    /// Text that the filters ruled out, bytes.
    pub skipped_bytes: u64,
}

/// A chunk that must be looked at.
struct Task {
    run: (RunKey, RunNo),
    chunk: Candidate,
    data: Vec<u8>,
    events: EventsOf,
}

/// What a step has to look at.
#[derive(Default)]
struct Step {
    tasks: Vec<Task>,
    bytes: usize,
    skipped: u64,
    /// Where the next step goes on; none when there is nothing further.
    next: Option<LogPoint>,
}

impl Store {
    /// Searches, from the newest line on, until there are enough matches, no further lines, or `enough` says so. It
    /// computes, so it belongs on a thread that may; it uses another one besides.
    ///
    /// # Panics
    /// On a thread of an async runtime, which must not wait.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn search_blocking(
        &self,
        search: &Search,
        enough: impl Fn() -> bool,
    ) -> Result<Searched, StoreError> {
        let mut result = Searched::default();
        let mut places: Vec<(RunKey, RunNo, i64)> = Vec::new();
        let mut query = LogQuery { order: Order::Desc, ..search.lines.clone() };
        // The first step is a small one: what is looked for is often in the newest lines.
        let mut size = 1;
        loop {
            let (asked, matcher) = (query.clone(), search.matcher.clone());
            let Step { tasks, skipped, next, .. } =
                self.read_blocking(move |conn| step(conn, &asked, &matcher, size))?;
            result.skipped_bytes += skipped;
            for looked in look(search, &tasks)? {
                result.scanned_bytes += looked.bytes;
                result.total += looked.seqs.len() as u64;
                places.extend(looked.seqs.iter().map(|seq| (looked.run.0, looked.run.1, *seq)));
            }
            let Some(next) = next else { break };
            if places.len() >= search.lines.limit || enough() {
                result.ended_at = Some(next);
                break;
            }
            query.before = Some(next);
            size = (size * 2).min(STEP);
        }
        places.truncate(search.lines.limit);
        let context = search.context as i64;
        result.found = self.read_blocking(move |conn| Surroundings::default().of(conn, &places, context))?;
        Ok(result)
    }
}

/// The next chunks that must be looked at.
fn step(conn: &Connection, query: &LogQuery, matcher: &Matcher, size: usize) -> Result<Step, StoreError> {
    let mut step = Step::default();
    let low = query.after.map_or(0, |p| p.run.0).max(query.run.map_or(0, |r| r.0));
    let high = query.before.map_or(u32::MAX, |p| p.run.0).min(query.run.map_or(u32::MAX, |r| r.0));
    let mut runs = conn.prepare_cached(&runs_sql(Order::Desc))?;
    let mut runs = runs.query(params![query.process_id.0, low, high])?;
    while let Some(row) = runs.next()? {
        let run = (RunKey(row.get(0)?), RunNo(row.get(1)?));
        let seqs = seqs_of(query, run.1);
        let goes_on = chunks::candidates(conn, run.0, seqs, query, |chunk| {
            if step.tasks.len() >= size || step.bytes >= STEP_BYTES {
                step.next = Some(LogPoint { run: run.1, seq: sql::uint(chunk.last_seq) + 1 });
                return Ok(false);
            }
            match ruled_out(conn, &chunk, matcher.needles())? {
                Some(text_bytes) => step.skipped += sql::uint(text_bytes),
                None => {
                    let data: Vec<u8> = conn
                        .prepare_cached("SELECT data FROM log_data WHERE id = ?1")?
                        .query_row([chunk.id], |row| row.get(0))?;
                    step.bytes += data.len();
                    let events = EventsOf::load(conn, run.0, chunk.first_seq..=chunk.last_seq)?;
                    step.tasks.push(Task { run, chunk, data, events });
                }
            }
            Ok(true)
        })?;
        if !goes_on {
            break;
        }
    }
    Ok(step)
}

/// The rows of a run that are asked for.
fn seqs_of(query: &LogQuery, run: RunNo) -> std::ops::RangeInclusive<i64> {
    let in_run = |point: Option<LogPoint>| point.filter(|p| p.run == run).map(|p| sql::int(p.seq));
    let low = in_run(query.after).map_or(0, |seq| seq.saturating_add(1));
    low..=in_run(query.before).map_or(i64::MAX, |seq| seq - 1)
}

/// How much text a chunk has, where its filter says that no line of it can match.
fn ruled_out(conn: &Connection, chunk: &Candidate, needles: &Needles) -> Result<Option<i64>, StoreError> {
    if needles.is_empty() {
        return Ok(None);
    }
    let found = conn
        .prepare_cached(
            "SELECT filter, text_bytes FROM log_filters JOIN log_chunks USING (id) WHERE log_filters.id = ?1",
        )?
        .query_row([chunk.id], |row| {
            // Looked at where it stands: there are as many as blocks, and nearly all end here.
            let may_match = needles.may_be_in(row.get_ref(0)?.as_blob()?);
            Ok(if may_match { None } else { Some(row.get(1)?) })
        })
        .optional()?;
    Ok(found.flatten())
}

/// What was found in one chunk, newest first.
struct Looked {
    run: (RunKey, RunNo),
    seqs: Vec<i64>,
    bytes: u64,
}

/// Looks at chunks, half of them on another thread, and answers in their order.
fn look(search: &Search, tasks: &[Task]) -> Result<Vec<Looked>, StoreError> {
    let all = |tasks: &[Task]| tasks.iter().map(|task| look_at(search, task)).collect::<Result<Vec<_>, _>>();
    if tasks.len() < 2 {
        return all(tasks);
    }
    let (one, other) = tasks.split_at(tasks.len() / 2);
    std::thread::scope(|scope| {
        let helper = scope.spawn(|| all(other));
        let mut looked = all(one)?;
        match helper.join() {
            Ok(others) => looked.extend(others?),
            Err(_) => return Err(StoreError::Panicked("a search".to_owned())),
        }
        Ok(looked)
    })
}

fn look_at(search: &Search, task: &Task) -> Result<Looked, StoreError> {
    let rows = task.chunk.decode(&task.data)?;
    let text = Searchable::of(&rows);
    let wanted = seqs_of(&search.lines, task.run.1);
    let needs_events = search.lines.min_level > Severity::UNKNOWN || !search.fields.is_empty();
    let mut seqs = Vec::new();
    for at in search.matcher.find_all(&text).into_iter().rev() {
        let (row, seq) = (rows.get(at), task.chunk.first_seq + at as i64);
        if !wanted.contains(&seq) || !search.lines.wants(&row) {
            continue;
        }
        if needs_events {
            let (level, begins) = task.events.of(sql::uint(seq), row.stream);
            let event = begins.map(|(events, at)| events::read(events, at, row.raw)).transpose()?;
            let met = |field: &FieldFilter| event.as_ref().is_some_and(|event| field.is_met(event));
            if level < search.lines.min_level || !search.fields.iter().all(met) {
                continue;
            }
        }
        seqs.push(seq);
    }
    Ok(Looked { run: task.run, seqs, bytes: rows.text.len() as u64 })
}

/// Lines around matches, the chunk that was read last at hand: matches are often neighbours.
#[derive(Default)]
struct Surroundings {
    open: Option<(RunKey, Candidate, Rows, EventsOf)>,
}

impl Surroundings {
    fn of(
        &mut self,
        conn: &Connection,
        places: &[(RunKey, RunNo, i64)],
        context: i64,
    ) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::with_capacity(places.len());
        for (key, run, seq) in places {
            // What was removed meanwhile is not there any more.
            let Some(row) = self.row(conn, (*key, *run), *seq)? else { continue };
            let mut around = |seqs: std::ops::Range<i64>| {
                seqs.filter_map(|seq| self.row(conn, (*key, *run), seq).transpose()).collect::<Result<_, _>>()
            };
            let (before, after) = (around(seq - context..*seq)?, around(seq + 1..seq + 1 + context)?);
            found.push(Found { row, before, after });
        }
        Ok(found)
    }

    fn row(
        &mut self,
        conn: &Connection,
        run: (RunKey, RunNo),
        seq: i64,
    ) -> Result<Option<LogRow>, StoreError> {
        let is_open = |(key, chunk, ..): &(RunKey, Candidate, Rows, EventsOf)| {
            *key == run.0 && (chunk.first_seq..=chunk.last_seq).contains(&seq)
        };
        if !self.open.as_ref().is_some_and(is_open) {
            let chunk = conn
                .prepare_cached(
                    "SELECT first_seq, last_seq, id FROM log_chunks WHERE run_id = ?1 AND first_seq <= ?2
                     AND last_seq >= ?2 ORDER BY first_seq DESC LIMIT 1",
                )?
                .query_row(params![run.0.0, seq], chunks::candidate)
                .optional()?;
            let Some(chunk) = chunk else { return Ok(None) };
            let events = EventsOf::load(conn, run.0, chunk.first_seq..=chunk.last_seq)?;
            self.open = Some((run.0, chunk, chunks::load(conn, &chunk)?, events));
        }
        let Some((_, chunk, rows, events)) = &self.open else { return Ok(None) };
        let row = rows.get((seq - chunk.first_seq) as usize);
        let (level, begins) = events.of(sql::uint(seq), row.stream);
        let event = begins.map(|(events, at)| events::read(events, at, row.raw)).transpose()?;
        Ok(Some(log_row(run, sql::uint(seq), &row, level, event)))
    }
}

#[cfg(test)]
mod tests;
