//! A stack for a directory that has none: what its files say of what runs there, with the reasons. Nothing is run, and
//! nothing is read but what [`wants`] names.

mod declared;
mod needs;
mod node;
mod others;
mod python;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use hostler_api::process::HealthArgs;
use hostler_model::groups::Condition;

use crate::draft::{Draft, DraftFile, literal};
use crate::{FILE_NAME, checks};

/// The files of a directory, by their paths in it; with their text where [`wants`] asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// Its name.
    pub name: String,
    /// The files.
    pub files: BTreeMap<String, Option<String>>,
    /// What `${NAME}` may mean in its `hostler.toml`.
    pub variables: BTreeMap<String, String>,
}

/// How sure a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// It may not be a service at all: declared, but not started with the others.
    Low,
    /// The usual way of what was found.
    Medium,
    /// The project says so itself.
    High,
}

/// A process that is proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposed {
    /// How it stands in the file.
    pub(crate) draft: Draft,
    /// What speaks for it.
    pub why: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// Ports that it will probably listen on.
    pub ports: Vec<u16>,
}

/// What is proposed for a directory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Proposal {
    /// The processes.
    pub processes: Vec<Proposed>,
    /// The `hostler.toml`; empty when there is nothing to declare.
    pub toml: String,
    /// What is not sure, and what was left out.
    pub notes: Vec<String>,
    /// What the file says of all processes.
    pub(crate) frame: DraftFile,
    /// Whether the directory has a `hostler.toml` that can be read: then that is what is proposed.
    pub is_declared: bool,
}

/// Most processes that are proposed.
const MOST: usize = 30;

/// Folders in which there is nothing of the project itself.
const FOREIGN: [&str; 16] = [
    "node_modules",
    "target",
    "vendor",
    "dist",
    "build",
    "venv",
    "env",
    "__pycache__",
    "tmp",
    "log",
    "logs",
    "coverage",
    "test",
    "tests",
    "fixtures",
    "examples",
];

/// Whether there may be something to see in a folder of this name.
#[must_use]
pub fn enters(folder: &str) -> bool {
    !folder.starts_with('.') && !FOREIGN.contains(&folder)
}

/// Whether the text of a file is needed.
#[must_use]
pub fn wants(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    declared::wants(name) || node::wants(name) || python::wants(name) || others::wants(name) || name == ".env"
}

/// Proposes a stack.
#[must_use]
pub fn analyze(directory: &Directory) -> Proposal {
    if let Some(Some(text)) = directory.files.get(FILE_NAME) {
        match declared::in_hostler_toml(directory, text) {
            Ok(proposal) => return proposal,
            Err(mistake) => {
                let note =
                    format!("{FILE_NAME} is there and cannot be read, so this is without it: {mistake}");
                let mut proposal = found(directory);
                proposal.notes.insert(0, note);
                return proposal;
            }
        }
    }
    found(directory)
}

fn found(directory: &Directory) -> Proposal {
    let mut proposal = Proposal::default();
    let has_declaration = declared::find(directory, &mut proposal);
    if !has_declaration {
        for detect in [node::find, python::find, others::find] {
            detect(directory, &mut proposal);
        }
    }
    declared::add_compose(directory, &mut proposal);
    needs::connect(directory, &mut proposal);
    remark(directory, &mut proposal);
    if proposal.processes.len() > MOST {
        let left: Vec<String> = proposal.processes.drain(MOST..).map(|p| p.draft.name).collect();
        proposal.notes.push(format!("more than {MOST} were found; left out: {}", left.join(", ")));
    }
    if !proposal.processes.is_empty() {
        proposal.write(&directory.name);
    }
    proposal
}

/// What is worth knowing of files that declare no process.
fn remark(directory: &Directory, proposal: &mut Proposal) {
    let has = |path: &str| directory.files.contains_key(path);
    if !has(".env") {
        let example = [".env.example", ".env.sample", ".env.template"].into_iter().find(|path| has(path));
        proposal
            .notes
            .extend(example.map(|path| format!("there is {path} and no .env: copy it and fill it in")));
    }
    if proposal.processes.is_empty() {
        let tasks = ["Makefile", "justfile", "Taskfile.yml"].into_iter().find(|path| has(path));
        let hint =
            tasks.map(|path| format!("; {path} may say how its parts are started")).unwrap_or_default();
        proposal.notes.push(format!("nothing was found that runs as a service{hint}"));
    }
}

impl Proposal {
    /// Writes the file, with names that are valid and nobody who waits for who is not there.
    fn write(&mut self, directory: &str) {
        let names: Vec<String> = self.processes.iter().map(|p| p.draft.name.clone()).collect();
        for proposed in &mut self.processes {
            proposed.draft.depends_on.retain(|on, _| names.contains(on));
            if proposed.confidence == Confidence::Low {
                proposed.draft.autostart = Some(false);
            }
            proposed.draft.comments.insert(0, proposed.why.clone());
        }
        let drafts = self.processes.iter().map(|p| p.draft.clone()).collect();
        let mut file = DraftFile { processes: drafts, ..self.frame.clone() };
        file.make_names_valid();
        file.part_name_from_groups(directory);
        file.make_conditions_valid();
        for (proposed, draft) in self.processes.iter_mut().zip(&file.processes) {
            proposed.draft = draft.clone();
        }
        self.toml = file.to_toml(&[
            "Proposed from the files of this directory; look at it before you trust it.".to_owned(),
        ]);
    }

    fn add(&mut self, mut proposed: Proposed) {
        // Two of one name are of two folders.
        if self.processes.iter().any(|p| p.draft.name == proposed.draft.name)
            && let Some(cwd) = &proposed.draft.cwd
        {
            proposed.draft.name = format!("{}-{}", cwd.replace('/', "-"), proposed.draft.name);
        }
        self.processes.push(proposed);
    }
}

impl Proposed {
    fn new(name: &str, command: impl Into<String>, confidence: Confidence, why: impl Into<String>) -> Self {
        let draft = Draft { name: name.to_owned(), command: command.into(), ..Draft::default() };
        Self { draft, why: why.into(), confidence, ports: Vec::new() }
    }

    /// In a folder, with the environment file that is there.
    fn within(mut self, directory: &Directory, folder: &str) -> Self {
        self.draft.cwd = (!folder.is_empty()).then(|| literal(folder));
        let env = join(folder, ".env");
        if directory.files.contains_key(&env) {
            self.draft.env_files = vec![literal(&env)];
        }
        self
    }

    /// A service: it is started again when it fails, and checked at its port.
    fn serving(mut self, port: Option<u16>, page: bool) -> Self {
        self.draft.restart = Some("on_failure");
        self.ports.extend(port);
        self.draft.health.extend(port.map(|port| match page {
            true => checks::http(&format!("http://localhost:{port}/")),
            false => checks::tcp(&format!("localhost:{port}")),
        }));
        self
    }

    /// Its output is parsed so.
    fn logging(mut self, parser: Option<&str>) -> Self {
        self.draft.parsers.extend(parser.map(str::to_owned));
        self
    }

    /// After another one.
    fn after(mut self, process: &str, condition: Condition) -> Self {
        self.draft.depends_on.insert(process.to_owned(), condition);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.draft.name
    }

    /// Program and arguments, as the file has them.
    #[must_use]
    pub fn command(&self) -> String {
        let words = std::iter::once(&self.draft.command).chain(&self.draft.args);
        words.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Its folder in the directory, when it is not the directory itself.
    #[must_use]
    pub fn cwd(&self) -> Option<&str> {
        self.draft.cwd.as_deref()
    }

    /// What it waits for.
    #[must_use]
    pub fn depends_on(&self) -> &BTreeMap<String, Condition> {
        &self.draft.depends_on
    }

    /// Its health checks.
    #[must_use]
    pub fn health(&self) -> &[HealthArgs] {
        &self.draft.health
    }

    /// The parsers of its output.
    #[must_use]
    pub fn parsers(&self) -> &[String] {
        &self.draft.parsers
    }
}

impl Directory {
    fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The folders that have a file of this name, nearest first, the directory itself being "".
    fn folders_with(&self, name: &str) -> Vec<&str> {
        let paths = self.files.keys().filter_map(|path| match path.strip_suffix(name) {
            Some("") => Some(""),
            Some(folder) => folder.strip_suffix('/'),
            None => None,
        });
        let mut folders: Vec<&str> = paths.collect();
        folders
            .sort_by_key(|folder| (folder.matches('/').count() + usize::from(!folder.is_empty()), *folder));
        folders
    }

    /// The port that the environment file of a folder sets.
    fn port(&self, folder: &str) -> Option<u16> {
        let variables = hostler_model::dotenv::parse(self.text(&join(folder, ".env"))?).ok()?;
        variables.iter().find(|(name, _)| name == "PORT")?.1.parse().ok()
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The last part of a folder, or the name for the directory itself.
fn name_of<'a>(folder: &'a str, otherwise: &'a str) -> &'a str {
    folder.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(otherwise)
}

/// A port in the words of a command: `--port 3000`, `-p 3000`, `--port=3000`, `:3000`.
fn port_in(command: &str) -> Option<u16> {
    let words: Vec<&str> = command.split_whitespace().collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let value = match *word {
            "--port" | "-p" | "-P" => words.get(at + 1).copied()?,
            word => word
                .strip_prefix("--port=")
                .or_else(|| word.strip_prefix("PORT="))
                .or_else(|| word.rsplit_once(':').map(|(_, port)| port))?,
        };
        value.parse().ok().filter(|port| *port > 0)
    })
}
