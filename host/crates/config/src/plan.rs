//! What has to change for a stack to be as its file says.

use std::collections::BTreeMap;

use hostler_model::groups::Member;
use hostler_model::{Group, ProcessName, ProcessSpec};

/// A process as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its declaration.
    pub spec: ProcessSpec,
    /// Whether it came from this file: only then is it removed when the file no longer has it.
    pub from_file: bool,
    /// How it stands in the group of the whole stack.
    pub member: Option<Member>,
}

/// A process as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its declaration.
    pub spec: ProcessSpec,
    /// How it stands in the group of the whole stack; none when the stack does not start it.
    pub member: Option<Member>,
}

/// What becomes of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is declared.
    Create,
    /// It is declared anew, and a run that is under way begins anew.
    Restart {
        /// What changes.
        fields: Vec<String>,
    },
    /// It is declared anew, and a run goes on.
    Update {
        /// What changes.
        fields: Vec<String>,
    },
    /// It is ended and forgotten.
    Remove,
    /// It stays as it is.
    Unchanged,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChange {
    /// The process.
    pub process: ProcessName,
    /// What becomes of it.
    pub change: Change,
    /// It did not come from the file, and does from now on: it goes with the stack.
    pub taken_over: bool,
}

/// What becomes of a part of the file that is no process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPart {
    /// As in the file: `groups.front`, `plugins.mine`.
    pub part: String,
    /// What becomes of it.
    pub change: Change,
}

/// Compares what is with what is wanted, by name.
#[must_use]
pub fn plan(
    now: &BTreeMap<ProcessName, Current>,
    wanted: &BTreeMap<ProcessName, Wanted>,
) -> Vec<PlannedChange> {
    let declared = wanted.iter().map(|(process, wanted)| {
        let current = now.get(process);
        let taken_over = current.is_some_and(|current| !current.from_file);
        let change = match current.map_or(Change::Create, |current| compare(current, wanted)) {
            Change::Unchanged if taken_over => Change::Update { fields: Vec::new() },
            change => change,
        };
        PlannedChange { process: process.clone(), change, taken_over }
    });
    let gone = now.iter().filter(|(process, current)| current.from_file && !wanted.contains_key(*process));
    let gone = gone.map(|(process, _)| PlannedChange {
        process: process.clone(),
        change: Change::Remove,
        taken_over: false,
    });
    declared.chain(gone).collect()
}

/// What the supervisor alone acts upon; a program that runs need not know of it.
const LIVE: [&str; 7] = ["restart", "schedule", "watch", "stop", "lifetime", "health", "parsers"];

/// The field of what environment files say, and how it is told.
const ENV_DIGEST: &str = "env_digest";
const ENV_CONTENT: &str = "content of environment files";

fn compare(now: &Current, wanted: &Wanted) -> Change {
    // The PATH of whoever declares it is no wish for another declaration.
    let spec = ProcessSpec { search_path: now.spec.search_path.clone(), ..wanted.spec.clone() };
    let mut fields = changed_fields(&now.spec, &spec);
    // Other files say other things, and where nobody looked nothing is known to have changed.
    let others = now.spec.env_files != spec.env_files || now.spec.env_profile != spec.env_profile;
    let is_unknown = now.spec.env_digest.is_none() || spec.env_digest.is_none();
    if others || is_unknown {
        fields.retain(|field| field != ENV_DIGEST);
    }
    let restarts = fields.iter().any(|field| !LIVE.contains(&field.as_str()));
    fields.extend(changed_member(now.member.as_ref(), wanted.member.as_ref()));
    fields.iter_mut().filter(|field| *field == ENV_DIGEST).for_each(|field| ENV_CONTENT.clone_into(field));
    match (fields.is_empty(), restarts) {
        (true, _) => Change::Unchanged,
        (_, true) => Change::Restart { fields },
        (_, false) => Change::Update { fields },
    }
}

/// The names of what differs.
fn changed_fields(now: &ProcessSpec, wanted: &ProcessSpec) -> Vec<String> {
    let fields = |spec: &ProcessSpec| match serde_json::to_value(spec) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (now, wanted) = (fields(now), fields(wanted));
    let names = now.keys().chain(wanted.keys().filter(|name| !now.contains_key(*name)));
    names.filter(|name| now.get(*name) != wanted.get(*name)).cloned().collect()
}

/// What differs in how a process is started with the stack.
fn changed_member(now: Option<&Member>, wanted: Option<&Member>) -> Vec<String> {
    let fields = match (now, wanted) {
        (Some(now), Some(wanted)) => vec![
            ("depends_on", now.depends_on != wanted.depends_on),
            ("delay_ms", now.delay_ms != wanted.delay_ms),
        ],
        (now, wanted) => vec![("autostart", now.is_some() != wanted.is_some())],
    };
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
}

/// Compares the groups that are with those that are wanted. What changes in that of the whole stack, its processes say.
#[must_use]
pub fn changed_groups<'a>(
    now: &BTreeMap<ProcessName, Group>,
    wanted: impl Iterator<Item = &'a Group> + Clone,
    whole: &ProcessName,
) -> Vec<PlannedPart> {
    let part = |name: &ProcessName, change| PlannedPart { part: format!("groups.{name}"), change };
    let is_first = now.is_empty();
    let declared = wanted.clone().filter_map(|group| match now.get(group.name()) {
        _ if group.members().is_empty() => None,
        None if is_first && group.name() == whole => None,
        None => Some(part(group.name(), Change::Create)),
        Some(now) => {
            let fields = changed_in_group(now, group);
            let differs = !fields.is_empty() && group.name() != whole;
            differs.then(|| part(group.name(), Change::Update { fields }))
        }
    });
    let is_gone = |name: &ProcessName| !wanted.clone().any(|group| group.name() == name);
    let gone = now.keys().filter(|name| is_gone(name)).map(|name| part(name, Change::Remove));
    declared.chain(gone).collect()
}

fn changed_in_group(now: &Group, wanted: &Group) -> Vec<String> {
    let names = |group: &Group| {
        group.in_order().map(|m| m.process.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let (old, new) = (now.declared(), wanted.declared());
    let has_members = names(now) == names(wanted);
    let in_order = |of: &Member| wanted.member(of.process.as_str()).is_none_or(|member| member == of);
    let fields = [
        ("description", old.description != new.description),
        ("members", !has_members),
        ("depends_on", has_members && !now.members().iter().all(in_order)),
        ("stop_strategy", old.stop_strategy != new.stop_strategy),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
}
