//! A client of `hostler mcp` that writes JSON-RPC lines by hand, so that nothing between it and the product
//! repairs or hides anything.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{DEADLINE, wait_for};

/// The two forms of the protocol that clients speak today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// `initialize` first, then plain requests.
    Legacy,
    /// No handshake: every request carries version and capabilities.
    Modern,
}

impl Era {
    fn revision(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }
}

/// The answer of a tool.
#[derive(Debug, Clone)]
pub struct Answer {
    /// All text content.
    pub text: String,
    /// The structured result; null when there is none.
    pub structured: Value,
    /// Whether it is an error.
    pub is_error: bool,
}

/// A running client.
#[derive(Debug)]
pub struct Mcp {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    unread: VecDeque<Value>,
    era: Era,
    next_id: u64,
}

impl Mcp {
    /// Starts a client of this command, which says nothing yet.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn spawn(mut command: Command, era: Era) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = spawned.expect("hostler mcp starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, unread: VecDeque::new(), era, next_id: 1 }
    }

    /// Says hello, as clients of this era do.
    pub fn handshake(&mut self) {
        if self.era == Era::Legacy {
            let info = json!({"name": "e2e", "version": "1"});
            let answer = self.request(
                "initialize",
                json!({"protocolVersion": self.era.revision(), "capabilities": {}, "clientInfo": info}),
            );
            assert_eq!(answer["result"]["protocolVersion"], self.era.revision(), "{answer}");
            self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        }
    }

    /// The process id of `hostler mcp`.
    #[must_use]
    pub fn pid(&self) -> i64 {
        self.child.id().into()
    }

    /// Writes bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("hostler mcp reads");
    }

    /// Writes a message.
    pub fn send(&mut self, message: &Value) {
        self.send_raw(format!("{message}\n").as_bytes());
    }

    /// A request as this era writes it, and its id.
    #[must_use]
    pub fn compose(&mut self, method: &str, mut params: Value) -> (u64, Value) {
        let id = self.next_id;
        self.next_id += 1;
        if self.era == Era::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.era.revision(),
                "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        (id, json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    }

    /// Sends a request without waiting for its answer.
    pub fn begin(&mut self, method: &str, params: Value) -> u64 {
        let (id, message) = self.compose(method, params);
        self.send(&message);
        id
    }

    /// Sends a call of a tool without waiting for its answer.
    pub fn begin_call(&mut self, tool: &str, arguments: Value) -> u64 {
        self.begin("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The answer to a request that was begun.
    pub fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.unread.iter().position(|m| m["id"] == id) {
            return self.unread.remove(at).expect("it is there");
        }
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.read(left) {
                Some(message) if message["id"] == id => return message,
                Some(message) => self.unread.push_back(message),
                None => panic!("no answer to request {id}; unread: {:?}", self.unread),
            }
        }
    }

    /// The next message of any kind; none when there is none in time or at the end of output.
    pub fn next_message(&mut self, patience: Duration) -> Option<Value> {
        self.unread.pop_front().or_else(|| self.read(patience))
    }

    fn read(&mut self, patience: Duration) -> Option<Value> {
        let line = match self.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        let message: Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("stdout carries what is no message ({e}): {line:.200}"));
        assert_eq!(message["jsonrpc"], "2.0", "stdout carries what is no message: {line:.200}");
        Some(message)
    }

    /// Sends a request and waits for its whole answer, error or result.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id)
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        let id = self.begin_call(tool, arguments);
        read_answer(&self.answer(id))
    }

    /// Calls a tool that must succeed, and gives its structured result.
    pub fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let shown = format!("{tool} {arguments:.300}");
        let answer = self.call(tool, arguments);
        assert!(!answer.is_error, "{shown}: {}", answer.text);
        answer.structured
    }

    /// Calls a tool that must fail, and gives the text of the failure.
    pub fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let shown = format!("{tool} {arguments:.300}");
        let answer = self.call(tool, arguments);
        assert!(answer.is_error, "{shown} was not refused: {}", answer.text);
        answer.text
    }

    /// Starts the fault program under a name; it must succeed.
    pub fn start(&mut self, name: &str, fault: &str, args: &[&str]) -> Value {
        let started = self.done("start_process", json!({"name": name, "command": fault, "args": args}));
        assert_eq!(started["done"], true, "{started}");
        started["process"].clone()
    }

    /// Starts the fault program under many names at once, and gives their pids.
    pub fn start_all(&mut self, names: &[String], fault: &str, args: &[&str]) -> Vec<Value> {
        let request =
            |name: &String| json!({"name": name, "command": fault, "args": args, "wait_for": "started"});
        let ids: Vec<u64> =
            names.iter().map(|name| self.begin_call("start_process", request(name))).collect();
        ids.into_iter()
            .map(|id| {
                let answer = read_answer(&self.answer(id));
                assert_eq!(answer.structured["process"]["status"], "running", "{}", answer.text);
                answer.structured["process"]["pid"].clone()
            })
            .collect()
    }

    /// The view of a process.
    pub fn view(&mut self, name: &str) -> Value {
        self.done("get_process_info", json!({"process": name, "runs": 1}))["process"].clone()
    }

    /// Waits until a process is in a state.
    pub fn await_status(&mut self, name: &str, status: &str) -> Value {
        wait_for(&format!("{name} is {status}"), || {
            let view = self.view(name);
            (view["status"] == status).then_some(view)
        })
    }

    /// All lines of a process, oldest first, over as many pages as it takes.
    pub fn all_lines(&mut self, name: &str) -> Vec<Value> {
        let (mut lines, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = self.done(
                "get_logs",
                json!({"process": name, "order": "asc", "limit": 1000, "format": "records", "cursor": cursor}),
            );
            lines.extend(page["lines"].as_array().cloned().unwrap_or_default());
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                return lines;
            }
        }
    }

    /// Ends the input, and waits for the end of the program: its status, what it still answered, and how long
    /// it took.
    pub fn close(mut self) -> (ExitStatus, Vec<Value>, Duration) {
        let began = Instant::now();
        self.stdin = None;
        let status = wait_for("hostler mcp ends", || self.child.try_wait().expect("it can be waited for"));
        let took = began.elapsed();
        let rest = std::iter::from_fn(|| self.next_message(Duration::from_secs(5))).collect();
        (status, rest, took)
    }
}

impl Drop for Mcp {
    fn drop(&mut self) {
        self.stdin = None;
        let deadline = Instant::now() + Duration::from_secs(8);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            panic!("hostler mcp did not end at the end of its input");
        }
    }
}

fn read_answer(message: &Value) -> Answer {
    let result = message.get("result").unwrap_or_else(|| panic!("a protocol error: {message}"));
    let content = result["content"].as_array().cloned().unwrap_or_default();
    Answer {
        text: content.iter().filter_map(|c| c["text"].as_str()).collect::<Vec<_>>().join("\n"),
        structured: result["structuredContent"].clone(),
        is_error: result["isError"] == true,
    }
}
