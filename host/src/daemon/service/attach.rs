//! Being attached to a process: its output as it comes, byte by byte, until its run is over.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostler_api::input::{Attach, AttachEnd, Attached, Resize};
use hostler_api::view::ExitView;
use hostler_api::{ErrorKind, ToolError};
use hostler_model::{RunNo, Stream};
use hostler_store::{JournalPosition, LogPoint, LogQuery, Order, RunKey};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Client, Service, store_error, views};
use crate::daemon::live::Piece;
use crate::daemon::registry::Entry;

/// Most lines that are shown again.
const MAX_LINES: u32 = 1_000;
const MAX_BYTES: usize = 256 * 1024;

/// The output of a run.
pub(crate) struct Attachment {
    entry: Arc<Entry>,
    run: RunKey,
    output: Receiver<Piece>,
    /// What came before is among `first`.
    since: JournalPosition,
    first: Vec<Attached>,
}

impl Service {
    /// Attaches to the run of a process that is under way.
    ///
    /// # Errors
    /// When there is no such process, or it does not run.
    pub(crate) async fn attach(&self, client: &Client, request: Attach) -> Result<Attachment, ToolError> {
        let entry = self.entry(client, None, &request.process).await?;
        let output = entry.live.watch();
        self.ingest.settled().await;
        let snapshot = entry.handle.snapshot();
        let running = snapshot.lifecycle.state.running().zip(snapshot.run.key);
        let Some((number, key)) = running else {
            let name = &entry.name;
            return Err(ToolError::new(
                ErrorKind::Conflict,
                format!(
                    "`{name}` does not run; `hostler start {name}` starts it, `hostler logs {name}` has its output"
                ),
            ));
        };
        let run = RunKey(key.0);
        let state = self.store.ingest_state(run).await.map_err(store_error)?;
        let mut first = vec![Attached::Begun { pty: snapshot.spec.pty }];
        let before = LogPoint { run: number, seq: state.next_seq };
        first.extend(self.lines_before(&entry, number, before, request.lines).await?);
        let carries = [(Stream::Stdout, state.carry_stdout), (Stream::Stderr, state.carry_stderr)];
        let carries = carries.iter().filter(|(_, carry)| !carry.bytes.is_empty());
        first.extend(carries.map(|(stream, carry)| shown(*stream, &carry.bytes)));
        // Taken from behind.
        first.reverse();
        Ok(Attachment { entry, run, output, since: state.position, first })
    }

    /// The newest lines of a run before a place, oldest first.
    async fn lines_before(
        &self,
        entry: &Entry,
        run: RunNo,
        before: LogPoint,
        lines: u32,
    ) -> Result<Vec<Attached>, ToolError> {
        if lines == 0 {
            return Ok(Vec::new());
        }
        let newest = LogQuery::newest(entry.id, lines.min(MAX_LINES) as usize);
        let query = LogQuery {
            run: Some(run),
            before: Some(before),
            order: Order::Desc,
            max_bytes: MAX_BYTES,
            ..newest
        };
        let page = self.store.logs(query).await.map_err(store_error)?;
        // A terminal has put one of the two there already.
        let line = |row: &hostler_store::LogRow| {
            shown(row.stream, &[row.raw.strip_suffix(b"\r").unwrap_or(&row.raw), b"\r\n"].concat())
        };
        Ok(page.rows.iter().rev().map(line).collect())
    }

    /// Sets the size of the window of a process's terminal.
    ///
    /// # Errors
    /// When there is no such process.
    pub(crate) async fn resize(&self, client: &Client, request: Resize) -> Result<(), ToolError> {
        let entry = self.entry(client, None, &request.process).await?;
        entry.handle.resize(request.rows, request.cols);
        Ok(())
    }
}

fn shown(stream: Stream, bytes: &[u8]) -> Attached {
    Attached::Output { stream, base64: STANDARD.encode(bytes) }
}

impl Attachment {
    /// What comes next; `None` when the run is over and all of it was given.
    pub(crate) async fn next(&mut self) -> Option<Attached> {
        if let Some(first) = self.first.pop() {
            return Some(first);
        }
        let mut logs = self.entry.logs.subscribe();
        loop {
            // All that was written is on its way here before the run counts as stored whole.
            let is_over = logs.borrow_and_update().drained >= Some(self.run);
            let received = if is_over && self.output.is_empty() {
                return None;
            } else if is_over {
                self.output.recv().await
            } else {
                tokio::select! {
                    biased;
                    received = self.output.recv() => received,
                    _ = logs.changed() => continue,
                }
            };
            match received {
                Ok(piece) if piece.run == self.run && piece.until > self.since => {
                    return Some(shown(piece.stream, &piece.bytes));
                }
                Ok(piece) if piece.run > self.run => return None,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(Attached::Skipped),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// How it ended.
    pub(crate) fn end(&self) -> AttachEnd {
        let snapshot = self.entry.handle.snapshot();
        let exit = snapshot.run.exit.filter(|_| snapshot.run.key.map(|key| key.0) == Some(self.run.0));
        AttachEnd {
            status: views::status(&snapshot.lifecycle.state),
            exit: exit.as_ref().map(ExitView::from),
        }
    }
}
