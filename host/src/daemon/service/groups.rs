//! Groups: start, stop, show.

use std::sync::Arc;
use std::time::Duration;

use hostler_api::groups::{GroupList, GroupView, MembersResult, StartGroup, StopGroup};
use hostler_api::process::WaitFor;
use hostler_api::{ErrorKind, ToolError};
use hostler_model::groups::{StopStrategy, summary};
use hostler_model::nearest::nearest;
use hostler_store::Project;

use super::group_views::{member_view, view};
use super::group_waits::{all_rest, reached, wait};
use super::stack_files::of_process;
use super::waiting::{DEFAULT, LONGEST};
use super::{Client, Patience, Service, in_words, list, store_error};
use crate::daemon::groups::{Gone, GroupEntry, Shown};
use crate::daemon::registry::Entry;

/// After the last grace, the kernel needs a moment to carry out SIGKILL.
const AFTER_GRACE: Duration = Duration::from_secs(5);

impl Service {
    /// The group that a call is about: by name in the project, or by `project/name`.
    pub(super) async fn group(
        &self,
        client: &Client,
        project: Option<&str>,
        group: &str,
    ) -> Result<Arc<GroupEntry>, ToolError> {
        let (project, name) = match group.split_once('/') {
            Some((project, name)) => (self.project(client, Some(project)).await?, name),
            None => (self.project(client, project).await?, group),
        };
        self.groups.find(project.id, name).ok_or_else(|| self.no_group(client, &project, name))
    }

    fn no_group(&self, client: &Client, project: &Project, group: &str) -> ToolError {
        let all = self.groups.all();
        let of_project = all.iter().filter(|g| g.project.id == project.id);
        let names: Vec<String> = of_project.map(|g| g.shown().group.name().to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let next = match nearest(group, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => {
                let make = client.words("create_group", "`hostler group create`");
                format!("the project has none yet; {make} makes one")
            }
            None => format!("there are: {}", list(&names)),
        };
        let shown: String = group.chars().take(100).collect();
        ToolError::new(ErrorKind::NotFound, format!("no group `{shown}` in project {}; {next}", project.name))
    }

    /// `start_group`.
    ///
    /// # Errors
    /// When there is no such group. Members that do not start are an answer.
    pub(crate) async fn start_group(
        &self,
        client: &Client,
        request: StartGroup,
        patience: &Patience,
    ) -> Result<MembersResult, ToolError> {
        let entry = self.group(client, request.project.as_deref(), &request.group).await?;
        let timeout = request.timeout_ms.map_or(DEFAULT, Duration::from_millis).min(LONGEST);
        let again = client.words("call start_group again", "`hostler group start` again");
        self.start_members(client, &entry, request.wait_for, timeout, patience, again).await
    }

    /// Starts a group, and waits for it; `again` says how to wait on.
    pub(super) async fn start_members(
        &self,
        client: &Client,
        entry: &GroupEntry,
        goal: Option<WaitFor>,
        timeout: Duration,
        patience: &Patience,
        again: &str,
    ) -> Result<MembersResult, ToolError> {
        let members = self.members_of(entry);
        let lifetime = |process: &Entry| process.handle.snapshot().spec.lifetime;
        for process in &members {
            self.check_lifetime(Some(process.id), lifetime(process), client)
                .map_err(|e| of_process(&process.name, e))?;
        }
        for process in &members {
            self.set_owner(process.id, lifetime(process), client).await;
            self.leases.grant(process.id, lifetime(process));
        }
        entry.start(matches!(goal, Some(WaitFor::Ready | WaitFor::Healthy))).await.map_err(gone)?;
        let reached = |shown: &Shown, now| reached(shown, goal, now);
        let done = wait(entry, timeout, patience, reached).await;
        let mut result = self.members_result(entry, done == Some(true));
        if done != Some(true) {
            self.tell_last_lines(entry, &mut result).await;
        }
        result.note = match done {
            Some(true) => None,
            Some(false) => {
                let next = client.words(
                    "restart_process it with what it lacks, or look with get_logs",
                    "`hostler restart` it with what it lacks, or look with `hostler logs`",
                );
                Some(format!(
                    "not all members are up; what waits for one of them starts by itself when that does: {next}"
                ))
            }
            None => Some(format!("the start goes on; {again} to wait on")),
        };
        Ok(result)
    }

    /// `stop_group`.
    ///
    /// # Errors
    /// When there is no such group, or it cannot be forgotten.
    pub(crate) async fn stop_group(
        &self,
        client: &Client,
        request: StopGroup,
        patience: &Patience,
    ) -> Result<MembersResult, ToolError> {
        let entry = self.group(client, request.project.as_deref(), &request.group).await?;
        let strategy = request.strategy.unwrap_or(entry.shown().group.declared().stop_strategy);
        let timeout = self.longest_stop(&entry, strategy, request.grace_ms);
        entry.stop(request.strategy, request.grace_ms).await.map_err(gone)?;
        let done = wait(&entry, timeout, patience, all_rest).await == Some(true);
        let mut result = self.members_result(&entry, done);
        if !done {
            let again = client.words("call stop_group again", "`hostler group stop` again");
            result.note = Some(format!("the stop goes on; {again} to wait on"));
        } else if request.remove {
            let _declaring = self.groups.declaring.lock().await;
            self.groups.remove(entry.id).await.map_err(store_error)?;
        }
        Ok(result)
    }

    /// Ends all members, in the order of the group.
    pub(super) async fn end_members(&self, entry: &GroupEntry) {
        let strategy = entry.shown().group.declared().stop_strategy;
        let timeout = self.longest_stop(entry, strategy, None);
        let patience = Patience { cut_short: tokio_util::sync::CancellationToken::new() };
        if entry.stop(None, None).await.is_ok() {
            wait(entry, timeout, &patience, all_rest).await;
        }
    }

    fn longest_stop(&self, entry: &GroupEntry, strategy: StopStrategy, grace_ms: Option<u64>) -> Duration {
        let of = |e: &Arc<Entry>| grace_ms.unwrap_or(e.handle.snapshot().spec.stop.grace_ms);
        let graces: Vec<u64> = self.members_of(entry).iter().map(of).collect();
        let ms = match strategy {
            StopStrategy::Parallel => graces.into_iter().max().unwrap_or(0),
            StopStrategy::Reverse | StopStrategy::Sequential => {
                graces.into_iter().fold(0, u64::saturating_add)
            }
        };
        Duration::from_millis(ms).saturating_add(AFTER_GRACE).min(LONGEST)
    }

    pub(super) fn members_of(&self, entry: &GroupEntry) -> Vec<Arc<Entry>> {
        let group = entry.shown().group;
        group
            .members()
            .iter()
            .filter_map(|m| self.registry.find(entry.project.id, m.process.as_str()))
            .collect()
    }

    fn members_result(&self, entry: &GroupEntry, done: bool) -> MembersResult {
        let view = self.group_view(entry);
        let members = view.members.into_iter().map(|m| hostler_api::groups::MemberView {
            depends_on: Vec::new(),
            condition: None,
            delay_ms: None,
            ..m
        });
        MembersResult { group: view.name, status: view.status, members: members.collect(), done, note: None }
    }

    /// Who failed is told with its last lines.
    async fn tell_last_lines(&self, entry: &GroupEntry, result: &mut MembersResult) {
        use hostler_api::groups::MemberStatus;
        for member in &mut result.members {
            if !matches!(member.status, MemberStatus::Failed | MemberStatus::Backoff) {
                continue;
            }
            let Some(process) = self.registry.find(entry.project.id, &member.process) else { continue };
            let run = process.handle.snapshot().run.run;
            let told = in_words(&self.evidence(&process, run).await);
            member.why = Some(hostler_model::text::clip(
                format!("{}{told}", member.why.clone().unwrap_or_default()),
                WHY_CHARS,
            ));
        }
    }

    /// The view of one group.
    pub(super) fn group_view(&self, entry: &GroupEntry) -> GroupView {
        let Shown { group, run } = entry.shown();
        let (standings, status, health) = summary(&group, &run, crate::daemon::now());
        let members = group.members().iter().zip(standings).map(|(member, standing)| {
            let process = self.registry.find(entry.project.id, member.process.as_str());
            member_view(member, &standing, process.as_deref())
        });
        view(&entry.project, &group, status, health, members.collect())
    }

    /// The names of the groups of the client's project, in their order.
    pub(crate) fn group_names(&self, client: &Client) -> Vec<String> {
        let groups = self.groups.all();
        let own = groups.iter().filter(|g| g.project.id == client.project.id);
        let mut names: Vec<String> = own.map(|g| g.shown().group.name().to_string()).collect();
        names.sort();
        names
    }

    /// The names of the members of a group of the client's project.
    pub(crate) fn members(&self, client: &Client, group: &str) -> Vec<String> {
        let found = self.groups.find(client.project.id, group);
        let shown = found.map(|entry| entry.shown());
        shown.iter().flat_map(|s| s.group.members()).map(|m| m.process.to_string()).collect()
    }

    /// The view of the group of this name in the client's project.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn group_named(&self, client: &Client, group: &str) -> Result<GroupView, ToolError> {
        match self.groups.find(client.project.id, group) {
            Some(entry) => Ok(self.group_view(&entry)),
            None => Err(ToolError::new(
                ErrorKind::NotFound,
                format!("no group `{group}` in project {}; create_group makes one", client.project.name),
            )),
        }
    }

    /// All groups of a project, or of all.
    ///
    /// # Errors
    /// When there is no such project.
    pub(crate) async fn list_groups(
        &self,
        client: &Client,
        project: Option<&str>,
        all_projects: bool,
    ) -> Result<GroupList, ToolError> {
        let project = self.project(client, project).await?;
        let groups = self.groups.all();
        let groups = groups.iter().filter(|g| all_projects || g.project.id == project.id);
        Ok(GroupList { groups: groups.map(|g| self.group_view(g)).collect() })
    }
}

/// Longest reason of one member.
const WHY_CHARS: usize = 1_500;

fn gone(_: Gone) -> ToolError {
    ToolError::internal("the daemon is shutting down or the group was removed; call again")
}
