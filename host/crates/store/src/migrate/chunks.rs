//! The lines of the first schema, a row each, into chunks.

use hostler_model::Timestamp;
use rusqlite::Connection;

use crate::chunks::{self, NewChunk};
use crate::codec::Effort;
use crate::codec::rows::{FULL, MAX_ROWS};
use crate::error::StoreError;
use crate::rows::{RowFlags, Rows, stream_of};
use crate::runs::RunKey;

/// Carries over what is in `log_rows`, and drops it.
pub(super) fn carry_over(conn: &Connection) -> rusqlite::Result<()> {
    let mut statement =
        conn.prepare("SELECT run_id, seq, time, stream, flags, raw FROM log_rows ORDER BY run_id, seq")?;
    let mut old = statement.query([])?;
    let mut open: Option<Open> = None;
    while let Some(row) = old.next()? {
        let (run, seq) = (RunKey(row.get(0)?), row.get(1)?);
        let chunk = match open.take() {
            Some(chunk) if chunk.run == run && !chunk.is_full() => open.insert(chunk),
            full => {
                full.map_or(Ok(()), |full| full.write(conn))?;
                open.insert(Open { run, first_seq: seq, rows: Rows::default() })
            }
        };
        let raw = row.get_ref(5)?.as_blob()?;
        chunk.rows.push(Timestamp(row.get(2)?), stream_of(row.get(3)?), RowFlags(row.get(4)?), raw);
    }
    open.map_or(Ok(()), |last| last.write(conn))?;
    drop(old);
    drop(statement);
    conn.execute_batch("DROP TABLE log_rows")
}

struct Open {
    run: RunKey,
    first_seq: i64,
    rows: Rows,
}

impl Open {
    fn is_full(&self) -> bool {
        self.rows.len() >= MAX_ROWS || self.rows.text.len() >= FULL
    }

    fn write(self, conn: &Connection) -> rusqlite::Result<()> {
        let mut first_seq = self.first_seq;
        for chunk in NewChunk::of(&self.rows, Effort::Quick) {
            chunks::insert(conn, self.run, first_seq, &chunk).map_err(|error| match error {
                StoreError::Full(text) => rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
                    Some(text),
                ),
                other => rusqlite::Error::ToSqlConversionFailure(Box::new(other)),
            })?;
            first_seq += chunk.rows();
        }
        Ok(())
    }
}
