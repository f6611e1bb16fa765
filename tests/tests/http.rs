//! MCP over HTTP: off by default, on the loopback, with a token, for nobody's browser.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::{BufRead, BufReader, Read, Write};
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

    fn modern(&self, method: &str, params: Value, headers: &[(&str, &str)]) -> Reply {
        self.modern_with(method, params, headers, &json!({}))
    }

    /// A request of a client that can do this.
    fn modern_with(
        &self,
        method: &str,
        params: Value,
        headers: &[(&str, &str)],
        capabilities: &Value,
    ) -> Reply {
        let (message, name) = modern(method, params, capabilities);
        let mut all =
            vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method), ("Mcp-Name", &name)];
        all.extend(headers);
        self.ask("POST", "/mcp", &all, &message.to_string())
    }

    /// Begins a session of the older era, of a client that can do this.
    fn session(&self, capabilities: &Value) -> String {
        let info = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
            "clientInfo": {"name": "e2e", "version": "1"}});
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info});
        let reply = self.ask("POST", "/mcp", &[], &hello.to_string());
        assert_eq!(reply.status, 200, "{}", reply.body);
        let id = reply.headers.lines().find_map(|line| line.strip_prefix("mcp-session-id: "));
        let id = id.unwrap_or_else(|| panic!("no session: {}", reply.headers)).to_owned();
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.in_session(&id, &ready).status, 202);
        id
    }

    fn in_session(&self, session: &str, message: &Value) -> Reply {
        let headers = [("Mcp-Session-Id", session), ("MCP-Protocol-Version", "2025-11-25")];
        self.ask("POST", "/mcp", &headers, &message.to_string())
    }

    /// A request whose answer is read message by message, while it comes.
    fn open(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Events {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![
            ("Host", self.address.as_str()),
            ("Authorization", bearer.as_str()),
            (
                "Accept",
                if method == "GET" { "text/event-stream" } else { "application/json, text/event-stream" },
            ),
            ("Content-Type", "application/json"),
        ];
        all.extend(headers.iter().filter(|(_, value)| !value.is_empty()));
        let head: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "{method} /mcp HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
            .unwrap();
        let mut events = Events(BufReader::new(stream));
        let status = events.line();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        events
    }

    fn open_in_session(&self, method: &str, session: &str, body: &str) -> Events {
        let headers = [("Mcp-Session-Id", session), ("MCP-Protocol-Version", "2025-11-25")];
        self.open(method, &headers, body)
    }
}

/// A request of the newer era, and what it is about.
fn modern(method: &str, mut params: Value, capabilities: &Value) -> (Value, String) {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    (json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), name)
}

/// Messages on their way.
struct Events(BufReader<TcpStream>);

impl Events {
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
        line
    }

    fn next(&mut self) -> Value {
        loop {
            let line = self.line();
            if let Some(message) = line.strip_prefix("data: ").filter(|data| data.starts_with('{')) {
                return serde_json::from_str(message).unwrap();
            }
        }
    }

    /// The next message about this resource.
    fn told_of(&mut self, uri: &str) {
        loop {
            let message = self.next();
            if message["method"] == "notifications/resources/updated" && message["params"]["uri"] == uri {
                return;
            }
        }
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

#[test]
fn nobody_ends_the_daemon_over_http() {
    for config in ["", "read_only = true\n"] {
        let env = Env::new();
        let http = Http::serve(&env, config);
        let daemon = env.daemon();
        let session = http.session(&json!({}));
        for method in ["hostler/daemon/stop", "hostler/attach", "hostler/resize"] {
            let params = json!({"process": "web", "rows": 1, "columns": 1});
            let modern = http.modern(method, params.clone(), &[]).json();
            let request = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
            let legacy = http.in_session(&session, &request).json();
            for answer in [modern, legacy] {
                assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
            }
        }
        assert_eq!(env.daemon(), daemon, "it runs on");
    }
}

#[test]
fn changes_are_told() {
    let env = Env::new();
    let http = Http::serve(&env, "");
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("web", &env.fault(), &["run"]);
    let uri = "processes://web";

    let wanted = json!({"notifications": {"resourceSubscriptions": [uri, "errors://e999"]}});
    let (listen, _) = modern("subscriptions/listen", wanted, &json!({}));
    let headers = [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "subscriptions/listen")];
    let mut newer = http.open("POST", &headers, &listen.to_string());
    let acknowledged = newer.next();
    let granted = &acknowledged["params"]["notifications"]["resourceSubscriptions"];
    assert_eq!(granted, &json!([uri]), "{acknowledged}");

    let session = http.session(&json!({}));
    let subscribe = |uri: &str| {
        let request =
            json!({"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": uri}});
        http.in_session(&session, &request).json()
    };
    assert!(subscribe(uri)["result"].is_object());
    assert_eq!(subscribe("errors://e999")["error"]["code"], -32002);
    let mut older = http.open_in_session("GET", &session, "");

    mcp.done("stop_process", json!({"process": "web"}));
    newer.told_of(uri);
    older.told_of(uri);
}

#[test]
fn a_person_is_asked() {
    let env = Env::new();
    let http = Http::serve(&env, "");
    let mut mcp = env.mcp(Era::Modern);
    mcp.start("web", &env.fault(), &["lines", "3"]);
    mcp.await_status("web", "exited");
    let clear = json!({"name": "clear_logs", "arguments": {"all": "true"}});
    let no = json!({"action": "decline"});
    let yes = json!({"action": "accept", "content": {"confirm": true}});

    // The newer era: the call is repeated with the answer.
    let capabilities = json!({"elicitation": {"form": {}}});
    let newer =
        |params: Value| http.modern_with("tools/call", params, &[], &capabilities).json()["result"].clone();
    let asked = newer(clear.clone());
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let mut answered = clear.clone();
    answered["inputResponses"] = json!({"confirm": no});
    assert_eq!(newer(answered)["isError"], true);

    // The older one: the question comes while the call waits.
    let session = http.session(&json!({"elicitation": {}}));
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": clear});
    for (answer, is_error) in [(&no, true), (&yes, false)] {
        let mut events = http.open_in_session("POST", &session, &call.to_string());
        let question = events.next();
        assert_eq!(question["method"], "elicitation/create", "{question}");
        assert_eq!(mcp.done("get_logs", json!({"process": "web"}))["count"], 6, "nothing is done before");
        let said = json!({"jsonrpc": "2.0", "id": question["id"], "result": answer});
        assert_eq!(http.in_session(&session, &said).status, 202);
        let done = events.next();
        assert_eq!((&done["id"], &done["result"]["isError"]), (&json!(7), &json!(is_error)), "{done}");
    }
    assert_eq!(mcp.done("get_logs", json!({"process": "web"}))["count"], 0);
}

/// Who begins sessions without end has no more than the newest of them, and harms nobody who is at it.
#[test]
fn sessions_have_a_bound() {
    const BEGUN: usize = 500;
    let env = Env::new();
    let http = Http::serve(&env, "");
    let daemon = env.daemon().unwrap();
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_processes", "arguments": {}}});
    let used = http.session(&json!({}));
    let mut listening = http.open_in_session("GET", &used, "");
    let subscribe = json!({"jsonrpc": "2.0", "id": 3, "method": "resources/subscribe", "params": {"uri": "processes://list"}});
    assert!(http.in_session(&used, &subscribe).json()["result"].is_object());
    let first = http.session(&json!({}));
    for _ in 0..100 {
        http.session(&json!({}));
    }
    let before = resident(daemon);
    for _ in 100..BEGUN - 1 {
        http.session(&json!({}));
    }
    let last = http.session(&json!({}));
    let grown = resident(daemon).saturating_sub(before);
    assert!(grown < 8 << 20, "{BEGUN} sessions made the daemon grow by {} MiB", grown >> 20);
    // The protocol's word for a session that is gone: its client begins a new one.
    assert_eq!(http.in_session(&first, &list).status, 404);
    for session in [&last, &used] {
        let reply = http.in_session(session, &list);
        assert!(reply.json()["result"].is_object(), "{}", reply.body);
    }
    env.mcp(Era::Legacy).start("web", &env.fault(), &["run"]);
    listening.told_of("processes://list");
}

fn resident(pid: i64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
