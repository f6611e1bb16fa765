//! The targets of the plugins in one table, with what they are compared with measured in the same run: `just
//! bench-plugins`, or `cargo bench -p hostler-plugin-host --features native --bench targets`.
//!
//! Parsers are measured in CPU time of the one thread that works, natively and as components in turns, so that other
//! load on the machine disturbs both alike. The ratio is the median of the ratios of all turns.
#![allow(clippy::unwrap_used, reason = "a measurement ends at the first failure")]
#![allow(clippy::print_stdout, reason = "a benchmark tells what it measured")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use common::Guest;
use hostler_plugin::{parser::BatchParser, plugin::configure, testing};
use hostler_plugin_host::{
    Component, Consents, Digest, Engine, EngineOptions, Grants, Instance, Limits, Nowhere, Plugin,
    PluginSettings, TextBatch,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

/// As many as the daemon hands over at once when there are more.
const BATCH: usize = 4_096;
const TURNS: usize = 60;

fn main() {
    // `cargo bench` adds `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ten-loaded", cache] => println!("{}", memory_of_ten(Path::new(cache))),
        ["all-loaded", cache] => println!("{}", time_of_all(Path::new(cache))),
        _ => table(),
    }
    // `--strict` makes a missed target a failure.
    if MISSED.load(Relaxed) && args.iter().any(|arg| arg == "--strict") {
        std::process::exit(1);
    }
}

/// Whether a target was missed.
static MISSED: AtomicBool = AtomicBool::new(false);

fn table() {
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    let bench = Bench { runtime: runtime(), engine: engine(&cache) };
    println!("{:<52} {:>14} {:>14}", "what", "target", "measured");
    bench.parser("json", &json_lines(), &mut configure::<hostler_json::Json>("").unwrap());
    bench.parser("level", &plain_lines(), &mut configure::<hostler_level::Level>("").unwrap());
    for lines in [100, 1_000, BATCH] {
        let nanos = bench.border(lines);
        show(&format!("the border, batches of {lines}, a line"), AtMost(20.0), nanos, "ns");
    }
    let (call, connect) = bench.checks();
    show("a check without I/O (`process`), a call", AtMost(10.0), call, "µs");
    show("a check with I/O (`tcp`), beside a plain connection", AtMost(10.0), connect, "µs");
    bench.loads();
    let child = |what: &str| {
        let mut all: Vec<f64> = (0..7).map(|_| in_a_fresh_process(what, &cache)).collect();
        median(&mut all)
    };
    show("ten plugins loaded and called, private memory", AtMost(15.0), child("ten-loaded"), "MiB");
    show("an engine and all built-in plugins, from the cache", AtMost(60.0), child("all-loaded"), "ms");
}

enum Target {
    AtMost(f64),
    AtLeast(f64),
}
use Target::{AtLeast, AtMost};

fn show(what: &str, target: Target, measured: f64, unit: &str) {
    let (sign, target, ok) = match target {
        AtMost(target) => ("<=", target, measured <= target),
        AtLeast(target) => (">=", target, measured >= target),
    };
    MISSED.fetch_or(!ok, Relaxed);
    let (target, measured) = (format!("{sign} {target} {unit}"), format!("{measured:.2} {unit}"));
    println!("{what:<52} {target:>14} {measured:>14} {}", if ok { "ok" } else { "MISSED" });
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// CPU time of this thread, seconds.
fn cpu_now() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn cpu_of(work: impl FnOnce()) -> f64 {
    let began = cpu_now();
    work();
    cpu_now() - began
}

fn wall_of(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn engine(cache: &Path) -> Engine {
    Engine::new(EngineOptions { cache_dir: Some(cache.to_owned()), ..EngineOptions::default() }).unwrap()
}

fn built(name: &str) -> Arc<[u8]> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plugins/built");
    std::fs::read(dir.join(format!("{name}.wasm"))).unwrap().into()
}

/// The built-in plugins with a configuration each.
fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("access-log", json!({})),
        ("command", json!({"command": ["true"]})),
        ("generic", json!({})),
        ("http", json!({"url": "http://localhost:1/"})),
        ("json", json!({})),
        ("level", json!({})),
        ("logfmt", json!({})),
        ("multiline", json!({})),
        ("postgres", json!({})),
        ("process", json!({})),
        ("redis", json!({})),
        ("regex", json!({"patterns": ["^(?<level>\\w+) (?<message>.*)$"]})),
        ("rules", json!({"rules": [{"pattern": "x", "category": "database"}]})),
        ("syslog", json!({})),
        ("tcp", json!({"address": "localhost:1"})),
    ]
}

fn settings(config: Value, wasm: &[u8], tcp: &[&str]) -> PluginSettings {
    let Value::Object(config): Value = config else { panic!("an object") };
    let config: Map<String, Value> = config;
    let grants = Grants { tcp: tcp.iter().map(|text| text.parse().unwrap()).collect(), ..Grants::default() };
    PluginSettings {
        config,
        consents: Consents::default().with(Digest::of(wasm), grants),
        limits: Limits { max_calls: u64::MAX, ..Limits::default() },
        ..PluginSettings::default()
    }
}

/// Lines of 100 bytes as pino writes them.
fn json_lines() -> Vec<String> {
    let line = |n: usize| {
        format!(
            r#"{{"level":30,"time":{},"pid":{},"host":"web","status":{},"msg":"request {:06}, {:02} ms"}}"#,
            1_777_638_600_123 + n * 17,
            1_000 + n % 7,
            200 + n % 5,
            n * 97 % 1_000_000,
            n % 100,
        )
    };
    checked((0..BATCH).map(line).collect())
}

/// Lines of 100 bytes with time and level at their beginning.
fn plain_lines() -> Vec<String> {
    let levels = ["INFO ", "DEBUG", "WARN ", "ERROR"];
    let line = |n: usize| {
        format!(
            "2026-01-02T03:{:02}:{:02}.678Z {} http::server: GET /api/v1/items?page={:05} 200 {:02}ms request_id={:06x}",
            n / 60 % 60,
            n % 60,
            levels[n % 4],
            n % 1_000,
            n % 100,
            n * 7919 % 0xff_ffff,
        )
    };
    checked((0..BATCH).map(line).collect())
}

fn checked(lines: Vec<String>) -> Vec<String> {
    assert!(lines.iter().all(|line| line.len() == 100), "{}: {}", lines[0].len(), lines[0]);
    lines
}

struct Bench {
    runtime: Runtime,
    engine: Engine,
}

impl Bench {
    fn instance(&self, name: &str, wasm: Arc<[u8]>, settings: PluginSettings) -> Instance {
        let plugin = self.runtime.block_on(Plugin::load(&self.engine, name, wasm, settings)).unwrap();
        plugin.instance(Arc::new(Nowhere))
    }

    /// A parser as a component beside the same code as a part of this program.
    fn parser<P: BatchParser>(&self, name: &str, lines: &[String], native: &mut P) {
        let wasm = built(name);
        let settings = settings(json!({}), &wasm, &[]);
        let mut instance = self.instance(name, wasm, settings);
        let texts = testing::batch(lines);
        let batch: TextBatch = lines.iter().map(String::as_bytes).collect();
        let natively = hostler_plugin::parser::parse(native, &texts, false).unwrap();
        let hosted = self.runtime.block_on(instance.parse(&batch, false)).unwrap();
        assert_eq!((natively.rows.len(), natively.fields.len()), (hosted.rows.len(), hosted.fields.len()));
        assert_eq!(hosted.rows.len(), lines.len(), "each line is understood");
        let (mut speeds, mut natives, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let native = cpu_of(|| {
                for _ in 0..4 {
                    black_box(hostler_plugin::parser::parse(native, black_box(&texts), false).unwrap());
                }
            });
            let hosted = cpu_of(|| {
                for _ in 0..4 {
                    black_box(self.runtime.block_on(instance.parse(black_box(&batch), false)).unwrap());
                }
            });
            let of = |seconds: f64| (4 * lines.len()) as f64 / seconds / 1e6;
            speeds.push(of(hosted));
            natives.push(of(native));
            ratios.push(native / hosted * 100.0);
        }
        let native = median(&mut natives);
        show(&format!("`{name}`, lines of 100 bytes a second"), AtLeast(1.0), median(&mut speeds), "M");
        let what = format!("`{name}`, of {native:.2} M natively");
        show(&what, AtLeast(60.0), median(&mut ratios), "%");
    }

    /// What a line costs when the guest finds an event in it without looking at it, ns.
    fn border(&self, lines: usize) -> f64 {
        let wasm = Guest::echo().build();
        let settings = settings(json!({}), &wasm, &[]);
        let mut instance = self.instance("echo", wasm, settings);
        let batch: TextBatch = plain_lines()[..lines].iter().map(String::as_bytes).collect();
        let calls = (40_000 / lines).max(1);
        let mut call = || drop(black_box(self.runtime.block_on(instance.parse(&batch, false)).unwrap()));
        call();
        let mut samples: Vec<f64> = (0..TURNS)
            .map(|_| cpu_of(|| (0..calls).for_each(|_| call())) / (calls * lines) as f64 * 1e9)
            .collect();
        median(&mut samples)
    }

    /// What a warm check costs that does nothing but ask the host, and what one costs beside the connection that it
    /// makes, µs.
    fn checks(&self) -> (f64, f64) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.incoming().for_each(drop));
        let check = |name: &str, config: Value, tcp: &[&str]| {
            let wasm = built(name);
            let settings = settings(config, &wasm, tcp);
            self.instance(name, wasm, settings)
        };
        let peer = address.to_string();
        let mut process = check("process", json!({}), &[]);
        let mut tcp = check("tcp", json!({"address": peer}), &[&peer]);
        let limit = Duration::from_secs(5);
        let (mut calls, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..40 * TURNS {
            let call = |instance: &mut Instance| {
                wall_of(|| drop(black_box(self.runtime.block_on(instance.check(limit)).unwrap())))
            };
            calls.push(call(&mut process) * 1e6);
            let connected = call(&mut tcp);
            let plain =
                wall_of(|| drop(self.runtime.block_on(tokio::net::TcpStream::connect(address)).unwrap()));
            beside.push((connected - plain) * 1e6);
        }
        (median(&mut calls), median(&mut beside))
    }

    /// How long the components take to load from the cache.
    fn loads(&self) {
        let mut slowest = (0.0, "");
        for (name, _) in all() {
            let wasm = built(name);
            let load = || {
                self.runtime
                    .block_on(Component::load(&self.engine, Arc::clone(&wasm), &Limits::default()))
                    .unwrap()
            };
            load();
            let mut samples: Vec<f64> = (0..TURNS)
                .map(|_| {
                    let mut from_cache = false;
                    let took = wall_of(|| from_cache = load().is_from_cache());
                    assert!(from_cache);
                    took * 1e3
                })
                .collect();
            let took = median(&mut samples);
            if took > slowest.0 {
                slowest = (took, name);
            }
        }
        let (took, name) = slowest;
        show(&format!("loading from the cache, the slowest (`{name}`)"), AtMost(5.0), took, "ms");
    }
}

/// Runs this program anew for one measurement, which should find no memory of others.
fn in_a_fresh_process(what: &str, cache: &Path) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap()).arg(what).arg(cache).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Loads built-in plugins and makes an instance of each.
fn load(runtime: &Runtime, engine: &Engine, count: usize) -> Vec<(Plugin, Instance)> {
    let load = |(name, config): (&str, Value)| {
        let wasm = built(name);
        let settings = settings(config, &wasm, &[]);
        let plugin = runtime.block_on(Plugin::load(engine, name, wasm, settings)).unwrap();
        assert!(plugin.component().is_from_cache());
        let mut instance = plugin.instance(Arc::new(Nowhere));
        // A call of the wrong kind makes no instance: what answers is what is there.
        let batch = std::iter::once(b"one line".as_slice()).collect();
        runtime.block_on(async {
            let _ = instance.parse(&batch, true).await;
            let _ = instance.check(Duration::from_secs(1)).await;
            let _ = instance.categorize(&batch).await;
        });
        assert!(instance.is_warm(), "{name}");
        (plugin, instance)
    };
    all().into_iter().take(count).map(load).collect()
}

/// Private memory that an engine with ten plugins, each with a warm instance, adds to a process, MiB.
fn memory_of_ten(cache: &Path) -> f64 {
    let runtime = runtime();
    let before = private_mib();
    let engine = engine(cache);
    let loaded = load(&runtime, &engine, 10);
    let after = private_mib();
    drop(loaded);
    after - before
}

fn private_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let kib = text
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .map(|line| line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap());
    kib.sum::<f64>() / 1024.0
}

/// What a daemon does before it can call any of the built-in plugins, ms.
fn time_of_all(cache: &Path) -> f64 {
    let runtime = runtime();
    let began = Instant::now();
    let engine = engine(cache);
    let components = all().into_iter().map(|(name, config)| {
        let wasm = built(name);
        let settings = settings(config, &wasm, &[]);
        runtime.block_on(Plugin::load(&engine, name, wasm, settings)).unwrap()
    });
    let loaded: Vec<Plugin> = components.collect();
    let took = began.elapsed();
    assert!(loaded.iter().all(|plugin| plugin.component().is_from_cache()));
    took.as_secs_f64() * 1e3
}
