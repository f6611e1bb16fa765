//! Start, stop, restart, kill, list, info.

use hostler_api::input::InputResult;
use hostler_api::process::{KillResult, ProcessInfo, ProcessList, StartResult, StopResult};
use hostler_api::view::{ExitView, Status};

use super::{Hints, InWords, READS, ToolDef, tool};
use crate::daemon::service::in_words;

const STARTS: Hints = Hints { read_only: false, destructive: false, idempotent: true };
const ENDS: Hints = Hints { read_only: false, destructive: true, idempotent: true };
const TYPES: Hints = Hints { read_only: false, destructive: true, idempotent: false };
const RESTARTS: Hints = Hints { read_only: false, destructive: true, idempotent: false };

pub(super) fn tools() -> Vec<ToolDef> {
    vec![
        tool(
            "start_process",
            "Start a process",
            "Starts a program in the background and keeps it running after this session: dev servers, workers, \
             watchers, one-off jobs. With `name` alone it starts a known, stopped process again. Answers once the \
             program runs (or what you wait for with wait_for or wait_for_log has happened); a start that fails \
             answers with exit, last lines and who holds the port. If it already runs, the answer is its state.",
            STARTS,
            |service, client, request, patience| async move { service.start(&client, request, &patience).await },
        ),
        tool(
            "stop_process",
            "Stop a process",
            "Ends a process and all its descendants: the stop signal, then SIGKILL after the grace. It stays stopped \
             until it is started again; its logs are kept. `remove` forgets it, logs included. Stopping what is \
             stopped answers its state.",
            ENDS,
            |service, client, request, patience| async move { service.stop(&client, request, &patience).await },
        ),
        tool(
            "restart_process",
            "Restart a process",
            "Ends a process and starts it again, with any of its parameters changed; what is not given stays as it \
             was. The new parameters are checked before the old run is ended. Answers as start_process does.",
            RESTARTS,
            |service, client, request, patience| async move { service.restart(&client, request, &patience).await },
        ),
        tool(
            "kill_process",
            "Send a signal to a process",
            "Sends a signal to a process or a whole group, by default KILL, which ends the whole tree at once without a \
             chance to clean up; prefer stop_process. HUP, USR1, USR2 and the like reach the main process and leave it \
             running.",
            ENDS,
            |service, client, request, patience| async move { service.kill(&client, request, &patience).await },
        ),
        tool(
            "send_input",
            "Send input to a process",
            "Writes to a process's stdin, or types at its terminal (`pty`): text, bytes or keys; `eof` ends the input. With \
             `wait_ms` or `until_pattern` the answer has the output that follows, and the unfinished line, such as a \
             prompt. Input is kept nowhere, but a terminal may echo it into the logs.",
            TYPES,
            |service, client, request, patience| async move {
                service.send_input(&client, request, &patience).await
            },
        ),
        tool(
            "list_processes",
            "List processes",
            "Shows the processes of this project (or of all) with their status, pid and restarts; `detail: full` adds \
             CPU, memory and listening ports. Filter by status or by a glob of names.",
            READS,
            |service, client, request, _| async move { service.list(&client, request).await },
        ),
        tool(
            "get_process_info",
            "Look at a process",
            "All about one process: state and why, declaration (environment values hidden), past runs and how they \
             ended, its process tree, ports, CPU, memory, open files and limits. Look here first when something failed.",
            READS,
            |service, client, request, _| async move { service.info(&client, request).await },
        ),
    ]
}

impl InWords for StartResult {
    fn words(&self) -> Option<String> {
        let evidence = self.evidence.as_ref().filter(|_| self.is_failure())?;
        let (name, status) = (&self.process.name, self.process.status.as_str());
        let state = match (&evidence.exit, self.process.status) {
            // Its policy has started it again meanwhile, so how it is now says nothing of what went wrong.
            (Some(exit), Status::Starting | Status::Running) => {
                format!("its run ended ({}), and it is {status} again", ended(exit))
            }
            _ => {
                let reason = self.process.status_reason.as_deref();
                format!("it is {status}{}", reason.map(|r| format!(" ({r})")).unwrap_or_default())
            }
        };
        Some(format!("`{name}` did not start: {state}{}", in_words(evidence)))
    }

    fn is_failure(&self) -> bool {
        !self.done && self.evidence.is_some()
    }
}

fn ended(exit: &ExitView) -> String {
    let how = match (exit.code, &exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by {signal}"),
        (None, None) => "nobody knows how".to_owned(),
    };
    match &exit.reason {
        Some(reason) => format!("{how}; {reason}"),
        None => how,
    }
}

impl InWords for InputResult {}
impl InWords for StopResult {}
impl InWords for KillResult {}
impl InWords for ProcessList {}
impl InWords for ProcessInfo {}
