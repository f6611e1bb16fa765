//! Random bytes in random pieces, with random kills of the daemon: every line is read back exactly once.
//!
//! `HOSTLER_BYTES_SEED` chooses another history, `HOSTLER_BYTES_ROUNDS` more of them.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::time::Duration;

use e2e::{Bytes, Env, Era, Mcp, wait_for};
use hostler_store::Rows;
use serde_json::json;

const PIECES: usize = 1_500;
/// Longest line that is kept in one piece, bytes.
const MAX_LINE: usize = 256 * 1024;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// What must be found of a stream: its lines, those that are too long in pieces, without line ends.
fn expected(seed: u64, is_stderr: bool) -> Vec<Vec<u8>> {
    let pieces = Bytes::new(seed).take(PIECES).filter(|piece| piece.is_stderr == is_stderr);
    let whole: Vec<u8> = pieces.flat_map(|piece| piece.bytes).collect();
    let (mut lines, ended) = (whole.split(|byte| *byte == b'\n').collect::<Vec<_>>(), whole.ends_with(b"\n"));
    if ended {
        lines.pop();
    }
    let last = lines.len() - 1;
    let mut rows = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        let mut rest = line;
        while rest.len() > MAX_LINE {
            rows.push(rest[..MAX_LINE].to_vec());
            rest = &rest[MAX_LINE..];
        }
        // A carriage return belongs to the line end, if there is one.
        let has_end = at < last || ended;
        rows.push(rest.strip_suffix(b"\r").filter(|_| has_end).unwrap_or(rest).to_vec());
    }
    rows
}

/// The stored lines of the only run: of each stream, their bytes.
fn stored(env: &Env) -> [Vec<Vec<u8>>; 2] {
    let database = rusqlite::Connection::open(env.home().join("hostler.db")).unwrap();
    let mut chunks = database
        .prepare(
            "SELECT first_seq, last_seq, data FROM log_chunks JOIN log_data USING (id) ORDER BY first_seq",
        )
        .unwrap();
    let mut found = [Vec::new(), Vec::new()];
    let mut next = 1;
    let mut rows = chunks.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (first, last): (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        assert_eq!(first, next, "a hole, or lines that are there twice");
        next = last + 1;
        let lines = Rows::decode(row.get_ref(2).unwrap().as_blob().unwrap()).unwrap();
        for line in lines.iter() {
            assert!(!line.flags.is_gap(), "{}", String::from_utf8_lossy(line.raw));
            found[line.stream as usize].push(line.raw.to_vec());
        }
    }
    found
}

/// Kills the daemon again and again until the process has ended and all is stored.
fn storm(env: &Env, mcp: &mut Mcp, seed: u64) -> usize {
    let mut instants = Bytes::new(seed ^ 0x5eed).map(|piece| piece.pause * 20);
    let mut kills = 0;
    loop {
        let pause = instants.next().unwrap() + Duration::from_millis(20);
        std::thread::park_timeout(pause);
        env.crash_daemon();
        kills += 1;
        if mcp.view("bytes")["status"] == "exited" {
            return kills;
        }
    }
}

#[test]
fn every_line_is_read_back_exactly_once() {
    let first = number("HOSTLER_BYTES_SEED", 1);
    for seed in first..first + number("HOSTLER_BYTES_ROUNDS", 1) {
        let env = Env::new();
        let mut mcp = env.mcp(Era::Modern);
        mcp.start("bytes", &env.fault(), &["bytes", &seed.to_string(), &PIECES.to_string()]);
        let kills = storm(&env, &mut mcp, seed);
        assert!(kills > 1, "seed {seed}: the process had ended before the second kill");
        let wanted = [expected(seed, false), expected(seed, true)];
        let count = wanted[0].len() + wanted[1].len();
        wait_for("all is stored", || {
            let info = mcp.done("get_process_info", json!({"process": "bytes"}));
            (info["log_lines"].as_u64().unwrap() >= count as u64).then_some(())
        });
        let found = stored(&env);
        for (stream, name) in ["stdout", "stderr"].iter().enumerate() {
            let (found, wanted) = (&found[stream], &wanted[stream]);
            let differs = found.iter().zip(wanted).position(|(a, b)| a != b);
            assert_eq!((found.len(), differs), (wanted.len(), None), "seed {seed}, {kills} kills, {name}");
        }
        // And as a client reads them: by number without a hole.
        let lines = mcp.all_lines("bytes");
        assert!(lines.len() == count && (1..).zip(&lines).all(|(seq, line)| line["seq"] == seq));
    }
}
