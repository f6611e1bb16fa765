//! The declared stack.

use hostler_api::analyze::AnalysisResult;
use hostler_api::stack::ApplyResult;

use super::{Hints, InWords, READS, ToolDef, tool};

const APPLIES: Hints = Hints { read_only: false, destructive: true, idempotent: true };

pub(super) fn tools() -> Vec<ToolDef> {
    vec![
        tool(
            "analyze_project",
            "Propose a stack for a project",
            "Looks at the files of a directory (Procfile, package.json, pyproject.toml, compose.yaml and the like) and \
             proposes its processes, each with its reason, and a hostler.toml of them. Nothing is written or run. Use it \
             when a project has no hostler.toml.",
            READS,
            |service, client, request, _| async move { service.analyze_project(&client, request).await },
        ),
        tool(
            "apply_config",
            "Apply hostler.toml",
            "Makes the processes and groups be as a hostler.toml declares them, and starts them in order. What did not \
             change is not restarted. A file that its user does not trust as it is is refused; `dry_run` shows the plan.",
            APPLIES,
            |service, client, request, patience| async move {
                service.apply_config(&client, request, &patience).await
            },
        ),
    ]
}

impl InWords for AnalysisResult {}
impl InWords for ApplyResult {}
