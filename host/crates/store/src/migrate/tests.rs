use std::path::Path;

use super::*;
use crate::testing::NOW;

fn version(conn: &Connection) -> u32 {
    conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn the_list_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../migrations");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let listed: Vec<String> = ALL.iter().map(|m| format!("{:04}_{}.sql", m.number, m.name)).collect();
    assert_eq!(listed, files);
    assert!(ALL.iter().map(|m| m.number).eq(1..=KNOWN));
}

#[test]
fn each_step_is_applied_once() {
    let mut conn = Connection::open_in_memory().unwrap();
    assert_eq!(apply(&mut conn, ALL, NOW), Ok(ALL.len()));
    assert_eq!(apply(&mut conn, ALL, NOW), Ok(0));
    assert_eq!(version(&conn), KNOWN);
    warn_of_edited(&conn, ALL).unwrap();
}

#[test]
fn a_step_that_fails_leaves_the_steps_before_it() {
    let mut conn = Connection::open_in_memory().unwrap();
    let broken = Migration { number: 2, name: "broken", sql: "CREATE TABLE half (a INTEGER); CREATE TABLE" };
    assert!(apply(&mut conn, &[ALL[0], broken], NOW).is_err());
    assert_eq!(version(&conn), 1);
    assert!(conn.prepare("SELECT * FROM half").is_err());
    assert!(conn.is_autocommit());
}

#[test]
fn lines_of_the_first_schema_are_carried_over() {
    let mut conn = Connection::open_in_memory().unwrap();
    apply(&mut conn, &ALL[..2], NOW).unwrap();
    conn.execute_batch(
        "INSERT INTO projects VALUES (1, '/', 'root', 0);
         INSERT INTO processes VALUES (1, 1, 'web', '{}', '{}', 0, 'running', 0, 0);
         INSERT INTO runs (id, process_id, run, dir, boot_id, created_at, reason) VALUES
           (1, 1, 1, 'a', 'b', 0, 'start'), (2, 1, 2, 'a', 'b', 0, 'start');
         WITH RECURSIVE n (seq) AS (VALUES (5) UNION ALL SELECT seq + 1 FROM n WHERE seq < 20000)
           INSERT INTO log_rows SELECT 1, seq, seq * 10, seq % 2, 0, seq % 4, cast('line ' || seq AS BLOB) FROM n;
         INSERT INTO log_rows VALUES (2, 1, 3, 1, 0, 2, x'ff00');",
    )
    .unwrap();
    apply(&mut conn, ALL, NOW).unwrap();
    assert!(conn.prepare("SELECT * FROM log_rows").is_err());
    let sql =
        "SELECT run_id, first_seq, data FROM log_chunks JOIN log_data USING (id) ORDER BY run_id, first_seq";
    let mut statement = conn.prepare(sql).unwrap();
    let chunks = statement.query_map([], |row| {
        let rows = crate::Rows::decode(&row.get::<_, Vec<u8>>(2)?).unwrap();
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, rows))
    });
    let mut next = std::collections::BTreeMap::from([(1, 5), (2, 1)]);
    for (run, first, rows) in chunks.unwrap().map(Result::unwrap) {
        assert_eq!(next[&run], first);
        for (seq, row) in (first..).zip(rows.iter()).filter(|_| run == 1) {
            assert_eq!((row.time.0, i64::from(row.stream as u8)), (seq * 10, seq % 2));
            assert_eq!((i64::from(row.flags.0), row.raw), (seq % 4, format!("line {seq}").as_bytes()));
        }
        next.insert(run, first + rows.len() as i64);
    }
    assert_eq!(next, std::collections::BTreeMap::from([(1, 20_001), (2, 2)]));
}
