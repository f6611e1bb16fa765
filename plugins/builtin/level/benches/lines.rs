//! Lines a second, natively.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark tells what it measured")]

use hostler_level::Level;
use hostler_plugin::{plugin::configure, testing};

const LINE: &str = "2026-05-01 12:30:00,123 INFO [main] com.example.App - request handled now in 12 ms, status 200 for /api/";

fn main() {
    let mut parser: Level = configure("").unwrap();
    let speed = testing::lines_per_second(&mut parser, &[LINE]);
    println!("level: {speed:.0} lines of {} bytes per second", LINE.len());
}
