//! Lines are sent to a collector besides, when the configuration says so: OTLP over HTTP, in JSON.
//!
//! The store is the queue: what is not sent yet is what a sink does not have there, so that nothing is held in memory,
//! ingest never waits, and a new daemon goes on where the last one stopped. A batch counts as sent when the collector
//! took it; a daemon that is killed between the two sends that batch once more, with the same numbers.

mod config;
mod otlp;
mod post;
mod records;

use std::sync::Arc;
use std::time::Duration;

use hostler_model::RunNo;
use hostler_store::{LogPoint, LogQuery, Order, Sink, Store, StoreError, Unexported};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub(crate) use self::config::ExportConfig;
use self::config::OtlpConfig;
use self::post::{Connection, Outcome};
use super::config::ConfigFile;
use super::degraded::Degraded;
use super::registry::Registry;

/// The name of the sink in the store.
const NAME: &str = "otlp";
/// Most of one request: lines, and bytes of them.
const LINES: usize = 512;
const BYTES: usize = 1 << 20;
/// Runs that take turns.
const RUNS: usize = 64;
/// Between two looks at what is new: lines that come one by one are sent together.
const PACE: Duration = Duration::from_millis(500);
/// After a failure; doubled at each, up to the longest.
const BACKOFF: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

const DEGRADED: &str = "lines are not exported";

/// Tells the export that there are lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Export(Arc<Notify>);

impl Export {
    /// Parsers have seen further lines.
    pub(crate) fn grew(&self) {
        self.0.notify_one();
    }

    /// Sends what there is to be sent, until the token says that it was enough: then what was begun is finished.
    pub(crate) async fn run(self, parts: Parts, stop: CancellationToken) {
        let mut sender = Sender::new(parts);
        loop {
            let wait = sender.work(&stop).await;
            let news = async {
                match wait {
                    Some(wait) => sleep(wait).await,
                    None => {
                        sleep(PACE).await;
                        self.0.notified().await;
                    }
                }
            };
            tokio::select! {
                () = news => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// What the export needs.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
    pub(crate) config: ConfigFile,
    pub(crate) degraded: Degraded,
}

struct Sender {
    parts: Parts,
    connection: Connection,
    backoff: Duration,
    /// None is declared, and the store knows of none.
    idle: bool,
}

/// Why nothing can be sent now.
struct Held {
    why: String,
    wait: Option<Duration>,
}

impl From<StoreError> for Held {
    fn from(error: StoreError) -> Self {
        Self { why: error.to_string(), wait: None }
    }
}

impl Sender {
    fn new(parts: Parts) -> Self {
        Self { parts, connection: Connection::default(), backoff: BACKOFF, idle: false }
    }

    /// Sends all there is; answers when to try again what could not be sent.
    async fn work(&mut self, stop: &CancellationToken) -> Option<Duration> {
        let outcome = self.send_all(stop).await;
        self.parts.degraded.note(DEGRADED, &outcome.as_ref().map_err(|held| &held.why));
        match outcome {
            Ok(()) => {
                self.backoff = BACKOFF;
                None
            }
            Err(held) => {
                let wait = held.wait.unwrap_or(self.backoff).clamp(BACKOFF, LONGEST);
                self.backoff = (self.backoff * 2).min(LONGEST);
                Some(wait)
            }
        }
    }

    async fn send_all(&mut self, stop: &CancellationToken) -> Result<(), Held> {
        loop {
            // Looked at anew for each round: it may have changed.
            let config = self.parts.config.current();
            let Some(otlp) = &config.export.otlp else { return self.forget().await };
            self.idle = false;
            let sink = self.parts.store.sink(NAME, super::now()).await?;
            let runs = self.parts.store.unexported(sink, RUNS).await?;
            for run in &runs {
                if stop.is_cancelled() {
                    return Ok(());
                }
                self.send(otlp, sink, run).await?;
            }
            if runs.is_empty() {
                return Ok(());
            }
        }
    }

    /// There is no sink: one that is declared later begins anew.
    async fn forget(&mut self) -> Result<(), Held> {
        if !self.idle {
            self.connection = Connection::default();
            self.parts.store.forget_sink(NAME).await?;
            self.idle = true;
        }
        Ok(())
    }

    /// Sends the next lines of a run.
    async fn send(&mut self, config: &OtlpConfig, sink: Sink, run: &Unexported) -> Result<(), Held> {
        let Unexported { next_seq, end, number, .. } = *run;
        let page = self.parts.store.logs(lines(run)).await?;
        let (records, behind) = records::records(&page.rows);
        let first = page.rows.first().map_or(end, |row| row.seq);
        if first > next_seq {
            tracing::warn!(
                run = run.run.0,
                lines = first - next_seq,
                "lines were removed before they were exported"
            );
        }
        let source = self.parts.registry.get(run.process).filter(|_| !records.is_empty());
        if let Some(entry) = source {
            let source = otlp::Source {
                project: entry.project.name.clone(),
                process: entry.name.to_string(),
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                run: number.0,
            };
            let body = otlp::request(&source, &records).to_string();
            match self.connection.post(config, body.into()).await {
                Outcome::Taken(answer) => {
                    if let Some((count, why)) = otlp::refused(&answer) {
                        tracing::warn!(count, why, "the collector refused records");
                    }
                    self.backoff = BACKOFF;
                }
                Outcome::Refused(why) => {
                    tracing::error!(
                        why,
                        records = records.len(),
                        "the collector refused records; they are left out"
                    );
                }
                Outcome::Later(why, wait) => return Err(Held { why, wait }),
            }
        }
        // Of a run that has no lines any more, or whose process is gone, all is done.
        let behind = if page.rows.is_empty() { end } else { behind };
        Ok(self.parts.store.exported(sink, run.run, behind).await?)
    }
}

/// The lines of a run that its sink is to get next.
fn lines(run: &Unexported) -> LogQuery {
    let point = |seq| LogPoint { run: run.number, seq };
    LogQuery {
        run: Some(RunNo(run.number.0)),
        after: Some(point(run.next_seq.saturating_sub(1))),
        before: Some(point(run.end)),
        order: Order::Asc,
        max_bytes: BYTES,
        ..LogQuery::newest(run.process, LINES)
    }
}
