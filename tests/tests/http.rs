//! MCP over HTTP: off by default, on the loopback, with a token, for nobody's browser.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use e2e::{Env, Era, alive, wait_until};
use serde_json::{Value, json};

/// A daemon that serves HTTP, at any port.
struct Http {
    address: String,
    token: String,
}

struct Reply {
    status: u16,
    headers: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        // An answer comes as JSON, or as the last event of a stream.
        let event = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .rfind(|data| data.starts_with('{'));
        serde_json::from_str(event.unwrap_or(&self.body)).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

impl Http {
    fn serve(env: &Env, config: &str) -> Self {
        std::fs::write(
            env.home().join("config.toml"),
            format!("[http]\nport = 0\nproject = {:?}\n{config}", env.project()),
        )
        .unwrap();
        let _ = env.cli(&["daemon", "start"]).ok();
        let url = env.cli(&["daemon", "status", "--json"]).ok().json()["http"].as_str().unwrap().to_owned();
        let address = url.strip_prefix("http://").unwrap().strip_suffix("/mcp").unwrap().to_owned();
        let token = std::fs::read_to_string(env.home().join("http-token")).unwrap().trim().to_owned();
        Self { address, token }
    }

    /// One request on a connection of its own; these headers replace the usual ones.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![
            ("Host", self.address.as_str()),
            ("Authorization", bearer.as_str()),
            ("Accept", "application/json, text/event-stream"),
            ("Content-Type", "application/json"),
            ("Connection", "close"),
        ];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        all.extend(headers.iter().filter(|(_, value)| !value.is_empty()));
        let head: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        let (headers, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status =
            headers.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {text}")).parse().unwrap();
        Reply { status, headers: headers.to_lowercase(), body: body.to_owned() }
    }

    fn modern(&self, method: &str, mut params: Value, headers: &[(&str, &str)]) -> Reply {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut all =
            vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method), ("Mcp-Name", name.as_str())];
        all.extend(headers);
        self.ask("POST", "/mcp", &all, &message.to_string())
    }
}

#[test]
fn a_client_of_the_newer_era_is_served() {
    let env = Env::new();
    let http = Http::serve(&env, "");
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("web", &env.fault(), &["lines", "2"]);
    let tools = http.modern("tools/list", json!({}), &[]);
    assert_eq!(tools.status, 200, "{}", tools.body);
    let over_socket = mcp.request("tools/list", json!({}))["result"]["tools"].clone();
    assert_eq!(tools.json()["result"]["tools"], over_socket, "the handler is the same");
    let list = http.modern("tools/call", json!({"name": "list_processes", "arguments": {}}), &[]);
    assert_eq!(list.json()["result"]["structuredContent"]["processes"][0]["name"], "web", "{}", list.body);
}

#[test]
fn a_client_of_the_older_era_is_served() {
    let env = Env::new();
    let http = Http::serve(&env, "");
    let info = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info});
    let reply = http.ask("POST", "/mcp", &[], &hello.to_string());
    assert_eq!(reply.json()["result"]["protocolVersion"], "2025-11-25", "{}", reply.body);
    let session =
        reply.headers.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap().to_owned();
    let headers = [("Mcp-Session-Id", session.as_str()), ("MCP-Protocol-Version", "2025-11-25")];
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(http.ask("POST", "/mcp", &headers, &ready.to_string()).status, 202);
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_processes", "arguments": {}}});
    let reply = http.ask("POST", "/mcp", &headers, &call.to_string());
    assert_eq!(reply.json()["result"]["structuredContent"]["processes"], json!([]), "{}", reply.body);
}

#[test]
fn a_session_that_nobody_would_see_the_end_of_is_refused() {
    let env = Env::new();
    let http = Http::serve(&env, "");
    let start = |name: &str, lifetime: &str| {
        let arguments = json!({"name": name, "command": env.fault(), "args": ["run"], "lifetime": lifetime});
        let call = json!({"name": "start_process", "arguments": arguments});
        http.modern("tools/call", call, &[]).json()["result"].clone()
    };
    let refused = start("web", "session");
    let text = refused["content"][0]["text"].as_str().unwrap();
    assert!(refused["isError"] == true && text.contains("\"lease\" with `lease_ms`"), "{refused}");
    assert!(text.contains("\"persistent\"") && text.contains("HTTP"), "{refused}");
    assert_eq!(start("leased", "lease")["structuredContent"]["process"]["status"], "running");
    // Of a client that can be seen the session stays that client's, whoever else asks for it.
    let mut mcp = env.mcp(Era::Modern);
    assert!(mcp.refused("get_process_info", json!({"process": "web"})).contains("no process"));
    let mine = json!({"name": "mine", "command": env.fault(), "args": ["run"], "lifetime": "session"});
    let pid = mcp.done("start_process", mine)["process"]["pid"].as_i64().unwrap();
    assert_eq!(start("mine", "session")["structuredContent"]["process"]["pid"], pid);
    drop(mcp);
    wait_until("it ends with its client", || !alive(pid));
    assert_eq!(start("mine", "session")["isError"], true);
}

#[test]
fn prometheus_is_served() {
    let env = Env::new();
    let http = Http::serve(&env, "");
    env.mcp(Era::Modern).start("web", &env.fault(), &["run"]);
    let reply = http.ask("GET", "/metrics", &[], "");
    assert!(reply.status == 200 && reply.headers.contains("version=0.0.4"), "{}", reply.headers);
    assert!(reply.body.contains("# TYPE hostler_") && reply.body.contains("\"web\""), "{}", reply.body);
}

#[test]
fn who_has_no_token_gets_nothing() {
    let env = Env::new();
    let http = Http::serve(&env, "");
    let mode = std::fs::metadata(env.home().join("http-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for wrong in ["", "Bearer", "Bearer x", "Basic x", &format!("Bearer {}x", http.token)] {
        for path in ["/mcp", "/metrics", "/"] {
            let reply = http.ask("POST", path, &[("Authorization", wrong)], "{}");
            assert_eq!(reply.status, 401, "{wrong} {path}: {}", reply.body);
            assert!(reply.headers.contains("www-authenticate: bearer"), "{}", reply.headers);
        }
    }
}

#[test]
fn a_page_in_a_browser_is_refused() {
    let env = Env::new();
    let http = Http::serve(&env, "");
    for (name, value) in [
        ("Host", "evil.example"),
        ("Host", "127.0.0.1.evil.example:80"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
    ] {
        let reply = http.modern("tools/list", json!({}), &[(name, value)]);
        assert_eq!(reply.status, 403, "{name}: {value}: {}", reply.body);
    }
    for origin in ["http://localhost:3000", "http://127.0.0.1:80"] {
        let reply = http.modern("tools/list", json!({}), &[("Origin", origin)]);
        assert_eq!(reply.status, 200, "{origin}: {}", reply.body);
    }
}

#[test]
fn it_is_off_unless_asked_for() {
    let env = Env::new();
    let _ = env.cli(&["daemon", "start"]).ok();
    let status = env.cli(&["daemon", "status", "--json"]).ok().json();
    assert!(status["http"].is_null(), "{status}");
    let refused = env.cli(&["daemon", "start", "--http", "0"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("daemon restart --http"), "{refused:?}");
    let _ = env.cli(&["daemon", "restart", "--http", "0"]).ok();
    let status = env.cli(&["daemon", "status", "--json"]).ok().json();
    assert!(status["http"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{status}");
}

#[test]
fn what_cannot_be_served_is_said_and_harms_nobody() {
    let env = Env::new();
    std::fs::write(env.home().join("config.toml"), "[http]\nport = 0\ntools = [\"lgos\"]\n").unwrap();
    let _ = env.cli(&["daemon", "start"]).ok();
    let status = env.cli(&["daemon", "status", "--json"]).ok().json();
    assert!(status["degraded"][0].as_str().unwrap().contains("did you mean `logs`"), "{status}");
    env.mcp(Era::Legacy).start("web", &env.fault(), &["run"]);
}

#[test]
fn it_may_be_for_reading_only() {
    let env = Env::new();
    let http = Http::serve(&env, "read_only = true\n");
    let call = json!({"name": "start_process", "arguments": {"name": "web", "command": env.fault(), "args": ["run"]}});
    let reply = http.modern("tools/call", call, &[]);
    assert_eq!(reply.json()["result"]["isError"], true, "{}", reply.body);
    assert!(env.processes().iter().all(|(_, command)| !command.contains("e2e-fault run")));
}
