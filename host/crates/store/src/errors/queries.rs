//! Reading groups.

use std::collections::HashMap;

use hostler_model::errors::{Fingerprint, Member};
use hostler_model::{ErrorId, ProcessId, RunNo, Timestamp};
use rusqlite::{Connection, params};

use super::crashes::last_seen_in;
use super::{ErrorGroup, GROUP_COLUMNS, Occurrence, group, occurrence};
use crate::error::StoreError;
use crate::sql;
use crate::store::Store;

/// In which order groups are wanted; each has the highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ErrorSort {
    /// By when they were last seen.
    #[default]
    LastSeen,
    /// By when they were first seen.
    FirstSeen,
    /// By how often.
    Count,
}

impl ErrorSort {
    fn column(self) -> &'static str {
        match self {
            Self::LastSeen => "last_seen",
            Self::FirstSeen => "first_seen",
            Self::Count => "count",
        }
    }
}

/// Which groups are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorQuery {
    /// Of this project.
    pub project: Option<i64>,
    /// Seen in this process.
    pub process: Option<ProcessId>,
    /// Of this category.
    pub category: Option<String>,
    /// Resolved, or not.
    pub resolved: Option<bool>,
    /// Last seen not before this time.
    pub since: Option<Timestamp>,
    /// First seen not before this time.
    pub first_since: Option<Timestamp>,
    /// Seen in the newest run of a process.
    pub in_newest_run: bool,
    /// In which order.
    pub sort: ErrorSort,
    /// Behind this place.
    pub after: Option<ErrorPoint>,
    /// At most so many.
    pub limit: usize,
}

/// A place in a list of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorPoint {
    /// What the list is sorted by.
    pub key: i64,
    /// The group.
    pub id: ErrorId,
}

/// A page of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// The groups.
    pub groups: Vec<ErrorGroup>,
    /// Where to go on, when there are more.
    pub next: Option<ErrorPoint>,
}

/// The errors of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErrorCounts {
    /// How often one was seen.
    pub occurrences: u64,
    /// Groups that are not resolved.
    pub open_groups: u64,
}

const FILTER: &str = "(?1 IS NULL OR project_id = ?1)
     AND (?2 IS NULL OR EXISTS (SELECT 1 FROM error_processes p WHERE p.group_id = g.id AND p.process_id = ?2))
     AND (?3 IS NULL OR category = ?3) AND (?4 IS NULL OR resolved = ?4) AND (?5 IS NULL OR last_seen >= ?5)
     AND (NOT ?6 OR EXISTS (SELECT 1 FROM error_processes p WHERE p.group_id = g.id
          AND (?2 IS NULL OR p.process_id = ?2)
          AND p.last_run = (SELECT max(run) FROM runs WHERE process_id = p.process_id)))
     AND (?7 IS NULL OR first_seen >= ?7)";

impl Store {
    /// Reads a page of groups.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn errors(&self, query: ErrorQuery) -> Result<ErrorPage, StoreError> {
        self.read(move |conn| page(conn, &query)).await
    }

    /// How many groups there are of each category, the largest first; place and limit do not matter.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn error_categories(&self, query: ErrorQuery) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(move |conn| categories(conn, &query)).await
    }

    /// The errors of each process that has any.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn error_counts(&self) -> Result<HashMap<ProcessId, ErrorCounts>, StoreError> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT p.process_id, sum(p.count), sum(g.resolved = 0)
                 FROM error_processes p JOIN error_groups g ON g.id = p.group_id GROUP BY p.process_id",
            )?;
            let rows = statement.query_map([], |row| {
                let count = |column: usize| row.get(column).map(i64::unsigned_abs);
                Ok((ProcessId(row.get(0)?), ErrorCounts { occurrences: count(1)?, open_groups: count(2)? }))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// A group.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn error_group(&self, id: ErrorId) -> Result<Option<ErrorGroup>, StoreError> {
        self.read(move |conn| by_id(conn, id)).await
    }

    /// The newest occurrences of a group that have a lower number than `before`, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn occurrences(
        &self,
        id: ErrorId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Occurrence>, StoreError> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT number, process_id, run, stream, first_seq, last_seq, time FROM error_occurrences
                 WHERE group_id = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
            )?;
            let before = before.map_or(i64::MAX, sql::int);
            let rows = statement.query_map(params![id.0, before, sql::int(limit as u64)], occurrence)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The group that was last seen in a run.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn error_of_run(
        &self,
        process: ProcessId,
        run: RunNo,
    ) -> Result<Option<ErrorGroup>, StoreError> {
        self.read(move |conn| {
            let id = last_seen_in(conn, process, run, 0)?;
            id.map_or(Ok(None), |id| by_id(conn, id))
        })
        .await
    }

    /// Other groups of a family: what is like a group but for its wording.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn error_relatives(
        &self,
        project: i64,
        family: String,
        id: ErrorId,
        limit: usize,
    ) -> Result<Vec<ErrorId>, StoreError> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id FROM error_groups WHERE project_id = ?1 AND family = ?2 AND id <> ?3
                 ORDER BY last_seen DESC LIMIT ?4",
            )?;
            let rows = statement.query_map(params![project, family, id.0, sql::int(limit as u64)], |r| {
                r.get(0).map(ErrorId)
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// All groups of a project as their families know them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn error_families(&self, project: i64) -> Result<Vec<(u128, Member)>, StoreError> {
        self.read(move |conn| families(conn, project)).await
    }

    /// The project of a run; `None` when the run is gone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn project_of_run(&self, run: crate::RunKey) -> Result<Option<i64>, StoreError> {
        self.read(move |conn| Ok(super::record::owner(conn, run)?.map(|owner| owner.project))).await
    }
}

fn page(conn: &Connection, query: &ErrorQuery) -> Result<ErrorPage, StoreError> {
    let column = query.sort.column();
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {GROUP_COLUMNS}, {column} FROM error_groups g WHERE {FILTER}
         AND (?8 IS NULL OR ({column}, id) < (?8, ?9)) ORDER BY {column} DESC, id DESC LIMIT ?10"
    ))?;
    let mut rows = statement.query(params![
        query.project,
        query.process.map(|p| p.0),
        query.category,
        query.resolved,
        query.since.map(|t| t.0),
        query.in_newest_run,
        query.first_since.map(|t| t.0),
        query.after.map(|p| p.key),
        query.after.map(|p| p.id.0),
        sql::int(query.limit as u64 + 1)
    ])?;
    let (mut groups, mut last, mut next) = (Vec::new(), None, None);
    while let Some(row) = rows.next()? {
        if groups.len() == query.limit {
            next = last;
            break;
        }
        let found = group(conn, row)?;
        last = Some(ErrorPoint { key: row.get(6)?, id: found.id });
        groups.push(found);
    }
    Ok(ErrorPage { groups, next })
}

fn categories(conn: &Connection, query: &ErrorQuery) -> Result<Vec<(String, u64)>, StoreError> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT category, count(*) FROM error_groups g WHERE {FILTER}
         GROUP BY category ORDER BY 2 DESC, 1"
    ))?;
    let rows = statement.query_map(
        params![
            query.project,
            query.process.map(|p| p.0),
            query.category,
            query.resolved,
            query.since.map(|t| t.0),
            query.in_newest_run,
            query.first_since.map(|t| t.0)
        ],
        |row| Ok((row.get(0)?, sql::uint(row.get(1)?))),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn by_id(conn: &Connection, id: ErrorId) -> Result<Option<ErrorGroup>, StoreError> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {GROUP_COLUMNS} FROM error_groups WHERE id = ?1"))?;
    let mut rows = statement.query([id.0])?;
    rows.next()?.map(|row| group(conn, row)).transpose()
}

fn families(conn: &Connection, project: i64) -> Result<Vec<(u128, Member)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT family, version, fingerprint, template FROM error_groups WHERE project_id = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([project], |row| {
        let (family, fingerprint): (String, String) = (row.get(0)?, row.get(2)?);
        let template: String = row.get(3)?;
        Ok((family, row.get::<_, u16>(1)?, fingerprint, template))
    })?;
    let mut members = Vec::new();
    for row in rows {
        let (family, version, fingerprint, template) = row?;
        // What is not a hash is not one of ours; it stays, and is found no more.
        let parsed = (u128::from_str_radix(&family, 16), u128::from_str_radix(&fingerprint, 16));
        if let (Ok(family), Ok(hash)) = parsed {
            let template = template.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
            members.push((family, Member { fingerprint: Fingerprint { version, hash }, template }));
        }
    }
    Ok(members)
}
