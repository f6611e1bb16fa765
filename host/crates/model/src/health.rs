//! Health: when a process is checked, and what its checks make of it.
//!
//! A check has a schedule ([`Schedule`]) and a state ([`CheckState`]) that takes one outcome after the other. What
//! all checks of a process say together is its [`Health`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub mod bounds;
mod check;
mod schedule;

pub use check::{Breaker, CheckState, Last, Outcome, TROUBLES_UNTIL_OPEN, Taken, Verdict};
pub use schedule::{Due, Schedule};

/// What checks say of a process, from best to worst.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Status {
    /// It works.
    Healthy,
    /// Nobody knows: it does not run, was not checked yet, or cannot be checked.
    #[default]
    Unknown,
    /// It works, but somebody should look.
    Degraded,
    /// It does not work.
    Unhealthy,
}

impl Status {
    /// All of them, from best to worst.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Unknown, Self::Degraded, Self::Unhealthy];

    /// As it is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// What is shown as this.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether it works, well or not so well.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What to do with a process that a check calls unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OnUnhealthy {
    /// Only say so.
    #[default]
    None,
    /// Restart it.
    Restart,
}

/// A check as it was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// The plugin that makes it.
    pub plugin: String,
    /// The plugin's configuration.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// When it is made, and how its outcomes count.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// What follows.
    #[serde(default)]
    pub on_unhealthy: OnUnhealthy,
}

/// What all checks of a process say together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// The worst of them.
    pub status: Status,
    /// Why, when that is not healthy.
    pub reason: Option<String>,
    /// Whether each of them has passed in this run.
    pub all_passed: bool,
}

impl Health {
    /// Of a process that does not run.
    #[must_use]
    pub fn at_rest() -> Self {
        Self { reason: Some("it does not run".to_owned()), ..Self::default() }
    }

    /// Of the checks of a running process. Those that are paused have no say.
    #[must_use]
    pub fn of<'a>(checks: impl IntoIterator<Item = (&'a CheckSpec, &'a CheckState)>) -> Self {
        let awake: Vec<_> = checks.into_iter().filter(|(_, state)| !state.paused).collect();
        let Some((spec, worst)) = awake.iter().max_by_key(|(_, state)| state.status) else {
            return Self { reason: Some("all its checks are paused".to_owned()), ..Self::default() };
        };
        let said = worst.last.as_ref().map_or("not checked yet", |last| &last.message);
        let status = worst.status;
        Self {
            status,
            reason: (status != Status::Healthy).then(|| format!("{}: {said}", spec.plugin)),
            all_passed: awake.iter().all(|(_, state)| state.passed),
        }
    }
}

#[cfg(test)]
mod tests;
