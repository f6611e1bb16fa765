//! An MCP client of `hostler mcp`, as agents have one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::stage::Stage;
use crate::cli::exit::{Failure, Outcome};

pub(super) struct Agent {
    child: Child,
    /// None once it has left.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
}

impl Agent {
    pub(super) fn connect(stage: &Stage) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::failed(format!("hostler mcp: {e}"));
        let mut command = stage.hostler();
        command.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::failed("hostler mcp has no pipes"));
        };
        let mut agent = Self { child, stdin: Some(stdin), stdout: BufReader::new(stdout), next_id: 1 };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "demo", "version": "1"}});
        agent.request("initialize", hello)?;
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(agent)
    }

    /// How many tools there are.
    pub(super) fn tools(&mut self) -> Result<usize, Failure> {
        Ok(self.request("tools/list", json!({}))?["tools"].as_array().map_or(0, Vec::len))
    }

    /// Calls a tool; its structured result, which the answer of a start that failed has as well.
    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        let result = self.request("tools/call", json!({"name": tool, "arguments": arguments}))?;
        match result.get("structuredContent") {
            Some(structured) => Ok(structured.clone()),
            None => {
                let text = result["content"][0]["text"].as_str().unwrap_or_default();
                Err(Failure::failed(format!("{tool}: {text}")))
            }
        }
    }

    /// Ends the session: the end of its input ends `hostler mcp`.
    pub(super) fn leave(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).map_err(|e| Failure::failed(e.to_string()))?;
            if read == 0 {
                return Err(Failure::failed("hostler mcp ended in the middle of a call"));
            }
            let answer: Value = serde_json::from_str(&line)
                .map_err(|e| Failure::failed(format!("stdout of hostler mcp is not pure: {e}: {line}")))?;
            if let Some(message) = answer["error"]["message"].as_str() {
                return Err(Failure::failed(message));
            }
            if answer["id"] == id {
                return Ok(answer["result"].clone());
            }
        }
    }

    fn send(&mut self, message: &Value) -> Outcome {
        let stdin = self.stdin.as_mut().ok_or_else(|| Failure::failed("the agent has left"))?;
        writeln!(stdin, "{message}").map_err(|e| Failure::failed(format!("hostler mcp: {e}")))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.leave();
    }
}
