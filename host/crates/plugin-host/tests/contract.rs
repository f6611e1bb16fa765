//! The contract in `wit/` against its released versions in `tests/frozen/`: what was built against one of them keeps
//! working. A release adds a folder there; nothing in one is ever changed.
#![allow(clippy::unwrap_used, reason = "a test ends at the first failure")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wit_component::semver_check;
use wit_parser::{Docs, PackageId, Resolve, Stability, TypeDefKind, UnresolvedPackageGroup};

const WORLDS: [&str; 3] = ["log-parser", "health-check", "error-categorizer"];

type Files = BTreeMap<String, String>;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(dir: &Path) -> Files {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let wit = files.filter(|path| path.extension().is_some_and(|extension| extension == "wit"));
    wit.map(|path| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
    })
    .collect()
}

fn released() -> Vec<(String, Files)> {
    let dirs = std::fs::read_dir(here("tests/frozen")).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<(String, Files)> =
        dirs.map(|dir| (dir.file_name().unwrap().to_str().unwrap().to_owned(), read(&dir))).collect();
    all.sort();
    all
}

fn version_of(files: &Files) -> String {
    let declares = |text: &String| text.split("package hostler:plugin@").nth(1).map(str::to_owned);
    let rest = files.values().find_map(declares).unwrap();
    rest.split(';').next().unwrap().to_owned()
}

fn add(resolve: &mut Resolve, files: &Files) -> PackageId {
    // One package of the name in one version: the other files belong to it.
    let mut map = wit_parser::SourceMap::new();
    for (name, text) in files {
        map.push(Path::new(name), text.clone());
    }
    let group: UnresolvedPackageGroup = map.parse().map_err(|(_, error)| error).unwrap();
    resolve.push_group(group).unwrap()
}

/// Whether what was built against `old` works with `new`; why not.
fn fits(old: &Files, new: &Files) -> Result<(), String> {
    for world in WORLDS {
        let mut resolve = Resolve::default();
        let version = version_of(old);
        // Two packages of one version cannot stand side by side; the check itself leaves versions out.
        let marked = old
            .iter()
            .map(|(name, text)| {
                let package = format!("package hostler:plugin@{version}");
                (name.clone(), text.replace(&package, &format!("{package}+old")))
            })
            .collect();
        let (old, new) = (add(&mut resolve, &marked), add(&mut resolve, new));
        let of = |package: PackageId| resolve.packages[package].worlds[world];
        let (old, new) = (of(old), of(new));
        semver_check(resolve, old, new).map_err(|error| format!("{world}: {error:#}"))?;
    }
    Ok(())
}

#[test]
fn what_was_built_against_a_released_contract_keeps_working() {
    let current = read(&here("../../../wit"));
    for (version, old) in released() {
        assert_eq!(version_of(&old), version);
        fits(&old, &current)
            .unwrap_or_else(|why| panic!("wit/ breaks plugins built against {version}: {why}"));
    }
}

#[test]
fn a_released_version_is_never_changed() {
    let current = read(&here("../../../wit"));
    let version = version_of(&current);
    let released = released();
    let (_, old) = released.iter().find(|(released, _)| *released == version).unwrap_or_else(|| {
        panic!("{version} is not in tests/frozen: copy wit/*.wit to tests/frozen/{version} with its release")
    });
    assert_eq!(old, &current, "wit/ differs from the released {version}: give it the next version");
}

/// The items that say nothing of themselves, and the parts of those that say something.
fn undocumented(resolve: &Resolve, package: PackageId) -> Vec<String> {
    let mut silent = Vec::new();
    let mut look = |name: String, docs: &Docs| {
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            silent.push(name);
        }
    };
    let package = &resolve.packages[package];
    for (name, world) in &package.worlds {
        look(name.clone(), &resolve.worlds[*world].docs);
    }
    for (name, interface) in &package.interfaces {
        let interface = &resolve.interfaces[*interface];
        look(name.clone(), &interface.docs);
        for (function, of) in &interface.functions {
            look(format!("{name}.{function}"), &of.docs);
        }
        for (of, id) in &interface.types {
            let (of, found) = (format!("{name}.{of}"), &resolve.types[*id]);
            let parts: Vec<(&String, &Docs)> = match &found.kind {
                TypeDefKind::Record(record) => record.fields.iter().map(|it| (&it.name, &it.docs)).collect(),
                TypeDefKind::Variant(of) => of.cases.iter().map(|it| (&it.name, &it.docs)).collect(),
                TypeDefKind::Enum(of) => of.cases.iter().map(|it| (&it.name, &it.docs)).collect(),
                // Taken from another interface, where it is documented.
                TypeDefKind::Type(wit_parser::Type::Id(_)) => continue,
                _ => Vec::new(),
            };
            for (part, docs) in parts {
                look(format!("{of}.{part}"), docs);
            }
            look(of, &found.docs);
        }
    }
    silent
}

#[test]
fn everything_in_the_contract_is_documented_and_dated() {
    let current = read(&here("../../../wit"));
    let mut resolve = Resolve::default();
    let package = add(&mut resolve, &current);
    assert_eq!(undocumented(&resolve, package), Vec::<String>::new());
    let interfaces = resolve.packages[package].interfaces.values().map(|id| &resolve.interfaces[*id]);
    let dated = |since: &Stability| matches!(since, Stability::Stable { .. });
    for interface in interfaces {
        let name = interface.name.as_deref().unwrap();
        assert!(dated(&interface.stability), "{name}");
        assert!(interface.functions.values().all(|function| dated(&function.stability)), "{name}");
    }
    // The look itself finds what is missing.
    let mut bare = current;
    let types = bare.get_mut("types.wit").unwrap();
    *types = types.replace("        /// Its first byte, counted from the beginning of the batch.\n", "");
    let mut resolve = Resolve::default();
    let package = add(&mut resolve, &bare);
    assert_eq!(undocumented(&resolve, package), ["types.span.start"]);
}

#[test]
fn what_breaks_old_plugins_is_found() {
    let old = read(&here("tests/frozen/1.0.0"));
    for (file, from, to) in [
        ("types.wit", "start: u32,", "start: u64,"),
        ("log-parsing.wit", "row: u32,\n", "row: u32,\n        column: u32,\n"),
        ("health-checking.wit", "check: func()", "check: func(again: bool)"),
        ("metadata.wit", "describe: func()", "describe-it: func()"),
    ] {
        let mut new = old.clone();
        let text = new.get_mut(file).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        *text = text.replace(from, to);
        assert!(fits(&old, &new).is_err(), "{file}: {to}");
    }
    let mut more = old.clone();
    let log = more.get_mut("log.wit").unwrap();
    let at = log.rfind('}').unwrap();
    log.insert_str(at, "    @since(version = 1.0.0)\n    flush: func();\n");
    assert_eq!(fits(&old, &more), Ok(()), "the host may offer more");
}
