//! The directories of the files that a process is restarted for, as the kernel watches them.
//!
//! Each directory is watched for itself: those that hold nothing of interest, `node_modules` above all, cost nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hostler_model::watch::Patterns;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Most directories that are watched for one process.
const MAX_DIRECTORIES: usize = 10_000;

/// Most files of a new directory that are told apart.
const MAX_FOUND: usize = 100;

/// What the kernel told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// A file that counts has changed.
    File(PathBuf),
    /// Directories came or went: look at all of them again.
    Directories,
    /// More happened than the kernel could tell.
    TooMuch,
}

/// The watched directories.
pub(super) struct Tree {
    watcher: RecommendedWatcher,
    patterns: Patterns,
    watched: BTreeSet<PathBuf>,
}

impl Tree {
    /// Begins to watch; `tell` is called from a thread of its own.
    ///
    /// # Errors
    /// What keeps it from it, and what to do.
    pub(super) fn watch(patterns: Patterns, tell: impl Fn(News) + Send + 'static) -> Result<Self, String> {
        let judge = patterns.clone();
        let on_event = move |event: notify::Result<Event>| match event {
            Ok(event) => news(event, &judge).into_iter().for_each(&tell),
            Err(error) => tracing::warn!(%error, "watching files"),
        };
        let watcher = notify::recommended_watcher(on_event).map_err(|e| explain(&e))?;
        let mut tree = Self { watcher, patterns, watched: BTreeSet::new() };
        tree.look_again().map(|_| tree)
    }

    /// Looks which directories are there now. Answers the files in those that are new: nobody watched while they were
    /// made.
    ///
    /// # Errors
    /// As [`Self::watch`].
    pub(super) fn look_again(&mut self) -> Result<Vec<PathBuf>, String> {
        let wanted = directories(&self.patterns)?;
        for gone in self.watched.difference(&wanted) {
            // What was removed is not watched any more.
            let _ = self.watcher.unwatch(gone);
        }
        let mut found = Vec::new();
        let known = std::mem::take(&mut self.watched);
        for dir in wanted {
            // Those that are watched already may be others of the same name.
            match self.watcher.watch(&dir, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => continue,
                Err(error) => return Err(explain(&error)),
            }
            if !known.contains(&dir) && found.len() < MAX_FOUND {
                found.extend(files(&dir, &self.patterns));
            }
            self.watched.insert(dir);
        }
        Ok(found)
    }

    /// How many directories are watched.
    pub(super) fn len(&self) -> usize {
        self.watched.len()
    }
}

/// What an event means.
fn news(event: Event, patterns: &Patterns) -> Vec<News> {
    if event.need_rescan() {
        return vec![News::TooMuch];
    }
    let of_directory =
        matches!(event.kind, EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder));
    let counts = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(kind) => !matches!(kind, ModifyKind::Metadata(_)),
        EventKind::Any | EventKind::Create(_) | EventKind::Remove(_) | EventKind::Other => !of_directory,
    };
    let renamed = matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
    // Of a watched directory that goes, the kernel tells without saying that it was one.
    let went = matches!(event.kind, EventKind::Remove(RemoveKind::Any | RemoveKind::Other));
    let of_path = |path: PathBuf| {
        let is_dir = of_directory || (renamed && path.is_dir());
        let is_root = (renamed || matches!(event.kind, EventKind::Remove(_)))
            && patterns.roots().any(|root| root == path);
        let directories =
            ((is_dir || is_root || went) && patterns.concerns(&path)).then_some(News::Directories);
        let file = (counts && !is_dir && patterns.matches(&path)).then_some(News::File(path));
        [directories, file].into_iter().flatten()
    };
    event.paths.into_iter().flat_map(of_path).collect()
}

/// The directories that hold what the patterns mean, and those in which that may appear.
fn directories(patterns: &Patterns) -> Result<BTreeSet<PathBuf>, String> {
    let mut all = BTreeSet::new();
    for root in patterns.roots() {
        if !root.is_dir() {
            all.extend(root.ancestors().skip(1).find(|dir| dir.is_dir()).map(Path::to_owned));
        }
        let mut left = vec![root.to_owned()];
        while let Some(dir) = left.pop() {
            if !patterns.descends(&dir) || !dir.is_dir() {
                continue;
            }
            left.extend(children(&dir).filter(|(_, is_dir)| *is_dir).map(|(path, _)| path));
            all.insert(dir);
            if all.len() > MAX_DIRECTORIES {
                return Err(format!(
                    "{} has more than {MAX_DIRECTORIES} directories; watch less of it, or take some out with a pattern \
                     such as \"!**/data/**\"",
                    root.display()
                ));
            }
        }
    }
    Ok(all)
}

fn files<'a>(dir: &Path, patterns: &'a Patterns) -> impl Iterator<Item = PathBuf> + use<'a> {
    children(dir).filter(move |(path, is_dir)| !is_dir && patterns.matches(path)).map(|(path, _)| path)
}

/// What is in a directory, and whether it is one itself; links are not followed, for they may lead in circles.
fn children(dir: &Path) -> impl Iterator<Item = (PathBuf, bool)> + use<> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| (entry.path(), entry.file_type().is_ok_and(|kind| kind.is_dir())))
}

/// A failure, with the limit of the kernel that is behind it.
fn explain(error: &notify::Error) -> String {
    let limit = |name: &str| {
        let value = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).unwrap_or_default();
        format!("fs.inotify.{name} = {}", value.trim())
    };
    let too_many = |what: &str, name: &str| {
        format!(
            "the kernel watches no more {what} ({}); watch less, or raise it: `sysctl -w fs.inotify.{name}=…`",
            limit(name)
        )
    };
    match &error.kind {
        ErrorKind::MaxFilesWatch => too_many("directories for this user", "max_user_watches"),
        ErrorKind::Io(io) if io.raw_os_error() == Some(libc::EMFILE) => {
            too_many("trees for this user", "max_user_instances")
        }
        ErrorKind::Io(io) => io.to_string(),
        _ => error.to_string(),
    }
}
