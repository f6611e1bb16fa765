//! Migrations: the numbered steps from an empty file to the schema of this build.

mod chunks;

use hostler_model::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

/// One step.
#[derive(Clone, Copy)]
pub(crate) struct Migration {
    /// Its number; `PRAGMA user_version` is that of the last one applied.
    pub(crate) number: u32,
    /// Its file name without number and extension.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) sql: &'static str,
}

/// All steps in order. A file that was released is never edited, only followed by another.
pub(crate) const ALL: &[Migration] = &[
    Migration { number: 1, name: "init", sql: include_str!("../../../../migrations/0001_init.sql") },
    Migration {
        number: 2,
        name: "session_owners",
        sql: include_str!("../../../../migrations/0002_session_owners.sql"),
    },
    Migration { number: 3, name: "errors", sql: include_str!("../../../../migrations/0003_errors.sql") },
    Migration {
        number: 4,
        name: "log_chunks",
        sql: include_str!("../../../../migrations/0004_log_chunks.sql"),
    },
    Migration { number: 5, name: "usage", sql: include_str!("../../../../migrations/0005_usage.sql") },
    Migration { number: 6, name: "groups", sql: include_str!("../../../../migrations/0006_groups.sql") },
    Migration { number: 7, name: "stacks", sql: include_str!("../../../../migrations/0007_stacks.sql") },
    Migration { number: 8, name: "health", sql: include_str!("../../../../migrations/0008_health.sql") },
    Migration {
        number: 9,
        name: "log_exports",
        sql: include_str!("../../../../migrations/0009_log_exports.sql"),
    },
    Migration { number: 10, name: "leases", sql: include_str!("../../../../migrations/0010_leases.sql") },
];

/// The part of a step that is code.
type Work = fn(&Connection) -> rusqlite::Result<()>;

/// What SQL alone cannot do: for a step of this name, what follows its SQL in the same transaction.
const CODE: &[(&str, Work)] = &[("log_chunks", chunks::carry_over)];

/// The newest schema version of this build.
pub(crate) const KNOWN: u32 = ALL[ALL.len() - 1].number;

/// Applies what is missing, each step in a transaction of its own. Answers how many were applied.
pub(crate) fn apply(conn: &mut Connection, steps: &[Migration], now: Timestamp) -> rusqlite::Result<usize> {
    let mut applied = 0;
    for step in steps {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read inside the transaction: another process may have come first.
        let version: u32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version >= step.number {
            continue;
        }
        tx.execute_batch(step.sql)?;
        CODE.iter().filter(|(name, _)| *name == step.name).try_for_each(|(_, work)| work(&tx))?;
        tx.execute(
            "INSERT INTO migrations (number, name, digest, applied_at) VALUES (?1, ?2, ?3, ?4)",
            params![step.number, step.name, digest(step.sql), now.0],
        )?;
        tx.pragma_update(None, "user_version", step.number)?;
        tx.commit()?;
        applied += 1;
    }
    Ok(applied)
}

/// Warns of applied steps whose text is not the one of this build: an edited migration explains later errors.
pub(crate) fn warn_of_edited(conn: &Connection, steps: &[Migration]) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("SELECT digest FROM migrations WHERE number = ?1")?;
    for step in steps {
        let applied: String = statement.query_row([step.number], |row| row.get(0))?;
        if applied != digest(step.sql) {
            tracing::warn!(
                number = step.number,
                name = step.name,
                "the database was made with another text of this migration"
            );
        }
    }
    Ok(())
}

/// FNV-1a, 64 bit: tells an edited text from the released one; nobody has a reason to forge it.
fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests;
