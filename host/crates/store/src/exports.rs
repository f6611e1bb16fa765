//! How far sinks have the output: of each run the first line that a sink does not have.

use hostler_model::{ProcessId, RunNo, Timestamp};
use rusqlite::{OptionalExtension, params};

use crate::error::StoreError;
use crate::runs::RunKey;
use crate::sql;
use crate::store::Store;

/// The number of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sink(i64);

/// A run with lines that a sink does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unexported {
    /// The run.
    pub run: RunKey,
    /// Whose run.
    pub process: ProcessId,
    /// Its number there.
    pub number: RunNo,
    /// The first line that the sink does not have.
    pub next_seq: u64,
    /// The first line that is not to be sent yet: parsers have not seen it.
    pub end: u64,
}

impl Store {
    /// The sink of this name. One that is new begins with what is written from now on.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn sink(&self, name: &str, now: Timestamp) -> Result<Sink, StoreError> {
        let name = name.to_owned();
        let find = "SELECT id FROM log_sinks WHERE name = ?1";
        let asked = name.clone();
        let known = self.read(move |conn| {
            Ok(conn.prepare_cached(find)?.query_row([&asked], |row| row.get(0)).optional()?.map(Sink))
        });
        if let Some(sink) = known.await? {
            return Ok(sink);
        }
        self.write(move |conn| {
            conn.prepare_cached("INSERT INTO log_sinks (name, created_at) VALUES (?1, ?2)")?
                .execute(params![name, now.0])?;
            let sink = conn.last_insert_rowid();
            conn.prepare_cached(
                "INSERT INTO log_exports (sink_id, run_id, next_seq) SELECT ?1, id, next_seq FROM runs WHERE next_seq > 1",
            )?
            .execute([sink])?;
            Ok(Sink(sink))
        })
        .await
    }

    /// Forgets a sink, if there is one of this name.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_sink(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |conn| {
            conn.prepare_cached("DELETE FROM log_sinks WHERE name = ?1")?.execute([&name])?;
            Ok(())
        })
        .await
    }

    /// Some runs with lines that a sink does not have and that parsers have seen, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unexported(&self, sink: Sink, limit: usize) -> Result<Vec<Unexported>, StoreError> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT r.id, r.process_id, r.run, coalesce(e.next_seq, 1), r.annotated_seq
                 FROM runs r LEFT JOIN log_exports e ON e.sink_id = ?1 AND e.run_id = r.id
                 WHERE coalesce(e.next_seq, 1) < r.annotated_seq ORDER BY r.id LIMIT ?2",
            )?;
            let runs = statement.query_map(params![sink.0, limit as i64], |row| {
                Ok(Unexported {
                    run: RunKey(row.get(0)?),
                    process: ProcessId(row.get(1)?),
                    number: RunNo(row.get(2)?),
                    next_seq: sql::uint(row.get(3)?),
                    end: sql::uint(row.get(4)?),
                })
            })?;
            Ok(runs.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// A sink has the lines of a run before this one. Nothing happens when the sink or the run is gone.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn exported(&self, sink: Sink, run: RunKey, next_seq: u64) -> Result<(), StoreError> {
        self.write(move |conn| {
            conn.prepare_cached(
                "INSERT INTO log_exports (sink_id, run_id, next_seq)
                 SELECT s.id, r.id, ?3 FROM log_sinks s, runs r WHERE s.id = ?1 AND r.id = ?2
                 ON CONFLICT (sink_id, run_id) DO UPDATE SET next_seq = max(next_seq, excluded.next_seq)",
            )?
            .execute(params![sink.0, run.0, sql::int(next_seq)])?;
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests;
