//! What `apply_config` answers, within the bounds of an answer that nobody asked to be longer.

use hostler_api::groups::{MemberStatus, MemberView};
use hostler_api::process::Detail;
use hostler_api::stack::{Action, ApplyConfig, ApplyResult, ChangeView, PartView};
use hostler_config::{Change, PlannedChange, PlannedPart};
use hostler_model::ProcessSpec;
use hostler_model::text::clip;
use serde_json::{Value, json};

/// Bytes of JSON, and those that stay free for what is said of the rest.
const ANSWER_BYTES: usize = 9_000;
/// Longest command, and longest command and reason of an answer that is too long.
const COMMAND_CHARS: usize = 200;
const SHORT_CHARS: usize = 60;
const WHY_CHARS: usize = 300;
/// Longest note.
const NOTE_CHARS: usize = 2_500;

/// A line of the plan.
pub(super) fn change_view(step: &PlannedChange, spec: Option<&ProcessSpec>) -> ChangeView {
    let (action, fields) = action(&step.change);
    let runs_something = matches!(action, Action::Create | Action::Restart);
    let command = spec.filter(|_| runs_something).map(|spec| {
        let words: Vec<&str> = std::iter::once(&spec.command).chain(&spec.args).map(String::as_str).collect();
        clip(words.join(" "), COMMAND_CHARS)
    });
    let note = step.taken_over.then(|| {
        "taken over: it did not come from this file, and goes with it from now on, as with `down`".to_owned()
    });
    ChangeView { process: step.process.to_string(), action, fields, command, note }
}

/// A group or plugin of the plan.
pub(super) fn part_view(step: &PlannedPart) -> PartView {
    let (action, fields) = action(&step.change);
    PartView { part: step.part.clone(), action, fields }
}

fn action(change: &Change) -> (Action, Vec<String>) {
    match change {
        Change::Create => (Action::Create, Vec::new()),
        Change::Restart { fields } => (Action::Restart, fields.clone()),
        Change::Update { fields } => (Action::Update, fields.clone()),
        Change::Remove => (Action::Remove, Vec::new()),
        Change::Unchanged => (Action::Unchanged, Vec::new()),
    }
}

/// Notes as one.
pub(super) fn joined(notes: impl IntoIterator<Item = String>) -> Option<String> {
    let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    (!notes.is_empty()).then(|| clip(notes.join(". "), NOTE_CHARS))
}

/// The answer, unless it is too long: then what changes and who is in trouble, with how many others there are and how
/// to see them.
pub(super) fn shortened(request: &ApplyConfig, result: ApplyResult) -> ApplyResult {
    if request.detail == Detail::Full || fits(&result) {
        return result;
    }
    let (changes, members) = (result.changes.len(), result.members.len());
    let unchanged = result.changes.iter().filter(|c| c.action == Action::Unchanged).count();
    let well = result.members.iter().filter(|m| !is_in_trouble(m)).count();
    let mut short = result;
    short.changes.retain(|change| change.action != Action::Unchanged);
    short.members.retain(is_in_trouble);
    if !fits(&short) {
        let was_done = !short.members.is_empty() || short.done;
        for change in &mut short.changes {
            change.command = change.command.take().filter(|_| !was_done).map(|c| clip(c, SHORT_CHARS));
            // The same for many.
            change.note = change.note.take().map(|_| "taken over".to_owned());
        }
        for member in &mut short.members {
            member.why = member.why.take().map(|why| clip(why, WHY_CHARS));
        }
    }
    while !fits(&short) && (short.changes.len() > 1 || short.members.len() > 1 || short.parts.len() > 1) {
        let longest = short.changes.len().max(short.members.len()).max(short.parts.len());
        // The longest list gives way, so that something of each is there.
        if short.members.len() == longest {
            short.members.truncate(longest - longest.div_ceil(8));
        } else if short.changes.len() == longest {
            short.changes.truncate(longest - longest.div_ceil(8));
        } else {
            short.parts.truncate(longest - longest.div_ceil(8));
        }
    }
    let left = [
        (unchanged, "processes that are unchanged"),
        (changes - unchanged - short.changes.len(), "processes that change"),
        (well, "members that are up"),
        (members - well - short.members.len(), "members in trouble"),
    ];
    let left: Vec<String> =
        left.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if !left.is_empty() {
        let mut call = json!({"dry_run": true, "detail": "full"});
        if let Some(path) = &request.path {
            call["path"] = Value::from(path.as_str());
        }
        let members = json!({"group": short.group});
        let left = left.join(", ");
        let told = format!(
            "left out to keep this short: {left}; apply_config {call} shows the whole plan, list_processes {members} the \
             members"
        );
        short.note = Some(short.note.map_or(told.clone(), |note| format!("{note}. {told}")));
    }
    short
}

fn fits(result: &ApplyResult) -> bool {
    serde_json::to_string(result).is_ok_and(|json| json.len() <= ANSWER_BYTES)
}

fn is_in_trouble(member: &MemberView) -> bool {
    let is_well = matches!(
        member.status,
        MemberStatus::Running | MemberStatus::Exited | MemberStatus::Scheduled | MemberStatus::Stopped
    );
    !is_well || matches!(member.health.as_deref(), Some("unhealthy" | "degraded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(changes: usize, action: Action, members: usize, status: MemberStatus) -> ApplyResult {
        let change = |n| ChangeView {
            process: format!("worker-{n:03}"),
            action,
            fields: Vec::new(),
            command: Some("x".repeat(200)),
            note: None,
        };
        let member = |n| MemberView {
            process: format!("worker-{n:03}"),
            status,
            why: Some("y".repeat(1_500)),
            blocked_by: None,
            pid: Some(4_000_000),
            health: None,
            depends_on: Vec::new(),
            condition: None,
            conditions: Default::default(),
            delay_ms: None,
        };
        ApplyResult {
            file: "/srv/shop/hostler.toml".to_owned(),
            sha256: None,
            project: "shop".to_owned(),
            group: "shop".to_owned(),
            trusted: true,
            changes: (0..changes).map(change).collect(),
            parts: Vec::new(),
            members: (0..members).map(member).collect(),
            done: false,
            note: Some("z".repeat(2_000)),
        }
    }

    #[test]
    fn an_answer_is_bounded_whatever_there_is_and_tells_what_is_missing() {
        for (changes, action, members, status) in [
            (200, Action::Unchanged, 200, MemberStatus::Running),
            (200, Action::Create, 200, MemberStatus::Failed),
            (200, Action::Restart, 0, MemberStatus::Failed),
            (0, Action::Create, 200, MemberStatus::Blocked),
        ] {
            let all = result(changes, action, members, status);
            let short = shortened(&ApplyConfig::default(), all.clone());
            let bytes = serde_json::to_string(&short).unwrap().len();
            assert!(bytes <= 10_000, "{changes} {action:?} {members} {status:?}: {bytes}");
            let note = short.note.unwrap();
            assert!(
                note.contains("left out to keep this short: 200 ") || note.contains("\"detail\":\"full\""),
                "{note}"
            );
            let full = ApplyConfig { detail: Detail::Full, ..ApplyConfig::default() };
            assert_eq!(shortened(&full, all.clone()), all);
        }
    }

    #[test]
    fn what_changes_and_who_is_in_trouble_stays() {
        let mut all = result(200, Action::Unchanged, 200, MemberStatus::Running);
        all.note = None;
        all.changes[7].action = Action::Restart;
        all.members[8].status = MemberStatus::Failed;
        let short = shortened(&ApplyConfig::default(), all);
        assert_eq!((short.changes[0].process.as_str(), short.changes.len()), ("worker-007", 1));
        assert_eq!((short.members[0].process.as_str(), short.members.len()), ("worker-008", 1));
        let note = short.note.unwrap();
        assert!(note.contains("199 processes that are unchanged, 199 members that are up"), "{note}");
    }
}
