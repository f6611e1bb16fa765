//! What `hostler plugin list --json` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The plugins that a process can name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PluginList {
    /// By name; the built-in ones are there without a declaration.
    pub plugins: Vec<PluginView>,
    /// Something to know about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A plugin. The numbers are of the running daemon, over all uses of the plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginView {
    /// By what processes name it.
    pub name: String,
    /// `log-parser`, `health-check` or `error-categorizer`; nothing when the file is no plugin.
    pub kind: Option<String>,
    /// A file, or `builtin:NAME`.
    pub source: String,
    /// Digest of the component.
    pub sha256: Option<String>,
    /// How it is.
    pub status: PluginState,
    /// Why it is so, or what to know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Configurations in which it is in use.
    pub uses: usize,
    /// What it may reach and run, in all its uses.
    #[serde(default, skip_serializing_if = "GrantsView::is_empty")]
    pub granted: GrantsView,
    /// What it wants and may not.
    #[serde(default, skip_serializing_if = "GrantsView::is_empty")]
    pub ungranted: GrantsView,
    /// Calls that reached it.
    pub calls: u64,
    /// Lines parsed, checks made or errors categorized.
    pub items: u64,
    /// Time for each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_per_item: Option<u64>,
    /// Calls that ended in a trap.
    pub traps: u64,
    /// Calls that used up their time.
    pub timeouts: u64,
    /// Calls whose answer broke the contract.
    pub invalid_answers: u64,
    /// Calls that it answered with an error.
    pub refusals: u64,
    /// Calls that were not made because of its quarantine.
    pub quarantined_calls: u64,
    /// The most memory that one instance had.
    pub memory_peak_bytes: u64,
}

impl PluginView {
    /// Calls that the plugin failed in: traps, missed deadlines, wrong answers.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.traps + self.timeouts + self.invalid_answers
    }
}

/// How a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PluginState {
    /// Nobody uses it.
    Idle,
    /// In use.
    Active,
    /// In use, and not called for a while, because it failed too often.
    Quarantined,
    /// It cannot be used.
    Broken,
}

impl PluginState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::Quarantined => "quarantined",
            Self::Broken => "broken",
        }
    }
}

/// Places and programs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GrantsView {
    /// For TCP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tcp: Vec<String>,
    /// For HTTP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Programs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

impl GrantsView {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.http.is_empty() && self.commands.is_empty()
    }
}
