//! One function per operation of the API. Nothing here knows of MCP or of sockets.

mod analyze;
mod attach;
mod checks;
mod declare;
mod error_views;
mod errors;
mod evidence;
mod group_declare;
mod group_views;
mod group_waits;
mod groups;
mod health;
mod input;
mod leases;
mod lifetimes;
mod listing;
mod logs;
mod logs_form;
mod logs_places;
mod logs_search;
mod logs_tail;
mod operate;
mod overview;
mod ports;
mod stack_answer;
mod stack_files;
mod stack_order;
mod stack_plan;
mod stacks;
mod stats;
mod surroundings;
mod views;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hostler_api::daemon::DaemonStatus;
use hostler_api::{ErrorKind, ToolError};
use hostler_model::nearest::nearest;
use hostler_model::text::{clip, readable};
use hostler_model::{ProcessId, ProcessName};
use hostler_store::{Project, Store, StoreError};
use hostler_supervisor::ShimPool;
use tokio_util::sync::CancellationToken;

pub(crate) use evidence::in_words;
pub(crate) use leases::{Leases, watch_leases};
pub(crate) use lifetimes::{Owner, Sessions};

use super::backlog::Backlog;
use super::config::ConfigFile;
use super::degraded::Degraded;
use super::errors::Errors;
use super::groups::Groups;
use super::health::Checkers;
use super::home::Home;
use super::ingest::Ingest;
use super::journals::Journals;
use super::monitor::Monitor;
use super::plugins::Plugins;
use super::quota::{Calls, Quota};
use super::recorder::Recorder;
use super::registry::{Entry, Registry};
use super::triggers::Triggers;

/// The parts of a running daemon.
pub(crate) struct Service {
    pub(crate) home: Home,
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
    pub(crate) groups: Groups,
    pub(crate) pool: ShimPool,
    pub(crate) ingest: Ingest,
    pub(crate) boot_id: Arc<str>,
    pub(crate) degraded: Degraded,
    pub(crate) journals: Journals,
    pub(crate) backlog: Backlog,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) plugins: Plugins,
    pub(crate) errors: Errors,
    pub(crate) checkers: Checkers,
    pub(crate) triggers: Triggers,
    pub(crate) config: ConfigFile,
    /// Starts of all clients together.
    pub(crate) starts: Quota,
    pub(crate) leases: Leases,
    pub(crate) sessions: Sessions,
    /// Declaring is done by one at a time, so that two starts of one name are one process.
    pub(crate) declaring: tokio::sync::Mutex<()>,
    /// A client asked the daemon to end.
    pub(crate) stop_requested: tokio::sync::Notify,
    /// Where it serves HTTP, once it does.
    pub(crate) http: std::sync::OnceLock<String>,
    pub(crate) started: Instant,
}

/// Who calls: where it stands, and what becomes of what it started.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Its project.
    pub(crate) project: Project,
    /// Its PATH.
    pub(crate) search_path: String,
    /// Its own process: what it starts for a session ends with that.
    pub(crate) owner: Option<Owner>,
    /// What sort of client it is: `mcp`, `cli`.
    pub(crate) sort: String,
    /// What it calls itself.
    pub(crate) name: Option<String>,
    /// What it has asked for so far; of all that are the same client.
    pub(crate) calls: Arc<Calls>,
}

/// Longest name of a client that is kept, characters.
const CLIENT_NAME: usize = 60;

impl Client {
    /// Whether it is hostler's own command line, by what it said of itself: on the socket, which only this user can
    /// reach. Whoever comes over HTTP or `hostler mcp` is not.
    pub(crate) fn is_command_line(&self) -> bool {
        self.sort == "cli"
    }

    /// Who it is, for the record.
    pub(crate) fn who(&self) -> String {
        match (self.sort.as_str(), &self.name) {
            ("cli", _) => "the command line".to_owned(),
            (_, Some(name)) => name.clone(),
            ("mcp", None) => "an MCP client".to_owned(),
            (_, None) => "a client".to_owned(),
        }
    }

    /// What to do next, in the words of who asks: tools for an agent, commands for a person at the command line.
    pub(crate) fn words<'a>(&self, tools: &'a str, commands: &'a str) -> &'a str {
        if self.sort == "cli" { commands } else { tools }
    }

    /// The same client under the name that it gave itself with a call.
    pub(crate) fn named(&self, name: &str) -> Self {
        let name = clip(readable(name.trim().as_bytes()), CLIENT_NAME);
        Self { name: (!name.is_empty()).then_some(name), ..self.clone() }
    }
}

/// The patience of one call.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    /// The call was cancelled, or its client is gone: answer with what there is.
    pub(crate) cut_short: CancellationToken,
}

impl Service {
    /// The client that stands in a directory.
    ///
    /// # Errors
    /// When its project cannot be recorded.
    pub(crate) async fn client(
        &self,
        cwd: &Path,
        search_path: Option<String>,
        owner: Option<Owner>,
        sort: String,
    ) -> Result<Client, ToolError> {
        let root = project_root(cwd);
        let project = self.ensure_project(&root).await?;
        let search_path = search_path.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
        Ok(Client { project, search_path, owner, sort, name: None, calls: Arc::default() })
    }

    async fn ensure_project(&self, root: &Path) -> Result<Project, ToolError> {
        let name = root.file_name().map_or_else(|| "root".to_owned(), |n| n.to_string_lossy().into_owned());
        let name = ProcessName::suggest(&name).map_or_else(|| "project".to_owned(), String::from);
        self.store.ensure_project(&root.to_string_lossy(), &name, super::now()).await.map_err(store_error)
    }

    /// The project that a call is about.
    async fn project(&self, client: &Client, named: Option<&str>) -> Result<Project, ToolError> {
        let Some(named) = named else { return Ok(client.project.clone()) };
        let projects = self.store.projects().await.map_err(store_error)?;
        if let Some(found) = projects.iter().find(|p| p.name == named || p.root == named) {
            return Ok(found.clone());
        }
        let path = Path::new(named);
        if path.is_absolute() && path.is_dir() {
            return self.ensure_project(&project_root(path)).await;
        }
        let names: Vec<&str> = projects.iter().map(|p| p.name.as_str()).collect();
        Err(ToolError::new(
            ErrorKind::NotFound,
            format!(
                "no project `{named}`; known: {}; an absolute directory is a project as well",
                list(&names)
            ),
        ))
    }

    /// The process that a call is about: by name in the project, by `project/name`, or by id.
    async fn entry(
        &self,
        client: &Client,
        project: Option<&str>,
        process: &str,
    ) -> Result<Arc<Entry>, ToolError> {
        let (project, name) = match process.split_once('/') {
            Some((project, name)) => (self.project(client, Some(project)).await?, name),
            None => (self.project(client, project).await?, process),
        };
        let by_id = || process.parse::<ProcessId>().ok().and_then(|id| self.registry.get(id));
        let found = self.registry.find(project.id, name).or_else(by_id);
        if let Some(entry) = &found {
            self.leases.renew(entry.id);
        }
        found.ok_or_else(|| self.not_found(client, &project, name))
    }

    /// The process of this name, as far as the daemon has it at hand; does not wait, and renews no lease.
    pub(crate) fn lookup(&self, client: &Client, process: &str) -> Option<Arc<Entry>> {
        let all = self.registry.all();
        let found = match process.split_once('/') {
            Some((project, name)) => {
                all.iter().find(|e| e.project.name == project && e.name.as_str() == name)
            }
            None => all.iter().find(|e| e.project.id == client.project.id && e.name.as_str() == process),
        };
        let by_id = || process.parse::<ProcessId>().ok().and_then(|id| self.registry.get(id));
        found.cloned().or_else(by_id)
    }

    /// The processes of the client's project, by name.
    pub(crate) fn entries(&self, client: &Client) -> Vec<Arc<Entry>> {
        let mut entries = self.registry.all();
        entries.retain(|e| e.project.id == client.project.id);
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// The names of the processes of the client's project, in their order.
    pub(crate) fn process_names(&self, client: &Client) -> Vec<String> {
        self.entries(client).iter().map(|e| e.name.to_string()).collect()
    }

    /// The names that may be meant by what somebody types: with a `/`, those of other projects too.
    pub(crate) fn process_names_for(&self, client: &Client, typed: &str) -> Vec<String> {
        if typed.contains('/') {
            return self.registry.all().iter().map(|e| e.full_name()).collect();
        }
        self.process_names(client)
    }

    fn not_found(&self, client: &Client, project: &Project, name: &str) -> ToolError {
        let all = self.registry.all();
        let names: Vec<&str> =
            all.iter().filter(|e| e.project.id == project.id).map(|e| e.name.as_str()).collect();
        let elsewhere = all.iter().find(|e| e.name.as_str() == name).map(|e| e.full_name());
        let next = match (nearest(name, names.iter().copied()), elsewhere) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(full)) => format!("there is `{full}` in another project"),
            (None, None) if names.is_empty() => {
                let make = client.words("start_process with a `command`", "`hostler start NAME -- COMMAND`");
                format!("the project has no processes yet; {make} makes one")
            }
            (None, None) => format!("there are: {}", list(&names)),
        };
        let shown: String = name.chars().take(100).collect();
        ToolError::new(
            ErrorKind::NotFound,
            format!("no process `{shown}` in project {}; {next}", project.name),
        )
    }

    /// What the actor of a process asks.
    pub(crate) fn recorder(&self, project: &Project, name: &ProcessName) -> Arc<Recorder> {
        Arc::new(Recorder {
            home: self.home.clone(),
            project: project.clone(),
            name: name.clone(),
            store: self.store.clone(),
            ingest: self.ingest.clone(),
            boot_id: self.boot_id.clone(),
            degraded: self.degraded.clone(),
            journals: self.journals.clone(),
            backlog: self.backlog.clone(),
            errors: self.errors.clone(),
            oom_kills: self.monitor.oom_kills.clone(),
        })
    }

    /// Counts a call of a client.
    ///
    /// # Errors
    /// When it was one too many: when to try again.
    pub(crate) fn count_call(&self, client: &Client, tool: &str, reads: bool) -> Result<(), ToolError> {
        client.calls.count(tool, reads, &self.config.current().limits, super::now())
    }

    /// The daemon about itself.
    pub(crate) fn daemon_status(&self) -> DaemonStatus {
        let all = self.registry.all();
        DaemonStatus {
            pid: std::process::id() as i32,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            socket: self.home.socket().display().to_string(),
            home: self.home.root().display().to_string(),
            http: self.http.get().cloned(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            processes: all.len(),
            running: all.iter().filter(|e| e.handle.snapshot().lifecycle.state.pid().is_some()).count(),
            degraded: self.degraded.list(),
        }
    }
}

/// The nearest directory with a `hostler.toml`, else the root of the git work tree, else the directory itself.
pub(crate) fn project_root(cwd: &Path) -> PathBuf {
    let cwd = std::fs::canonicalize(cwd).unwrap_or_else(|_| cwd.to_owned());
    let nearest_with = |name: &str| cwd.ancestors().find(|dir| dir.join(name).exists()).map(Path::to_owned);
    nearest_with("hostler.toml").or_else(|| nearest_with(".git")).unwrap_or(cwd)
}

fn store_error(error: StoreError) -> ToolError {
    ToolError::internal(format!(
        "the database: {error}; `hostler daemon status` and `hostler doctor` have more"
    ))
}

fn gone(_: hostler_supervisor::handle::Gone) -> ToolError {
    ToolError::internal(
        "the daemon is shutting down or the process was removed; list_processes shows what is there",
    )
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names if names.len() > 20 => format!("{}, … ({} in all)", names[..20].join(", "), names.len()),
        names => names.join(", "),
    }
}
