//! Groups: processes that are started and stopped together, in the order of what needs what.
//!
//! [`Group`] is the declaration, checked when it is made: its dependencies cannot be a cycle. [`GroupRun`] starts and
//! stops its members; time and what the members do are arguments.

mod run;
mod standing;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::ProcessName;
use crate::nearest::nearest;

pub use run::{GroupAction, GroupInput, GroupRun, Health, Last, Phase, Seen};
pub use standing::{GroupHealth, GroupStatus, Standing, summary};

/// A process that has run for this long did not fail at once.
pub const SETTLE_MS: u64 = 500;

/// A process without health checks that never says that it is ready counts as ready once it has run for this long.
pub const QUIET_MS: u64 = 10_000;

/// Most members of a group.
pub const MAX_MEMBERS: usize = 200;

/// What a member waits for in what it depends on.
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
pub enum Condition {
    /// It was executed.
    #[default]
    Started,
    /// Its health checks pass; without any: its tree listens on a port, it sent READY=1, or it has run for 10 s.
    Ready,
    /// Its health checks pass.
    Healthy,
    /// It ended with status 0.
    Completed,
}

impl Condition {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Ready => "ready",
            Self::Healthy => "healthy",
            Self::Completed => "completed",
        }
    }
}

/// In which order members are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StopStrategy {
    /// Each once those that depend on it, directly or through others, have ended.
    #[default]
    Reverse,
    /// All at once.
    Parallel,
    /// One after the other, those that depend on others first.
    Sequential,
}

/// One process of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name in the project.
    pub process: ProcessName,
    /// What must be so before it is started.
    pub depends_on: BTreeMap<ProcessName, Condition>,
    /// How long to wait after that.
    pub delay_ms: u64,
}

/// What is declared of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Its name in the project.
    pub name: ProcessName,
    /// What it is for.
    pub description: Option<String>,
    /// Its processes.
    pub members: Vec<Member>,
    /// How it is stopped.
    pub stop_strategy: StopStrategy,
}

/// A group whose members can be started: no name twice, no stranger among the dependencies, no cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Declared", into = "Declared")]
pub struct Group {
    declared: Declared,
    /// Indices of the members, each after those that it depends on.
    order: Vec<usize>,
}

/// Why there cannot be such a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGroup {
    /// A name twice.
    #[error("`{0}` is a member twice; name it once, with all that it depends on")]
    Twice(ProcessName),
    /// A dependency outside of the group.
    #[error("`{member}` depends on `{on}`, which is no member of the group; {hint}")]
    Stranger {
        /// Who depends on it.
        member: ProcessName,
        /// The name that is not known.
        on: ProcessName,
        /// The nearest member, or all of them.
        hint: String,
    },
    /// Members that wait for one another.
    #[error("these wait for one another: {}; take one of the dependencies out", path(.0))]
    Cycle(Vec<ProcessName>),
    /// Too many.
    #[error("a group has at most {MAX_MEMBERS} members, not {0}; make several groups of it")]
    TooMany(usize),
}

fn path(names: &[ProcessName]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" → ")
}

impl Group {
    /// Checks a declaration.
    ///
    /// # Errors
    /// Names what is wrong: the cycle with its path, the stranger with the nearest member.
    pub fn new(declared: Declared) -> Result<Self, InvalidGroup> {
        let members = &declared.members;
        if members.len() > MAX_MEMBERS {
            return Err(InvalidGroup::TooMany(members.len()));
        }
        for (at, member) in members.iter().enumerate() {
            if members[..at].iter().any(|m| m.process == member.process) {
                return Err(InvalidGroup::Twice(member.process.clone()));
            }
        }
        let order = ordered(members)?;
        Ok(Self { declared, order })
    }

    /// The declaration.
    #[must_use]
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ProcessName {
        &self.declared.name
    }

    /// Its members, as they were declared.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.declared.members
    }

    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|m| m.process.as_str() == name)
    }

    /// Its members, each after those that it depends on.
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = &Member> {
        self.order.iter().map(|at| &self.declared.members[*at])
    }

    /// Whether some member waits for another one to be so.
    #[must_use]
    pub fn waits_for(&self, on: &ProcessName, condition: Condition) -> bool {
        self.members().iter().any(|member| member.depends_on.get(on) == Some(&condition))
    }

    /// Who depends on a member, directly or through others: one that waited for a migration also needs the database.
    #[must_use]
    pub fn dependents<'a>(&'a self, on: &'a ProcessName) -> BTreeSet<&'a ProcessName> {
        let mut all = BTreeSet::new();
        for member in self.in_order() {
            if member.depends_on.keys().any(|name| name == on || all.contains(name)) {
                all.insert(&member.process);
            }
        }
        all
    }
}

impl TryFrom<Declared> for Group {
    type Error = InvalidGroup;

    fn try_from(declared: Declared) -> Result<Self, InvalidGroup> {
        Self::new(declared)
    }
}

impl From<Group> for Declared {
    fn from(group: Group) -> Self {
        group.declared
    }
}

/// The members, each after those that it depends on; of those that could come next, the first declared comes first.
fn ordered(members: &[Member]) -> Result<Vec<usize>, InvalidGroup> {
    let index: BTreeMap<&ProcessName, usize> =
        members.iter().enumerate().map(|(at, m)| (&m.process, at)).collect();
    let mut needs = Vec::with_capacity(members.len());
    for member in members {
        let on = |name: &ProcessName| index.get(name).copied().ok_or_else(|| stranger(members, member, name));
        needs.push(member.depends_on.keys().map(on).collect::<Result<Vec<_>, _>>()?);
    }
    let (mut order, mut placed) = (Vec::with_capacity(members.len()), vec![false; members.len()]);
    while order.len() < members.len() {
        let next = (0..members.len()).find(|&at| !placed[at] && needs[at].iter().all(|&on| placed[on]));
        let Some(next) = next else { return Err(InvalidGroup::Cycle(cycle(members, &needs, &placed))) };
        placed[next] = true;
        order.push(next);
    }
    Ok(order)
}

fn stranger(members: &[Member], member: &Member, on: &ProcessName) -> InvalidGroup {
    let names: Vec<&str> = members.iter().map(|m| m.process.as_str()).collect();
    let hint = match nearest(on.as_str(), names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its members are: {}", names.join(", ")),
    };
    InvalidGroup::Stranger { member: member.process.clone(), on: on.clone(), hint }
}

/// A cycle among those that could not be placed: each of them needs another one of them, so that going from need to
/// need comes back to where it was.
fn cycle(members: &[Member], needs: &[Vec<usize>], placed: &[bool]) -> Vec<ProcessName> {
    let mut walk: Vec<usize> = Vec::new();
    let mut next = placed.iter().position(|placed| !placed);
    while let Some(at) = next {
        if let Some(begin) = walk.iter().position(|&seen| seen == at) {
            walk.push(at);
            return walk[begin..].iter().map(|&at| members[at].process.clone()).collect();
        }
        walk.push(at);
        next = needs[at].iter().copied().find(|&on| !placed[on]);
    }
    Vec::new()
}
