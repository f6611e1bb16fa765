//! The components of `tests/fixtures/hostile`, which the end-to-end tests declare as parsers and categorizers: they are what is made
//! here. `UPDATE_FIXTURES=1` writes them.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

mod common;

use std::path::Path;

use common::Guest;

fn guests() -> Vec<(&'static str, Guest)> {
    let with = |main: &str| {
        let mut guest = Guest::parser();
        guest.main = main.to_owned();
        guest
    };
    let categorizer = |main: &str| {
        let mut guest = Guest::new("error-categorizer");
        guest.main = main.to_owned();
        guest
    };
    let mut liar = Guest::parser();
    liar.answer_rows(&[(0, 0, 0, 1), (0, 5_000_000, 0, 4_000_000_000)]);
    vec![
        ("loop", with("(loop $forever (br $forever)) unreachable")),
        ("trap", with("unreachable")),
        (
            "hog",
            with(
                "(loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) unreachable",
            ),
        ),
        ("liar", liar),
        ("trap-categorizer", categorizer("unreachable")),
        ("loop-categorizer", categorizer("(loop $forever (br $forever)) unreachable")),
    ]
}

#[test]
fn the_hostile_components_are_what_is_made_here() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/hostile");
    for (name, guest) in guests() {
        let (path, wasm) = (dir.join(format!("{name}.wasm")), guest.build());
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(&path, &wasm).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == *wasm, "{name}: run this test with UPDATE_FIXTURES=1");
    }
}
