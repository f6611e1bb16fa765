//! What the supervisor recorded, compared with what the workers noted themselves.

use std::collections::HashMap;
use std::fmt;

use e2e::{Env, wait_until};
use hostler_store::Rows;
use rusqlite::Connection;
use serde_json::Value;

/// A run as its worker saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Noted {
    pid: i64,
    lines: u64,
    status: i64,
}

/// A run as the supervisor recorded it.
#[derive(Debug)]
struct Recorded {
    key: i64,
    /// None for one that was told to end before the program was executed.
    pid: Option<i64>,
    exit: Value,
    reason: String,
}

/// How much was compared.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) runs: usize,
    pub(crate) lines: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines of {} runs, all there", self.lines, self.runs)
    }
}

/// Compares everything.
pub(crate) fn verdict(env: &Env, workers: &[String]) -> Counts {
    let database = Connection::open(env.home().join("hostler.db")).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    wait_until("everything is stored", || count("SELECT count(*) FROM runs WHERE drained = 0") == 0);
    let unfinished = count("SELECT count(*) FROM runs WHERE ended_at IS NULL");
    assert_eq!(unfinished, 0, "runs without an end");
    let mut counts = Counts::default();
    for name in workers {
        compare(env, &database, name, &mut counts);
    }
    counts
}

fn compare(env: &Env, database: &Connection, name: &str, counts: &mut Counts) {
    let noted = noted(&std::fs::read_to_string(env.in_project(&format!("{name}.truth"))).unwrap(), name);
    let recorded = recorded(database, name);
    let restarts = recorded.iter().rev().take_while(|run| run.reason == "policy").count();
    let mut expected = noted.iter();
    for run in &recorded {
        let lines = lines(database, run.key);
        // One that was told to end before it could prepare for that left nothing.
        let is_early = run.pid.is_none() || run.exit["outcome"]["signal"]["signal"] == "SIGTERM";
        if is_early && lines.is_empty() {
            continue;
        }
        let noted = expected.next().unwrap_or_else(|| panic!("{name}: nobody ran as {run:?}"));
        assert_eq!(run.pid, Some(noted.pid), "{name}: {run:?}");
        assert_eq!(run.exit["outcome"]["code"], noted.status, "{name}: {run:?}, {noted:?}");
        assert_lines(name, noted, &lines);
        counts.runs += 1;
        counts.lines += lines.len();
    }
    assert_eq!(expected.next(), None, "{name}: a run that nobody recorded");
    let lifecycle: String = database
        .query_row("SELECT lifecycle FROM processes WHERE name = ?1", [name], |row| row.get(0))
        .unwrap();
    let lifecycle: Value = serde_json::from_str(&lifecycle).unwrap();
    assert_eq!(lifecycle["restarts"], restarts, "{name}: {lifecycle}");
}

/// The runs of a worker, in order. None began before the one before it had ended, and none saw a broken pipe.
fn noted(truth: &str, name: &str) -> Vec<Noted> {
    let lines: Vec<Vec<&str>> = truth.lines().map(|line| line.split(' ').collect()).collect();
    lines
        .chunks(2)
        .map(|run| match run {
            [start, end] if start[0] == "start" && end[0] == "end" && start[1] == end[1] => Noted {
                pid: start[1].parse().unwrap(),
                lines: end[2].parse().unwrap(),
                status: end[3].parse().unwrap(),
            },
            other => panic!("{name}: not one run after the other: {other:?}"),
        })
        .collect()
}

fn recorded(database: &Connection, name: &str) -> Vec<Recorded> {
    let sql = "SELECT runs.id, runs.pid, runs.exit, runs.reason FROM runs JOIN processes ON process_id = processes.id
        WHERE name = ?1 ORDER BY run";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([name], |row| {
        let exit: String = row.get(2)?;
        Ok(Recorded {
            key: row.get(0)?,
            pid: row.get(1)?,
            exit: serde_json::from_str(&exit).unwrap(),
            reason: row.get(3)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn lines(database: &Connection, run: i64) -> Vec<(i64, String)> {
    let sql = "SELECT first_seq, data FROM log_chunks JOIN log_data USING (id) WHERE run_id = ?1 ORDER BY first_seq";
    let mut statement = database.prepare(sql).unwrap();
    let chunks = statement.query_map([run], |row| {
        let rows = Rows::decode(row.get_ref(1)?.as_blob()?).unwrap();
        let lines = (row.get(0)?..).zip(rows.iter());
        Ok(lines.map(|(seq, row)| (seq, String::from_utf8_lossy(row.raw).into_owned())).collect::<Vec<_>>())
    });
    chunks.unwrap().flat_map(Result::unwrap).collect()
}

/// Every line exactly once, each stream in order, the numbers without a hole.
fn assert_lines(name: &str, run: &Noted, lines: &[(i64, String)]) {
    let mut next: HashMap<&str, u64> = HashMap::from([("out", 1), ("err", 1)]);
    for (at, (seq, text)) in lines.iter().enumerate() {
        assert_eq!(*seq, at as i64 + 1, "{name}: {run:?}: {text}");
        let words: Vec<&str> = text.split(' ').collect();
        let [pid, stream, number] = words[..] else { panic!("{name}: {run:?}: what is {text:?}?") };
        let wanted = next.get_mut(stream).unwrap_or_else(|| panic!("{name}: {run:?}: what is {text:?}?"));
        assert_eq!(
            (pid, number),
            (run.pid.to_string().as_str(), wanted.to_string().as_str()),
            "{name}: {run:?}"
        );
        *wanted += 1;
    }
    for (stream, next) in next {
        assert_eq!(next - 1, run.lines, "{name}: {run:?}: lines on {stream}");
    }
}
