//! Looks at a component without compiling it: is it a plugin, of which kind, and what does it want?

use semver::Version;
use wasmparser::{Encoding, Parser, Payload};

use crate::component::Kind;
use crate::error::{CONTRACT, ComponentError};
use crate::grants::Digest;

/// What can be known of a component before it is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The digest to consent to.
    pub digest: Digest,
    /// Its size, bytes.
    pub bytes: usize,
    /// Its world.
    pub kind: Kind,
    /// The version of `hostler:plugin` it was built against.
    pub contract: String,
    /// What it imports beyond what every plugin may have.
    pub requests: Vec<Capability>,
    /// All its imports, as they are named in it.
    pub imports: Vec<String>,
}

/// An ability that a component asks for by importing it. Without a grant, its functions answer as denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// `wasi:sockets`.
    Sockets,
    /// `wasi:http`.
    Http,
    /// `hostler:plugin/commands`.
    Commands,
    /// `hostler:plugin/process`. Always given to health checks.
    ProcessFacts,
}

/// Looks at the bytes of a component of at most `limit` bytes.
///
/// # Errors
/// When they are no plugin that this host can run; the error says what they are.
pub fn inspect(wasm: &[u8], limit: usize) -> Result<Inspection, ComponentError> {
    check_form(wasm, limit)?;
    let Surface { imports, exports } = read_surface(wasm)?;
    if let Some(import) = imports.iter().find(|name| is_wasi_03(name)) {
        return Err(ComponentError::Wasi03 { import: import.clone() });
    }
    let contract = check_versions(imports.iter().chain(&exports))?;
    let kind = kind_of(&exports)?;
    check_imports(kind, &imports)?;
    let mut requests: Vec<_> = imports.iter().filter_map(|name| capability(name)).collect();
    requests.sort_unstable();
    requests.dedup();
    Ok(Inspection { digest: Digest::of(wasm), bytes: wasm.len(), kind, contract, requests, imports })
}

/// Whether the bytes begin as a component does.
fn check_form(wasm: &[u8], limit: usize) -> Result<(), ComponentError> {
    if wasm.is_empty() {
        return Err(ComponentError::Empty);
    }
    if wasm.len() > limit {
        return Err(ComponentError::TooLarge { bytes: wasm.len(), limit });
    }
    if wasmtime::Engine::detect_precompiled(wasm).is_some() {
        return Err(ComponentError::Precompiled);
    }
    if !wasm.starts_with(b"\0asm") {
        return Err(match b"\0asm".starts_with(wasm) {
            true => ComponentError::Truncated { detail: "it ends within its header".into() },
            false => ComponentError::NotWasm { looks_like: looks_like(wasm) },
        });
    }
    if wasm.len() < 8 {
        return Err(ComponentError::Truncated { detail: "it ends within its header".into() });
    }
    Ok(())
}

fn looks_like(bytes: &[u8]) -> &'static str {
    let text = bytes.trim_ascii_start();
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => "a native program or library (ELF)",
        [0x1f, 0x8b, ..] => "a gzip archive",
        [b'P', b'K', ..] => "a zip archive",
        [b'!', b'<', b'a', b'r', ..] => "a static library",
        _ if text.starts_with(b"(component") || text.starts_with(b"(module") => "its text form (.wat)",
        _ if text.starts_with(b"<") => "an HTML or XML page",
        _ if std::str::from_utf8(bytes).is_ok() => "a text",
        _ => "data of another kind",
    }
}

struct Surface {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Reads the names of what the component itself imports and exports, not of what is nested in it.
fn read_surface(wasm: &[u8]) -> Result<Surface, ComponentError> {
    let mut surface = Surface { imports: Vec::new(), exports: Vec::new() };
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(broken)? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding == Encoding::Module {
                    return Err(ComponentError::CoreModule);
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    surface.imports.push(import.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    surface.exports.push(export.map_err(broken)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn broken(error: wasmparser::BinaryReaderError) -> ComponentError {
    let detail = error.to_string();
    if error.message().contains("unexpected end") {
        ComponentError::Truncated { detail }
    } else {
        ComponentError::Invalid(detail)
    }
}

/// Splits `package/interface@version`.
fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(path, version)| (path, Some(version)))
}

fn is_wasi_03(name: &str) -> bool {
    let (path, version) = split(name);
    path.starts_with("wasi:") && version.is_some_and(|version| version.starts_with("0.3"))
}

/// Checks that everything of `hostler:plugin` is of a compatible version, and returns the highest.
fn check_versions<'a>(names: impl Iterator<Item = &'a String>) -> Result<String, ComponentError> {
    let ours = Version::parse(CONTRACT).map_err(|error| ComponentError::Invalid(error.to_string()))?;
    let mut highest: Option<Version> = None;
    for name in names.filter(|name| name.starts_with("hostler:plugin/")) {
        let wrong = || ComponentError::WrongVersion { found: format!("`{name}`") };
        let version = split(name).1.ok_or_else(wrong)?;
        let version = Version::parse(version).map_err(|_| wrong())?;
        if version.major != ours.major || !version.pre.is_empty() {
            return Err(wrong());
        }
        highest = highest.max(Some(version));
    }
    Ok(highest.unwrap_or(ours).to_string())
}

/// The one world whose interfaces are exported.
fn kind_of(exports: &[String]) -> Result<Kind, ComponentError> {
    let has = |interface: &str| exports.iter().any(|name| split(name).0 == interface);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| has(kind.interface())).collect();
    let kind = match kinds[..] {
        [kind] => kind,
        [] => return Err(ComponentError::NoWorld { exports: exports.to_vec() }),
        _ => return Err(ComponentError::SeveralWorlds(kinds)),
    };
    for base in ["hostler:plugin/metadata", "hostler:plugin/lifecycle"] {
        if !has(base) {
            return Err(ComponentError::MissingExport { kind, missing: format!("{base}@{CONTRACT}") });
        }
    }
    Ok(kind)
}

const FOR_ALL: &str =
    "hostler:plugin/log, WASI 0.2 (cli, clocks, filesystem, io, random, sockets) and wasi:http 0.2";
const FOR_CHECKS: &str = "hostler:plugin/log, process and commands, WASI 0.2 (cli, clocks, filesystem, io, random, sockets) and wasi:http 0.2";

fn check_imports(kind: Kind, imports: &[String]) -> Result<(), ComponentError> {
    let unknown: Vec<_> = imports.iter().filter(|name| !is_known(kind, name)).cloned().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let allowed = if kind == Kind::HealthCheck { FOR_CHECKS } else { FOR_ALL };
    Err(ComponentError::UnknownImports { kind, imports: unknown, allowed })
}

fn is_known(kind: Kind, name: &str) -> bool {
    let (path, version) = split(name);
    if let Some(interface) = path.strip_prefix("hostler:plugin/") {
        return match interface {
            "types" | "log" => true,
            "process" | "commands" => kind == Kind::HealthCheck,
            _ => false,
        };
    }
    const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
    let Some((package, interface)) = path.strip_prefix("wasi:").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let known =
        WASI.contains(&package) || (package == "http" && ["types", "outgoing-handler"].contains(&interface));
    known && version.is_some_and(|version| version.starts_with("0.2."))
}

fn capability(name: &str) -> Option<Capability> {
    match split(name).0 {
        "hostler:plugin/process" => Some(Capability::ProcessFacts),
        "hostler:plugin/commands" => Some(Capability::Commands),
        "wasi:http/outgoing-handler" => Some(Capability::Http),
        // The types alone come along with Rust's standard library; the functions that make a socket do not.
        "wasi:sockets/tcp-create-socket" | "wasi:sockets/ip-name-lookup" => Some(Capability::Sockets),
        _ => None,
    }
}
