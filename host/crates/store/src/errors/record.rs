//! Writing occurrences.

use std::collections::HashMap;

use hostler_model::ErrorId;
use hostler_model::errors::{Fingerprint, GroupState};
use rusqlite::{Connection, OptionalExtension, params};

use super::{GROUPS, NewKind, NewOccurrence, RING};
use crate::error::StoreError;
use crate::runs::RunKey;
use crate::sql;
use crate::store::Store;

/// Whose a run is.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) project: i64,
    pub(super) process: i64,
    pub(super) run: i64,
}

impl Store {
    /// Stores occurrences that belong to no lines, and answers how many there are: those of runs that are gone are left
    /// out.
    ///
    /// # Errors
    /// When the database cannot be written; then none is stored.
    pub async fn record_errors(&self, occurrences: Vec<NewOccurrence>) -> Result<usize, StoreError> {
        self.write(move |conn| record(conn, &occurrences)).await
    }
}

/// Stores occurrences within the transaction of whoever found them.
pub(crate) fn record(conn: &Connection, occurrences: &[NewOccurrence]) -> Result<usize, StoreError> {
    let mut owners: HashMap<RunKey, Option<Owner>> = HashMap::new();
    // In the order in which groups come first, so that their numbers are in that order as well.
    let mut groups: Vec<Together<'_>> = Vec::new();
    for occurrence in occurrences {
        let known = match owners.get(&occurrence.run) {
            Some(known) => *known,
            None => *owners.entry(occurrence.run).or_insert(owner(conn, occurrence.run)?),
        };
        let Some(owner) = known else { continue };
        let group = (owner.project, occurrence.kind.member.fingerprint);
        match groups.iter_mut().find(|known| known.group == group) {
            Some(known) => known.occurrences.push((occurrence, owner)),
            None => groups.push(Together { group, occurrences: vec![(occurrence, owner)] }),
        }
    }
    for together in &groups {
        one_group(conn, together.group.0, &together.occurrences)?;
    }
    Ok(groups.iter().map(|together| together.occurrences.len()).sum())
}

/// What one transaction has of one group.
struct Together<'o> {
    /// Project and fingerprint.
    group: (i64, Fingerprint),
    occurrences: Vec<(&'o NewOccurrence, Owner)>,
}

pub(super) fn owner(conn: &Connection, run: RunKey) -> Result<Option<Owner>, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT p.project_id, p.id, r.run FROM runs r JOIN processes p ON p.id = r.process_id WHERE r.id = ?1",
        )?
        .query_row([run.0], |row| Ok(Owner { project: row.get(0)?, process: row.get(1)?, run: row.get(2)? }))
        .optional()?;
    Ok(found)
}

/// All occurrences of one group in this transaction.
fn one_group(
    conn: &Connection,
    project: i64,
    occurrences: &[(&NewOccurrence, Owner)],
) -> Result<(), StoreError> {
    let Some((first, _)) = occurrences.first() else { return Ok(()) };
    let (id, mut state) = match find(conn, project, &first.kind)? {
        Some(found) => found,
        None => (found_group(conn, project, &first.kind)?, GroupState::new()),
    };
    let is_new = state.count == 0;
    let begin = state.count;
    occurrences.iter().for_each(|(occurrence, _)| state.seen(occurrence.time));
    save_state(conn, id, &state)?;
    let skipped = occurrences.len().saturating_sub(RING as usize);
    for ((occurrence, owner), number) in occurrences.iter().zip(begin..).skip(skipped) {
        insert(conn, id, number, occurrence, *owner)?;
    }
    for (occurrence, owner) in occurrences {
        in_process(conn, id, occurrence, *owner)?;
    }
    samples(conn, id, is_new, occurrences)?;
    let template = &occurrences.last().map_or(&first.kind, |(newest, _)| &newest.kind).member.template;
    conn.prepare_cached("UPDATE error_groups SET template = ?2 WHERE id = ?1")?
        .execute(params![id.0, template.join(" ")])?;
    Ok(())
}

/// The group of an error: that of an earlier version's fingerprint, should there be one.
fn find(
    conn: &Connection,
    project: i64,
    kind: &NewKind,
) -> Result<Option<(ErrorId, GroupState)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, state FROM error_groups WHERE project_id = ?1 AND version = ?2 AND fingerprint = ?3",
    )?;
    for fingerprint in kind.earlier.iter().chain([&kind.member.fingerprint]) {
        let found: Option<(i64, String)> = statement
            .query_row(params![project, fingerprint.version, fingerprint.to_string()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((id, state)) = found {
            let state = serde_json::from_str(&state)
                .map_err(|e| StoreError::Unreadable(format!("the state of error e{id}: {e}")))?;
            return Ok(Some((ErrorId(id), state)));
        }
    }
    Ok(None)
}

fn found_group(conn: &Connection, project: i64, kind: &NewKind) -> Result<ErrorId, StoreError> {
    let fault = sql::json("an error", serde_json::to_string(&kind.fault))?;
    let state = sql::json("the state of an error", serde_json::to_string(&GroupState::new()))?;
    let fingerprint = kind.member.fingerprint;
    conn.prepare_cached(
        "INSERT INTO error_groups (project_id, version, fingerprint, family, template, fault, state, category,
         count, first_seen, last_seen, resolved) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, 0)",
    )?
    .execute(params![
        project,
        fingerprint.version,
        fingerprint.to_string(),
        format!("{:032x}", kind.family),
        kind.member.template.join(" "),
        fault,
        state,
        kind.fault.category
    ])?;
    let id = ErrorId(conn.last_insert_rowid());
    // One that is not yet counted has been seen at no time: it is not among those that go.
    conn.prepare_cached(
        "DELETE FROM error_groups WHERE id IN (SELECT id FROM error_groups WHERE project_id = ?1 AND id <> ?2
         ORDER BY last_seen DESC LIMIT -1 OFFSET ?3)",
    )?
    .execute(params![project, id.0, GROUPS - 1])?;
    Ok(id)
}

/// Writes a state and its copies.
pub(super) fn save_state(conn: &Connection, id: ErrorId, state: &GroupState) -> Result<(), StoreError> {
    let json = sql::json("the state of an error", serde_json::to_string(state))?;
    conn.prepare_cached(
        "UPDATE error_groups SET state = ?2, count = ?3, first_seen = ?4, last_seen = ?5, resolved = ?6
         WHERE id = ?1",
    )?
    .execute(params![
        id.0,
        json,
        sql::int(state.count),
        state.first_seen.0,
        state.last_seen.0,
        state.is_resolved()
    ])?;
    Ok(())
}

fn insert(
    conn: &Connection,
    id: ErrorId,
    number: u64,
    new: &NewOccurrence,
    owner: Owner,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO error_occurrences
         (group_id, slot, number, process_id, run, stream, first_seq, last_seq, time)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        id.0,
        sql::int(number % RING),
        sql::int(number),
        owner.process,
        owner.run,
        new.stream as u8,
        sql::int(new.first_seq),
        sql::int(new.last_seq),
        new.time.0
    ])?;
    Ok(())
}

/// Runs are looked at side by side: an earlier one may come after a later one.
fn in_process(conn: &Connection, id: ErrorId, new: &NewOccurrence, owner: Owner) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO error_processes
         (group_id, process_id, count, runs, ended_runs, first_run, last_run, last_seq, last_seen)
         VALUES (?1, ?2, 1, 1, 0, ?3, ?3, ?4, ?5)
         ON CONFLICT (group_id, process_id) DO UPDATE SET count = count + 1,
         runs = runs + (excluded.last_run > last_run OR excluded.first_run < first_run),
         first_run = min(first_run, excluded.first_run),
         last_seq = CASE WHEN excluded.last_run >= last_run THEN excluded.last_seq ELSE last_seq END,
         last_run = max(last_run, excluded.last_run), last_seen = max(last_seen, excluded.last_seen)",
    )?
    .execute(params![id.0, owner.process, owner.run, sql::int(new.last_seq), new.time.0])?;
    Ok(())
}

/// Keeps the first sample and the newest one, and the description that goes with it.
fn samples(
    conn: &Connection,
    id: ErrorId,
    is_new: bool,
    occurrences: &[(&NewOccurrence, Owner)],
) -> Result<(), StoreError> {
    let mut with_sample = occurrences.iter().filter(|(occurrence, _)| occurrence.sample.is_some());
    let Some(first) = with_sample.next() else { return Ok(()) };
    let newest = with_sample.next_back();
    if is_new {
        write_sample(conn, id, 0, first)?;
    }
    let Some(newest) = newest.or((!is_new).then_some(first)) else { return Ok(()) };
    write_sample(conn, id, 1, newest)?;
    let fault = &newest.0.kind.fault;
    conn.prepare_cached("UPDATE error_groups SET fault = ?2, category = ?3 WHERE id = ?1")?
        .execute(params![id.0, sql::json("an error", serde_json::to_string(fault))?, fault.category])?;
    Ok(())
}

fn write_sample(
    conn: &Connection,
    id: ErrorId,
    slot: u8,
    (new, owner): &(&NewOccurrence, Owner),
) -> Result<(), StoreError> {
    let Some(sample) = &new.sample else { return Ok(()) };
    conn.prepare_cached(
        "INSERT OR REPLACE INTO error_samples
         (group_id, slot, process_id, run, stream, first_seq, last_seq, time, context, lines)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        id.0,
        slot,
        owner.process,
        owner.run,
        new.stream as u8,
        sql::int(new.first_seq),
        sql::int(new.last_seq),
        new.time.0,
        sample.context,
        sql::json("a sample", serde_json::to_string(&sample.lines))?
    ])?;
    Ok(())
}
