//! The components of `tests/fixtures/hostile`, which the end-to-end tests declare as plugins: they are what is made
//! here. `UPDATE_FIXTURES=1` writes them.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::Guest;

const LOOP: &str = "(loop $forever (br $forever)) unreachable";
const TRAP: &str = "unreachable";
const HOG: &str =
    "(loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) unreachable";
const TABLES: &str = "(loop $more (br_if $more (i32.ge_s (table.grow $table (ref.null func) (i32.const 1000)) (i32.const 0)))) unreachable";

fn doing(mut guest: Guest, main: &str) -> Arc<[u8]> {
    guest.main = main.to_owned();
    guest.build()
}

fn recursive(mut guest: Guest) -> Arc<[u8]> {
    guest.items =
        "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))".into();
    doing(guest, "(call $deeper (i32.const 0))")
}

fn answering(rows: &[(u32, u32, u32, u32)]) -> Arc<[u8]> {
    let mut guest = Guest::parser();
    guest.answer_rows(rows);
    guest.build()
}

/// A million rows, all of them of the first line.
fn million() -> Arc<[u8]> {
    let mut guest = Guest::parser();
    let answer = guest.words(&[0; 9]);
    let main = format!(
        "(i32.store offset=4 (i32.const {answer}) (call $alloc (i32.const 40000000)))
         (i32.store offset=8 (i32.const {answer}) (i32.const 1000000)) (i32.const {answer})"
    );
    doing(guest, &main)
}

/// A field whose name is no text.
fn no_text() -> Arc<[u8]> {
    let mut guest = Guest::parser();
    let (at, len) = guest.bytes(b"\xff\xfe");
    let key = guest.words(&[at, len]);
    let answer = guest.words(&[0, 0, 0, key, 1, 0, 0, 0, 0]);
    doing(guest, &format!("(i32.const {answer})"))
}

/// Understands nothing when it is asked the first time, and traps the next time, in turns.
fn whim() -> Arc<[u8]> {
    let mut guest = Guest::parser();
    let answer = guest.words(&[0; 9]);
    let main = format!(
        "(global.set $count (i32.add (global.get $count) (i32.const 1)))
         (if (i32.eqz (i32.and (global.get $count) (i32.const 1))) (then unreachable))
         (i32.const {answer})"
    );
    doing(guest, &main)
}

/// A check that waits in the host for an hour.
fn waiting() -> Arc<[u8]> {
    const WASI: [&str; 2] = [
        "package wasi:io@0.2.0; interface poll { resource pollable { block: func(); } }",
        "package wasi:clocks@0.2.0;
        interface monotonic-clock {
            use wasi:io/poll@0.2.0.{pollable};
            subscribe-duration: func(nanos: u64) -> pollable;
        }",
    ];
    const WORLD: &str = "package acme:fixture;
        world waiting {
            include hostler:plugin/health-check@1.0.0;
            import wasi:io/poll@0.2.0;
            import wasi:clocks/monotonic-clock@0.2.0;
        }";
    let mut guest = Guest::checker();
    guest.imports = r#"
        (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
        (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#
        .into();
    guest.main = "(call $block (call $timer (i64.const 3600000000000))) unreachable".into();
    guest.build_for(&WASI, WORLD, "waiting")
}

/// A check whose metric has no name that could be stored.
fn odd_metric() -> Arc<[u8]> {
    let mut guest = Guest::checker();
    let ((message, message_len), (name, name_len)) = (guest.text("fine"), guest.text("no\nname"));
    let metric = guest.words(&[name, name_len, 0, 0, 0, 0]);
    let report = guest.words(&[0, 0, message, message_len, metric, 1]);
    doing(guest, &format!("(i32.const {report})"))
}

fn fixtures() -> Vec<(&'static str, Arc<[u8]>)> {
    let categorizer = || Guest::new("error-categorizer");
    vec![
        ("parsers/loop", doing(Guest::parser(), LOOP)),
        ("parsers/trap", doing(Guest::parser(), TRAP)),
        ("parsers/deep", recursive(Guest::parser())),
        ("parsers/hog", doing(Guest::parser(), HOG)),
        ("parsers/tables", doing(Guest::parser(), TABLES)),
        ("parsers/million", million()),
        ("parsers/outside", answering(&[(0, 0, 0, 4_000_000_000)])),
        ("parsers/overlap", answering(&[(0, 0, 0, 1), (0, 0, 0, 1)])),
        ("parsers/no-text", no_text()),
        ("parsers/whim", whim()),
        ("checks/loop", doing(Guest::checker(), LOOP)),
        ("checks/trap", doing(Guest::checker(), TRAP)),
        ("checks/hog", doing(Guest::checker(), HOG)),
        ("checks/wait", waiting()),
        ("checks/liar", odd_metric()),
        ("categorizers/loop", doing(categorizer(), LOOP)),
        ("categorizers/trap", doing(categorizer(), TRAP)),
        ("categorizers/hog", doing(categorizer(), HOG)),
        // No verdict at all, however many errors it is asked about.
        ("categorizers/liar", categorizer().build()),
    ]
}

#[test]
fn the_hostile_plugins_are_what_is_made_here() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/hostile");
    for (name, wasm) in fixtures() {
        let path = dir.join(format!("{name}.wasm"));
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &wasm).unwrap();
        }
        let there = std::fs::read(&path).unwrap_or_default();
        assert!(there == *wasm, "{name}: run this test with UPDATE_FIXTURES=1");
    }
}
