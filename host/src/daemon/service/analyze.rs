//! `analyze_project`: the files of a directory are listed and a few of them read, and nothing else is done.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};

use hostler_api::analyze::{AnalysisResult, AnalyzeProject, Confidence, ProposedView};
use hostler_api::{ErrorKind, ToolError};
use hostler_config::analyze::{self, Directory, Proposal, Proposed};
use hostler_model::text::clip;

use super::{Client, Service};

/// Bounds of the look: folders deep, entries in all, files that are read, and bytes of each.
const DEPTH: usize = 3;
const ENTRIES: usize = 5_000;
const FILES: usize = 100;
const FILE_BYTES: u64 = 256 * 1024;

/// Bounds of the answer.
const TOML_CHARS: usize = 9_000;
const NOTES: usize = 20;
const NOTE_CHARS: usize = 300;
const LINE_CHARS: usize = 300;

impl Service {
    /// `analyze_project`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) async fn analyze_project(
        &self,
        client: &Client,
        request: AnalyzeProject,
    ) -> Result<AnalysisResult, ToolError> {
        let path = Path::new(&client.project.root).join(request.path.as_deref().unwrap_or(""));
        let looked = tokio::task::spawn_blocking(move || look(&path)).await;
        let (path, directory, is_cut) = looked.map_err(|e| ToolError::internal(e.to_string()))??;
        Ok(result(&path, analyze::analyze(&directory), is_cut))
    }
}

/// Lists a directory and reads what is needed of it; whether something was left out.
fn look(path: &Path) -> Result<(PathBuf, Directory, bool), ToolError> {
    let cannot = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::InvalidInput,
        };
        ToolError::new(kind, format!("`path`: {} cannot be read as a directory: {error}", path.display()))
    };
    let path = std::fs::canonicalize(path).map_err(cannot)?;
    std::fs::read_dir(&path).map_err(cannot)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut directory = Directory { name, ..Directory::default() };
    let (mut queue, mut entries, mut files) = (VecDeque::from([(path.clone(), 0)]), 0, 0);
    let mut is_cut = false;
    // The nearest first, so that the bounds cut what is farthest.
    while let Some((folder, depth)) = queue.pop_front() {
        let Ok(listed) = std::fs::read_dir(&folder) else { continue };
        let mut listed: Vec<_> = listed.flatten().take(ENTRIES).collect();
        listed.sort_by_key(std::fs::DirEntry::file_name);
        for entry in listed {
            entries += 1;
            if entries > ENTRIES {
                return Ok((path, directory, true));
            }
            // Links are not followed: they may lead anywhere, and in circles.
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() {
                if depth < DEPTH && analyze::enters(&name) {
                    queue.push_back((entry.path(), depth + 1));
                }
                continue;
            }
            let full = entry.path();
            let Ok(relative) = full.strip_prefix(&path) else { continue };
            let relative = relative.to_string_lossy().into_owned();
            let mut text = None;
            if kind.is_file() && analyze::wants(&relative) {
                files += 1;
                is_cut |= files > FILES;
                text = if files > FILES { None } else { read(&full) };
            }
            directory.files.insert(relative, text);
        }
    }
    // A program in a hidden folder that is of use.
    let python = ".venv/bin/python";
    if path.join(python).exists() {
        directory.files.insert(python.to_owned(), None);
    }
    Ok((path, directory, is_cut))
}

/// The text of a file of a reasonable size.
fn read(path: &Path) -> Option<String> {
    let file = std::fs::File::open(path).ok()?;
    let mut text = String::new();
    file.take(FILE_BYTES + 1).read_to_string(&mut text).ok()?;
    (text.len() as u64 <= FILE_BYTES).then_some(text)
}

fn result(path: &Path, proposal: Proposal, is_cut: bool) -> AnalysisResult {
    let Proposal { processes, toml, mut notes, is_declared, .. } = proposal;
    let more = notes.len().saturating_sub(NOTES);
    notes.truncate(NOTES);
    notes = notes.into_iter().map(|note| clip(note, NOTE_CHARS)).collect();
    if more > 0 {
        notes.push(format!(
            "{more} more notes are left out; `hostler import FILE --print` has those of one file"
        ));
    }
    if is_cut {
        notes.push("the directory is large: what lies deepest was not looked at".to_owned());
    }
    if !is_declared && !processes.is_empty() {
        notes.push(
            "write hostler_toml into hostler.toml, let the user run `hostler trust`, and start it with apply_config"
                .to_owned(),
        );
    }
    AnalysisResult {
        directory: path.display().to_string(),
        declared: is_declared,
        processes: processes.iter().map(view).collect(),
        hostler_toml: clip(toml, TOML_CHARS),
        notes,
    }
}

fn view(proposed: &Proposed) -> ProposedView {
    ProposedView {
        name: proposed.name().to_owned(),
        command: clip(proposed.command(), LINE_CHARS),
        cwd: proposed.cwd().map(str::to_owned),
        why: clip(proposed.why.clone(), LINE_CHARS),
        confidence: match proposed.confidence {
            analyze::Confidence::Low => Confidence::Low,
            analyze::Confidence::Medium => Confidence::Medium,
            analyze::Confidence::High => Confidence::High,
        },
        ports: proposed.ports.clone(),
        depends_on: proposed.depends_on().clone(),
        health: proposed.health().to_vec(),
        parsers: proposed.parsers().to_vec(),
    }
}
