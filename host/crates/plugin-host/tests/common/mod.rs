//! Makes components from a few lines of WebAssembly text: the contract's functions by hand, so that each can break it
//! in its own way.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;

use hostler_plugin_host::{Engine, EngineOptions, Instance, Nowhere, Plugin, PluginSettings};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve, WorldId};

/// Where the guest's constants begin.
const BASE: usize = 1024;

/// A component in the making. The bodies are WebAssembly text.
pub(crate) struct Guest {
    world: &'static str,
    data: Vec<u8>,
    /// Pointer to the answer of `describe`.
    pub(crate) info: u32,
    pub(crate) describe: String,
    pub(crate) configure: String,
    /// `parse`, `check` or `categorize`.
    pub(crate) main: String,
    pub(crate) imports: String,
    pub(crate) items: String,
    pub(crate) table: u32,
    /// What `cabi_realloc` answers, when not memory.
    pub(crate) realloc: String,
}

/// What `describe` answers.
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) schema: Option<&'a str>,
    pub(crate) extra: &'a [(&'a str, &'a str)],
}

impl Default for About<'_> {
    fn default() -> Self {
        Self { name: "fixture", version: "1.0.0", schema: None, extra: &[] }
    }
}

impl Guest {
    pub(crate) fn new(world: &'static str) -> Self {
        let mut guest = Self {
            world,
            data: Vec::new(),
            info: 0,
            describe: String::new(),
            configure: String::new(),
            main: String::new(),
            imports: String::new(),
            items: String::new(),
            table: 1,
            realloc: "(call $alloc (local.get 3))".into(),
        };
        guest.about(&About::default());
        let nothing = guest.words(&[0; 16]);
        guest.configure = format!("(i32.const {nothing})");
        guest.main = format!("(i32.const {nothing})");
        guest
    }

    pub(crate) fn parser() -> Self {
        Self::new("log-parser")
    }

    pub(crate) fn checker() -> Self {
        Self::new("health-check")
    }

    /// Sets the answer of `describe`.
    pub(crate) fn about(&mut self, about: &About<'_>) -> &mut Self {
        let summary = self.text("A plugin of the tests.");
        let (name, version) = (self.text(about.name), self.text(about.version));
        let schema = about.schema.map(|schema| self.text(schema));
        let extra: Vec<u32> = about
            .extra
            .iter()
            .flat_map(|(key, value)| {
                let (key, value) = (self.text(key), self.text(value));
                [key.0, key.1, value.0, value.1]
            })
            .collect();
        let count = u32::try_from(about.extra.len()).unwrap();
        let extra = self.words(&extra);
        let (given, schema) = schema.map_or((0, (0, 0)), |schema| (1, schema));
        self.info = self.words(&[
            name.0, name.1, version.0, version.1, summary.0, summary.1, given, schema.0, schema.1, extra,
            count,
        ]);
        self.describe = format!("(i32.const {})", self.info);
        self
    }

    /// Puts a text among the constants; its place and length.
    pub(crate) fn text(&mut self, text: &str) -> (u32, u32) {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> (u32, u32) {
        let at = u32::try_from(BASE + self.data.len()).unwrap();
        self.data.extend_from_slice(bytes);
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        (at, u32::try_from(bytes.len()).unwrap())
    }

    pub(crate) fn words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.bytes(&bytes).0
    }

    /// Makes `parse` answer these rows: first line, last line, start and end of the message.
    pub(crate) fn answer_rows(&mut self, rows: &[(u32, u32, u32, u32)]) -> &mut Self {
        let words: Vec<u32> = rows
            .iter()
            .flat_map(|(first, last, start, end)| [*first, *last, 9, 0, 0, 0, 0, 0, *start, *end])
            .collect();
        let rows_at = self.words(&words);
        let count = u32::try_from(rows.len()).unwrap();
        let answer = self.words(&[0, rows_at, count, 0, 0, 0, 0, 0, 0]);
        self.main = format!("(i32.const {answer})");
        self
    }

    /// Makes the main function or `configure` answer an error: 0 invalid-config, 1 unavailable, 2 other.
    pub(crate) fn error(&mut self, case: u32, text: &str) -> String {
        let (at, len) = self.text(text);
        format!("(i32.const {})", self.words(&[1, case, at, len]))
    }

    /// The core module.
    fn module(&self) -> Vec<u8> {
        let (interface, function, params) = match self.world {
            "log-parser" => ("log-parsing", "parse", "i32 i32 i32 i32 i32"),
            "health-check" => ("health-checking", "check", ""),
            _ => ("error-categorizing", "categorize", "i32 i32 i32 i32"),
        };
        let params = if params.is_empty() { String::new() } else { format!("(param {params})") };
        let data: String = self.data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let heap = (BASE + self.data.len()).next_multiple_of(16);
        let pages = heap / 65_536 + 1;
        let Self { imports, items, describe, configure, main, table, realloc, .. } = self;
        let text = format!(
            r#"(module
            {imports}
            (memory (export "memory") {pages})
            (table $table {table} funcref)
            (global $heap (mut i32) (i32.const {heap}))
            (global $count (mut i32) (i32.const 0))
            (func $alloc (param $size i32) (result i32)
                (local $at i32) (local $end i32)
                (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                (local.set $end (i32.add (local.get $at) (local.get $size)))
                (global.set $heap (local.get $end))
                (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16)))
                    (then (if (i32.lt_s (memory.grow (i32.add (i32.const 1) (i32.sub
                            (i32.shr_u (local.get $end) (i32.const 16)) (memory.size)))) (i32.const 0))
                        (then unreachable))))
                (local.get $at))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
            (func (export "cabi_post_hostler:plugin/{interface}@1.0.0#{function}") (param i32)
                (global.set $heap (i32.const {heap})))
            {items}
            (func (export "hostler:plugin/metadata@1.0.0#describe") (result i32) {describe})
            (func (export "hostler:plugin/lifecycle@1.0.0#configure") (param i32 i32) (result i32) {configure})
            (func (export "hostler:plugin/{interface}@1.0.0#{function}") {params} (result i32) {main})
            (data (i32.const {BASE}) "{data}"))"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    pub(crate) fn build(&self) -> Arc<[u8]> {
        let (mut resolve, package) = contract();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        self.encode(&mut resolve, world)
    }

    /// Makes a component for a world of one's own, which includes one of the contract.
    pub(crate) fn build_for(&self, packages: &[&str], world_wit: &str, world: &str) -> Arc<[u8]> {
        let (mut resolve, _) = contract();
        for package in packages {
            resolve.push_source("package.wit", package).unwrap();
        }
        let package = resolve.push_source("world.wit", world_wit).unwrap();
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        self.encode(&mut resolve, world)
    }

    fn encode(&self, resolve: &mut Resolve, world: WorldId) -> Arc<[u8]> {
        let mut module = self.module();
        embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
        let bytes = ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap();
        bytes.into()
    }

    /// A parser that finds one event in each line, the line being its message.
    pub(crate) fn echo() -> Self {
        let mut guest = Self::parser();
        let answer = guest.words(&[0; 9]);
        guest.main = format!(
            r"(local $rows i32) (local $row i32) (local $line i32) (local $start i32) (local $end i32)
            (local.set $rows (call $alloc (i32.mul (local.get 3) (i32.const 40))))
            (local.set $row (local.get $rows))
            (block $done (loop $next
                (br_if $done (i32.ge_u (local.get $line) (local.get 3)))
                (local.set $end (i32.load (i32.add (local.get 2) (i32.shl (local.get $line) (i32.const 2)))))
                (i32.store (local.get $row) (local.get $line))
                (i32.store offset=4 (local.get $row) (local.get $line))
                (i32.store8 offset=8 (local.get $row) (i32.const 9))
                (i32.store8 offset=16 (local.get $row) (i32.const 0))
                (i32.store offset=32 (local.get $row) (local.get $start))
                (i32.store offset=36 (local.get $row) (local.get $end))
                (local.set $start (local.get $end))
                (local.set $row (i32.add (local.get $row) (i32.const 40)))
                (local.set $line (i32.add (local.get $line) (i32.const 1)))
                (br $next)))
            (i32.store (i32.const {answer}) (i32.const 0))
            (i32.store offset=4 (i32.const {answer}) (local.get $rows))
            (i32.store offset=8 (i32.const {answer}) (local.get 3))
            (i32.const {answer})"
        );
        guest
    }
}

fn contract() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit");
    let (package, _) = resolve.push_dir(&wit).unwrap();
    (resolve, package)
}

pub(crate) fn engine() -> Engine {
    Engine::new(EngineOptions { warm_instances: 8, ..EngineOptions::default() }).unwrap()
}

/// Loads a guest under default settings.
pub(crate) async fn load(guest: &Guest) -> Plugin {
    load_with(guest, PluginSettings::default()).await
}

pub(crate) async fn load_with(guest: &Guest, settings: PluginSettings) -> Plugin {
    Plugin::load(&engine(), "fixture", guest.build(), settings).await.unwrap()
}

pub(crate) async fn instance(guest: &Guest) -> (Plugin, Instance) {
    let plugin = load(guest).await;
    let instance = plugin.instance(Arc::new(Nowhere));
    (plugin, instance)
}

/// Names other than `localhost` that lead to 127.0.0.1 here, as a name whose owner is hostile could.
pub(crate) fn names_of_this_machine() -> Vec<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let leads_here = |name: &&str| {
        let found = (*name, 1).to_socket_addrs();
        *name != "localhost"
            && found.is_ok_and(|mut found| found.any(|peer| peer.ip() == Ipv4Addr::LOCALHOST))
    };
    let words = hosts.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    let usual = ["db.localhost", "localhost.localdomain"];
    let names = words.filter(|word| word.parse::<IpAddr>().is_err()).chain(usual);
    names.filter(leads_here).map(str::to_owned).collect()
}
