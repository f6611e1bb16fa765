//! What runs in a directory, by its files.

use std::collections::BTreeMap;

use hostler_model::groups::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::{Detail, HealthArgs};

/// `analyze_project`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AnalyzeProject {
    /// The directory (default: that of the project).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How much of each (default concise).
    pub detail: Detail,
}

/// How sure a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Confidence {
    /// It may be no service: it is declared, but not started with the others.
    Low,
    /// The usual way of what was found.
    Medium,
    /// The project says so itself.
    High,
}

impl Confidence {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A process that is proposed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProposedView {
    /// Its name.
    pub name: String,
    /// Program and arguments.
    pub command: String,
    /// Its folder, when it is not the directory itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What speaks for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// Ports that it will probably listen on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// What it waits for, and what that must be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub depends_on: BTreeMap<String, Condition>,
    /// Its health checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<HealthArgs>,
    /// Parsers of its output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parsers: Vec<String>,
}

/// Answer of `analyze_project`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnalysisResult {
    /// The directory.
    pub directory: String,
    /// Whether its hostler.toml declares them.
    pub declared: bool,
    /// The processes.
    pub processes: Vec<ProposedView>,
    /// The proposed file. It was written nowhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostler_toml: String,
    /// What is not sure, what was left out, and the next step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
