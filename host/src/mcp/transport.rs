//! Newline-delimited JSON-RPC over the socket, robust against what clients do.
//!
//! Own rather than rmcp's, because of what that one does not do: it drops an overlong line or a malformed one
//! without an answer, ends the server at a notification before the first request, puts no bound on requests
//! in flight, and at the end of input waits five seconds for calls that nobody told to hurry.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostler_api::connection::Welcome;
use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio_util::sync::CancellationToken;

/// Longest message, bytes.
const MAX_LINE: usize = 16 << 20;
/// Requests of one client at work at the same time; more are not read before some are answered.
const MAX_IN_FLIGHT: usize = 128;
/// After the end of input, calls that were told to hurry have this long to answer.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// A line of input.
pub(super) enum Line {
    /// Without its line feed.
    Whole(Vec<u8>),
    /// Its beginning and its length.
    TooLong { beginning: Vec<u8>, length: usize },
}

/// One connection.
pub(super) struct SocketTransport {
    reader: BufReader<OwnedReadHalf>,
    writer: Arc<AsyncMutex<OwnedWriteHalf>>,
    /// The line that is being read. Kept here because reading may be cancelled at any byte.
    partial: Vec<u8>,
    discarded: usize,
    put_back: Option<Line>,
    flight: Arc<Flight>,
    /// Told when the client has said its last.
    closing: CancellationToken,
    shutdown: CancellationToken,
    at_end: bool,
    any_request: bool,
}

/// Requests that have no answer yet.
#[derive(Default)]
struct Flight {
    ids: Mutex<HashSet<RequestId>>,
    landed: Notify,
}

impl Flight {
    fn take_off(&self, id: RequestId) {
        self.lock().insert(id);
    }

    fn land(&self, id: &RequestId) {
        self.lock().remove(id);
        self.landed.notify_waiters();
    }

    async fn wait_below(&self, count: usize) {
        loop {
            let landed = self.landed.notified();
            tokio::pin!(landed);
            landed.as_mut().enable();
            if self.lock().len() < count {
                return;
            }
            landed.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<RequestId>> {
        self.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl SocketTransport {
    pub(super) fn new(stream: UnixStream, closing: CancellationToken, shutdown: CancellationToken) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader: BufReader::new(reader),
            writer: Arc::new(AsyncMutex::new(writer)),
            partial: Vec::new(),
            discarded: 0,
            put_back: None,
            flight: Arc::default(),
            closing,
            shutdown,
            at_end: false,
            any_request: false,
        }
    }

    /// Gives a line back, to be read as a message.
    pub(super) fn put_back(&mut self, line: Line) {
        self.put_back = Some(line);
    }

    /// Answers a preamble. A client that is gone is noticed at the next read.
    pub(super) async fn welcome(&mut self, welcome: &Welcome) {
        let _ = write(&self.writer, welcome).await;
    }

    /// Answers that this connection is not served.
    pub(super) async fn refuse(&mut self, message: String) {
        self.answer_error(None, ErrorCode::INTERNAL_ERROR, message).await;
    }

    /// The next line; `None` at the end of input. A last line without its line feed is no message: its
    /// writer was cut off. May be cancelled.
    pub(super) async fn next_line(&mut self) -> Option<Line> {
        if let Some(line) = self.put_back.take() {
            return Some(line);
        }
        loop {
            let available = self.reader.fill_buf().await.ok()?;
            if available.is_empty() {
                return None;
            }
            let newline = available.iter().position(|b| *b == b'\n');
            let part = &available[..newline.unwrap_or(available.len())];
            let room = MAX_LINE - self.partial.len();
            self.partial.extend_from_slice(&part[..part.len().min(room)]);
            self.discarded += part.len().saturating_sub(room);
            let consumed = part.len() + usize::from(newline.is_some());
            self.reader.consume(consumed);
            if newline.is_none() {
                continue;
            }
            let line = std::mem::take(&mut self.partial);
            let discarded = std::mem::take(&mut self.discarded);
            if discarded > 0 {
                return Some(Line::TooLong { length: line.len() + discarded, beginning: line });
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Some(Line::Whole(line));
            }
        }
    }

    /// The next message that is one; the others are answered here.
    async fn next_message(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            self.flight.wait_below(MAX_IN_FLIGHT).await;
            match self.next_line().await? {
                Line::Whole(line) => match serde_json::from_slice::<ClientJsonRpcMessage>(&line) {
                    Ok(message) => return Some(message),
                    Err(error) => self.answer_garbage(&line, &error).await,
                },
                Line::TooLong { beginning, length } => {
                    let message = format!(
                        "a message of {length} bytes is too long: at most {MAX_LINE}; pass large data in a file"
                    );
                    self.answer_error(find_id(&beginning), ErrorCode::INVALID_REQUEST, message).await;
                }
            }
        }
    }

    async fn answer_garbage(&mut self, line: &[u8], error: &serde_json::Error) {
        let shown: String = String::from_utf8_lossy(line).chars().take(80).collect();
        match serde_json::from_slice::<Envelope>(line) {
            Ok(Envelope { id: Some(id), method }) => {
                let message = format!("not a valid `{}` request: {error}", method.unwrap_or_default());
                self.answer_error(Some(id), ErrorCode::INVALID_REQUEST, message).await;
            }
            // Valid JSON without an id is a notification that nobody knows: those get no answer.
            Ok(Envelope { id: None, method: Some(_) }) => {}
            _ => {
                let message = format!("not a JSON-RPC message: {error}; it began with {shown:?}");
                self.answer_error(None, ErrorCode::PARSE_ERROR, message).await;
            }
        }
    }

    async fn answer_error(&mut self, id: Option<RequestId>, code: ErrorCode, message: String) {
        let answer = ServerJsonRpcMessage::error(ErrorData::new(code, message, None), id);
        let writer = self.writer.clone();
        // A task of its own, since reading may be cancelled at any time, and with it would go an answer, or
        // half of one. A client that is gone needs none.
        let _ = tokio::spawn(async move { write(&writer, &answer).await }).await;
    }
}

/// As much of a message as can be told of one that is none.
#[derive(Deserialize)]
struct Envelope {
    id: Option<RequestId>,
    method: Option<String>,
}

/// The id in the beginning of a message that is too long to be read: clients write it first or soon after.
fn find_id(beginning: &[u8]) -> Option<RequestId> {
    let head = String::from_utf8_lossy(&beginning[..beginning.len().min(4096)]).into_owned();
    let (_, after) = head.split_once("\"id\"")?;
    let value = after.trim_start().strip_prefix(':')?;
    serde_json::Deserializer::from_str(value).into_iter::<RequestId>().next()?.ok()
}

async fn write(writer: &AsyncMutex<OwnedWriteHalf>, message: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.lock().await.write_all(&line).await
}

impl Transport<RoleServer> for SocketTransport {
    type Error = std::io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let (writer, flight) = (self.writer.clone(), self.flight.clone());
        async move {
            let written = write(&writer, &item).await;
            match &item {
                JsonRpcMessage::Response(response) => flight.land(&response.id),
                JsonRpcMessage::Error(error) => {
                    if let Some(id) = &error.id {
                        flight.land(id);
                    }
                }
                JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => {}
            }
            written
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let shutdown = self.shutdown.clone();
        while !self.at_end {
            let message = tokio::select! {
                message = self.next_message() => message,
                () = shutdown.cancelled() => None,
            };
            match message {
                Some(JsonRpcMessage::Request(request)) => {
                    self.any_request = true;
                    self.flight.take_off(request.id.clone());
                    return Some(JsonRpcMessage::Request(request));
                }
                Some(JsonRpcMessage::Notification(notification)) => {
                    if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                        && let Some(id) = &cancelled.params.request_id
                    {
                        // It gets no answer.
                        self.flight.land(id);
                    }
                    if self.any_request {
                        return Some(JsonRpcMessage::Notification(notification));
                    }
                }
                Some(other) => {
                    if self.any_request {
                        return Some(other);
                    }
                }
                None => self.at_end = true,
            }
        }
        self.closing.cancel();
        let _ = tokio::time::timeout(LAST_ANSWERS, self.flight.wait_below(1)).await;
        None
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.writer.lock().await.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_overlong_message_is_found() {
        let number = br#"{"jsonrpc":"2.0","id": 17,"method":"tools/call","params":{"#;
        assert_eq!(find_id(number), Some(RequestId::Number(17)));
        let text = br#"{"method":"x","id":"a-1","params":"#;
        assert_eq!(find_id(text), Some(RequestId::String("a-1".into())));
        assert_eq!(find_id(b"garbage"), None);
    }
}
