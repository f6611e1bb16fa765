//! A plugin's own log: what it writes through the `log` interface and to its standard output and error. It goes to the
//! daemon's log under the plugin's name, and the latest messages are kept for whoever asks.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::text::one_line;

/// Longer messages are cut, bytes.
const MAX_MESSAGE: usize = 8 * 1024;
/// Messages kept.
const KEPT: usize = 100;
/// Messages written in each second; more are counted.
const PER_SECOND: u32 = 100;
/// What is remembered of standard error for the message of a trap, bytes.
const MAX_WORDS: usize = 500;
/// What one write may carry, bytes.
const MAX_WRITE: usize = 64 * 1024;

/// One message of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// OpenTelemetry severity number, 0 when unknown.
    pub severity: u8,
    /// The message, cut at 8 KiB, without control characters.
    pub message: String,
}

/// The latest messages of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecentLog {
    /// Oldest first, at most 100.
    pub entries: Vec<LogEntry>,
    /// Messages that were not written because there were more than 100 in a second.
    pub suppressed: u64,
}

/// The log of one plugin.
#[derive(Debug)]
pub(crate) struct PluginLog {
    plugin: String,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    entries: VecDeque<LogEntry>,
    suppressed: u64,
    second_began: Instant,
    in_second: u32,
}

impl PluginLog {
    pub(crate) fn new(plugin: &str) -> Arc<Self> {
        let kept =
            Kept { entries: VecDeque::new(), suppressed: 0, second_began: Instant::now(), in_second: 0 };
        Arc::new(Self { plugin: plugin.to_owned(), kept: Mutex::new(kept) })
    }

    /// Writes one message, unless there were too many in this second.
    pub(crate) fn write(&self, severity: u8, message: &str) {
        let severity = if severity > 24 { 0 } else { severity };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.second_began.elapsed() >= Duration::from_secs(1) {
            kept.second_began = Instant::now();
            kept.in_second = 0;
        }
        kept.in_second = kept.in_second.saturating_add(1);
        if kept.in_second > PER_SECOND {
            kept.suppressed += 1;
            return;
        }
        let message = one_line(message, MAX_MESSAGE);
        self.trace(severity, &message);
        if kept.entries.len() == KEPT {
            kept.entries.pop_front();
        }
        kept.entries.push_back(LogEntry { severity, message });
    }

    pub(crate) fn recent(&self) -> RecentLog {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        RecentLog { entries: kept.entries.iter().cloned().collect(), suppressed: kept.suppressed }
    }

    fn trace(&self, severity: u8, message: &str) {
        let plugin = self.plugin.as_str();
        match severity {
            1..=4 => tracing::trace!(target: "hostler::plugin", plugin, "{message}"),
            5..=8 => tracing::debug!(target: "hostler::plugin", plugin, "{message}"),
            0 | 9..=12 => tracing::info!(target: "hostler::plugin", plugin, "{message}"),
            13..=16 => tracing::warn!(target: "hostler::plugin", plugin, "{message}"),
            _ => tracing::error!(target: "hostler::plugin", plugin, "{message}"),
        }
    }
}

/// Standard output or error of one instance: each line is a message.
#[derive(Debug, Clone)]
pub(crate) struct Stdio {
    log: Arc<PluginLog>,
    severity: u8,
    text: Arc<Mutex<Text>>,
}

#[derive(Debug, Default)]
struct Text {
    /// The line that did not end yet.
    line: Vec<u8>,
    /// The beginning of what was written in this call.
    words: Vec<u8>,
}

impl Stdio {
    pub(crate) fn new(log: Arc<PluginLog>, severity: u8) -> Self {
        Self { log, severity, text: Arc::default() }
    }

    /// Forgets what was written before.
    pub(crate) fn forget(&self) {
        self.text().words.clear();
    }

    /// What was written since, in one line.
    pub(crate) fn last_words(&self) -> String {
        one_line(&String::from_utf8_lossy(&self.text().words), MAX_WORDS)
    }

    fn text(&self) -> std::sync::MutexGuard<'_, Text> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bytes; a line is written when it ends or is as long as a message may be.
    fn take(&self, bytes: &[u8]) {
        let mut text = self.text();
        let room = MAX_WORDS.saturating_sub(text.words.len());
        text.words.extend_from_slice(&bytes[..room.min(bytes.len())]);
        let line = &mut text.line;
        for byte in bytes {
            if *byte != b'\n' {
                line.push(*byte);
            }
            if *byte == b'\n' || line.len() >= MAX_MESSAGE {
                self.log.write(self.severity, &String::from_utf8_lossy(line));
                line.clear();
            }
        }
    }
}

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Stdio {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

impl Pollable for Stdio {
    fn ready<'this, 'out>(&'this mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'out>>
    where
        'this: 'out,
        Self: 'out,
    {
        Box::pin(std::future::ready(()))
    }
}

impl AsyncWrite for Stdio {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_in_number_and_length() {
        let log = PluginLog::new("noisy");
        for _ in 0..250 {
            log.write(99, &"x".repeat(10_000));
        }
        let recent = log.recent();
        assert!(recent.entries.len() <= KEPT);
        assert!(recent.suppressed >= 50, "{}", recent.suppressed);
        assert_eq!(recent.entries[0].severity, 0);
        assert!(recent.entries[0].message.len() <= MAX_MESSAGE + 3);
    }

    #[test]
    fn standard_output_becomes_messages_line_by_line() {
        let log = PluginLog::new("chatty");
        let stdout = Stdio::new(Arc::clone(&log), 9);
        stdout.take(b"one\ntw");
        stdout.take(b"o\n\xff\n");
        let messages: Vec<_> = log.recent().entries.into_iter().map(|entry| entry.message).collect();
        assert_eq!(messages, ["one", "two", "\u{fffd}"]);
    }

    #[test]
    fn the_words_of_one_call_are_remembered_up_to_a_bound() {
        let stderr = Stdio::new(PluginLog::new("dying"), 13);
        stderr.take(b"earlier\n");
        stderr.forget();
        stderr.take(b"panicked at src/lib.rs:7:\nno such column");
        assert_eq!(stderr.last_words(), "panicked at src/lib.rs:7: no such column");
        stderr.take(&[b'x'; 10_000]);
        assert_eq!(stderr.last_words().len(), MAX_WORDS);
    }

    #[test]
    fn an_endless_line_is_cut_into_messages() {
        let log = PluginLog::new("endless");
        Stdio::new(Arc::clone(&log), 9).take(&vec![b'x'; 3 * MAX_MESSAGE]);
        assert_eq!(log.recent().entries.len(), 3);
    }
}
