//! The parsers of one stream of one run, at work.

use std::sync::Arc;

use hostler_api::ToolError;
use hostler_model::{Event, Stream, Timestamp};
use hostler_plugin_host::{Instance, Kind, Nowhere, Parsed, TextBatch};
use serde_json::Map;
use tokio::time::Instant;

use super::events::events_of;
use super::window::Window;
use crate::daemon::plugins::{Loaded, Plugins};
use hostler_model::chain::Chain;

/// What stands before the parsers of every process.
const FIRST: &str = "multiline";
/// And behind them: each understands nothing but lines of its own form, and most logs have one of these.
const LAST: [&str; 3] = ["json", "logfmt", "level"];

/// The names of the parsers of a process, in order.
pub(in crate::daemon) fn names(own: &[String]) -> Vec<String> {
    let is_named = |name: &str| own.iter().any(|own| own == name);
    let first = (!is_named(FIRST)).then(|| FIRST.to_owned());
    let last = LAST.iter().filter(|name| !is_named(name)).map(|&name| name.to_owned());
    first.into_iter().chain(own.iter().cloned()).chain(last).collect()
}

/// One stream on its way through its parsers.
pub(super) struct Parsers {
    stream: Stream,
    chain: Chain,
    parsers: Vec<Parser>,
    /// When its last line came here.
    last_line: Instant,
    batch: TextBatch,
}

struct Parser {
    instance: Instance,
    /// So many lines wait that it has seen: without others there is nothing to ask.
    seen: usize,
    // As long as it is in use.
    _loaded: Arc<Loaded>,
}

impl Parsers {
    /// Those of these names that there are. One that is gone costs what it would have found.
    pub(super) async fn find(plugins: &Plugins, names: &[String], stream: Stream) -> Self {
        let mut parsers = Vec::with_capacity(names.len());
        for name in names {
            match plugins.find(name, &Map::new(), Kind::LogParser).await {
                Ok(loaded) => {
                    let instance = loaded.instance(Arc::new(Nowhere));
                    parsers.push(Parser { instance, seen: 0, _loaded: loaded });
                }
                Err(ToolError { message, .. }) => {
                    tracing::warn!(parser = name, message, "lines are not parsed by it");
                }
            }
        }
        let chain = Chain::new(parsers.len());
        Self { stream, chain, parsers, last_line: Instant::now(), batch: TextBatch::new() }
    }

    /// A line comes, at this time.
    pub(super) fn push(&mut self, seq: u64, is_gap: bool, now: Instant) {
        if is_gap {
            self.chain.part();
            return;
        }
        self.chain.push(seq);
        self.last_line = now;
    }

    /// Forgets the lines.
    pub(super) fn start_over(&mut self) {
        self.chain = Chain::new(self.parsers.len());
        self.parsers.iter_mut().for_each(|parser| parser.seen = 0);
    }

    /// The first line that waits, and since when none came.
    pub(super) fn waiting(&self) -> Option<(u64, Instant)> {
        self.chain.first_waiting().map(|seq| (seq, self.last_line))
    }

    /// Asks the parsers about their lines, as far as they have new ones; `end` says that no more follow now. A parser
    /// that has no answer costs what it would have found: its lines go to the next one.
    pub(super) async fn ask(&mut self, window: &Window, end: bool) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, parser) in self.parsers.iter_mut().enumerate() {
            if self.chain.waiting(index) == if end { 0 } else { parser.seen } {
                continue;
            }
            let lines = self.chain.offer(index);
            self.batch.clear();
            // A line that is gone from the window was removed meanwhile.
            let fits = lines.iter().all(|line| self.batch.push(window.raw(line.seq)));
            let answer = if fits { parser.instance.parse(&self.batch, end).await.ok() } else { None };
            let parsed = answer.unwrap_or_else(Parsed::default);
            let rows: Vec<_> =
                parsed.rows.iter().map(|row| row.lines.start as usize..row.lines.end as usize).collect();
            let pending = parsed.pending_from.map(|line| line as usize);
            let stands = self.chain.settle(index, lines.len(), &rows, pending);
            parser.seen = self.chain.waiting(index);
            let time = |seq| window.get(seq).map_or(Timestamp(0), |row| row.time);
            events.extend(events_of(&parsed, &self.batch, &lines, &stands, self.stream, time));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_the_first_and_the_last() {
        let of = |own: &[&str]| names(&own.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).join(" ");
        assert_eq!(of(&[]), "multiline json logfmt level");
        assert_eq!(of(&["json", "mine"]), "multiline json mine logfmt level");
        assert_eq!(of(&["level", "json"]), "multiline level json logfmt");
    }
}
