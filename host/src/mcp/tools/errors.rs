//! Errors: groups, occurrences, resolving.

use hostler_api::errors::{ErrorList, LatestErrors};

use super::{Hints, InWords, READS, ToolDef, tool};

const MARKS: Hints = Hints { read_only: false, destructive: false, idempotent: true };

pub(super) fn tools() -> Vec<ToolDef> {
    vec![
        tool(
            "get_errors",
            "List errors",
            "Lists what went wrong: stack traces, error lines and crashes of the project's processes, grouped by \
             cause, each with count, place in the code, category and a suggestion. With `error_id` one group in full.",
            READS,
            |service, client, request, _| async move { service.errors(&client, request).await },
        ),
        tool(
            "get_latest_errors",
            "Show the latest errors",
            "The newest unresolved groups of errors and how many there are by category. Look here first when something \
             does not work.",
            READS,
            |service, client, request, _| async move { service.latest_errors(&client, request).await },
        ),
        tool(
            "mark_error_resolved",
            "Mark errors as resolved",
            "Notes that a group is mended, and how. It reopens as a regression when it is seen again.",
            MARKS,
            |service, client, request, _| async move { service.resolve_errors(&client, request).await },
        ),
    ]
}

impl InWords for ErrorList {}
impl InWords for LatestErrors {}
