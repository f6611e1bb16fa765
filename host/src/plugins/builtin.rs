//! The plugins that hostler ships with, as components in the binary. Their sources are in `plugins/builtin`.

use hostler_plugin_host::{Kind, inspect};

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Builtin {
    /// Its name after `builtin:`.
    pub(crate) name: &'static str,
    /// The component.
    pub(crate) wasm: &'static [u8],
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(Builtin {
            name: $name,
            wasm: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/built/", $name, ".wasm")),
        }),*]
    };
}

/// All of them, by name.
pub(crate) const ALL: &[Builtin] = embedded![
    "access-log",
    "command",
    "generic",
    "http",
    "json",
    "level",
    "logfmt",
    "multiline",
    "postgres",
    "process",
    "redis",
    "regex",
    "rules",
    "syslog",
    "tcp",
];

impl Builtin {
    /// Its world; `None` never, as a test makes sure.
    pub(crate) fn kind(&self) -> Option<Kind> {
        inspect(self.wasm, usize::MAX).ok().map(|inspection| inspection.kind)
    }
}

/// The one with this name.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    ALL.iter().find(|builtin| builtin.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use hostler_plugin_host::Digest;

    use super::*;

    fn built() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/built")
    }

    #[test]
    fn every_built_component_is_embedded() {
        let files: BTreeSet<String> = std::fs::read_dir(built())
            .unwrap()
            .filter_map(|entry| {
                entry.unwrap().file_name().into_string().unwrap().strip_suffix(".wasm").map(str::to_owned)
            })
            .collect();
        let names: Vec<&str> = ALL.iter().map(|builtin| builtin.name).collect();
        assert_eq!(files.iter().map(String::as_str).collect::<Vec<_>>(), names);
    }

    /// That the sources are those that `SOURCES` names is tested where the plugins are.
    #[test]
    fn every_component_is_the_one_that_was_built_of_its_sources() {
        let sources = std::fs::read_to_string(built().join("SOURCES")).unwrap();
        let lines: Vec<Vec<&str>> = sources
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines.len(), ALL.len());
        for (builtin, line) in ALL.iter().zip(lines) {
            assert_eq!((line[0], line[2]), (builtin.name, &*Digest::of(builtin.wasm).to_string()));
        }
    }

    #[test]
    fn there_are_plugins_of_every_kind() {
        let kinds: BTreeSet<Kind> = ALL.iter().map(|builtin| builtin.kind().unwrap()).collect();
        assert_eq!(kinds.len(), 3);
        assert_eq!(find("json").and_then(Builtin::kind), Some(Kind::LogParser));
    }
}
