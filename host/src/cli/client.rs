//! The command line's side of MCP: one request, one answer, in the stateless era of the protocol.
//!
//! Written by hand because it is two lines of JSON, and because a command that takes 5 ms should not start
//! an async runtime.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use hostler_api::{ErrorKind, ToolError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::exit::Failure;
use super::launch;
use crate::daemon::home::Home;

/// The revision of the protocol that this client speaks.
const PROTOCOL: &str = "2026-07-28";

/// A connection to the daemon.
pub(super) struct Client {
    stream: BufReader<UnixStream>,
    next_id: u64,
}

/// The answer of a tool.
pub(super) struct Answered {
    /// The result as the API has it.
    pub(super) result: Value,
    /// The text of a failure that has a result.
    pub(super) failure: Option<String>,
}

impl Client {
    /// Connects to the daemon, starting one when there is none.
    pub(super) fn connect() -> Result<Self, Failure> {
        let home = Home::find().map_err(Failure::unreachable)?;
        Ok(Self::on(launch::connect(&home, "cli")?))
    }

    /// Connects to the daemon only if one runs.
    pub(super) fn connect_if_running(home: &Home) -> Option<Self> {
        launch::try_connect(home, "cli").ok().map(Self::on)
    }

    fn on(stream: UnixStream) -> Self {
        Self { stream: BufReader::new(stream), next_id: 1 }
    }

    /// Calls a tool.
    pub(super) fn call<Request: Serialize>(
        &mut self,
        tool: &str,
        request: &Request,
    ) -> Result<Answered, Failure> {
        let arguments = serde_json::to_value(request).map_err(|e| Failure::failed(e.to_string()))?;
        let result = self.request("tools/call", json!({"name": tool, "arguments": arguments}))?;
        let text = result["content"][0]["text"].as_str().unwrap_or("").to_owned();
        let is_error = result["isError"].as_bool().unwrap_or(false);
        match (is_error, result.get("structuredContent")) {
            (false, Some(structured)) => Ok(Answered { result: structured.clone(), failure: None }),
            (true, Some(structured)) => Ok(Answered { result: structured.clone(), failure: Some(text) }),
            (_, None) => {
                let kind = result["_meta"]["hostler/error"].clone();
                let kind = serde_json::from_value(kind).unwrap_or(ErrorKind::Internal);
                Err(ToolError::new(kind, text).into())
            }
        }
    }

    /// Calls a tool and reads its result.
    pub(super) fn read<Request: Serialize, Response: DeserializeOwned>(
        &mut self,
        tool: &str,
        request: &Request,
    ) -> Result<Response, Failure> {
        parse(self.call(tool, request)?.result)
    }

    /// Sends a request and waits for its answer.
    pub(super) fn request(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        self.listen(method, params, |_| Ok(()))
    }

    /// Sends a request, gives what is told until its answer to `told`, and answers that.
    pub(super) fn listen(
        &mut self,
        method: &str,
        mut params: Value,
        mut told: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<Value, Failure> {
        let id = self.next_id;
        self.next_id += 1;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": PROTOCOL,
            "io.modelcontextprotocol/clientInfo": {"name": "hostler-cli", "version": env!("CARGO_PKG_VERSION")},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let lost = |e: std::io::Error| {
            Failure::unreachable(format!(
                "lost the daemon ({e}); `hostler daemon status` shows whether it runs"
            ))
        };
        let stream = self.stream.get_mut();
        let mut line = message.to_string();
        line.push('\n');
        stream.write_all(line.as_bytes()).map_err(lost)?;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).map_err(lost)? == 0 {
                return Err(lost(std::io::ErrorKind::UnexpectedEof.into()));
            }
            let mut answer: Value = serde_json::from_str(&line)
                .map_err(|e| Failure::unreachable(format!("the daemon answered what is not JSON: {e}")))?;
            if let Some(message) = answer["error"]["message"].as_str() {
                let kind = serde_json::from_value(answer["error"]["data"]["hostler/error"].clone());
                return Err(match kind {
                    Ok(kind) => ToolError::new(kind, message).into(),
                    Err(_) => Failure::failed(message),
                });
            }
            if answer["method"].is_string() {
                told(answer["params"].take())?;
                continue;
            }
            if answer["id"] == id {
                return Ok(answer["result"].clone());
            }
        }
    }
}

/// Reads a result into its type.
pub(super) fn parse<Response: DeserializeOwned>(result: Value) -> Result<Response, Failure> {
    serde_json::from_value(result).map_err(|e| {
        Failure::failed(format!(
            "the daemon's answer is not understood ({e}): it is of another version; run `hostler daemon restart`"
        ))
    })
}
