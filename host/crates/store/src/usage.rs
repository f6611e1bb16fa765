//! What processes used, over time: frames of points, merged into coarser ones as they come, and dropped when they are
//! old. The points of a process that was removed go with their age; its id is never given out again.

use std::collections::{BTreeMap, BTreeSet};

use hostler_model::ProcessId;
use hostler_model::usage::frame::{decode, encode};
use hostler_model::usage::{Point, Resolution, Series};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::StoreError;
use crate::store::Store;

/// Processes in one frame.
const SHARD: i64 = 32;

impl Store {
    /// Keeps what processes used in the ten seconds from `start` on (seconds since the epoch), merges what is complete
    /// into coarser points, and drops what is too old, all in one transaction.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_usage(&self, start: i64, points: Vec<(ProcessId, Point)>) -> Result<(), StoreError> {
        let mut shards: BTreeMap<i64, Vec<(i64, Point)>> = BTreeMap::new();
        for (process, point) in points {
            shards.entry(process.0.div_euclid(SHARD)).or_default().push((process.0, point));
        }
        self.write_if_room(move |conn| {
            for (shard, points) in &shards {
                add(conn, Resolution::TenSeconds, *shard, start, points)?;
                let end = start + Resolution::TenSeconds.seconds();
                for to in [Resolution::Minute, Resolution::Quarter] {
                    merge_complete(conn, to, *shard, start)?;
                }
                for resolution in Resolution::ALL {
                    forget(conn, resolution, *shard, end)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Drops what is too old of all processes, also of those that were removed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_old_usage(&self, now: i64) -> Result<(), StoreError> {
        self.write(move |conn| {
            for resolution in Resolution::ALL {
                conn.prepare_cached("DELETE FROM usage_frames WHERE resolution = ?1 AND start < ?2")?
                    .execute([resolution.seconds(), now - resolution.kept_seconds()])?;
            }
            Ok(())
        })
        .await
    }

    /// What a process used from a time on (seconds since the epoch): points of the given resolution, and finer ones
    /// for the end that is not merged yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn usage(
        &self,
        process: ProcessId,
        resolution: Resolution,
        from: i64,
    ) -> Result<Series, StoreError> {
        self.read(move |conn| {
            let (mut series, mut from) = (Series::new(), from);
            let mut next = Some(resolution);
            while let Some(resolution) = next {
                for (start, points) in frames(conn, resolution, process.0.div_euclid(SHARD), from)? {
                    // The frame is complete, whether or not this process was there.
                    from = start + resolution.seconds();
                    series.extend(points.iter().find(|(id, _)| *id == process.0).map(|(_, p)| (start, *p)));
                }
                next = resolution.finer();
            }
            Ok(series)
        })
        .await
    }
}

type Frame = (i64, Vec<(i64, Point)>);

fn frames(
    conn: &Connection,
    resolution: Resolution,
    shard: i64,
    from: i64,
) -> Result<Vec<Frame>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT start, points FROM usage_frames WHERE resolution = ?1 AND shard = ?2 AND start >= ?3 ORDER BY start",
    )?;
    let rows = statement.query_map([resolution.seconds(), shard, from], |row| {
        Ok((row.get(0)?, decode(row.get_ref(1)?.as_blob()?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds points to a frame, which a daemon that ended within these seconds may have begun.
fn add(
    conn: &Connection,
    resolution: Resolution,
    shard: i64,
    start: i64,
    points: &[(i64, Point)],
) -> Result<(), StoreError> {
    let begun: Option<Vec<u8>> = conn
        .prepare_cached(
            "SELECT points FROM usage_frames WHERE resolution = ?1 AND shard = ?2 AND start = ?3",
        )?
        .query_row([resolution.seconds(), shard, start], |row| row.get(0))
        .optional()?;
    let begun = begun.map(|bytes| decode(&bytes)).unwrap_or_default();
    put(conn, resolution, shard, start, begun.into_iter().chain(points.iter().copied()))
}

/// Writes a frame of all these points together, in place of an earlier one.
fn put(
    conn: &Connection,
    resolution: Resolution,
    shard: i64,
    start: i64,
    points: impl Iterator<Item = (i64, Point)>,
) -> Result<(), StoreError> {
    let mut merged: BTreeMap<i64, Point> = BTreeMap::new();
    for (process, point) in points {
        merged.entry(process).and_modify(|p| *p = p.merge(point)).or_insert(point);
    }
    let bytes = encode(&merged.into_iter().collect::<Vec<_>>());
    conn.prepare_cached("INSERT OR REPLACE INTO usage_frames VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        resolution.seconds(),
        shard,
        start,
        bytes
    ])?;
    Ok(())
}

/// Makes the frames that are complete with the tick that began at `tick`, also those that a daemon which ended could
/// not make any more, and anew the one that this very tick belongs to.
fn merge_complete(conn: &Connection, to: Resolution, shard: i64, tick: i64) -> Result<(), StoreError> {
    let Some(finer) = to.finer() else { return Ok(()) };
    let newest: Option<i64> = conn
        .prepare_cached("SELECT max(start) FROM usage_frames WHERE resolution = ?1 AND shard = ?2")?
        .query_row([to.seconds(), shard], |row| row.get(0))?;
    let end = tick + Resolution::TenSeconds.seconds();
    let (complete, own) = (to.start_of(end), to.start_of(tick));
    let from = newest.map_or(end - finer.kept_seconds(), |start| start + to.seconds()).min(own);
    if from >= complete {
        return Ok(());
    }
    let fine = frames(conn, finer, shard, from)?;
    let starts: BTreeSet<i64> = fine.iter().map(|(start, _)| to.start_of(*start)).collect();
    for start in starts.into_iter().filter(|start| *start < complete) {
        let within = fine.iter().filter(|(fine, _)| to.start_of(*fine) == start);
        put(conn, to, shard, start, within.flat_map(|(_, points)| points.iter().copied()))?;
    }
    Ok(())
}

fn forget(conn: &Connection, resolution: Resolution, shard: i64, end: i64) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM usage_frames WHERE resolution = ?1 AND shard = ?2 AND start < ?3")?
        .execute([resolution.seconds(), shard, end - resolution.kept_seconds()])?;
    Ok(())
}

#[cfg(test)]
mod tests;
