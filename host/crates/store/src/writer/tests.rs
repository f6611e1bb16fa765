use rusqlite::Connection;
use tokio::sync::oneshot;

use super::*;
use crate::job::Typed;
use crate::open;
use crate::testing::NOW;

type Answer = oneshot::Receiver<Result<usize, StoreError>>;

fn database() -> (tempfile::TempDir, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostler.db");
    let conn = open::open(&path, NOW, std::time::Duration::ZERO).unwrap().writer;
    (dir, conn)
}

fn job(
    work: impl FnMut(&Connection) -> Result<usize, StoreError> + Send + 'static,
) -> (Box<dyn Job>, Answer) {
    match Typed::message(work) {
        (Message::Job(job), answer) => (job, answer),
        (Message::Close, _) => unreachable!(),
    }
}

fn insert(root: &'static str) -> (Box<dyn Job>, Answer) {
    insert_sized(root, 10)
}

/// A project whose name takes `size` bytes.
fn insert_sized(root: &'static str, size: usize) -> (Box<dyn Job>, Answer) {
    job(move |conn| {
        let name = format!("{root}{}", "n".repeat(size));
        let sql = "INSERT INTO projects (root, name, created_at) VALUES (?1, ?2, 0)";
        Ok(conn.execute(sql, [root, &name])?)
    })
}

fn commit_all(conn: &Connection, jobs: Vec<(Box<dyn Job>, Answer)>) -> Vec<Result<usize, StoreError>> {
    let (mut group, answers): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
    commit(conn, &mut group);
    group.into_iter().for_each(|job| job.answer());
    answers.into_iter().map(|a| a.blocking_recv().unwrap()).collect()
}

fn roots(conn: &Connection) -> Vec<String> {
    let mut statement = conn.prepare("SELECT root FROM projects ORDER BY root").unwrap();
    let rows = statement.query_map([], |r| r.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_job_that_fails_or_panics_is_undone_alone() {
    let (_dir, conn) = database();
    let failing = job(|conn| {
        conn.execute("INSERT INTO projects (root, name, created_at) VALUES ('half', 'half', 0)", [])?;
        Err(StoreError::NotFound("it".into()))
    });
    let panicking = job(|conn| {
        conn.execute("INSERT INTO projects (root, name, created_at) VALUES ('torn', 'torn', 0)", [])?;
        panic!("on purpose")
    });
    let answers = commit_all(&conn, vec![insert("a"), failing, insert("b"), panicking, insert("c")]);
    assert_eq!(
        answers,
        [
            Ok(1),
            Err(StoreError::NotFound("it".into())),
            Ok(1),
            Err(StoreError::Panicked("on purpose".into())),
            Ok(1)
        ]
    );
    assert_eq!(roots(&conn), ["a", "b", "c"]);
}

#[test]
fn one_that_finds_no_room_does_not_take_the_others_down() {
    let (_dir, conn) = database();
    let pages: u32 = conn.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    conn.query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |_| Ok(())).unwrap();
    let answers = commit_all(&conn, vec![insert("a"), insert_sized("big", 1 << 20), insert("b")]);
    assert!(matches!(answers[..], [Ok(1), Err(StoreError::Full(_)), Ok(1)]), "{answers:?}");
    assert_eq!(roots(&conn), ["a", "b"]);

    conn.query_row("PRAGMA max_page_count = 100000", [], |_| Ok(())).unwrap();
    assert_eq!(commit_all(&conn, vec![insert_sized("big", 1 << 20)]), [Ok(1)]);
}

#[test]
fn a_commit_that_fails_answers_the_guilty_only() {
    let (_dir, conn) = database();
    let orphan = job(|conn| {
        conn.pragma_update(None, "defer_foreign_keys", true)?;
        Ok(conn.execute(
            "INSERT INTO log_events (run_id, first_seq, last_seq, count, data) VALUES (9, 1, 1, 0, x'')",
            [],
        )?)
    });
    let answers = commit_all(&conn, vec![insert("a"), orphan, insert("b")]);
    assert!(matches!(answers[..], [Ok(1), Err(StoreError::Sqlite(_)), Ok(1)]), "{answers:?}");
    assert_eq!(roots(&conn), ["a", "b"]);
    assert!(conn.is_autocommit());
}

#[test]
fn a_lock_held_by_another_program_answers_all() {
    let (dir, conn) = database();
    let other = Connection::open(dir.path().join("hostler.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answers = commit_all(&conn, vec![insert("a"), insert("b")]);
    assert!(answers.iter().all(|a| matches!(a, Err(StoreError::Busy(_)))), "{answers:?}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(commit_all(&conn, vec![insert("a")]), [Ok(1)]);
}
