//! Runs that ended by themselves and badly. The error of their last lines explains them; when there is none, the end
//! itself is the error.

use std::sync::Arc;
use std::time::Duration;

use hostler_model::errors::Fault;
use hostler_model::text::{clip, readable};
use hostler_model::{Cause, Exit, Outcome, Signal, Stream};
use hostler_store::{Crash, LogQuery, LogRow, NewOccurrence, Sample, StoreError};

use super::Errors;

/// How often it is tried again what could not be done.
const RETRY: Duration = Duration::from_secs(5);
/// Last lines among which an error explains an exit code.
const EXPLAINING: u64 = 50;
/// A signal comes without a warning: what explains it stands at the very end.
const EXPLAINING_SIGNAL: u64 = 15;
/// Last lines that are shown with a crash that nothing explains.
const LAST_LINES: usize = 20;

impl Errors {
    /// Judges crashes as they come. Never ends.
    pub(crate) async fn judge_crashes(self) {
        loop {
            let outcome = self.judge_open().await;
            self.0.degraded.note("crashes are not explained", &outcome);
            match outcome {
                Ok(()) => self.0.ended.notified().await,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    async fn judge_open(&self) -> Result<(), StoreError> {
        loop {
            let open = self.0.store.open_crashes().await?.rows;
            if open.is_empty() {
                return Ok(());
            }
            for crash in open {
                self.judge(&crash).await?;
                self.0.judged.send_modify(|judged| *judged += 1);
            }
        }
    }

    async fn judge(&self, crash: &Crash) -> Result<(), StoreError> {
        let Some(project) = self.project_of(crash.run).await? else { return Ok(()) };
        let rows = self.last_lines(crash).await?;
        let redactor = self.redactor();
        let lines: Vec<String> = rows.iter().map(|row| clip(readable(&row.raw), 500)).collect();
        let text = redactor.redact(&lines.join("\n"));
        let last_words = last_words(&rows).map(|words| redactor.redact(&words));
        let fault = self.fault_of(crash.exit, &text, last_words.as_deref()).await;
        let kind = self.kind(project, fault, &text).await?;
        let last = crash.next_seq.saturating_sub(1);
        let otherwise = NewOccurrence {
            run: crash.run,
            stream: Stream::Stderr,
            first_seq: last,
            last_seq: last,
            time: crash.exit.at,
            kind: Arc::new(kind),
            sample: Some(Sample {
                lines: text.lines().map(str::to_owned).chain([format!("[{}]", crash.exit)]).collect(),
                context: lines.len() as u32,
            }),
        };
        let window =
            if matches!(crash.exit.outcome, Outcome::Signal { .. }) { EXPLAINING_SIGNAL } else { EXPLAINING };
        self.0.store.judge_crash(crash.next_seq.saturating_sub(window).max(1), otherwise).await?;
        self.recorded();
        Ok(())
    }

    async fn last_lines(&self, crash: &Crash) -> Result<Vec<LogRow>, StoreError> {
        let query = LogQuery { run: Some(crash.number), ..LogQuery::newest(crash.process_id, LAST_LINES) };
        let mut rows = self.0.store.logs(query).await?.rows;
        rows.reverse();
        Ok(rows)
    }

    /// An end as an error. Its last words say more of it than its status does.
    async fn fault_of(&self, exit: Exit, text: &str, last_words: Option<&str>) -> Fault {
        if let Some(cause) = exit.cause {
            return of_cause(cause);
        }
        let names = self.0.config.current().errors.categorizers.clone();
        let read = match last_words {
            Some(words) => self.0.categorizers.read(&names, &[words]).await.into_iter().next(),
            None => None,
        };
        let note = read.as_ref().and_then(|read| read.fault.note.clone());
        let read = read.map(|read| read.fault).filter(|fault| fault.category != "unknown");
        let status = status(exit);
        let words = last_words.filter(|_| matches!(exit.outcome, Outcome::Code(_))).unwrap_or_default();
        let title = if words.is_empty() {
            status.clone()
        } else {
            format!("{status}: {}", clip(words.to_owned(), 160))
        };
        let wording = hostler_model::errors::parameterize::wording(words).join(" ");
        let suggestion = read.as_ref().and_then(|fault| fault.suggestion.clone());
        Fault {
            category: read.map_or_else(|| "crash".to_owned(), |fault| fault.category),
            confidence: 50,
            title,
            parts: vec!["exit".to_owned(), status, wording],
            suggestion: suggestion.or_else(|| advice(exit, text)),
            note,
            ..Fault::default()
        }
    }
}

/// The end of who was beyond a limit, or had no memory, whatever it said last.
fn of_cause(cause: Cause) -> Fault {
    let (category, confidence, advice) = match cause {
        Cause::Memory { .. } | Cause::OutOfMemory { limit: Some(_) } => (
            "out-of-memory",
            100,
            "Look with get_process_stats whether it grows without end; if it needs that much, raise limits.memory_bytes.",
        ),
        Cause::OutOfMemory { limit: None } => (
            "out-of-memory",
            100,
            "The machine ran out of memory: get_system_stats shows who uses most of it.",
        ),
        Cause::MachineOutOfMemory { .. } => (
            "out-of-memory",
            60,
            "The kernel killed for lack of memory at that time: get_system_stats shows who uses most of it, the kernel's \
             log whom it killed.",
        ),
        Cause::Cpu { .. } => (
            "resource-exhaustion",
            100,
            "Look for a busy loop; if it needs that much, raise limits.cpu_percent.",
        ),
        Cause::Processes { .. } => (
            "resource-exhaustion",
            100,
            "Look for what it starts and does not wait for; if it needs that many, raise limits.processes.",
        ),
    };
    Fault {
        category: category.to_owned(),
        confidence,
        title: cause.name().to_owned(),
        parts: vec!["limit".to_owned(), cause.name().to_owned()],
        suggestion: Some(advice.to_owned()),
        ..Fault::default()
    }
}

/// The end in a few words that are the same each time.
fn status(exit: Exit) -> String {
    match exit.outcome {
        Outcome::Code(code) => format!("exit code {code}"),
        Outcome::Signal { signal, .. } => format!("ended by {signal}"),
        Outcome::Unknown => "ended".to_owned(),
    }
}

fn advice(exit: Exit, text: &str) -> Option<String> {
    let advice = match exit.outcome {
        Outcome::Signal { signal, .. } if signal == Signal::KILL => {
            "Somebody killed it, perhaps the kernel for want of memory: look at its memory and at the limit."
        }
        Outcome::Signal { core_dumped: true, .. } => "Look at the core file with a debugger.",
        Outcome::Code(127) => "A program that it calls was not found.",
        Outcome::Code(126) => "A program that it calls may not be executed.",
        _ if text.trim().is_empty() => {
            "It said nothing: run it with more output, or look at its own log files."
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

/// The last line that says something: of what it complained, else of what it said.
fn last_words(rows: &[LogRow]) -> Option<String> {
    let last = |stream| {
        let of_stream = rows.iter().rev().filter(|row| row.stream == stream && !row.flags.is_gap());
        of_stream
            .map(|row| readable(&row.raw).trim().to_owned())
            .find(|line| line.chars().any(char::is_alphabetic))
    };
    last(Stream::Stderr).or_else(|| last(Stream::Stdout))
}
