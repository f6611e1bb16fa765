//! `hostler plugin new`: a crate to begin from, with the SDK and the contract in it, so that nothing but crates.io is
//! needed to build it.

use std::io;
use std::path::{Path, PathBuf};

use hostler_api::ToolError;
use hostler_plugin_host::Kind;

/// The SDK's sources and the interfaces, each with its path in the crate `hostler-plugin`.
const SDK: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
const SDK_MANIFEST: &str = include_str!("template/hostler-plugin.toml");
/// Where the SDK has the interfaces, and where the crate beside a plugin has them.
const WIT: (&str, &str) = ("path: \"../../wit\"", "path: \"wit\"");

const MAX_NAME: usize = 64;
/// What stands in the templates for the name.
const NAME: &str = "my-plugin";

/// Names that Cargo or the compiler does not take for a crate with these dependencies.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "hostler-plugin",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "memchr",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "wasip2",
    "where",
    "while",
    "wit-bindgen",
    "yield",
];

/// A crate that was written.
#[derive(Debug)]
pub(crate) struct Scaffold {
    /// Where it is.
    pub(crate) dir: PathBuf,
    /// The file that its build makes, relative to the directory.
    pub(crate) component: String,
    /// The file to try it on, likewise.
    pub(crate) sample: &'static str,
    /// Every file, likewise, by name.
    pub(crate) files: Vec<String>,
}

/// Writes a crate into a directory that is not there yet.
///
/// # Errors
/// When the name is none, the directory is there, or it cannot be written.
pub(crate) fn create(kind: Kind, name: &str, dir: &Path) -> Result<Scaffold, ToolError> {
    check_name(name)?;
    let dir = std::path::absolute(dir)
        .map_err(|error| ToolError::invalid(format!("`{}` is no path: {error}", dir.display())))?;
    let cannot = |what: &Path, error: &io::Error| {
        ToolError::internal(format!("cannot write `{}`: {error}", what.display()))
    };
    if let Some(parent) = dir.parent() {
        std::fs::create_dir_all(parent).map_err(|error| cannot(parent, &error))?;
    }
    std::fs::create_dir(&dir).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ToolError::invalid(format!(
            "`{}` is there already and stays as it is; choose another name, or another place with --dir",
            dir.display()
        )),
        _ => cannot(&dir, &error),
    })?;
    let files = files_of(kind, name);
    for (file, content) in &files {
        let path = dir.join(file);
        let parent = path.parent().unwrap_or(&dir);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, content))
            .map_err(|error| cannot(&path, &error))?;
    }
    Ok(Scaffold {
        dir,
        component: format!("target/wasm32-wasip2/release/{}.wasm", name.replace('-', "_")),
        sample: sample_of(kind).0,
        files: files.into_iter().map(|(file, _)| file).collect(),
    })
}

/// Kebab-case, as plugins name themselves, and not what Cargo refuses.
fn check_name(name: &str) -> Result<(), ToolError> {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_kebab = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(word);
    if TAKEN.contains(&name) {
        let message = format!(
            "`{name}` means something else to Rust or Cargo; name the plugin `{name}-plugin`, for example"
        );
        return Err(ToolError::invalid(message));
    }
    if is_kebab && name.len() <= MAX_NAME {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(ToolError::invalid(format!(
        "`{shown}` is no name for a plugin: expected words of lower-case letters and digits joined by hyphens, a letter \
         first, at most {MAX_NAME} bytes, such as `{}`",
        suggestion(name)
    )))
}

/// A name like the one that was meant.
fn suggestion(name: &str) -> String {
    let mut better = String::new();
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() {
            // `MyParser` is `my-parser`.
            if letter.is_ascii_uppercase() && after_lower {
                better.push('-');
            }
            better.push(letter.to_ascii_lowercase());
        } else if !better.ends_with('-') {
            better.push('-');
        }
        after_lower = letter.is_ascii_lowercase();
    }
    let better: String =
        better.trim_start_matches(|c: char| !c.is_ascii_lowercase()).chars().take(MAX_NAME).collect();
    let better = better.trim_matches('-');
    if better.is_empty() || TAKEN.contains(&better) { "my-parser".to_owned() } else { better.to_owned() }
}

/// Every file of a crate, by its path in it.
fn files_of(kind: Kind, name: &str) -> Vec<(String, String)> {
    let code = match kind {
        Kind::LogParser => include_str!("template/log-parser/src/lib.rs"),
        Kind::HealthCheck => include_str!("template/health-check/src/lib.rs"),
        Kind::ErrorCategorizer => include_str!("template/error-categorizer/src/lib.rs"),
    };
    let (sample, content) = sample_of(kind);
    let readme =
        include_str!("template/README.md").replace("THE-WORLD", kind.world()).replace("THE-SAMPLE", sample);
    let named =
        |text: &str| text.replace(NAME, name).replace(&NAME.replace('-', "_"), &name.replace('-', "_"));
    let mut files = vec![
        (".gitignore".to_owned(), include_str!("template/gitignore").to_owned()),
        ("Cargo.toml".to_owned(), named(include_str!("template/Cargo.toml"))),
        ("README.md".to_owned(), named(&readme)),
        (sample.to_owned(), content.to_owned()),
        ("src/lib.rs".to_owned(), named(code)),
        ("hostler-plugin/Cargo.toml".to_owned(), SDK_MANIFEST.to_owned()),
    ];
    let sdk = SDK.iter().map(|(path, text)| (format!("hostler-plugin/{path}"), text.replace(WIT.0, WIT.1)));
    files.extend(sdk);
    files.sort();
    files
}

/// What a new plugin is tried on.
fn sample_of(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::LogParser => ("sample.log", include_str!("template/log-parser/sample.log")),
        Kind::HealthCheck => ("sample.json", include_str!("template/health-check/sample.json")),
        Kind::ErrorCategorizer => ("sample.txt", include_str!("template/error-categorizer/sample.txt")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const KINDS: [Kind; 3] = [Kind::LogParser, Kind::HealthCheck, Kind::ErrorCategorizer];

    #[test]
    fn names_are_kebab_case() {
        for good in ["a", "my-parser", "http2-json", "types"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for (bad, better) in [
            ("MyParser", "`my-parser`"),
            ("my_parser", "`my-parser`"),
            ("-a", "`a`"),
            ("2fast", "`fast`"),
            ("Jürgen's parser!", "`j-rgen-s-parser`"),
            ("", "`my-parser`"),
            ("../up", "`up`"),
            ("fn", "`fn-plugin`"),
            ("serde", "`serde-plugin`"),
        ] {
            let message = check_name(bad).unwrap_err().message;
            assert!(message.contains(&format!("`{bad}`")) && message.contains(better), "{message}");
        }
        assert!(check_name(&"a".repeat(65)).is_err());
    }

    #[test]
    fn suggested_names_are_names() {
        for odd in ["A", "--", "X9--Y", "ÄÖÜ", "aB-cD", "Fn", &"Z".repeat(200)] {
            assert!(check_name(&suggestion(odd)).is_ok(), "{odd}: {}", suggestion(odd));
        }
    }

    #[test]
    fn crates_are_complete() {
        for kind in KINDS {
            let files: BTreeMap<String, String> = files_of(kind, "web-lines").into_iter().collect();
            let manifest: toml::Table = files["Cargo.toml"].parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some("web-lines"));
            assert!(files["src/lib.rs"].contains("const NAME: &'static str = \"web-lines\""));
            assert!(files["src/lib.rs"].contains(sample_of(kind).0), "the test is about the sample");
            assert!(
                files["README.md"].contains("release/web_lines.wasm")
                    && files["README.md"].contains(kind.world())
            );
            assert!(files.contains_key("hostler-plugin/wit/worlds.wit"));
            assert!(files.contains_key("hostler-plugin/src/config/value.rs"));
            for (file, text) in &files {
                let outside = text.contains("../../wit") || text.contains("THE-");
                assert!(!outside && !text.contains(NAME) && !text.contains("my_plugin"), "{kind}: {file}");
            }
        }
    }

    #[test]
    fn a_directory_that_is_there_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("deep/web-lines");
        let made = create(Kind::LogParser, "web-lines", &dir).unwrap();
        assert!(made.files.iter().all(|file| dir.join(file).is_file()));
        std::fs::write(dir.join("src/lib.rs"), "mine").unwrap();
        assert!(create(Kind::LogParser, "web-lines", &dir).unwrap_err().message.contains("is there already"));
        assert_eq!(std::fs::read_to_string(dir.join("src/lib.rs")).unwrap(), "mine");
    }

    /// The manifest that is written for the SDK says what the SDK's own says with the help of its workspace.
    #[test]
    fn the_manifest_of_the_sdk_is_the_sdks() {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let read = |file: &str| -> toml::Table {
            std::fs::read_to_string(plugins.join(file)).unwrap().parse().unwrap()
        };
        let (workspace, theirs) = (read("Cargo.toml"), read("sdk/Cargo.toml"));
        let ours: toml::Table = SDK_MANIFEST.parse().unwrap();
        let workspace = &workspace["workspace"];
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert_eq!(ours["package"][key], workspace["package"][key], "{key}");
        }
        assert_eq!(ours["features"], theirs["features"]);
        let wasm = |manifest: &toml::Table| {
            manifest["target"]["cfg(target_arch = \"wasm32\")"]["dependencies"].as_table().unwrap().clone()
        };
        let pairs = [
            (
                ours["dependencies"].as_table().unwrap().clone(),
                theirs["dependencies"].as_table().unwrap().clone(),
            ),
            (wasm(&ours), wasm(&theirs)),
        ];
        for (ours, theirs) in pairs {
            assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
            for (name, own) in ours {
                let wanted = &workspace["dependencies"][&name];
                let part = |value: &toml::Value, key: &str| value.get(key).cloned();
                let version = |value: &toml::Value| part(value, "version").unwrap_or_else(|| value.clone());
                assert_eq!(version(&own), version(wanted), "{name}");
                for key in ["features", "default-features"] {
                    assert_eq!(part(&own, key), part(wanted, key), "{name}");
                }
            }
        }
    }
}
