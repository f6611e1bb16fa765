//! Measures what the border costs: a guest that finds one event in each line and looks at none of its bytes, and
//! loading a component from the cache. Run with `cargo bench -p hostler-plugin-host`.
#![allow(clippy::unwrap_used, reason = "a measurement ends at the first failure")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::sync::Arc;

use common::{Guest, engine};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hostler_plugin_host::{
    Component, Engine, EngineOptions, Limits, Nowhere, Plugin, PluginSettings, TextBatch,
};
use tokio::runtime::Runtime;

const LINE: &[u8] =
    b"2026-01-02T03:04:05.678Z INFO http::server: GET /api/v1/items?page=2 200 12ms request_id=5f2c8a";

fn batch(lines: usize) -> TextBatch {
    (0..lines).map(|_| LINE).collect()
}

fn parse(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let engine = engine();
    let settings = PluginSettings {
        limits: Limits { max_calls: u64::MAX, ..Limits::default() },
        ..PluginSettings::default()
    };
    let plugin = runtime.block_on(Plugin::load(&engine, "echo", Guest::echo().build(), settings)).unwrap();
    let mut instance = plugin.instance(Arc::new(Nowhere));
    let mut group = criterion.benchmark_group("parse");
    for lines in [1, 100, 1_000] {
        let batch = batch(lines);
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_function(format!("{lines} lines"), |bencher| {
            bencher.iter(|| runtime.block_on(instance.parse(black_box(&batch), false)).unwrap());
        });
    }
    group.finish();
    criterion.bench_function("start an instance, parse 1 line, drop it", |bencher| {
        let batch = batch(1);
        bencher.iter(|| {
            runtime.block_on(instance.parse(&batch, false)).unwrap();
            instance.rest();
        });
    });
}

fn load(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let home = tempfile::tempdir().unwrap();
    let options = EngineOptions { cache_dir: Some(home.path().join("cache")), ..EngineOptions::default() };
    let engine = Engine::new(options).unwrap();
    // A component of one's own choice shows what a real one costs.
    let wasm: Arc<[u8]> = match std::env::var_os("PLUGIN") {
        Some(path) => std::fs::read(path).unwrap().into(),
        None => Guest::echo().build(),
    };
    let load = || runtime.block_on(Component::load(&engine, Arc::clone(&wasm), &Limits::default())).unwrap();
    let first = load();
    assert!(!first.is_from_cache());
    let name = format!("load {} bytes from the cache (compiled in {:.1?})", wasm.len(), first.load_time());
    criterion.bench_function(&name, |bencher| bencher.iter(load));
}

criterion_group!(benches, parse, load);
criterion_main!(benches);
