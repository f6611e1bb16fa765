//! `hostler logs -f`: what comes behind a place, as it comes, of all processes in one order of time.

use hostler_api::logs::{LogFormat, LogTail, TailLogs};
use regex::Regex;

use super::logs::{PAGE, WHOLE_LINES};
use super::logs_show::Show;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// The place behind the newest lines of all processes that are asked for.
pub(super) fn end(client: &mut Client, whose: &TailLogs) -> Result<String, Failure> {
    let request = TailLogs { lines: Some(1), format: LogFormat::Records, ..whose.clone() };
    let tail: LogTail = client.read("tail_logs", &request)?;
    Ok(tail.cursor)
}

/// Goes on behind a place until interrupted, over restarts of the processes, or until all have ended.
pub(super) fn run(
    client: &mut Client,
    whose: TailLogs,
    mut cursor: String,
    show: &mut Show,
    grep: Option<&Regex>,
) -> Outcome {
    loop {
        let request = TailLogs {
            lines: Some(PAGE),
            follow: true,
            cursor: Some(cursor),
            wait_ms: Some(55_000),
            format: LogFormat::Records,
            max_line_chars: Some(WHOLE_LINES),
            ..whose.clone()
        };
        let tail: LogTail = client.read("tail_logs", &request)?;
        let lines = tail.lines.unwrap_or_default();
        if !tail.live && lines.is_empty() {
            render::note(if show.several {
                "all of these processes have ended"
            } else {
                "the process has ended"
            });
            return Ok(());
        }
        show.print(&lines, grep)?;
        cursor = tail.cursor;
    }
}
