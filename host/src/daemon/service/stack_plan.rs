//! What has to change for all to be as a `hostler.toml` says. Nothing is changed here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_api::stack::{ApplyConfig, ApplyResult};
use hostler_api::{ErrorKind, ToolError};
use hostler_config::{Change, Current, FILE_NAME, PlannedChange, PlannedPart, Stack, Wanted};
use hostler_model::spec::Lifetime;
use hostler_model::text::clip;
use hostler_model::{Group, ProcessName};
use hostler_store::{Project, StackItems};

use super::stack_answer::{change_view, joined, part_view};
use super::stack_files::{StackFile, of_process};
use super::{Client, Service, project_root, store_error};
use crate::daemon::plugins::projects::Declared;

/// How many programs a plan tells of that cannot be started, and how much of each.
const PROBLEMS: usize = 5;
const PROBLEM_CHARS: usize = 300;

/// A file that was read, and what is to be done for it.
pub(super) struct Work {
    pub(super) file: StackFile,
    pub(super) project: Project,
    pub(super) stack: Stack,
    pub(super) wanted: BTreeMap<ProcessName, Wanted>,
    pub(super) plugins: Declared,
    pub(super) before: StackItems,
    pub(super) changes: Vec<PlannedChange>,
    pub(super) parts: Vec<PlannedPart>,
    pub(super) trusted: bool,
}

impl Service {
    /// The file that is meant: relative to the project of who asks.
    pub(super) fn config_file(&self, client: &Client, path: Option<&str>) -> PathBuf {
        let file = Path::new(&client.project.root).join(path.unwrap_or(FILE_NAME));
        // A file that is gone is on record by the path of its directory.
        let in_real_dir = || Some(std::fs::canonicalize(file.parent()?).ok()?.join(file.file_name()?));
        std::fs::canonicalize(&file).ok().or_else(in_real_dir).unwrap_or(file)
    }

    pub(super) async fn plan_stack(&self, client: &Client, request: &ApplyConfig) -> Result<Work, ToolError> {
        let file = StackFile::read(self.config_file(client, request.path.as_deref()))?;
        let project = self.ensure_project(&project_root(&file.dir)).await?;
        let stack = file.parse(request)?;
        let plugins = file.plugins(&stack)?;
        for (name, declared) in &stack.processes {
            // Its own plugins are not touched before the file is trusted.
            let checked = self.plugins.of(project.id).check_but(&declared.args, &plugins).await;
            checked.map_err(|e| file.of_process(&stack, name, e))?;
        }
        let wanted = file.wanted(&stack, &project, &client.search_path)?;
        for (name, Wanted { spec, .. }) in &wanted {
            let known = self.registry.find(project.id, name.as_str()).map(|entry| entry.id);
            self.check_lifetime(known, spec.lifetime, client)
                .map_err(|e| file.of_process(&stack, name, e))?;
        }
        self.check_rivals(&project, &file, &stack).await?;
        let path = file.path.to_string_lossy();
        let before = self.store.stack(project.id, &path).await.map_err(store_error)?;
        let changes = hostler_config::plan(&self.current(&project, &before, &stack, &wanted), &wanted);
        let number = |change: &Change| changes.iter().filter(|step| step.change == *change).count();
        self.room(&project, number(&Change::Create).saturating_sub(number(&Change::Remove)))?;
        let mut parts = self.changed_groups(&project, &before, &stack);
        parts.extend(self.plugins.declared(&project, &file.path).changes_to(&plugins));
        let trusted = file.is_trusted(&self.home);
        Ok(Work { file, project, stack, wanted, plugins, before, changes, parts, trusted })
    }

    /// Refuses names that came from another file: what one of them says would undo what the other does, and `down` of one
    /// would end what is the other's.
    async fn check_rivals(
        &self,
        project: &Project,
        file: &StackFile,
        stack: &Stack,
    ) -> Result<(), ToolError> {
        let files = self.store.stack_files().await.map_err(store_error)?;
        for (_, other) in files.iter().filter(|(of, f)| of.id == project.id && Path::new(f) != file.path) {
            let items = self.store.stack(project.id, other).await.map_err(store_error)?;
            let next = format!(
                "or take that one down first: `hostler down {other}`, apply_config with `path` and `down`"
            );
            if let Some(name) = stack.processes.keys().find(|name| items.processes.contains(*name)) {
                let message = format!(
                    "it came from {other} already, and one name cannot be of two files; give it another, {next}"
                );
                let error = ToolError::new(ErrorKind::Conflict, message);
                return Err(file.of_process(stack, name, error));
            }
            let groups = stack.groups.iter().chain(Some(&stack.whole)).map(Group::name);
            if let Some(name) = groups.into_iter().find(|name| items.groups.contains(*name)) {
                let message = format!(
                    "{}: the group `{name}` came from {other} already; set another `name` at the top of this file, or name \
                     the group otherwise, {next}",
                    file.path.display()
                );
                return Err(ToolError::new(ErrorKind::Conflict, message));
            }
        }
        Ok(())
    }

    fn current(
        &self,
        project: &Project,
        before: &StackItems,
        stack: &Stack,
        wanted: &BTreeMap<ProcessName, Wanted>,
    ) -> BTreeMap<ProcessName, Current> {
        let whole = self.groups.find(project.id, stack.whole.name().as_str()).map(|g| g.shown().group);
        let of_project = self.registry.all().into_iter().filter(|e| e.project.id == project.id);
        of_project
            .map(|e| {
                let from_file = before.processes.contains(&e.name);
                let member = match &whole {
                    Some(whole) if from_file => whole.member(e.name.as_str()).cloned(),
                    // What is not known is not said to change.
                    _ => wanted.get(&e.name).and_then(|wanted| wanted.member.clone()),
                };
                (e.name.clone(), Current { spec: e.handle.snapshot().spec, from_file, member })
            })
            .collect()
    }

    /// The groups of these names that there are.
    pub(super) fn groups_of(&self, project: &Project, items: &StackItems) -> Vec<Group> {
        let known = |name: &ProcessName| self.groups.find(project.id, name.as_str());
        items.groups.iter().filter_map(known).map(|entry| entry.shown().group).collect()
    }

    fn changed_groups(&self, project: &Project, before: &StackItems, stack: &Stack) -> Vec<PlannedPart> {
        let wanted = stack.groups.iter().chain(Some(&stack.whole));
        // One of that name which did not come from the file is declared anew as well.
        let mut items = before.clone();
        items.groups.extend(stack.groups.iter().map(|group| group.name().clone()));
        let now = self.groups_of(project, &items).into_iter().map(|group| (group.name().clone(), group));
        hostler_config::changed_groups(&now.collect(), wanted, stack.whole.name())
    }

    /// Looks for all programs that are to be started: what is missing or forbidden.
    pub(super) fn problems(&self, work: &Work) -> Vec<(ProcessName, ToolError)> {
        let starts = |step: &&PlannedChange| matches!(step.change, Change::Create | Change::Restart { .. });
        let steps = work.changes.iter().filter(starts);
        let problem = |step: &PlannedChange| {
            let wanted = work.wanted.get(&step.process)?;
            Some((step.process.clone(), self.resolve(&work.project, &wanted.spec).err()?))
        };
        steps.filter_map(problem).collect()
    }

    /// What a plan tells besides its lines.
    pub(super) fn foreseen(&self, client: &Client, work: &Work) -> Option<String> {
        let problems = self.problems(work);
        let more = problems.len().saturating_sub(PROBLEMS);
        let told = problems.into_iter().take(PROBLEMS);
        let told = told.map(|(name, error)| clip(of_process(&name, error).message, PROBLEM_CHARS));
        let mut told: Vec<String> = told.collect();
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        let told = match told.is_empty() {
            true => String::new(),
            false => format!("as it is this would be refused: {}", told.join("; ")),
        };
        let nothing = "nothing was changed: this is what would be".to_owned();
        joined([told, work.sessions(client), nothing])
    }
}

impl Work {
    /// Tells of processes that end with who applies the file.
    pub(super) fn sessions(&self, client: &Client) -> String {
        let lives = |(name, wanted): (&ProcessName, &Wanted)| {
            (wanted.spec.lifetime == Lifetime::Session).then(|| format!("`{name}`"))
        };
        let names: Vec<String> = self.wanted.iter().filter_map(lives).collect();
        if names.is_empty() {
            return String::new();
        }
        let (names, end) = (names.join(", "), client.words("this client disconnects", "this command ends"));
        clip(format!("`lifetime = \"session\"`: ends as soon as {end}: {names}"), PROBLEM_CHARS)
    }

    /// The answer, with this to say.
    pub(super) fn result(&self, note: Option<String>) -> ApplyResult {
        let view = |step: &PlannedChange| change_view(step, self.wanted.get(&step.process).map(|w| &w.spec));
        ApplyResult {
            file: self.file.path.display().to_string(),
            sha256: Some(self.file.digest()),
            project: self.project.name.clone(),
            group: self.stack.whole.name().to_string(),
            trusted: self.trusted,
            changes: self.changes.iter().map(view).collect(),
            parts: self.parts.iter().map(part_view).collect(),
            members: Vec::new(),
            done: false,
            note,
        }
    }
}
