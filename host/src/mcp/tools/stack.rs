//! The declared stack.

use hostler_api::stack::ApplyResult;

use super::{Hints, InWords, ToolDef, tool};

const APPLIES: Hints = Hints { read_only: false, destructive: true, idempotent: true };

pub(super) fn tools() -> Vec<ToolDef> {
    vec![tool(
        "apply_config",
        "Apply hostler.toml",
        "Makes the processes and groups be as a hostler.toml declares them, and starts them in order. What did not change \
         is not restarted. A file that its user does not trust as it is is refused; `dry_run` shows the plan.",
        APPLIES,
        |service, client, request, patience| async move {
            service.apply_config(&client, request, &patience).await
        },
    )]
}

impl InWords for ApplyResult {}
