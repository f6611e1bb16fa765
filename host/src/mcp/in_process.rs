//! A server in this very process, for what a daemon that is in order does not do: a tool that panics.

use std::sync::Arc;
use std::time::Duration;

use hostler_api::ToolError;
use hostler_api::connection::Selection;
use rmcp::service::serve_server;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::methods::Telling;
use super::server::Server;
use super::tools::{self, Answer, Call, ToolDef};
use super::transport::SocketTransport;
use crate::daemon::home::Home;
use crate::daemon::service::Service;

const DEADLINE: Duration = Duration::from_secs(20);

/// A tool that panics: at once, before it has begun, or when it waits for something.
fn panicking(name: &'static str, at_once: bool) -> &'static ToolDef {
    let like =
        tools::families().iter().flat_map(|f| &f.tools).find(|t| t.tool.name == "list_processes").unwrap();
    let mut tool = like.tool.clone();
    tool.name = name.into();
    let (input, output) = (Arc::new(Map::new()), Map::new());
    Box::leak(Box::new(ToolDef {
        tool,
        input,
        output,
        run: Box::new(move |_: Call| {
            assert!(!at_once, "a tool that panics at once, for a test");
            Box::pin(panic_later())
        }),
    }))
}

async fn panic_later() -> Result<Answer, ToolError> {
    tokio::task::yield_now().await;
    panic!("a tool that panics later, for a test")
}

struct Connection {
    lines: tokio::io::Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    writer: tokio::net::unix::OwnedWriteHalf,
    id: u64,
}

impl Connection {
    async fn ask(&mut self, method: &str, mut params: Value) -> Value {
        self.id += 1;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let request = json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params});
        self.writer.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let line = tokio::time::timeout(DEADLINE, self.lines.next_line()).await.unwrap().unwrap().unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], self.id, "{answer}");
        answer
    }

    async fn call(&mut self, tool: &str) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": {}})).await["result"].clone()
    }
}

async fn connect(service: &Arc<Service>, more: [&'static ToolDef; 2]) -> Connection {
    let client = service.client(std::path::Path::new("/"), None, None, "mcp".to_owned()).await.unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let closing = CancellationToken::new();
    let mut server = Server::new(service.clone(), Arc::new(client), &Selection::default(), closing.clone());
    server.tools.extend(more);
    let transport = SocketTransport::new(theirs, closing, CancellationToken::new());
    tokio::spawn(async move {
        if let Ok(running) = serve_server(Telling(server), transport).await {
            let _ = running.waiting().await;
        }
    });
    let (reader, writer) = ours.into_split();
    Connection { lines: BufReader::new(reader).lines(), writer, id: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_panics_costs_its_answer_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("home")).unwrap();
    let (service, store) = crate::daemon::for_tests::service(&home);
    let mut connection =
        connect(&service, [panicking("panics", true), panicking("panics_later", false)]).await;
    for tool in ["panics", "panics_later"] {
        let answer = connection.call(tool).await;
        assert_eq!(answer["isError"], true, "{answer}");
        assert_eq!(answer["_meta"]["hostler/error"], "internal", "{answer}");
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(tool) && text.contains("daemon.log"), "{text}");
        let listed = connection.call("list_processes").await;
        assert_eq!(listed["structuredContent"]["processes"], json!([]), "{listed}");
    }
    store.shutdown().await;
}
