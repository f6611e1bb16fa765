//! Groups: declare, start, stop, show.

use std::sync::Arc;
use std::time::Duration;

use hostler_api::groups::{
    AddToGroup, CreateGroup, GroupList, GroupResult, GroupView, MemberArgs, MembersResult, StartGroup,
    StopGroup,
};
use hostler_api::process::WaitFor;
use hostler_api::{ErrorKind, ToolError};
use hostler_model::groups::{Condition, Declared, Member, SETTLE_MS, Standing, StopStrategy, summary};
use hostler_model::nearest::nearest;
use hostler_model::{Group, ProcessName, Timestamp};
use hostler_store::Project;
use tokio::time::Instant;

use super::group_views::{member_view, view};
use super::waiting::{DEFAULT, LONGEST};
use super::{Client, Patience, Service, in_words, list, store_error};
use crate::daemon::groups::{Gone, GroupEntry, Shown};
use crate::daemon::registry::Entry;

/// After the last grace, the kernel needs a moment to carry out SIGKILL.
const AFTER_GRACE: Duration = Duration::from_secs(5);

impl Service {
    /// `create_group`.
    ///
    /// # Errors
    /// When a name is not valid, a member is not known, or they wait for one another.
    pub(crate) async fn create_group(
        &self,
        client: &Client,
        request: CreateGroup,
    ) -> Result<GroupResult, ToolError> {
        let project = self.project(client, request.project.as_deref()).await?;
        let name = name("name", &request.name)?;
        let members = request.members.iter().map(|m| self.member(&project, m)).collect::<Result<_, _>>()?;
        let stop_strategy = request.stop_strategy.unwrap_or_default();
        let declared = Declared { name, description: request.description, members, stop_strategy };
        let group = Group::new(declared).map_err(|e| ToolError::invalid(format!("create_group: {e}")))?;
        let _declaring = self.groups.declaring.lock().await;
        self.put_group(&project, group).await
    }

    /// `add_to_group`.
    ///
    /// # Errors
    /// As [`Self::create_group`].
    pub(crate) async fn add_to_group(
        &self,
        client: &Client,
        request: AddToGroup,
    ) -> Result<GroupResult, ToolError> {
        let _declaring = self.groups.declaring.lock().await;
        let entry = self.group(client, request.project.as_deref(), &request.group).await?;
        let member = self.member(&entry.project, &request.member)?;
        let group = with_member(entry.shown().group, member)?;
        self.put_group(&entry.project, group).await
    }

    /// Puts a process into a group, which is made when there is none; what it depends on there stays.
    pub(super) async fn join_group(&self, process: &Entry, name: ProcessName) -> Result<(), ToolError> {
        let _declaring = self.groups.declaring.lock().await;
        let group = match self.groups.find(process.project.id, name.as_str()) {
            Some(entry) => entry.shown().group,
            None => empty(name)?,
        };
        if group.member(process.name.as_str()).is_some() {
            return Ok(());
        }
        let member = Member { process: process.name.clone(), depends_on: Default::default(), delay_ms: 0 };
        let group = with_member(group, member)?;
        self.groups.put(&process.project, group).await.map(drop).map_err(store_error)
    }

    async fn put_group(&self, project: &Project, group: Group) -> Result<GroupResult, ToolError> {
        let entry = self.groups.put(project, group).await.map_err(store_error)?;
        Ok(GroupResult { group: self.group_view(&entry) })
    }

    /// A member of known processes.
    fn member(&self, project: &Project, args: &MemberArgs) -> Result<Member, ToolError> {
        if args.process.is_empty() {
            return Err(ToolError::invalid("the argument `process` is missing: name of a known process"));
        }
        let process = name("process", &args.process)?;
        if self.registry.find(project.id, process.as_str()).is_none() {
            let mut error = self.not_found(project, process.as_str());
            error.message.push_str("; a member is declared with start_process first");
            return Err(error);
        }
        let common = args.condition.unwrap_or_default();
        let named = args.depends_on.iter().map(|on| Ok((name("depends_on", on)?, common)));
        let single = args.conditions.iter().map(|(on, c)| Ok((name("conditions", on)?, *c)));
        let depends_on = named.chain(single).collect::<Result<_, ToolError>>()?;
        Ok(Member { process, depends_on, delay_ms: args.delay_ms.unwrap_or(0) })
    }

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
        self.groups.find(project.id, name).ok_or_else(|| self.no_group(&project, name))
    }

    fn no_group(&self, project: &Project, group: &str) -> ToolError {
        let all = self.groups.all();
        let of_project = all.iter().filter(|g| g.project.id == project.id);
        let names: Vec<String> = of_project.map(|g| g.shown().group.name().to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let next = match nearest(group, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "the project has none yet; create_group makes one".to_owned(),
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
        self.start_members(client, &entry, request.wait_for, timeout, patience).await
    }

    /// Starts a group, and waits for it.
    pub(super) async fn start_members(
        &self,
        client: &Client,
        entry: &GroupEntry,
        goal: Option<WaitFor>,
        timeout: Duration,
        patience: &Patience,
    ) -> Result<MembersResult, ToolError> {
        for process in self.members_of(entry) {
            let lifetime = process.handle.snapshot().spec.lifetime;
            self.set_owner(process.id, lifetime, client.owner).await;
            self.leases.grant(process.id, lifetime);
        }
        entry.start().await.map_err(gone)?;
        let reached = |shown: &Shown, now| reached(shown, goal, now);
        let done = wait(entry, timeout, patience, reached).await;
        let mut result = self.members_result(entry, done == Some(true));
        if done != Some(true) {
            self.tell_last_lines(entry, &mut result).await;
        }
        result.note = match done {
            Some(true) => None,
            Some(false) => Some("not all members are up; what waits for one of them starts by itself when that does: restart_process it with what it lacks, or look with get_logs".to_owned()),
            None => Some("the start goes on; call start_group again to wait on".to_owned()),
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
            result.note = Some("the stop goes on; call stop_group again to wait on".to_owned());
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

/// Reads a name.
fn name(field: &str, text: &str) -> Result<ProcessName, ToolError> {
    ProcessName::try_from(text.to_owned()).map_err(|e| ToolError::invalid(format!("`{field}`: {e}")))
}

/// Reads the name of the group that a process is to join.
pub(super) fn name_of(group: Option<&str>) -> Result<Option<ProcessName>, ToolError> {
    group.map(|group| name("group", group)).transpose()
}

fn empty(name: ProcessName) -> Result<Group, ToolError> {
    let stop_strategy = StopStrategy::default();
    let declared = Declared { name, description: None, members: Vec::new(), stop_strategy };
    Group::new(declared).map_err(|e| ToolError::invalid(e.to_string()))
}

/// The group with one more member, or with this one declared anew.
fn with_member(group: Group, member: Member) -> Result<Group, ToolError> {
    let mut declared = Declared::from(group);
    match declared.members.iter_mut().find(|m| m.process == member.process) {
        Some(known) => *known = member,
        None => declared.members.push(member),
    }
    Group::new(declared).map_err(|e| ToolError::invalid(e.to_string()))
}

/// How far a wait has come.
enum Reached {
    /// All members are as was asked, or some will not be.
    Decided(bool),
    /// Not yet; time alone may decide it then.
    NotYet(Option<Timestamp>),
}

/// Whether a started group is as was wished.
fn reached(shown: &Shown, goal: Option<WaitFor>, now: Timestamp) -> Reached {
    let (standings, _, _) = summary(&shown.group, &shown.run, now);
    let condition = match goal {
        Some(WaitFor::Started) => Condition::Started,
        // A member without checks cannot be more than ready.
        None | Some(WaitFor::Ready | WaitFor::Healthy) => Condition::Ready,
        Some(WaitFor::Exited) => Condition::Completed,
    };
    let (mut all, mut open, mut look_again) = (true, false, None);
    for standing in &standings {
        let fulfilled = match (goal, standing) {
            // Without a wish it is enough that it lives: whether its checks pass is not waited for.
            (None, Standing::Up { since, .. }) => (now >= since.plus_ms(SETTLE_MS)).then_some(true),
            _ => standing.fulfils(condition, now),
        };
        if let (None, Standing::Up { since, .. }) = (fulfilled, standing) {
            let settled = since.plus_ms(SETTLE_MS);
            look_again = (settled > now).then_some(settled).into_iter().chain(look_again).min();
        }
        open |= fulfilled.is_none();
        all &= fulfilled != Some(false);
    }
    if open { Reached::NotYet(look_again) } else { Reached::Decided(all) }
}

fn all_rest(shown: &Shown, now: Timestamp) -> Reached {
    let (standings, _, _) = summary(&shown.group, &shown.run, now);
    let rests = |s: &Standing| matches!(s, Standing::Stopped | Standing::Completed | Standing::Failed(_));
    if standings.iter().all(rests) { Reached::Decided(true) } else { Reached::NotYet(None) }
}

/// Waits until it is decided; none when time is up, or the wait was cut short.
async fn wait(
    entry: &GroupEntry,
    timeout: Duration,
    patience: &Patience,
    reached: impl Fn(&Shown, Timestamp) -> Reached,
) -> Option<bool> {
    let mut shown = entry.watch();
    let deadline = Instant::now() + timeout;
    loop {
        let now = crate::daemon::now();
        let look_again = match reached(&shown.borrow_and_update(), now) {
            Reached::Decided(all) => return Some(all),
            Reached::NotYet(at) => at.map(|at| Instant::now() + Duration::from_millis(at.ms_since(now) + 1)),
        };
        tokio::select! {
            changed = shown.changed() => if changed.is_err() { return None },
            () = tokio::time::sleep_until(look_again.unwrap_or(deadline).min(deadline)) => {
                if Instant::now() >= deadline {
                    return None;
                }
            }
            () = patience.cut_short.cancelled() => return None,
        }
    }
}
