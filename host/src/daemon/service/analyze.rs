//! `analyze_project`: the files of a directory are listed and a few of them read, and nothing else is done.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};

use hostler_api::analyze::{AnalysisResult, AnalyzeProject, Confidence, ProposedView};
use hostler_api::process::Detail;
use hostler_api::{ErrorKind, ToolError};
use hostler_config::FILE_NAME;
use hostler_config::analyze::{self, Directory, Proposal, Proposed};
use hostler_model::text::clip;

use super::{Client, Service};
use crate::daemon::resolve;

/// Bounds of the look: folders deep, entries in all, files that are read, and bytes of each.
const DEPTH: usize = 3;
const ENTRIES: usize = 5_000;
const FILES: usize = 100;
const FILE_BYTES: u64 = 256 * 1024;

/// Bounds of the answer, and of one that nobody asked to be longer: bytes of JSON, with room for what is said of the rest.
const TOML_CHARS: usize = 200_000;
const ANSWER_BYTES: usize = 9_000;
const WHOLE_TOML_BYTES: usize = 7_800;
const SHORT_TOML_CHARS: usize = 5_500;
const SHORT_LINE_CHARS: usize = 60;
const SHORT_NOTES: usize = 8;
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
        let all = result(&path, analyze::analyze(&directory), is_cut);
        Ok(if request.detail == Detail::Full { all } else { shortened(all, client) })
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
                directory.variables = variables(&path, &directory);
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
    directory.variables = variables(&path, &directory);
    Ok((path, directory, is_cut))
}

/// What `${NAME}` may mean in its `hostler.toml`, as when that is applied.
fn variables(path: &Path, directory: &Directory) -> BTreeMap<String, String> {
    let text = directory.files.get(FILE_NAME).and_then(Option::as_deref);
    let Some(text) = text else { return BTreeMap::new() };
    let profile = hostler_config::env_profile(text).ok().flatten();
    // What is wrong with an environment file is told by who applies it.
    resolve::variables(path, profile.as_deref()).unwrap_or_default()
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
        // Where the file is there, that is the reason for all, and said once.
        processes: processes.iter().map(|p| view(p, !is_declared)).collect(),
        hostler_toml: clip(toml, TOML_CHARS),
        notes,
    }
}

/// What fits into an answer that nobody asked to be longer. All of it stands in the proposed file.
fn shortened(all: AnalysisResult, client: &Client) -> AnalysisResult {
    if fits(&all) {
        return all;
    }
    let total = all.processes.len();
    let mut short = all;
    // A part of a file is of little use: the processes give way to it as far as possible.
    let is_whole =
        serde_json::to_string(&short.hostler_toml).is_ok_and(|json| json.len() <= WHOLE_TOML_BYTES);
    if !is_whole {
        short.hostler_toml = clip(short.hostler_toml, SHORT_TOML_CHARS);
    }
    for process in &mut short.processes {
        (process.health, process.parsers) = (Vec::new(), Vec::new());
        process.command = clip(std::mem::take(&mut process.command), SHORT_LINE_CHARS);
        process.why = clip(std::mem::take(&mut process.why), 2 * SHORT_LINE_CHARS);
    }
    let notes = short.notes.len().saturating_sub(SHORT_NOTES);
    // The last one is the next step.
    short.notes.drain(..notes);
    while !fits(&short) && !short.processes.is_empty() {
        let left = short.processes.len();
        short.processes.truncate(left - left.div_ceil(8));
    }
    let mut left: Vec<String> = vec!["health checks and parsers".to_owned()];
    left.extend((notes > 0).then(|| format!("{notes} notes")));
    let missing = total - short.processes.len();
    left.extend((missing > 0).then(|| format!("{missing} of {total} processes")));
    left.extend((!is_whole).then(|| "the end of the file".to_owned()));
    let call = client.words("{\"detail\": \"full\"}", "`hostler analyze`");
    short.notes.push(format!("left out to keep this short: {}; {call} shows all", left.join(", ")));
    short
}

fn fits(result: &AnalysisResult) -> bool {
    serde_json::to_string(result).is_ok_and(|json| json.len() <= ANSWER_BYTES)
}

fn view(proposed: &Proposed, with_reason: bool) -> ProposedView {
    ProposedView {
        name: proposed.name().to_owned(),
        command: clip(proposed.command(), LINE_CHARS),
        cwd: proposed.cwd().map(str::to_owned),
        why: if with_reason { clip(proposed.why.clone(), LINE_CHARS) } else { String::new() },
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
