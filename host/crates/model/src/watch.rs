//! Restarting a process when files change: which files count, and when a storm of changes is over.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, Rate};
use crate::time::Timestamp;

/// How long nothing may change before a process is restarted, where it does not say.
pub const DEBOUNCE_MS: u64 = 300;

/// A tree that is never quiet is acted upon after this long.
const LONGEST_MS: u64 = 10_000;

/// What restarts itself by what it writes is not restarted more often than this.
const RESTARTS: Rate = Rate { per_minute: 6, burst: 10 };

/// So many changed files are told apart.
const TOLD_APART: usize = 20;

/// Directories that are never looked into, unless a pattern names them.
const NEVER: [&str; 14] = [
    ".git",
    ".hg",
    ".svn",
    ".idea",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".venv",
    "__pycache__",
    "bower_components",
    "node_modules",
    "target",
    "venv",
];

/// Which files a process is restarted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSpec {
    /// The directory that the patterns are relative to.
    pub base: String,
    /// Globs, in which `**` crosses directories; those with a `!` in front take out.
    pub patterns: Vec<String>,
    /// How long nothing may change before it is restarted, milliseconds.
    pub debounce_ms: u64,
}

/// The patterns of a [`WatchSpec`], ready to be asked.
#[derive(Debug, Clone)]
pub struct Patterns {
    wanted: Vec<Pattern>,
    unwanted: Vec<Pattern>,
}

/// A pattern that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// No glob.
    #[error("{0:?} is no pattern: {1}; patterns are such as \"src/**\", \"*.toml\" or \"!src/generated/**\"")]
    Glob(String, String),
    /// Nothing could ever match.
    #[error("there is nothing to watch: name files or directories, such as \"src/**\"")]
    Nothing,
}

/// A directory or file without wildcards, and what is meant in there.
#[derive(Debug, Clone)]
struct Pattern {
    root: PathBuf,
    /// Matched against the path below the root; none means all of it.
    below: Option<GlobMatcher>,
    /// How many levels below the root there can be a match; none without a limit.
    depth: Option<usize>,
}

impl Patterns {
    /// Reads the patterns.
    ///
    /// # Errors
    /// Names the first that is none.
    pub fn new(base: &Path, patterns: &[String]) -> Result<Self, InvalidPattern> {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for text in patterns {
            match text.strip_prefix('!') {
                Some(text) => unwanted.push(Pattern::new(base, text)?),
                None => wanted.push(Pattern::new(base, text)?),
            }
        }
        if wanted.is_empty() { Err(InvalidPattern::Nothing) } else { Ok(Self { wanted, unwanted }) }
    }

    /// Whether a change of this file counts.
    #[must_use]
    pub fn matches(&self, file: &Path) -> bool {
        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        !is_scratch(&name)
            && self.wanted.iter().any(|p| p.matches(file))
            && !self.unwanted.iter().any(|p| p.matches(file))
    }

    /// Whether there may be files in this directory, or below, that count.
    #[must_use]
    pub fn descends(&self, dir: &Path) -> bool {
        self.wanted.iter().any(|p| p.descends(dir)) && !self.unwanted.iter().any(|p| p.takes_all_of(dir))
    }

    /// Whether it matters that this directory came or went.
    #[must_use]
    pub fn concerns(&self, dir: &Path) -> bool {
        self.descends(dir) || self.roots().any(|root| root.starts_with(dir))
    }

    /// Where to begin to look: directories or files, which need not exist.
    pub fn roots(&self) -> impl Iterator<Item = &Path> {
        self.wanted.iter().map(|p| p.root.as_path())
    }
}

impl Pattern {
    fn new(base: &Path, text: &str) -> Result<Self, InvalidPattern> {
        let invalid = |why: &str| InvalidPattern::Glob(text.to_owned(), why.to_owned());
        if text.trim().is_empty() {
            return Err(invalid("it is empty"));
        }
        let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
        let literal = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{', '\\'])).count();
        let start = if text.starts_with('/') { Path::new("/") } else { base };
        let root = normal(&start.join(parts[..literal].join("/").trim_start_matches('/')));
        if literal == parts.len() {
            return Ok(Self { root, below: None, depth: None });
        }
        let below = parts[literal..].join("/");
        let glob = GlobBuilder::new(&below).literal_separator(true).build();
        let glob: Glob = glob.map_err(|e| invalid(&e.kind().to_string()))?;
        let depth = (!below.contains("**")).then_some(parts.len() - literal);
        Ok(Self { root, below: Some(glob.compile_matcher()), depth })
    }

    fn matches(&self, file: &Path) -> bool {
        let Ok(below) = file.strip_prefix(&self.root) else { return false };
        !below.components().any(is_never) && self.below.as_ref().is_none_or(|glob| glob.is_match(below))
    }

    fn descends(&self, dir: &Path) -> bool {
        let Ok(below) = dir.strip_prefix(&self.root) else { return false };
        let level = below.components().count();
        !below.components().any(is_never) && self.depth.is_none_or(|depth| level < depth)
    }

    /// Whether everything below a directory is meant.
    fn takes_all_of(&self, dir: &Path) -> bool {
        // A name that no pattern can mean in particular stands for all names.
        dir.starts_with(&self.root) && self.depth.is_none() && self.matches(&dir.join("\u{1}/\u{1}"))
    }
}

/// Whether a component is the name of a directory that is not looked into.
fn is_never(component: Component<'_>) -> bool {
    component.as_os_str().to_str().is_some_and(|name| NEVER.contains(&name))
}

/// What editors write beside the file that is edited.
fn is_scratch(name: &str) -> bool {
    name.ends_with('~')
        || name.starts_with(".#")
        || (name.starts_with('.') && [".swp", ".swx", ".swo"].iter().any(|end| name.ends_with(end)))
}

/// Without `.` and `..`, by the text alone.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The changes since the last restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storm {
    /// The first and the newest change.
    span: Option<(Timestamp, Timestamp)>,
    files: BTreeSet<String>,
    first: Option<String>,
    bucket: Bucket,
    /// Too many restarts came before: not sooner than this.
    held: Option<Timestamp>,
}

impl Storm {
    /// Nothing has changed yet.
    #[must_use]
    pub fn calm(now: Timestamp) -> Self {
        let bucket = Bucket::full(RESTARTS, now);
        Self { span: None, files: BTreeSet::new(), first: None, bucket, held: None }
    }

    /// A file changed.
    pub fn changed(&mut self, file: &str, now: Timestamp) {
        self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        self.first.get_or_insert_with(|| file.to_owned());
        if self.files.len() < TOLD_APART {
            self.files.insert(file.to_owned());
        }
    }

    /// When it is over, should nothing more change.
    #[must_use]
    pub fn over_at(&self, debounce_ms: u64) -> Option<Timestamp> {
        let (first, newest) = self.span?;
        let over = newest.plus_ms(debounce_ms).min(first.plus_ms(LONGEST_MS.max(debounce_ms)));
        Some(self.held.map_or(over, |held| held.max(over)))
    }

    /// Whether a restart waits since there were too many.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// What has changed, in words, once it is over: the process is restarted for it.
    pub fn take(&mut self, debounce_ms: u64, now: Timestamp) -> Option<String> {
        if self.over_at(debounce_ms)? > now {
            return None;
        }
        if let Err(wait_ms) = self.bucket.take(RESTARTS, now) {
            self.held = Some(now.plus_ms(wait_ms));
            return None;
        }
        let first = self.first.take().unwrap_or_default();
        let others = self.files.len().saturating_sub(1);
        (self.span, self.held) = (None, None);
        self.files.clear();
        Some(match others {
            0 => format!("{first} changed"),
            1 => format!("{first} and another file changed"),
            n if n + 1 < TOLD_APART => format!("{first} and {n} others changed"),
            n => format!("{first} and {n} others or more changed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn patterns(patterns: &[&str]) -> Patterns {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        Patterns::new(Path::new("/srv/[shop]"), &patterns).unwrap()
    }

    #[test]
    fn what_counts_and_what_does_not() {
        let table =
            patterns(&["src/**", "*.toml", "conf", "../lib/**/*.py", "target/debug/shop", "!src/gen/**"]);
        for (path, wanted) in [
            ("src/app.py", true),
            ("src/a/b/app.py", true),
            ("src/gen/app.py", false),
            ("src/node_modules/x/index.js", false),
            ("src/a/.git/index", false),
            ("src/.app.py.swp", false),
            ("src/app.py~", false),
            ("Cargo.toml", true),
            ("sub/Cargo.toml", false),
            ("conf", true),
            ("conf/deep/x", true),
            ("config", false),
            ("../lib/a/b.py", true),
            ("../lib/b.py", true),
            ("../lib/b.rs", false),
            ("target/debug/shop", true),
            ("target/debug/other", false),
        ] {
            let path = normal(&Path::new("/srv/[shop]").join(path));
            assert_eq!(table.matches(&path), wanted, "{}", path.display());
        }
    }

    #[test]
    fn only_directories_that_can_hold_a_match_are_looked_into() {
        let table = patterns(&["src/**", "*.toml", "!src/gen/**", "!src/**/*.txt"]);
        for (path, wanted) in [
            (".", true),
            ("src", true),
            ("src/a", true),
            ("src/gen", false),
            ("src/a/node_modules", false),
            ("docs", false),
        ] {
            let path = normal(&Path::new("/srv/[shop]").join(path));
            assert_eq!(table.descends(&path), wanted, "{}", path.display());
        }
        let roots: Vec<_> = table.roots().map(|root| root.display().to_string()).collect();
        assert_eq!(roots, ["/srv/[shop]/src", "/srv/[shop]"]);
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        let refused = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            Patterns::new(Path::new("/"), &list).unwrap_err().to_string()
        };
        assert!(refused(&["src/[a"]).contains("src/[a"));
        assert!(refused(&[""]).contains("empty"));
        assert!(refused(&["!src"]).contains("nothing to watch"));
        assert!(refused(&[]).contains("nothing to watch"));
    }

    #[test]
    fn a_storm_is_one_restart_that_names_the_first_file() {
        let at = |ms| Timestamp(0).plus_ms(ms);
        let mut storm = Storm::calm(at(0));
        assert_eq!((storm.over_at(300), storm.take(300, at(0))), (None, None));
        storm.changed("src/app.py", at(0));
        storm.changed("src/app.py", at(200));
        assert_eq!(storm.take(300, at(499)), None, "it may go on");
        assert_eq!(storm.take(300, at(500)).as_deref(), Some("src/app.py changed"));
        assert_eq!(storm.over_at(300), None);
        for n in 0..100 {
            storm.changed(&format!("src/{n}.py"), at(1_000 + n * 200));
        }
        assert_eq!(storm.over_at(300), Some(at(11_000)), "what never ends is acted upon all the same");
        let told = storm.take(300, at(11_000)).unwrap();
        assert_eq!(told, "src/0.py and 19 others or more changed");
    }

    #[test]
    fn what_restarts_itself_is_slowed_down() {
        let at = |ms| Timestamp(0).plus_ms(ms);
        let (mut storm, mut restarts, mut now) = (Storm::calm(at(0)), 0, 0);
        while now < 600_000 {
            storm.changed("out.log", at(now));
            restarts += u64::from(storm.take(0, at(now)).is_some());
            now += 100;
        }
        assert!((60..=70).contains(&restarts), "{restarts}");
        assert!(storm.is_held());
    }

    proptest! {
        /// No change is forgotten: whoever waits until the storm is over is told of it.
        #[test]
        fn every_change_leads_to_a_restart(
            pauses in prop::collection::vec(0_u64..3_000, 1..80), debounce_ms in 0_u64..2_000,
        ) {
            let mut now = Timestamp(0);
            let mut storm = Storm::calm(now);
            for pause in pauses {
                now = now.plus_ms(pause);
                storm.changed("a", now);
                while let Some(over) = storm.over_at(debounce_ms).filter(|over| *over <= now) {
                    prop_assert!(storm.take(debounce_ms, now).is_some() || storm.over_at(debounce_ms) > Some(over));
                }
            }
            for _ in 0..2 {
                if let Some(over) = storm.over_at(debounce_ms) {
                    now = now.max(over);
                    storm.take(debounce_ms, now);
                }
            }
            prop_assert_eq!(storm.over_at(debounce_ms), None);
        }
    }
}
