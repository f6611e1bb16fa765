//! Lines a second, natively.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark tells what it measured")]

use hostler_json::Json;
use hostler_plugin::{plugin::configure, testing};

const LINE: &str =
    r#"{"level":30,"time":1777638600123,"pid":1234,"host":"web","status":200,"msg":"request handled now"}"#;

fn main() {
    let mut parser: Json = configure("").unwrap();
    let speed = testing::lines_per_second(&mut parser, &[LINE]);
    println!("json: {speed:.0} lines of {} bytes per second", LINE.len());
}
