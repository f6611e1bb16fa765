//! `hostler demo`: a tour in a private home. It starts real programs and drives them through `hostler mcp`, as
//! an agent's client would, and prints what an agent sees. Every step checks what it shows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::exit::{Failure, Outcome};
use crate::daemon::home;

/// Lines of an answer that are shown.
const SHOWN_LINES: usize = 12;

pub(super) fn run() -> Outcome {
    let stage = Stage::build()?;
    let toured = tour(&stage);
    let cleaned = stage.clear();
    toured?;
    cleaned?;
    println!(
        "\nThat was it: everything is stopped and removed again. Next: README.md, or `hostler start --help`."
    );
    Ok(())
}

fn tour(stage: &Stage) -> Outcome {
    let began = Instant::now();
    let port = free_port()?;
    println!("hostler demo: what an agent sees. Everything below is real, in {}.", stage.root.display());
    let mut agent = Agent::connect(stage)?;
    println!(
        "\nAn agent's client started `hostler mcp`; there was no daemon, now there is ({} tools).",
        agent.tools()?
    );

    title("A web server: start it, and wait until it says that it listens");
    let web = agent.call(
        "start_process",
        json!({"name": "web", "command": stage.program, "args": ["demo-program", "http", port],
        "restart": {"policy": "on_failure", "backoff_initial_ms": 0}, "wait_for_log": "listening"}),
    )?;
    check(&web["done"] == true, "the server says that it listens")?;
    println!("  GET http://127.0.0.1:{port}/ -> {}", get(port)?);

    title("A worker that talks on both streams");
    agent.call(
        "start_process",
        json!({"name": "worker", "command": stage.program, "args": ["demo-program", "worker"]}),
    )?;
    let tail = agent.call(
        "tail_logs",
        json!({"process": "worker", "until_pattern": "second try", "lines": 8, "wait_ms": 5000}),
    )?;
    check(&tail["done"] == true, "the worker's lines arrive")?;

    title("A start that fails answers with its evidence");
    let crash = agent.call(
        "start_process",
        json!({"name": "api", "command": stage.program, "args": ["demo-program", "crash"]}),
    )?;
    check(crash["evidence"]["exit"]["code"] == 3, "the exit code is told")?;

    title("So does a port that is taken: who holds it?");
    let clash = agent.call(
        "start_process",
        json!({"name": "web-2", "command": stage.program, "args": ["demo-program", "http", port]}),
    )?;
    check(clash["evidence"]["port_holder"]["port"] == port, "the holder of the port is found")?;

    title("A memory hog is stopped at its limit, with the reason on record");
    let hog = agent.call(
        "start_process",
        json!({"name": "hog", "command": stage.program, "args": ["demo-program", "hog"],
        "limits": {"memory_bytes": 64 << 20}, "wait_for": "exited"}),
    )?;
    let reason = hog["process"]["status_reason"].as_str().unwrap_or("");
    check(reason.contains("memory limit exceeded"), "the limit is named")?;

    title("The web server is killed from outside; its policy starts it again");
    let pid = web["process"]["pid"].as_i64().unwrap_or(0);
    kill_outside(pid)?;
    println!("  kill -9 {pid}");
    let log = agent.call("tail_logs", json!({"process": "web", "lines": 3}))?;
    let cursor = log["cursor"].clone();
    if log["text"].as_str().unwrap_or("").matches("listening").count() < 2 {
        agent.call(
            "tail_logs",
            json!({"process": "web", "cursor": cursor, "until_pattern": "listening", "wait_ms": 5000}),
        )?;
    }
    let info = agent.call("get_process_info", json!({"process": "web"}))?;
    check(info["process"]["restarts"] == 1 && info["process"]["status"] == "running", "it runs again")?;

    title("The agent's session ends, and the daemon is killed with -9. The processes do not notice");
    drop(agent);
    let before = stage.daemon_pid()?;
    kill_outside(before)?;
    println!("  kill -9 {before} (the daemon); GET http://127.0.0.1:{port}/ -> {}", get(port)?);
    let mut agent = Agent::connect(stage)?;
    let list = agent.call("list_processes", json!({"status": "running", "detail": "full"}))?;
    check(list["processes"].as_array().is_some_and(|p| p.len() == 2), "a new client finds both")?;
    check(list["processes"][0]["pid"] == info["process"]["pid"], "with the same pid")?;

    title("Stop: the whole tree, nothing stays behind");
    for name in ["web", "worker", "api", "web-2", "hog"] {
        let stopped = agent.call("stop_process", json!({"process": name, "remove": true}))?;
        check(&stopped["removed"] == true, "it is gone")?;
    }
    println!("\nThe tour took {:.1} s.", began.elapsed().as_secs_f64());
    Ok(())
}

fn title(text: &str) {
    println!("\n== {text}");
}

fn check(holds: bool, what: &str) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(Failure::failed(format!("the demo did not go as it should: not so: {what}")))
    }
}

/// A private home and project.
struct Stage {
    root: PathBuf,
    program: PathBuf,
}

impl Stage {
    fn build() -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|e| Failure::failed(e.to_string()))?;
        let root = std::env::temp_dir().join(format!("hostler-demo-{}", std::process::id()));
        let stage = Self { root, program };
        let policy = format!(
            "# The demo's own program, which is neither on PATH nor in the project.\n[commands]\nallow = [{:?}]\n",
            stage.program
        );
        std::fs::create_dir_all(stage.project())
            .and_then(|()| std::fs::create_dir_all(stage.home()))
            .and_then(|()| std::fs::write(stage.home().join("policy.toml"), policy))
            .map_err(|e| Failure::failed(format!("cannot write {}: {e}", stage.root.display())))?;
        Ok(stage)
    }

    fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    fn project(&self) -> PathBuf {
        self.root.join("shop")
    }

    fn hostler(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env(home::VARIABLE, self.home())
            .env_remove(home::POLICY_VARIABLE)
            .current_dir(self.project());
        command
    }

    fn daemon_pid(&self) -> Result<i64, Failure> {
        let output = self.hostler().args(["daemon", "status", "--json"]).output();
        let output = output.map_err(|e| Failure::failed(e.to_string()))?;
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        status["pid"].as_i64().ok_or_else(|| Failure::failed("the daemon does not tell its pid"))
    }

    /// Ends everything, also after a tour that failed in the middle.
    fn clear(&self) -> Outcome {
        if let Ok(mut agent) = Agent::connect(self) {
            agent.quiet = true;
            let list = agent.call("list_processes", json!({"all_projects": true}))?;
            for process in list["processes"].as_array().into_iter().flatten() {
                agent.call(
                    "stop_process",
                    json!({"process": process["id"], "remove": true, "grace_ms": 1000}),
                )?;
            }
        }
        let stopped = self.hostler().args(["daemon", "stop"]).stdout(Stdio::null()).status();
        check(stopped.is_ok_and(|s| s.success()), "the daemon ends")?;
        remove(&self.root)
    }
}

fn remove(root: &Path) -> Outcome {
    std::fs::remove_dir_all(root)
        .map_err(|e| Failure::failed(format!("cannot remove {}: {e}", root.display())))
}

/// An MCP client of `hostler mcp`, as agents have one.
struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
    quiet: bool,
}

impl Agent {
    fn connect(stage: &Stage) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::failed(format!("hostler mcp: {e}"));
        let mut child = stage
            .hostler()
            .arg("mcp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::failed("hostler mcp has no pipes"));
        };
        let mut agent =
            Self { child, stdin: Some(stdin), stdout: BufReader::new(stdout), next_id: 1, quiet: false };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "demo", "version": "1"}});
        agent.request("initialize", hello)?;
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(agent)
    }

    fn tools(&mut self) -> Result<usize, Failure> {
        Ok(self.request("tools/list", json!({}))?["tools"].as_array().map_or(0, Vec::len))
    }

    /// Calls a tool, shows call and answer, and gives its structured result.
    fn call(&mut self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        let result = self.request("tools/call", json!({"name": tool, "arguments": arguments}))?;
        let text = result["content"][0]["text"].as_str().unwrap_or("");
        if !self.quiet {
            println!("> {tool} {arguments}");
            let mark = if result["isError"] == true { '!' } else { '<' };
            text.lines().take(SHOWN_LINES).for_each(|line| println!("{mark} {line}"));
        }
        match result.get("structuredContent") {
            Some(structured) => Ok(structured.clone()),
            None => Err(Failure::failed(format!("{tool}: {text}"))),
        }
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
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        writeln!(stdin, "{message}").map_err(|e| Failure::failed(format!("hostler mcp: {e}")))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.stdin = None;
        let _ = self.child.wait();
    }
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    listener.map(|a| a.port()).map_err(|e| Failure::failed(format!("no free port on loopback: {e}")))
}

fn get(port: u16) -> Result<String, Failure> {
    let fetch = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = fetch().map_err(|e| Failure::failed(format!("GET from port {port}: {e}")))?;
    Ok(answer.lines().next().unwrap_or("").to_owned())
}

fn kill_outside(pid: i64) -> Outcome {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::failed("there is no pid to kill"))?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)
        .map_err(|e| Failure::failed(e.to_string()))
}
