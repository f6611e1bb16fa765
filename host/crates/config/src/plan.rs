//! What has to change for a stack to be as its file says.

use std::collections::BTreeMap;

use hostler_model::{ProcessName, ProcessSpec};

/// A process as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its declaration.
    pub spec: ProcessSpec,
    /// Whether it came from this file: only then is it removed when the file no longer has it.
    pub from_file: bool,
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
}

/// Compares what is with what is wanted, by name.
#[must_use]
pub fn plan(
    now: &BTreeMap<ProcessName, Current>,
    wanted: &BTreeMap<ProcessName, ProcessSpec>,
) -> Vec<PlannedChange> {
    let declared = wanted.iter().map(|(process, spec)| {
        let change = now.get(process).map_or(Change::Create, |current| compare(&current.spec, spec));
        PlannedChange { process: process.clone(), change }
    });
    let gone = now.iter().filter(|(process, current)| current.from_file && !wanted.contains_key(*process));
    let gone = gone.map(|(process, _)| PlannedChange { process: process.clone(), change: Change::Remove });
    declared.chain(gone).collect()
}

/// What the supervisor alone acts upon; a program that runs need not know of it.
const LIVE: [&str; 7] = ["restart", "schedule", "watch", "stop", "lifetime", "health", "parsers"];

fn compare(now: &ProcessSpec, wanted: &ProcessSpec) -> Change {
    // The PATH of whoever declares it is no wish for another declaration.
    let wanted = ProcessSpec { search_path: now.search_path.clone(), ..wanted.clone() };
    if *now == wanted {
        return Change::Unchanged;
    }
    let fields = changed_fields(now, &wanted);
    if fields.iter().all(|field| LIVE.contains(&field.as_str())) {
        Change::Update { fields }
    } else {
        Change::Restart { fields }
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
