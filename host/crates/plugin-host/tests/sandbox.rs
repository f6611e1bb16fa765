//! What a plugin finds when it looks for what it was not given: files, environment, arguments, the host's output, and
//! time without end. Tried from inside components that import all of it.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Guest, engine};
use hostler_plugin_host::{CallError, Nowhere, Plugin, PluginSettings, Report, Spent};

/// The part of WASI that the fixtures use.
const WASI: [&str; 4] = [
    "package wasi:io@0.2.0;
    interface error { resource error; }
    interface poll { resource pollable { block: func(); } }
    interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource output-stream {
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
        }
    }",
    "package wasi:clocks@0.2.0;
    interface monotonic-clock {
        use wasi:io/poll@0.2.0.{pollable};
        subscribe-duration: func(nanos: u64) -> pollable;
    }",
    "package wasi:filesystem@0.2.0;
    interface types {
        flags descriptor-flags {
            read, write, file-integrity-sync, data-integrity-sync, requested-write-sync, mutate-directory,
        }
        flags path-flags { symlink-follow }
        flags open-flags { create, directory, exclusive, truncate }
        enum error-code {
            access, would-block, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large,
            illegal-byte-sequence, in-progress, interrupted, invalid, io, is-directory, loop, too-many-links,
            message-size, name-too-long, no-device, no-entry, no-lock, insufficient-memory, insufficient-space,
            not-directory, not-empty, not-recoverable, unsupported, no-tty, no-such-device, overflow,
            not-permitted, pipe, read-only, invalid-seek, text-file-busy, cross-device,
        }
        resource descriptor {
            open-at: func(path-flags: path-flags, path: string, open-flags: open-flags, %flags: descriptor-flags)
                -> result<descriptor, error-code>;
        }
    }
    interface preopens {
        use types.{descriptor};
        get-directories: func() -> list<tuple<descriptor, string>>;
    }",
    "package wasi:cli@0.2.0;
    interface environment {
        get-environment: func() -> list<tuple<string, string>>;
        get-arguments: func() -> list<string>;
        initial-cwd: func() -> option<string>;
    }
    interface exit { exit: func(status: result); }
    interface stdout {
        use wasi:io/streams@0.2.0.{output-stream};
        get-stdout: func() -> output-stream;
    }",
];

const WORLD: &str = "package acme:fixture;
    world curious {
        include hostler:plugin/health-check@1.0.0;
        import wasi:io/poll@0.2.0;
        import wasi:io/streams@0.2.0;
        import wasi:clocks/monotonic-clock@0.2.0;
        import wasi:filesystem/types@0.2.0;
        import wasi:filesystem/preopens@0.2.0;
        import wasi:cli/environment@0.2.0;
        import wasi:cli/exit@0.2.0;
        import wasi:cli/stdout@0.2.0;
    }";

const IMPORTS: &str = r#"
    (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $directories (param i32)))
    (import "wasi:filesystem/types@0.2.0" "[method]descriptor.open-at"
        (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
    (import "wasi:cli/environment@0.2.0" "get-arguments" (func $arguments (param i32)))
    (import "wasi:cli/environment@0.2.0" "initial-cwd" (func $cwd (param i32)))
    (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))
    (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
        (func $print (param i32 i32 i32 i32)))
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
    (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;

/// A check that does `what`, given where it may put the host's answers, and then reports the metrics that it named,
/// whose values `what` has put on the stack.
fn curious(metrics: &[&str], what: impl FnOnce(&mut Guest, u32) -> String) -> Guest {
    let mut guest = Guest::checker();
    let (message, message_len) = guest.text("looked");
    let names: Vec<(u32, u32)> = metrics.iter().map(|name| guest.text(name)).collect();
    let words: Vec<u32> = names.iter().flat_map(|(at, len)| [*at, *len, 0, 0, 0, 0]).collect();
    let list = guest.words(&words);
    let count = u32::try_from(metrics.len()).unwrap();
    let report = guest.words(&[0, 0, message, message_len, list, count]);
    let out = guest.words(&[0; 16]);
    guest.imports = IMPORTS.to_owned();
    let what = what(&mut guest, out);
    let results = "i32 ".repeat(metrics.len());
    guest.items = format!("(func $look (result {results}) {what})");
    // The last value is on top of the stack.
    let store: String = (0..count)
        .rev()
        .map(|index| {
            let at = list + index * 24 + 8;
            format!("(local.set $value) (f64.store (i32.const {at}) (f64.convert_i32_s (local.get $value)))")
        })
        .collect();
    guest.main = format!("(local $value i32) (call $look) {store} (i32.const {report})");
    guest
}

async fn check(guest: &Guest, limit: Duration) -> (Plugin, Result<Report, CallError>) {
    let wasm = guest.build_for(&WASI, WORLD, "curious");
    let plugin = Plugin::load(&engine(), "curious", wasm, PluginSettings::default()).await.unwrap();
    let report = plugin.instance(Arc::new(Nowhere)).check(limit).await;
    (plugin, report)
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn there_are_no_files_no_environment_and_no_arguments() {
    let guest = curious(&["directories", "variables", "arguments", "has_cwd"], |_, out| {
        format!(
            "(call $directories (i32.const {out})) (i32.load offset=4 (i32.const {out}))
             (call $environment (i32.const {out})) (i32.load offset=4 (i32.const {out}))
             (call $arguments (i32.const {out})) (i32.load offset=4 (i32.const {out}))
             (call $cwd (i32.const {out})) (i32.load8_u (i32.const {out}))"
        )
    });
    let (_plugin, report) = check(&guest, LONG).await;
    let found: Vec<_> =
        report.unwrap().metrics.into_iter().map(|metric| (metric.name, metric.value)).collect();
    let nothing = ["directories", "variables", "arguments", "has_cwd"].map(|name| (name.to_owned(), 0.0));
    assert_eq!(found, nothing);
}

#[tokio::test]
async fn a_file_cannot_be_opened_by_guessing_a_directory() {
    for handle in [0, 1, 3, 4, -1] {
        let guest = curious(&["opened"], |guest, out| {
            let (path, len) = guest.text("etc/passwd");
            format!(
                "(call $open (i32.const {handle}) (i32.const 0) (i32.const {path}) (i32.const {len})
                    (i32.const 0) (i32.const 1) (i32.const {out}))
                 (i32.load8_u (i32.const {out}))"
            )
        });
        let (plugin, report) = check(&guest, LONG).await;
        let error = report.unwrap_err();
        assert!(error.is_fault() && error.to_string().contains("handle"), "{handle}: {error}");
        assert!(plugin.status().last_fault.is_some());
    }
}

#[tokio::test]
async fn what_it_prints_is_its_log_and_nobodys_output() {
    let guest = curious(&["failed"], |guest, out| {
        let (text, len) = guest.text("{\"jsonrpc\":\"2.0\"}\nand more\n");
        format!(
            "(call $print (call $stdout) (i32.const {text}) (i32.const {len}) (i32.const {out}))
             (i32.load8_u (i32.const {out}))"
        )
    });
    let (plugin, report) = check(&guest, LONG).await;
    assert_eq!(report.unwrap().metrics[0].value, 0.0);
    let log: Vec<_> = plugin.recent_log().entries.into_iter().map(|entry| entry.message).collect();
    assert_eq!(log, ["{\"jsonrpc\":\"2.0\"}", "and more"]);
}

#[tokio::test]
async fn ending_itself_ends_the_instance_alone() {
    let guest = curious(&["never"], |_, _| "(call $exit (i32.const 1)) unreachable".to_owned());
    let (plugin, report) = check(&guest, LONG).await;
    assert!(matches!(report, Err(CallError::Trap(why)) if why.contains("ended itself with code 1")));
    assert_eq!(plugin.stats().traps, 1);
}

#[tokio::test]
async fn waiting_in_the_host_ends_with_the_call() {
    const HOUR: u64 = 3_600_000_000_000;
    let guest =
        curious(&["never"], |_, _| format!("(call $block (call $timer (i64.const {HOUR}))) (i32.const 0)"));
    let limit = Duration::from_millis(50);
    let (plugin, report) = check(&guest, limit).await;
    assert_eq!(report, Err(CallError::Timeout { after: limit, spent: Spent::Wall }));
    assert_eq!(plugin.stats().timeouts, 1);
}
