//! `send_input`: input for a process, and the output that follows.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostler_api::input::{InputResult, SendInput};
use hostler_api::logs::{LogFormat, TailLogs};
use hostler_api::{ErrorKind, ToolError};
use hostler_model::text::readable;
use hostler_model::{RunNo, keys};
use hostler_shim::control::MAX_WRITE;
use hostler_shim::streams::MAX_TERMINAL_LINE;
use hostler_store::{LogPoint, LogQuery, LogRow};
use hostler_supervisor::Written;
use regex::Regex;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::logs_places::cursor;
use super::waiting::{LONGEST, new_lines, pattern_of};
use super::{Client, Patience, Service, gone, store_error};
use crate::daemon::live::Piece;
use crate::daemon::registry::Entry;

/// Most input of one call.
const MAX_INPUT: usize = 1 << 20;
/// How long a process that does not read is waited for.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a pattern is waited for.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// Between two looks whether there is room again.
const LOOK: Duration = Duration::from_millis(10);
/// Without a pattern, output is taken to be over when so long nothing came.
const QUIET: Duration = Duration::from_millis(250);

/// How far input got.
struct Sent {
    bytes: usize,
    unread: Option<u64>,
    /// Why not all of it was written.
    why: Option<String>,
}

impl Service {
    /// `send_input`.
    ///
    /// # Errors
    /// When an argument is wrong, and when the process does not run or has closed its input.
    pub(crate) async fn send_input(
        &self,
        client: &Client,
        request: SendInput,
        patience: &Patience,
    ) -> Result<InputResult, ToolError> {
        let pattern = request.until_pattern.as_deref().map(|p| pattern_of("until_pattern", p)).transpose()?;
        let entry = self.entry(client, request.project.as_deref(), &request.process).await?;
        let pty = entry.handle.with(|snapshot| snapshot.spec.pty);
        let data = bytes_of(&request, pty, entry.name.as_str())?;
        let timeout = request.timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis).min(LONGEST);
        let wait = match (request.wait_ms, &pattern) {
            (Some(ms), _) => Duration::from_millis(ms).min(LONGEST),
            (None, Some(_)) => DEFAULT_WAIT,
            (None, None) => Duration::ZERO,
        };
        let turn = entry.input.lock().await;
        let output = if wait.is_zero() { None } else { Some(entry.live.watch()) };
        if output.is_some() {
            self.ingest.settled().await;
        }
        let before = self.newest_point(&entry).await?;
        let mut sent = write_all(&entry, &data, timeout, patience).await?;
        let eof = request.eof && sent.why.is_none() && (pty || close(&entry, &mut sent).await?);
        drop(turn);
        let mut came = true;
        if let (Some(output), None) = (output, &sent.why) {
            let wanted = Output { entry: &entry, before, pattern: pattern.as_ref(), wait };
            came = self.await_output(wanted, output, patience).await?;
        }
        let waited = !wait.is_zero();
        self.input_result(client, &entry, Outcome { sent, total: data.len(), eof, came, waited, before })
            .await
    }

    /// The newest line that is stored.
    pub(super) async fn newest_point(&self, entry: &Entry) -> Result<LogPoint, ToolError> {
        let page = self.store.logs(LogQuery::newest(entry.id, 1)).await.map_err(store_error)?;
        Ok(page.rows.first().map_or(LogPoint { run: RunNo(0), seq: 0 }, LogRow::point))
    }

    async fn await_output(
        &self,
        wanted: Output<'_>,
        mut output: broadcast::Receiver<Piece>,
        patience: &Patience,
    ) -> Result<bool, ToolError> {
        let Output { entry, mut before, pattern, wait } = wanted;
        let deadline = Instant::now() + wait;
        let (mut logs, mut heard) = (entry.logs.subscribe(), None);
        let mut snapshots = entry.handle.watch();
        loop {
            logs.mark_unchanged();
            snapshots.mark_unchanged();
            let is_live = entry.may_write();
            if let Some(pattern) = pattern
                && self.matches(entry, pattern, &mut before).await?
            {
                return Ok(true);
            }
            let now = Instant::now();
            let is_quiet = pattern.is_none() && heard.is_some_and(|at| at + QUIET <= now);
            if is_quiet || !is_live || now >= deadline || patience.cut_short.is_cancelled() {
                return Ok(pattern.is_none() && (heard.is_some() || !is_live));
            }
            let until = match (pattern, heard) {
                (None, Some(at)) => deadline.min(at + QUIET),
                _ => deadline,
            };
            tokio::select! {
                _ = output.recv() => heard = Some(Instant::now()),
                _ = logs.changed() => {}
                _ = snapshots.changed() => {}
                () = tokio::time::sleep_until(until) => {}
                () = patience.cut_short.cancelled() => {}
            }
        }
    }

    /// Whether a pattern matches a line behind a place, which moves on, or the unfinished one.
    async fn matches(&self, entry: &Entry, pattern: &Regex, place: &mut LogPoint) -> Result<bool, ToolError> {
        loop {
            let page = self.store.logs(new_lines(entry.id, None, *place)).await.map_err(store_error)?;
            for row in &page.rows {
                if pattern.is_match(&readable(&row.raw)) {
                    return Ok(true);
                }
                *place = row.point();
            }
            if !page.more {
                break;
            }
        }
        Ok(self.unfinished_of(entry).await?.iter().any(|line| pattern.is_match(line)))
    }

    async fn input_result(
        &self,
        client: &Client,
        entry: &Arc<Entry>,
        outcome: Outcome,
    ) -> Result<InputResult, ToolError> {
        let Outcome { sent, total, eof, came, waited, before } = outcome;
        let mut result = InputResult {
            process: entry.full_name(),
            written_bytes: sent.bytes as u64,
            total_bytes: total as u64,
            unread_bytes: sent.unread,
            eof,
            done: sent.why.is_none() && came,
            text: None,
            unfinished: None,
            cursor: cursor(before),
            live: entry.may_write(),
            note: sent.why,
        };
        if waited {
            let request = TailLogs {
                process: Some(entry.id.to_string()),
                cursor: Some(result.cursor),
                lines: Some(1_000),
                format: LogFormat::Text,
                ..TailLogs::default()
            };
            let tail = self.tail(client, request, &Patience { cut_short: Default::default() }).await?;
            result.text = tail.text.filter(|text| !text.is_empty());
            result.cursor = tail.cursor;
            result.unfinished = tail.unfinished;
            result.live = tail.live;
            let next = |what: &str| {
                format!(
                    "{what}; go on with tail_logs {{\"process\": \"{}\", \"cursor\": \"{}\", \"follow\": true}}",
                    entry.name, result.cursor
                )
            };
            result.note = match (result.note.take(), came, result.live) {
                (Some(note), ..) => Some(note),
                (None, _, _) if tail.truncated => Some(next("there is more output")),
                (None, false, true) => Some(next("what was waited for has not come yet")),
                (None, false, false) => {
                    Some(format!("`{}` has ended; get_process_info says how", entry.name))
                }
                (None, true, _) => None,
            };
        }
        Ok(result)
    }
}

/// What output is waited for.
struct Output<'a> {
    entry: &'a Entry,
    before: LogPoint,
    pattern: Option<&'a Regex>,
    wait: Duration,
}

/// What came of a call.
struct Outcome {
    sent: Sent,
    total: usize,
    eof: bool,
    came: bool,
    waited: bool,
    before: LogPoint,
}

/// What is to be sent.
fn bytes_of(request: &SendInput, pty: bool, name: &str) -> Result<Vec<u8>, ToolError> {
    let given = [request.text.is_some(), request.base64.is_some(), request.keys.is_some()];
    let mut data = match given.iter().filter(|given| **given).count() {
        0 if request.eof => Vec::new(),
        1 => given_bytes(request, pty, name)?,
        _ => return Err(ToolError::invalid("give one of `text`, `base64` and `keys`, or `eof` alone")),
    };
    if data.len() > MAX_INPUT {
        return Err(ToolError::invalid(format!(
            "the input has {} bytes; one call takes at most {MAX_INPUT}: send it in parts",
            data.len()
        )));
    }
    if request.eof && pty {
        // In the middle of a line the first one only ends what was typed of it.
        let is_mid_line = data.last().is_some_and(|last| !matches!(last, b'\n' | b'\r' | 4));
        data.extend(std::iter::repeat_n(4, 1 + usize::from(is_mid_line)));
    }
    Ok(data)
}

fn given_bytes(request: &SendInput, pty: bool, name: &str) -> Result<Vec<u8>, ToolError> {
    if let Some(base64) = &request.base64 {
        return STANDARD
            .decode(base64.trim())
            .map_err(|error| ToolError::invalid(format!("`base64` is not Base64 of RFC 4648: {error}")));
    }
    if let Some(names) = &request.keys {
        if !pty {
            return Err(ToolError::invalid(format!(
                "`keys` are for a process on a terminal, and `{name}` has pipes: send `text`, send a signal with \
                 kill_process (INT for ctrl-c), or restart_process it with `pty: true`"
            )));
        }
        let keys = names.iter().map(|name| keys::bytes(name)).collect::<Result<Vec<_>, _>>();
        return Ok(keys.map_err(|e| ToolError::invalid(format!("`keys`: {e}")))?.concat());
    }
    let mut data = request.text.clone().unwrap_or_default().into_bytes();
    if request.newline.unwrap_or(true) && !data.ends_with(b"\n") {
        data.push(if pty { b'\r' } else { b'\n' });
    }
    Ok(data)
}

/// Writes as much as the process takes, for as long as it goes on.
async fn write_all(
    entry: &Entry,
    data: &[u8],
    timeout: Duration,
    patience: &Patience,
) -> Result<Sent, ToolError> {
    let mut sent = Sent { bytes: 0, unread: None, why: None };
    let longest = Instant::now() + LONGEST;
    let mut deadline = Instant::now() + timeout;
    while sent.bytes < data.len() {
        let piece = &data[sent.bytes..data.len().min(sent.bytes + MAX_WRITE)];
        match entry.handle.write(piece.to_vec()).await.map_err(gone)? {
            Written::Taken { bytes, unread } => {
                sent.bytes += bytes;
                sent.unread = unread;
                if bytes == piece.len() {
                    continue;
                }
                let now = Instant::now();
                if bytes > 0 {
                    deadline = now + timeout;
                }
                if now >= deadline.min(longest) || patience.cut_short.is_cancelled() {
                    sent.why = Some(format!(
                        "`{}` does not read its input: after {} of {} bytes nothing was taken for {} ms, and the rest \
                         was not sent",
                        entry.name,
                        sent.bytes,
                        data.len(),
                        timeout.as_millis()
                    ));
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
            refused => {
                let why = refusal(entry, refused);
                if sent.bytes == 0 && refused != Written::Unknown {
                    return Err(why);
                }
                sent.why = Some(format!("{} of {} bytes were sent; {}", sent.bytes, data.len(), why.message));
                break;
            }
        }
    }
    Ok(sent)
}

/// Ends the input; whether that was done.
async fn close(entry: &Entry, sent: &mut Sent) -> Result<bool, ToolError> {
    match entry.handle.close_input().await.map_err(gone)? {
        Written::Taken { .. } => Ok(true),
        // It is what was wished for, by whoever it was done.
        Written::Closed => Ok(true),
        refused => {
            let why = refusal(entry, refused);
            if sent.bytes == 0 {
                return Err(why);
            }
            sent.why = Some(why.message);
            Ok(false)
        }
    }
}

/// Why a process takes no input.
fn refusal(entry: &Entry, refused: Written) -> ToolError {
    let name = &entry.name;
    match refused {
        Written::NotRunning => ToolError::new(
            ErrorKind::Conflict,
            format!(
                "`{name}` does not run, so nobody would read it; start_process {{\"name\": \"{name}\"}} starts it"
            ),
        ),
        Written::TooLong => ToolError::invalid(format!(
            "the terminal of `{name}` reads lines, and keeps at most {MAX_TERMINAL_LINE} bytes of one: send shorter lines"
        )),
        Written::Unknown => ToolError::new(
            ErrorKind::Conflict,
            format!(
                "the run of `{name}` or its shim ended meanwhile, and whether the next {MAX_WRITE} bytes arrived is not \
                 known: look at its output before you send them again"
            ),
        ),
        Written::Taken { .. } | Written::Closed => ToolError::new(
            ErrorKind::Conflict,
            format!(
                "the input of `{name}` is closed, by itself or with `eof`; restart_process {{\"process\": \"{name}\"}} \
                 begins anew with an open one"
            ),
        ),
    }
}
