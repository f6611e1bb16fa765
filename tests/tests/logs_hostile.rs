//! Output that wants to be too much: it costs neither memory nor lines, and everybody else is served meanwhile.
//!
//! `HOSTLER_LINE_BYTES` makes the longest line another length, `HOSTLER_FLOOD_SECONDS` the flood.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use e2e::{Env, Era, Mcp, wait_until};
use hostler_store::{RowFlags, Rows};
use serde_json::json;

/// Longest line that is kept in one piece, bytes.
const PIECE: u64 = 256 * 1024;
/// What the daemon may need above what it has at rest, KiB: a bound that a line of this length does not come near.
const MORE_MEMORY: u64 = 20 << 10;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The most memory that a process had at once, KiB.
fn peak_memory(pid: i64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Visits the stored lines of the only run of a process: number, flags and bytes.
fn each_stored(env: &Env, name: &str, mut visit: impl FnMut(u64, RowFlags, &[u8])) {
    let database = rusqlite::Connection::open(env.home().join("hostler.db")).unwrap();
    let mut chunks = database
        .prepare(
            "SELECT first_seq, data FROM log_chunks JOIN log_data USING (id) JOIN runs r ON r.id = run_id
             JOIN processes p ON p.id = r.process_id WHERE p.name = ?1 ORDER BY first_seq",
        )
        .unwrap();
    let mut found = chunks.query([name]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let first: i64 = row.get(0).unwrap();
        let lines = Rows::decode(row.get_ref(1).unwrap().as_blob().unwrap()).unwrap();
        for (seq, line) in (first as u64..).zip(lines.iter()) {
            visit(seq, line.flags, line.raw);
        }
    }
}

fn lines_of(mcp: &mut Mcp, name: &str) -> u64 {
    mcp.done("get_process_info", json!({"process": name}))["log_lines"].as_u64().unwrap()
}

#[test]
fn a_line_without_end_costs_no_memory() {
    let bytes = number("HOSTLER_LINE_BYTES", 128 << 20);
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    // What parsers, plugins and the first lines cost is there before.
    let warm =
        json!({"name": "warm", "command": env.fault(), "args": ["long", "3000000"], "wait_for": "exited"});
    mcp.done("start_process", warm);
    mcp.all_lines("warm");
    mcp.done("clear_logs", json!({"process": "warm"}));
    let daemon = env.daemon().unwrap();
    let before = peak_memory(daemon);
    mcp.start("huge", &env.fault(), &["huge", &bytes.to_string()]);
    let pieces = bytes.div_ceil(PIECE);
    wait_until("all of the line is stored", || {
        let more = peak_memory(daemon) - before;
        assert!(more < MORE_MEMORY, "{more} KiB more than before the line");
        // Asked for in the middle of it, the newest piece is an answer of the usual size.
        let tail = mcp.call("tail_logs", json!({"process": "huge", "lines": 1}));
        assert!(tail.text.len() < 20_000, "an answer of {} bytes", tail.text.len());
        lines_of(&mut mcp, "huge") == pieces + 1
    });
    let (mut whole, mut seqs) = (0, 0);
    each_stored(&env, "huge", |seq, flags, raw| {
        seqs += 1;
        assert_eq!(seq, seqs);
        if seq <= pieces {
            whole += raw.len() as u64;
            assert!(raw.len() as u64 <= PIECE && raw.iter().all(|byte| *byte == b'x'));
            assert_eq!(flags.is_continued(), seq < pieces, "piece {seq} of {pieces}");
        } else {
            assert_eq!(raw, b"after");
        }
    });
    assert_eq!((whole, seqs), (bytes, pieces + 1));
    assert!(peak_memory(daemon) - before < MORE_MEMORY);
}

#[test]
fn a_hundred_thousand_lines_a_second_are_all_there_and_others_are_served() {
    let seconds = number("HOSTLER_FLOOD_SECONDS", 3);
    let env = Env::new();
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("flood", &env.fault(), &["rate", "100000", &seconds.to_string()]);
    let mut other = 0;
    wait_until("all of the flood is stored", || {
        let page = mcp.done("get_logs", json!({"process": "flood", "format": "records", "limit": 50}));
        let lines = page["lines"].as_array().unwrap();
        for line in lines {
            assert_eq!(line["message"], format!("n {}", line["seq"]), "a page from the middle of it");
        }
        let done = lines.last().is_some_and(|line| line["seq"] == 100_000 * seconds);
        // Others start, write and are read meanwhile.
        other += 1;
        let name = format!("other-{other}");
        let request =
            json!({"name": name, "command": env.fault(), "args": ["lines", "5"], "wait_for": "exited"});
        mcp.done("start_process", request);
        assert_eq!(mcp.all_lines(&name).len(), 10);
        let stopped = mcp.done("stop_process", json!({"process": name, "remove": true}));
        assert_eq!(stopped["removed"], true, "{stopped}");
        done
    });
    let mut next = 1;
    each_stored(&env, "flood", |seq, flags, raw| {
        assert_eq!((seq, flags, raw), (next, RowFlags::NONE, format!("n {next}").as_bytes()));
        next += 1;
    });
    assert_eq!(next - 1, 100_000 * seconds);
}

/// The newest lines are kept while a process writes, and what went is accounted for to the line.
#[test]
fn what_a_busy_process_loses_to_its_bound_is_accounted_for() {
    const LINES: u64 = 150_000;
    // Some blocks of 2 MiB of text, which go one by one.
    let env = Env::new();
    std::fs::create_dir_all(env.home()).unwrap();
    std::fs::write(env.home().join("config.toml"), "[logs]\nmax_process_bytes = 4000000\n").unwrap();
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("noisy", &env.fault(), &["noise", &LINES.to_string()]);
    let removed = || -> u64 {
        let log = env.daemon_log();
        let told = log.lines().filter(|line| line.contains("removed the oldest output"));
        let count = |line: &str| -> u64 {
            let (_, rest) = line.split_once("lines=").unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        };
        told.map(count).sum()
    };
    wait_until("it has ended and is within its bound", || {
        let ended = mcp.view("noisy")["status"] == "exited";
        let kept = lines_of(&mut mcp, "noisy");
        ended && kept > 10_000 && kept < 60_000 && kept + removed() == LINES
    });
    wait_until("what is kept is what was not removed", || {
        let kept = lines_of(&mut mcp, "noisy");
        let mut stored = Vec::new();
        each_stored(&env, "noisy", |seq, _, raw| {
            assert_eq!(raw.len(), 100);
            stored.push(seq);
        });
        let first = json!({"process": "noisy", "order": "asc", "limit": 1, "format": "records"});
        let oldest = mcp.done("get_logs", first)["lines"][0]["seq"].as_u64();
        // More may go between two looks.
        let settled = lines_of(&mut mcp, "noisy") == kept && kept + removed() == LINES;
        if settled {
            assert!(stored.into_iter().eq(LINES - kept + 1..=LINES), "numbers go on where lines are gone");
            assert_eq!(oldest, Some(LINES - kept + 1));
        }
        settled
    });
}
