//! Declaring groups: which processes belong together, and what each waits for.

use hostler_api::ToolError;
use hostler_api::groups::{AddToGroup, CreateGroup, GroupResult, MemberArgs};
use hostler_model::groups::{Declared, Member, StopStrategy};
use hostler_model::{Group, ProcessName};
use hostler_store::Project;

use super::{Client, Service, store_error};
use crate::daemon::registry::Entry;

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
        let members =
            request.members.iter().map(|m| self.member(client, &project, m)).collect::<Result<_, _>>()?;
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
        let member = self.member(client, &entry.project, &request.member)?;
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
    fn member(&self, client: &Client, project: &Project, args: &MemberArgs) -> Result<Member, ToolError> {
        if args.process.is_empty() {
            return Err(ToolError::invalid("the argument `process` is missing: name of a known process"));
        }
        let process = name("process", &args.process)?;
        if self.registry.find(project.id, process.as_str()).is_none() {
            let mut error = self.not_found(client, project, process.as_str());
            let start = client.words("start_process", "`hostler start`");
            error.message.push_str(&format!("; a member is declared with {start} first"));
            return Err(error);
        }
        let common = args.condition.unwrap_or_default();
        let named = args.depends_on.iter().map(|on| Ok((name("depends_on", on)?, common)));
        let single = args.conditions.iter().map(|(on, c)| Ok((name("conditions", on)?, *c)));
        let depends_on = named.chain(single).collect::<Result<_, ToolError>>()?;
        Ok(Member { process, depends_on, delay_ms: args.delay_ms.unwrap_or(0) })
    }
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
