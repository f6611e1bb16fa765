//! `apply_config`: what a `hostler.toml` declares is brought about, and nothing else is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostler_api::stack::{Action, ApplyConfig, ApplyResult, ChangeView};
use hostler_api::{ErrorKind, ToolError};
use hostler_config::{Change, Current, FILE_NAME, PlannedChange, Stack};
use hostler_model::{Group, ProcessName, ProcessSpec};
use hostler_store::{Project, StackItems, StoreError};

use super::waiting::{DEFAULT, LONGEST};
use super::{Client, Patience, Service, gone, project_root, stack_files, store_error};
use crate::daemon::plugins::projects::Declared;
use crate::daemon::trust;

/// After the grace of a stop, the kernel needs a moment to carry out SIGKILL.
const AFTER_GRACE: Duration = Duration::from_secs(5);
/// A file that was read, and what is to be done for it.
struct Work {
    file: PathBuf,
    project: Project,
    stack: Stack,
    wanted: BTreeMap<ProcessName, ProcessSpec>,
    plugins: Declared,
    before: StackItems,
    changes: Vec<PlannedChange>,
    trusted: bool,
}

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
        let file = self.config_file(client, request.path.as_deref());
        if request.down {
            return self.take_down(&file, request.dry_run).await;
        }
        let work = self.plan_stack(client, file, &request).await?;
        if request.dry_run {
            return Ok(work.result("nothing was changed: this is what would be"));
        }
        self.carry_out(&work).await?;
        let whole = self.groups.find(work.project.id, work.stack.whole.name().as_str());
        let Some(whole) = whole else { return Ok(work.result("the file declares no processes")) };
        let timeout = request.timeout_ms.map_or(DEFAULT, Duration::from_millis).min(LONGEST);
        let started = self.start_members(client, &whole, None, timeout, patience).await?;
        let (members, done) = (started.members, started.done);
        Ok(ApplyResult { members, done, note: started.note, ..work.result("") })
    }

    /// The file that is meant: relative to the project of who asks.
    fn config_file(&self, client: &Client, path: Option<&str>) -> PathBuf {
        let file = Path::new(&client.project.root).join(path.unwrap_or(FILE_NAME));
        std::fs::canonicalize(&file).unwrap_or(file)
    }

    async fn plan_stack(
        &self,
        client: &Client,
        file: PathBuf,
        request: &ApplyConfig,
    ) -> Result<Work, ToolError> {
        let (text, dir) = stack_files::text(&file)?;
        let project = self.ensure_project(&project_root(&dir)).await?;
        let stack = stack_files::parse(&file, &dir, &text, request)?;
        let plugins = stack_files::plugins(&file, &dir, &stack)?;
        for (name, declared) in &stack.processes {
            // Its own plugins are not touched before the file is trusted.
            let checked = self.plugins.of(project.id).check_but(&declared.args, &plugins).await;
            checked.map_err(|e| stack_files::of_process(name, e))?;
        }
        let wanted = stack_files::wanted(&stack, &project, &client.search_path)?;
        for (name, spec) in &wanted {
            let known = self.registry.find(project.id, name.as_str()).map(|entry| entry.id);
            self.check_lifetime(known, spec.lifetime, client)
                .map_err(|e| stack_files::of_process(name, e))?;
        }
        let before = self.store.stack(project.id, &file.to_string_lossy()).await.map_err(store_error)?;
        let changes = hostler_config::plan(&self.current(&project, &before), &wanted);
        let number = |change: &Change| changes.iter().filter(|step| step.change == *change).count();
        self.room(&project, number(&Change::Create).saturating_sub(number(&Change::Remove)))?;
        let trusted = trust::is_trusted(&self.home, &file, text.as_bytes());
        Ok(Work { file, project, stack, wanted, plugins, before, changes, trusted })
    }

    fn current(&self, project: &Project, before: &StackItems) -> BTreeMap<ProcessName, Current> {
        let of_project = self.registry.all().into_iter().filter(|e| e.project.id == project.id);
        of_project
            .map(|e| {
                let from_file = before.processes.contains(&e.name);
                (e.name.clone(), Current { spec: e.handle.snapshot().spec, from_file })
            })
            .collect()
    }

    async fn carry_out(&self, work: &Work) -> Result<(), ToolError> {
        if !work.trusted {
            let file = work.file.display();
            let message = format!(
                "{file} is not trusted: it is new, or has changed. Its user looks at it and runs `hostler trust {file}`; \
                 `dry_run` shows what it would do"
            );
            return Err(ToolError::new(ErrorKind::Forbidden, message));
        }
        // Looked at before anything is touched: what cannot work must not stop what does.
        for step in &work.changes {
            if let (Change::Create | Change::Restart { .. }, Some(spec)) =
                (&step.change, work.wanted.get(&step.process))
            {
                self.resolve(&work.project, spec).map_err(|e| stack_files::of_process(&step.process, e))?;
            }
        }
        self.declare_plugins(work).await?;
        self.record_stack(work, &work.before).await?;
        let ended = |c: &Change| matches!(c, Change::Restart { .. } | Change::Remove);
        let ended = work.changes.iter().filter(|s| ended(&s.change)).map(|s| &s.process);
        self.end_all(&work.project, ended).await?;
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
        let before = plugins.declare(&work.project, &work.file, work.plugins.clone());
        for (name, declared) in &work.stack.processes {
            if let Err(e) = plugins.check(&declared.args).await {
                plugins.declare(&work.project, &work.file, before);
                return Err(stack_files::of_process(name, e));
            }
        }
        Ok(())
    }

    /// Lets a new daemon know which plugins the files of projects declare. One that changed since it was trusted
    /// declares none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn resume_plugins(&self) -> Result<(), StoreError> {
        for (project, file) in self.store.stack_files().await? {
            match self.trusted_plugins(Path::new(&file)) {
                Ok(declared) => drop(self.plugins.declare(&project, Path::new(&file), declared)),
                Err(ToolError { message, .. }) => {
                    tracing::warn!(file, message, "the plugins of a project are not loaded");
                }
            }
        }
        Ok(())
    }

    fn trusted_plugins(&self, file: &Path) -> Result<Declared, ToolError> {
        let (text, dir) = stack_files::text(file)?;
        let stack = stack_files::parse(file, &dir, &text, &ApplyConfig::default())?;
        let declared = stack_files::plugins(file, &dir, &stack)?;
        if declared == Declared::default() || trust::is_trusted(&self.home, file, text.as_bytes()) {
            return Ok(declared);
        }
        Err(ToolError::new(ErrorKind::Forbidden, "the file has changed since it was trusted"))
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
        let file = work.file.to_string_lossy();
        self.store.put_stack(work.project.id, &file, &items, crate::daemon::now()).await.map_err(store_error)
    }

    /// Ends processes, all at once, and waits until they have.
    async fn end_all<'a>(
        &self,
        project: &Project,
        names: impl Iterator<Item = &'a ProcessName>,
    ) -> Result<(), ToolError> {
        let mut ending = Vec::new();
        for entry in names.filter_map(|name| self.registry.find(project.id, name.as_str())) {
            let stop = entry.handle.snapshot().spec.stop;
            entry.handle.stop(stop).await.map_err(gone)?;
            ending.push((entry, Duration::from_millis(stop.grace_ms) + AFTER_GRACE));
        }
        for (entry, patience) in ending {
            let rests = |s: &hostler_supervisor::Snapshot| s.lifecycle.state.is_at_rest();
            if entry.handle.wait(patience.min(LONGEST), rests).await.map_err(gone)?.is_none() {
                let message = format!(
                    "`{}` has not ended yet; call again, or kill_process ends it at once",
                    entry.name
                );
                return Err(ToolError::new(ErrorKind::Conflict, message));
            }
        }
        Ok(())
    }

    async fn change(&self, work: &Work, step: &PlannedChange) -> Result<(), ToolError> {
        let known = self.registry.find(work.project.id, step.process.as_str());
        match (&step.change, known, work.wanted.get(&step.process)) {
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
            (Change::Remove, Some(entry), _) => self.remove(&entry).await,
            _ => Ok(()),
        }
    }

    /// Stops and forgets all that came from a file, which may be gone itself.
    async fn take_down(&self, file: &Path, dry_run: bool) -> Result<ApplyResult, ToolError> {
        let dir = file.parent().unwrap_or(Path::new("/"));
        let project = self.ensure_project(&project_root(dir)).await?;
        let path = file.to_string_lossy();
        let items = self.store.stack(project.id, &path).await.map_err(store_error)?;
        let removed = |process: &ProcessName| ChangeView {
            process: process.to_string(),
            action: Action::Remove,
            fields: Vec::new(),
            command: None,
        };
        let changes: Vec<ChangeView> = items.processes.iter().map(removed).collect();
        let nothing = changes.is_empty().then(|| "nothing of this file is there".to_owned());
        if !dry_run {
            self.end_stack(&project, &items).await?;
            for name in &items.processes {
                if let Some(entry) = self.registry.find(project.id, name.as_str()) {
                    self.remove(&entry).await?;
                }
            }
            let _declaring = self.groups.declaring.lock().await;
            self.forget_groups(&project, items.groups.iter()).await?;
            self.plugins.declare(&project, file, Declared::default());
            let none = StackItems::default();
            self.store
                .put_stack(project.id, &path, &none, crate::daemon::now())
                .await
                .map_err(store_error)?;
        }
        let group = items.groups.iter().next().map(ToString::to_string).unwrap_or_default();
        let (file, project) = (path.into_owned(), project.name);
        let (trusted, members, done) = (true, Vec::new(), !dry_run);
        Ok(ApplyResult { file, project, group, trusted, changes, members, done, note: nothing })
    }

    /// Ends what came from a file in the order of its groups, and then what is in none.
    async fn end_stack(&self, project: &Project, items: &StackItems) -> Result<(), ToolError> {
        for name in &items.groups {
            if let Some(group) = self.groups.find(project.id, name.as_str()) {
                self.end_members(&group).await;
            }
        }
        self.end_all(project, items.processes.iter()).await
    }
}

impl Work {
    fn result(&self, note: &str) -> ApplyResult {
        ApplyResult {
            file: self.file.display().to_string(),
            project: self.project.name.clone(),
            group: self.stack.whole.name().to_string(),
            trusted: self.trusted,
            changes: self.changes.iter().map(|step| self.change_view(step)).collect(),
            members: Vec::new(),
            done: false,
            note: (!note.is_empty()).then(|| note.to_owned()),
        }
    }

    fn change_view(&self, step: &PlannedChange) -> ChangeView {
        let (action, fields) = match &step.change {
            Change::Create => (Action::Create, Vec::new()),
            Change::Restart { fields } => (Action::Restart, fields.clone()),
            Change::Update { fields } => (Action::Update, fields.clone()),
            Change::Remove => (Action::Remove, Vec::new()),
            Change::Unchanged => (Action::Unchanged, Vec::new()),
        };
        let runs_something = matches!(action, Action::Create | Action::Restart);
        let command = self.wanted.get(&step.process).filter(|_| runs_something).map(|spec| {
            let words: Vec<&str> =
                std::iter::once(&spec.command).chain(&spec.args).map(String::as_str).collect();
            hostler_model::text::clip(words.join(" "), 200)
        });
        ChangeView { process: step.process.to_string(), action, fields, command }
    }
}
