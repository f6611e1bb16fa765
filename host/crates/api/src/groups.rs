//! The group tools: processes that are started and stopped together.

use std::collections::BTreeMap;

use hostler_model::groups::{Condition, StopStrategy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::WaitFor;

/// A process of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MemberArgs {
    /// Its name.
    pub process: String,
    /// Members to start before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What those must be before it starts (default started).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Conditions of single dependencies, where they differ.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, Condition>,
    /// Wait this long after that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
}

/// `create_group`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CreateGroup {
    /// Name in the project.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Known processes; a name alone will do.
    #[serde(default)]
    #[schemars(transform = or_names)]
    pub members: Vec<MemberArgs>,
    /// Order of a stop (default reverse: dependents first).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_strategy: Option<StopStrategy>,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Where members are listed, the name of one stands for it, and one for a list.
fn or_names(schema: &mut schemars::Schema) {
    schema.insert("x-or-one".to_owned(), true.into());
    if let Some(serde_json::Value::Object(member)) = schema.get_mut("items") {
        member.insert("x-or-only".to_owned(), "process".into());
    }
}

/// `add_to_group`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AddToGroup {
    /// Name of the group, or project/name.
    pub group: String,
    #[serde(flatten)]
    #[allow(missing_docs, reason = "described by its type")]
    pub member: MemberArgs,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `start_group`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StartGroup {
    /// Name of the group, or project/name.
    pub group: String,
    /// Return when all members are so (default: each runs for 500 ms, or has ended).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<WaitFor>,
    /// Longest wait (default 30000, at most 55000); then done is false and the start goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// `stop_group`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StopGroup {
    /// Name of the group, or project/name.
    pub group: String,
    /// Order, when not as declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<StopStrategy>,
    /// Time until SIGKILL for each; default is what it was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
    /// Forget the group afterwards; its processes stay known.
    #[serde(default)]
    pub remove: bool,
    /// Project, when not the one of the client's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// How a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum MemberStatus {
    /// At rest.
    Stopped,
    /// To be started, when another member has come so far.
    Waiting,
    /// Cannot be started before another member is mended; then it starts by itself.
    Blocked,
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Being ended.
    Stopping,
    /// Ended, and waiting for its next automatic start.
    Backoff,
    /// At rest until the next time of its schedule.
    Scheduled,
    /// Ended with status 0.
    Exited,
    /// Ended otherwise, or could not be started.
    Failed,
}

impl MemberStatus {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Scheduled => "scheduled",
            Self::Exited => "exited",
            Self::Failed => "failed",
        }
    }
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Name of the process.
    pub process: String,
    /// How it stands.
    pub status: MemberStatus,
    /// Why, where it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The member that has to be mended before a blocked one starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,
    /// Main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// `healthy`, `degraded`, `unhealthy` or `unknown`; absent without health checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// Members that are started before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What those must be, when it is the same for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// What each of those must be, when it is not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, Condition>,
    /// Wait after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Name of its project.
    pub project: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `stopped`, `starting`, `running`, `degraded`, `failed` or `stopping`.
    pub status: String,
    /// `healthy`, `degraded`, `unhealthy` or `unknown`.
    pub health: String,
    /// Order of a stop.
    pub stop_strategy: StopStrategy,
    /// Its processes.
    pub members: Vec<MemberView>,
}

/// Answer of `create_group` and `add_to_group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupResult {
    /// The group now.
    pub group: GroupView,
}

/// Answer of `start_group` and `stop_group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MembersResult {
    /// The group.
    pub group: String,
    /// `stopped`, `starting`, `running`, `degraded`, `failed` or `stopping`.
    pub status: String,
    /// Each process.
    pub members: Vec<MemberView>,
    /// Whether all of them are as was asked.
    pub done: bool,
    /// What to do next, where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// All groups of a project, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GroupList {
    /// The groups, oldest first.
    pub groups: Vec<GroupView>,
}
