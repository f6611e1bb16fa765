//! `apply_config`: what a `hostler.toml` declares is brought about, and nothing else is touched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostler_api::stack::{Action, ApplyConfig, ApplyResult, ChangeView};
use hostler_api::{ErrorKind, ToolError};
use hostler_config::{Change, FILE_NAME, PlannedChange};
use hostler_model::{Group, ProcessName, ProcessSpec};
use hostler_store::{Project, StackItems, StoreError};
use tokio::time::Instant;

use super::stack_answer::{joined, shortened};
use super::stack_files::StackFile;
use super::stack_order::waves;
use super::stack_plan::Work;
use super::waiting::{DEFAULT, LONGEST};
use super::{Client, Patience, Service, gone, project_root, store_error};
use crate::daemon::plugins::projects::Declared;

/// After the grace of a stop, the kernel needs a moment to carry out SIGKILL.
const AFTER_GRACE: Duration = Duration::from_secs(5);
/// What is degraded when plugins of projects are missing.
const PLUGINS: &str = "plugins of projects";

impl Service {
    /// `apply_config`.
    ///
    /// # Errors
    /// When the file cannot be read or is not trusted, and when one of its programs is missing or forbidden: then
    /// nothing is changed.
    pub(crate) async fn apply_config(
        &self,
        client: &Client,
        request: ApplyConfig,
        patience: &Patience,
    ) -> Result<ApplyResult, ToolError> {
        let result = match request.down {
            true => self.take_down(client, request.path.as_deref(), request.dry_run).await?,
            false => self.bring_up(client, &request, patience).await?,
        };
        Ok(shortened(&request, result))
    }

    async fn bring_up(
        &self,
        client: &Client,
        request: &ApplyConfig,
        patience: &Patience,
    ) -> Result<ApplyResult, ToolError> {
        let work = self.plan_stack(client, request).await?;
        if request.dry_run {
            return Ok(work.result(self.foreseen(client, &work)));
        }
        self.carry_out(client, &work).await?;
        let whole = self.groups.find(work.project.id, work.stack.whole.name().as_str());
        let Some(whole) = whole else {
            return Ok(work.result(Some("the file declares no processes".to_owned())));
        };
        let timeout = request.timeout_ms.map_or(DEFAULT, Duration::from_millis).min(LONGEST);
        let again = client.words("call apply_config again", "`hostler up` again");
        let started = self.start_members(client, &whole, None, timeout, patience, again).await?;
        let (members, done) = (started.members, started.done);
        let note = joined([started.note.unwrap_or_default(), work.sessions(client)]);
        Ok(ApplyResult { members, done, ..work.result(note) })
    }

    async fn carry_out(&self, client: &Client, work: &Work) -> Result<(), ToolError> {
        if !work.trusted {
            let file = work.file.path.display();
            let look = client.words("`dry_run` shows", "`hostler up --dry-run` shows");
            let message = format!(
                "{file} is not trusted: it is new, or has changed. Its user looks at it and runs `hostler trust {file}`; \
                 {look} what it would do"
            );
            return Err(ToolError::new(ErrorKind::Forbidden, message));
        }
        // Looked at before anything is touched: what cannot work must not stop what does.
        if let Some((name, error)) = self.problems(work).into_iter().next() {
            return Err(work.file.of_process(&work.stack, &name, error));
        }
        self.declare_plugins(work).await?;
        self.record_stack(work, &work.before).await?;
        let ended = |c: &Change| matches!(c, Change::Restart { .. } | Change::Remove);
        let ended = work.changes.iter().filter(|s| ended(&s.change)).map(|s| s.process.clone());
        let mut groups = self.groups_of(&work.project, &work.before);
        if groups.is_empty() {
            groups.push(work.stack.whole.clone());
        }
        self.end_all(client, &work.project, &groups, ended.collect()).await?;
        for step in &work.changes {
            self.change(work, step).await?;
        }
        let _declaring = self.groups.declaring.lock().await;
        let groups = work.stack.groups.iter().chain(Some(&work.stack.whole));
        for group in groups.clone().filter(|g| !g.members().is_empty()) {
            self.put_changed_group(&work.project, group).await?;
        }
        let kept: BTreeSet<&ProcessName> = groups.map(Group::name).collect();
        self.forget_groups(&work.project, work.before.groups.iter().filter(|g| !kept.contains(g))).await?;
        self.record_stack(work, &StackItems::default()).await
    }

    /// Makes known which plugins the file declares. Those that its processes name must work, or all is as before.
    async fn declare_plugins(&self, work: &Work) -> Result<(), ToolError> {
        let plugins = self.plugins.of(work.project.id);
        let before = plugins.declare(&work.project, &work.file.path, work.plugins.clone());
        for (name, declared) in &work.stack.processes {
            if let Err(e) = plugins.check(&declared.args).await {
                plugins.declare(&work.project, &work.file.path, before);
                return Err(work.file.of_process(&work.stack, name, e));
            }
        }
        self.note_plugins();
        Ok(())
    }

    /// Lets a new daemon know which plugins the files of projects declare. One that changed since it was trusted
    /// declares none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn resume_plugins(&self) -> Result<(), StoreError> {
        for (project, file) in self.store.stack_files().await? {
            let path = Path::new(&file);
            match self.trusted_plugins(path) {
                Ok(declared) => drop(self.plugins.declare(&project, path, declared)),
                Err(ToolError { kind, message }) => {
                    tracing::warn!(file, message, "the plugins of a project are not loaded");
                    // A file that was deleted may have declared none.
                    if kind != ErrorKind::NotFound {
                        self.plugins.not_declared(&project, path, message);
                    }
                }
            }
        }
        self.note_plugins();
        Ok(())
    }

    fn note_plugins(&self) {
        let failures = self.plugins.failures();
        let outcome = if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) };
        self.degraded.note(PLUGINS, &outcome);
    }

    fn trusted_plugins(&self, file: &Path) -> Result<Declared, ToolError> {
        let file = StackFile::read(file.to_owned())?;
        let declared = file.plugins_alone()?;
        if declared == Declared::default() || file.is_trusted(&self.home) {
            return Ok(declared);
        }
        let shown = file.path.display();
        let message = format!(
            "{shown} has changed since it was trusted, so its plugins are not loaded; look at it, and run `hostler up {shown}`"
        );
        Err(ToolError::new(ErrorKind::Forbidden, message))
    }

    async fn put_changed_group(&self, project: &Project, group: &Group) -> Result<(), ToolError> {
        let known = self.groups.find(project.id, group.name().as_str());
        if known.is_some_and(|known| known.shown().group == *group) {
            return Ok(());
        }
        self.groups.put(project, group.clone()).await.map(drop).map_err(store_error)
    }

    async fn forget_groups(
        &self,
        project: &Project,
        names: impl Iterator<Item = &ProcessName>,
    ) -> Result<(), ToolError> {
        for name in names {
            if let Some(entry) = self.groups.find(project.id, name.as_str()) {
                self.groups.remove(entry.id).await.map_err(store_error)?;
            }
        }
        Ok(())
    }

    /// What comes from the file now, and `more`.
    async fn record_stack(&self, work: &Work, more: &StackItems) -> Result<(), ToolError> {
        let mut items = more.clone();
        items.processes.extend(work.stack.processes.keys().cloned());
        let groups = work.stack.groups.iter().chain(Some(&work.stack.whole));
        items.groups.extend(groups.map(|g| g.name().clone()));
        let file = work.file.path.to_string_lossy();
        self.store.put_stack(work.project.id, &file, &items, crate::daemon::now()).await.map_err(store_error)
    }

    /// Ends processes, each once those that depend on it have ended, and waits until all have.
    async fn end_all(
        &self,
        client: &Client,
        project: &Project,
        groups: &[Group],
        names: BTreeSet<ProcessName>,
    ) -> Result<(), ToolError> {
        let deadline = Instant::now() + LONGEST;
        for wave in waves(groups, names) {
            let mut ending = Vec::new();
            for entry in wave.iter().filter_map(|name| self.registry.find(project.id, name.as_str())) {
                let stop = entry.handle.snapshot().spec.stop;
                entry.handle.stop(stop).await.map_err(gone)?;
                ending.push((entry, Duration::from_millis(stop.grace_ms) + AFTER_GRACE));
            }
            for (entry, patience) in ending {
                let rests = |s: &hostler_supervisor::Snapshot| s.lifecycle.state.is_at_rest();
                let patience = patience.min(deadline.saturating_duration_since(Instant::now()));
                if entry.handle.wait(patience, rests).await.map_err(gone)?.is_none() {
                    let name = &entry.name;
                    let next = client.words(
                        "call again, or kill_process ends it at once",
                        "try again, or end it at once with `hostler kill`",
                    );
                    let message = format!("`{name}` has not ended yet; {next}");
                    return Err(ToolError::new(ErrorKind::Conflict, message));
                }
            }
        }
        Ok(())
    }

    async fn change(&self, work: &Work, step: &PlannedChange) -> Result<(), ToolError> {
        let known = self.registry.find(work.project.id, step.process.as_str());
        let wanted = work.wanted.get(&step.process).map(|wanted| &wanted.spec);
        match (&step.change, known, wanted) {
            (Change::Create, None, Some(spec)) => {
                let _declaring = self.declaring.lock().await;
                self.insert(&work.project, step.process.clone(), spec.clone()).await.map(drop)
            }
            (Change::Restart { .. } | Change::Update { .. }, Some(entry), Some(spec)) => {
                let _declaring = self.declaring.lock().await;
                self.store.update_spec(entry.id, spec, crate::daemon::now()).await.map_err(store_error)?;
                entry.handle.declare(spec.clone()).await.map_err(gone)?;
                self.follow_health(&entry);
                self.follow_triggers(&entry);
                Ok(())
            }
            (Change::Unchanged, Some(entry), Some(spec)) => {
                let now = entry.handle.snapshot().spec;
                // What its environment files say is remembered from the first look on.
                if now.env_digest == spec.env_digest || spec.env_digest.is_none() {
                    return Ok(());
                }
                let _declaring = self.declaring.lock().await;
                let spec = ProcessSpec { env_digest: spec.env_digest.clone(), ..now };
                self.store.update_spec(entry.id, &spec, crate::daemon::now()).await.map_err(store_error)?;
                entry.handle.declare(spec).await.map(drop).map_err(gone)
            }
            (Change::Remove, Some(entry), _) => self.remove(&entry).await,
            _ => Ok(()),
        }
    }

    /// Stops and forgets all that came from a file, which may be gone itself.
    async fn take_down(
        &self,
        client: &Client,
        path: Option<&str>,
        dry_run: bool,
    ) -> Result<ApplyResult, ToolError> {
        let (file, project, note) = self.file_on_record(client, path).await?;
        let path = file.to_string_lossy();
        let items = self.store.stack(project.id, &path).await.map_err(store_error)?;
        let removed = |process: &ProcessName| ChangeView {
            process: process.to_string(),
            action: Action::Remove,
            fields: Vec::new(),
            command: None,
            note: None,
        };
        let changes: Vec<ChangeView> = items.processes.iter().map(removed).collect();
        if !dry_run {
            self.end_stack(client, &project, &items).await?;
            for name in &items.processes {
                if let Some(entry) = self.registry.find(project.id, name.as_str()) {
                    self.remove(&entry).await?;
                }
            }
            let _declaring = self.groups.declaring.lock().await;
            self.forget_groups(&project, items.groups.iter()).await?;
            self.plugins.declare(&project, &file, Declared::default());
            self.note_plugins();
            let none = StackItems::default();
            self.store
                .put_stack(project.id, &path, &none, crate::daemon::now())
                .await
                .map_err(store_error)?;
        }
        let group = items.groups.iter().next().map(ToString::to_string).unwrap_or_default();
        let (file, project) = (path.into_owned(), project.name);
        let (trusted, members, done) = (true, Vec::new(), !dry_run);
        let (sha256, parts) = (None, Vec::new());
        Ok(ApplyResult { file, sha256, project, group, trusted, changes, parts, members, done, note })
    }

    /// The file that is to be taken down, with the project of what came from it. One that was deleted is known by what
    /// came from it, and need not be named where it is the only one.
    async fn file_on_record(
        &self,
        client: &Client,
        path: Option<&str>,
    ) -> Result<(PathBuf, Project, Option<String>), ToolError> {
        let asked = self.config_file(client, path);
        let files = self.store.stack_files().await.map_err(store_error)?;
        if let Some((project, _)) = files.iter().find(|(_, file)| Path::new(file) == asked) {
            return Ok((asked, project.clone(), None));
        }
        let root = Path::new(&client.project.root);
        let is_near = |(of, file): &&(Project, String)| {
            of.id == client.project.id || Path::new(file).parent().is_some_and(|dir| root.starts_with(dir))
        };
        let near: Vec<&(Project, String)> = files.iter().filter(is_near).collect();
        let call = |(_, file): &&(Project, String)| {
            let tool = format!("apply_config {{\"path\": \"{file}\", \"down\": true}}");
            client.words(&tool, &format!("`hostler down {file}`")).to_owned()
        };
        let calls = near.iter().map(call).collect::<Vec<_>>().join(", ");
        let shown = asked.display();
        match near.as_slice() {
            // Nobody said which one, and there is no other.
            [(project, file)] if path.is_none() && !asked.exists() => {
                let note = format!("there is no {FILE_NAME} here; this came from {file}");
                Ok((PathBuf::from(file), project.clone(), Some(note)))
            }
            [] if !asked.exists() => {
                let message = format!("there is no {shown}, and nothing is known that came from it");
                Err(ToolError::new(ErrorKind::NotFound, message))
            }
            [] => self.nothing_of(asked, "nothing of this file is there".to_owned()).await,
            _ if asked.exists() => {
                self.nothing_of(asked, format!("nothing of this file is there; of others: {calls}")).await
            }
            _ => {
                let message =
                    format!("there is no {shown}; what came from other files is taken down by {calls}");
                Err(ToolError::new(ErrorKind::NotFound, message))
            }
        }
    }

    async fn nothing_of(
        &self,
        file: PathBuf,
        note: String,
    ) -> Result<(PathBuf, Project, Option<String>), ToolError> {
        let project = self.ensure_project(&project_root(file.parent().unwrap_or(Path::new("/")))).await?;
        Ok((file, project, Some(note)))
    }

    /// Ends what came from a file in the order of its groups, and then what is in none. The largest group comes first: it
    /// is that of the whole stack, and knows of all who depends on whom.
    async fn end_stack(
        &self,
        client: &Client,
        project: &Project,
        items: &StackItems,
    ) -> Result<(), ToolError> {
        let known = |name: &ProcessName| self.groups.find(project.id, name.as_str());
        let mut groups: Vec<_> = items.groups.iter().filter_map(known).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.shown().group.members().len()));
        for group in &groups {
            self.end_members(group).await;
        }
        let groups: Vec<Group> = groups.iter().map(|group| group.shown().group).collect();
        self.end_all(client, project, &groups, items.processes.clone()).await
    }
}
