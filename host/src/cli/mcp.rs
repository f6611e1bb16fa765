//! `hostler mcp`: MCP on stdin and stdout, carried to the daemon and back.
//!
//! Lines go through as they are. What this pump adds: it starts the daemon when there is none; when the
//! daemon goes away, it answers what was in flight with an error that says to retry, and at the next message
//! connects again and repeats the handshake, so that the client need not know; and it ends as soon as stdin
//! has ended and every answer is out.

use std::collections::BTreeSet;
use std::time::Duration;

use hostler_api::connection::Selection;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin, Stdout};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::exit::{Failure, Outcome};
use super::launch;
use crate::daemon::home::Home;

/// After the end of stdin, the daemon cuts waits short and answers; this is for a daemon that hangs.
const LAST_ANSWERS: Duration = Duration::from_secs(6);

/// How many daemons in a row may go away before a message is given up.
const TRIES: usize = 5;

/// JSON-RPC's code for a server error of its own.
const RETRY_CODE: i32 = -32_001;

/// How often a pump whose client waits for news looks whether there is a daemon again.
const LOOK: Duration = Duration::from_secs(1);

/// Id of the pump's own requests.
const OWN_ID: &str = "hostler-mcp";

/// What is said of requests that were in flight when the daemon ended.
const LOST: &str = "the hostler daemon ended while this request was at work; processes run on. It may or may not have \
                    been carried out: look with list_processes, then retry";

/// Arguments of `hostler mcp`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Offer only these tools: families (lifecycle, logs, …) or names, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "TOOLS")]
    tools: Vec<String>,
    /// Offer only tools that change nothing
    #[arg(long)]
    read_only: bool,
}

pub(super) fn run(args: Args) -> Outcome {
    let selection = Selection { tools: args.tools, read_only: args.read_only };
    crate::mcp::check_selection(&selection)?;
    let home = Home::find().map_err(Failure::unreachable)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(e.to_string()))?;
    let outcome = runtime.block_on(Pump::new(home, selection).run());
    let code = match outcome {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("hostler: {}", failure.message);
            failure.code
        }
    };
    // The thread that reads stdin cannot be woken: leaving without it is the way out.
    std::process::exit(code.into())
}

/// As much of a message as the pump needs to know.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<&'a str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// What a client does not wait for any more.
#[derive(Deserialize)]
struct Cancelled<'a> {
    #[serde(borrow, rename = "requestId")]
    request_id: &'a RawValue,
}

/// What a subscription is about.
#[derive(Deserialize)]
struct Subscription {
    uri: String,
}

struct Daemon {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

struct Pump {
    home: Home,
    selection: Selection,
    stdin: Lines<BufReader<Stdin>>,
    stdout: Stdout,
    daemon: Option<Daemon>,
    /// Ids of requests without an answer, as the client wrote them.
    in_flight: BTreeSet<String>,
    /// The client's handshake, to be repeated to another daemon.
    initialize: Option<String>,
    initialized: Option<String>,
    /// Resources that the client of the older era subscribed to.
    subscribed: BTreeSet<String>,
}

enum Came {
    FromClient(std::io::Result<Option<String>>),
    FromDaemon(std::io::Result<Option<String>>),
    /// Time to look whether there is a daemon again.
    Look,
}

impl Pump {
    fn new(home: Home, selection: Selection) -> Self {
        Self {
            home,
            selection,
            stdin: BufReader::new(tokio::io::stdin()).lines(),
            stdout: tokio::io::stdout(),
            daemon: None,
            in_flight: BTreeSet::new(),
            initialize: None,
            initialized: None,
            subscribed: BTreeSet::new(),
        }
    }

    async fn run(mut self) -> Outcome {
        // At once, so that a client's first request does not pay for the start of the daemon, and so that a client
        // that cannot be served at all sees this end.
        self.daemon = Some(self.connect()?);
        loop {
            let came = tokio::select! {
                line = self.stdin.next_line() => Came::FromClient(line),
                line = from_daemon(&mut self.daemon) => Came::FromDaemon(line),
                () = tokio::time::sleep(LOOK), if self.is_waiting() => Came::Look,
            };
            match came {
                Came::FromClient(Ok(Some(line))) => self.carry_in(line).await?,
                Came::FromClient(Ok(None)) => return self.finish().await,
                Came::FromClient(Err(e)) if e.kind() == std::io::ErrorKind::InvalidData => {
                    self.answer_unreadable().await?;
                }
                Came::FromClient(Err(_)) => return self.finish().await,
                Came::FromDaemon(Ok(Some(line))) => self.carry_out(&line).await?,
                Came::FromDaemon(Ok(None) | Err(_)) => self.lose_daemon(LOST).await?,
                Came::Look => self.look().await?,
            }
        }
    }

    /// A client that subscribed is told of changes without asking: it needs a daemon as soon as there is one again.
    fn is_waiting(&self) -> bool {
        self.daemon.is_none() && !self.subscribed.is_empty()
    }

    /// Goes on with a daemon that somebody else started.
    async fn look(&mut self) -> Outcome {
        let Ok(stream) = launch::introduce(&self.home, "mcp", &self.selection) else { return Ok(()) };
        let daemon = on(stream)?;
        // A daemon that is gone again is looked for again.
        let _ = self.greet(daemon, "").await;
        Ok(())
    }

    fn connect(&self) -> Result<Daemon, Failure> {
        on(launch::connect_selecting(&self.home, "mcp", &self.selection)?)
    }

    async fn carry_in(&mut self, line: String) -> Outcome {
        let mut asked = None;
        if let Ok(Envelope { id, method: Some(method), params }) = serde_json::from_str(&line) {
            let about = || params.and_then(|p| serde_json::from_str::<Subscription>(p.get()).ok());
            match method {
                "initialize" => self.initialize = Some(line.clone()),
                "notifications/initialized" => self.initialized = Some(line.clone()),
                // It gets no answer.
                "notifications/cancelled" => {
                    let cancelled = params.and_then(|p| serde_json::from_str::<Cancelled<'_>>(p.get()).ok());
                    let _ = cancelled.map(|c| self.in_flight.remove(c.request_id.get()));
                }
                "resources/subscribe" => self.subscribed.extend(about().map(|s| s.uri)),
                "resources/unsubscribe" => drop(about().map(|s| self.subscribed.remove(&s.uri))),
                _ => {}
            }
            asked = id.map(|id| id.get().to_owned());
        }
        let undelivered = self.deliver(&line).await?;
        self.in_flight.extend(asked);
        match undelivered {
            None => Ok(()),
            Some(why) => {
                let message = format!(
                    "cannot reach the hostler daemon, so nothing was done: {why}. Processes run on; retry"
                );
                self.lose_daemon(&message).await
            }
        }
    }

    /// Writes a line to the daemon, connecting first where there is no connection. A daemon that goes away before it
    /// took the line whole did not carry it out: the next one gets it. Why it was not delivered, if it was not.
    async fn deliver(&mut self, line: &str) -> Result<Option<String>, Failure> {
        let mut why = String::new();
        for _ in 0..TRIES {
            if self.daemon.is_none()
                && let Err(failure) = self.reconnect(line).await
            {
                why = failure.message;
                continue;
            }
            let Some(daemon) = &mut self.daemon else { continue };
            match write_line(&mut daemon.writer, line).await {
                Ok(()) => return Ok(None),
                Err(error) => why = error.to_string(),
            }
            self.lose_daemon(LOST).await?;
        }
        Ok(Some(why))
    }

    /// Connects anew and repeats the handshake, unless `line` is its beginning.
    async fn reconnect(&mut self, line: &str) -> Outcome {
        let daemon = self.connect()?;
        self.greet(daemon, line).await
    }

    async fn greet(&mut self, mut daemon: Daemon, line: &str) -> Outcome {
        let lost = |e: std::io::Error| Failure::unreachable(format!("lost the new daemon: {e}"));
        if let Some(initialize) = self.initialize.as_ref().filter(|i| *i != line) {
            write_line(&mut daemon.writer, initialize).await.map_err(lost)?;
            // The client has had its answer to this long ago.
            daemon.lines.next_line().await.map_err(lost)?;
            if let Some(initialized) = self.initialized.as_ref().filter(|i| *i != line) {
                write_line(&mut daemon.writer, initialized).await.map_err(lost)?;
            }
        }
        let subscribed: Vec<String> = self.subscribed.iter().cloned().collect();
        for uri in &subscribed {
            let again = json!({"jsonrpc": "2.0", "id": OWN_ID, "method": "resources/subscribe", "params": {"uri": uri}});
            write_line(&mut daemon.writer, &again.to_string()).await.map_err(lost)?;
            self.skip_own_answer(&mut daemon).await?;
        }
        self.daemon = Some(daemon);
        // It may have changed while nobody looked.
        for uri in &subscribed {
            let updated = json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}});
            self.carry_out(&updated.to_string()).await?;
        }
        Ok(())
    }

    /// Waits for the answer to a request of the pump's own, which the client does not know of.
    async fn skip_own_answer(&mut self, daemon: &mut Daemon) -> Outcome {
        let lost = |why: String| Failure::unreachable(format!("lost the new daemon: {why}"));
        loop {
            let line = daemon.lines.next_line().await.map_err(|e| lost(e.to_string()))?;
            let line = line.ok_or_else(|| lost("it ended".to_owned()))?;
            match serde_json::from_str::<Envelope<'_>>(&line) {
                Ok(Envelope { id: Some(id), method: None, .. }) if id.get().trim_matches('"') == OWN_ID => {
                    return Ok(());
                }
                _ => self.carry_out(&line).await?,
            }
        }
    }

    async fn carry_out(&mut self, line: &str) -> Outcome {
        if let Ok(Envelope { id: Some(id), method: None, .. }) = serde_json::from_str(line) {
            self.in_flight.remove(id.get());
        }
        write_line(&mut self.stdout, line).await.map_err(|e| Failure::failed(format!("stdout: {e}")))
    }

    /// What was asked gets an answer, whatever becomes of the daemon.
    async fn lose_daemon(&mut self, message: &str) -> Outcome {
        self.daemon = None;
        for id in std::mem::take(&mut self.in_flight) {
            let id: serde_json::Value = serde_json::from_str(&id).unwrap_or_default();
            let answer =
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": RETRY_CODE, "message": message}});
            self.carry_out(&answer.to_string()).await?;
        }
        Ok(())
    }

    async fn answer_unreadable(&mut self) -> Outcome {
        let answer = json!({"jsonrpc": "2.0", "id": null,
            "error": {"code": -32700, "message": "a message is not valid UTF-8"}});
        self.carry_out(&answer.to_string()).await
    }

    /// Stdin has ended: waits for the answers that are due, and no longer.
    async fn finish(mut self) -> Outcome {
        if let Some(daemon) = &mut self.daemon {
            // The daemon sees the end, and tells waiting calls to answer now.
            let _ = daemon.writer.shutdown().await;
        }
        let deadline = tokio::time::Instant::now() + LAST_ANSWERS;
        while !self.in_flight.is_empty() && self.daemon.is_some() {
            match tokio::time::timeout_at(deadline, from_daemon(&mut self.daemon)).await {
                Ok(Ok(Some(line))) => self.carry_out(&line).await?,
                Ok(Ok(None) | Err(_)) | Err(_) => self.lose_daemon(LOST).await?,
            }
        }
        Ok(())
    }
}

fn on(stream: std::os::unix::net::UnixStream) -> Result<Daemon, Failure> {
    let failed = |e: std::io::Error| Failure::unreachable(e.to_string());
    stream.set_nonblocking(true).map_err(failed)?;
    let (reader, writer) = UnixStream::from_std(stream).map_err(failed)?.into_split();
    Ok(Daemon { lines: BufReader::new(reader).lines(), writer })
}

async fn from_daemon(daemon: &mut Option<Daemon>) -> std::io::Result<Option<String>> {
    match daemon {
        Some(daemon) => daemon.lines.next_line().await,
        None => std::future::pending().await,
    }
}

async fn write_line(writer: &mut (impl AsyncWriteExt + Unpin), line: &str) -> std::io::Result<()> {
    writer.write_all(line.as_bytes()).await?;
    writer.write_all(b"\n").await?;
    writer.flush().await
}
