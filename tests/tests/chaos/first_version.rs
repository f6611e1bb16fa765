//! A database as the first version of hostler made it.

use e2e::Env;
use rusqlite::{Connection, params};

const SCHEMA: &str = include_str!("../../../migrations/0001_init.sql");

/// Makes the database of a home anew in the schema of the first version: its processes, and so many lines of a run
/// that is over. No daemon may be there.
pub(crate) fn turn_back(env: &Env, lines: i64) {
    let path = env.home().join("hostler.db");
    let now = Connection::open(&path).unwrap();
    let value = |sql: &str| now.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let (root, spec) = (value("SELECT root FROM projects"), value("SELECT spec FROM processes"));
    let (lifecycle, exit) = (value("SELECT lifecycle FROM processes"), value("SELECT exit FROM runs"));
    now.close().unwrap();
    std::fs::remove_file(&path).unwrap();

    let mut then = Connection::open(&path).unwrap();
    then.pragma_update(None, "application_id", 0x6873_746c).unwrap();
    then.pragma_update(None, "journal_mode", "WAL").unwrap();
    let tx = then.transaction().unwrap();
    tx.execute_batch(SCHEMA).unwrap();
    tx.execute("INSERT INTO migrations VALUES (1, 'init', '', 1)", []).unwrap();
    tx.execute("INSERT INTO projects VALUES (1, ?1, 'shop', 1)", [root]).unwrap();
    let process = "INSERT INTO processes VALUES (1, 1, 'job', ?1, ?2, 9, 'stopped', 1, 1)";
    tx.execute(process, [spec, lifecycle]).unwrap();
    tx.execute(
        "INSERT INTO runs (process_id, run, dir, boot_id, created_at, started_at, ended_at, exit, reason, next_seq, drained)
         VALUES (1, 1, 'p1-1', '', 1, 1, 2, ?1, 'start', ?2, 1)",
        params![exit, lines + 1],
    )
    .unwrap();
    let mut insert = tx.prepare("INSERT INTO log_rows VALUES (1, ?1, ?1, 0, 0, 0, ?2)").unwrap();
    for n in 1..=lines {
        insert.execute(params![n, format!("n {n}").into_bytes()]).unwrap();
    }
    drop(insert);
    tx.pragma_update(None, "user_version", 1).unwrap();
    tx.commit().unwrap();
}

/// The version of the schema, read beside a daemon that may be at work.
pub(crate) fn version(env: &Env) -> u32 {
    let database = Connection::open(env.home().join("hostler.db")).unwrap();
    database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}
