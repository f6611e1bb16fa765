//! The declared stack: `hostler.toml` brought about.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::groups::MemberView;
use crate::process::Detail;

/// `apply_config`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ApplyConfig {
    /// The file (default: hostler.toml of the project).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Profile, in place of the file's env_profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What ${NAME} means in the file, before .env and the daemon's environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Only say what would change.
    pub dry_run: bool,
    /// Stop and forget all that came from the file.
    pub down: bool,
    /// How much of each (default concise).
    pub detail: Detail,
    /// Longest wait (default 30000, at most 55000); then done is false and the start goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What becomes of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Action {
    /// It is declared and started.
    Create,
    /// It is declared anew, and a run begins anew.
    Restart,
    /// It is declared anew, and a run goes on.
    Update,
    /// It is ended and forgotten.
    Remove,
    /// It stays as it is.
    Unchanged,
}

impl Action {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Restart => "restart",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::Unchanged => "unchanged",
        }
    }
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeView {
    /// The process.
    pub process: String,
    /// What becomes of it.
    pub action: Action,
    /// What of its declaration changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// What is executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What else becomes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A group or a plugin in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartView {
    /// As in the file: `groups.front`, `plugins.mine`.
    pub part: String,
    /// What becomes of it.
    pub action: Action,
    /// What of it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// Answer of `apply_config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApplyResult {
    /// The file.
    pub file: String,
    /// Digest of the content that was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Name of the project.
    pub project: String,
    /// The group of the whole stack.
    pub group: String,
    /// Whether the user trusts the file as it is.
    pub trusted: bool,
    /// The plan.
    pub changes: Vec<ChangeView>,
    /// Groups and plugins that change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartView>,
    /// Each process, once the plan was carried out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberView>,
    /// Whether all is as the file says.
    pub done: bool,
    /// What else is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
