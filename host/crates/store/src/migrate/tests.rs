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
