//! Groups.

use hostler_api::groups::{GroupResult, MembersResult};

use super::{Hints, InWords, ToolDef, tool};

const DECLARES: Hints = Hints { read_only: false, destructive: false, idempotent: true };
const ENDS: Hints = Hints { read_only: false, destructive: true, idempotent: true };

pub(super) fn tools() -> Vec<ToolDef> {
    vec![
        tool(
            "create_group",
            "Create a group",
            "Declares processes that are started and stopped together, in the order of what needs what. The same name \
             again replaces the group; nothing is started.",
            DECLARES,
            |service, client, request, _| async move { service.create_group(&client, request).await },
        ),
        tool(
            "add_to_group",
            "Add to a group",
            "Adds a process to a group, or declares its dependencies there anew. start_group then starts it.",
            DECLARES,
            |service, client, request, _| async move { service.add_to_group(&client, request).await },
        ),
        tool(
            "start_group",
            "Start a group",
            "Starts the members that do not run, each once its dependencies are so far, independent ones side by side. \
             What a failed one holds up is `blocked` and starts by itself when that recovers. May be repeated.",
            DECLARES,
            |service, client, request, patience| async move {
                service.start_group(&client, request, &patience).await
            },
        ),
        tool(
            "stop_group",
            "Stop a group",
            "Ends all members with their descendants, dependents first; also in the middle of a start. May be repeated.",
            ENDS,
            |service, client, request, patience| async move {
                service.stop_group(&client, request, &patience).await
            },
        ),
    ]
}

impl InWords for GroupResult {}
impl InWords for MembersResult {}
