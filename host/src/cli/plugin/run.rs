//! `hostler plugin run`

use std::time::Duration;

use clap::Args as ClapArgs;
use hostler_api::ToolError;
use hostler_plugin_host::{Grants, Kind, PeerPattern, ProcessFacts};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;
use crate::daemon::home::Home;
use crate::plugins::source::{Source, read_config, read_input};
use crate::plugins::trial::{Checked, Error, Event, ParsedSample, Trial, Verdict};
use crate::plugins::workbench::read_facts;

#[derive(ClapArgs)]
pub(super) struct Args {
    /// The component: a file, or builtin:NAME
    #[arg(value_name = "FILE")]
    plugin: String,
    /// The sample, or - for standard input: lines for a parser; errors with blank lines between them for a
    /// categorizer; the facts of a process as JSON for a health check, which can do without
    #[arg(long, value_name = "SAMPLE")]
    input: Option<String>,
    /// Its configuration: a JSON object, or @ and a file
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// Take the whole sample as one error
    #[arg(long)]
    whole: bool,
    /// Let it connect there
    #[arg(long, value_name = "HOST:PORT")]
    grant_tcp: Vec<PeerPattern>,
    /// Let it send HTTP requests there
    #[arg(long, value_name = "HOST:PORT")]
    grant_http: Vec<PeerPattern>,
    /// Let it run this program, if the policy allows it too
    #[arg(long, value_name = "NAME")]
    grant_command: Vec<String>,
    /// How long a health check may take, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Outcome {
    let home = Home::find().map_err(Failure::failed)?;
    let source = Source::open(&args.plugin)?;
    let config = args.config.as_deref().map(read_config).transpose()?;
    let grants = Grants { tcp: args.grant_tcp, http: args.grant_http, commands: args.grant_command };
    let trial = Trial::load(&source, config, grants, home)?;
    let input = args.input.as_deref();
    let outcome = match trial.kind() {
        Kind::LogParser => {
            trial.parse(&sample(input, "lines")?).map(|found| show(&found, args.json, sample_as_table))
        }
        Kind::ErrorCategorizer => trial.categorize(&sample(input, "errors")?, args.whole).map(|found| {
            show(&Errors { errors: found }, args.json, |found| found.errors.iter().for_each(error))
        }),
        Kind::HealthCheck => {
            let facts = match input {
                Some(input) => read_facts(&read_input(input)?)?,
                None => ProcessFacts::default(),
            };
            trial
                .check(facts, Duration::from_millis(args.timeout_ms))
                .map(|found| show(&found, args.json, checked))
        }
    };
    for entry in trial.log() {
        render::note(&format!("log of the plugin: {}", entry.message));
    }
    outcome?
}

/// Reads the sample, which all but health checks need.
fn sample(input: Option<&str>, what: &str) -> Result<Vec<u8>, ToolError> {
    let missing = || {
        ToolError::invalid(format!(
            "name a file with {what} to try it on: --input FILE, or - for standard input"
        ))
    };
    read_input(input.ok_or_else(missing)?)
}

#[derive(Serialize)]
struct Errors {
    errors: Vec<Error>,
}

fn show<T: Serialize>(found: &T, json: bool, as_text: impl FnOnce(&T)) -> Outcome {
    if json {
        let value = serde_json::to_value(found).map_err(|error| Failure::failed(error.to_string()))?;
        render::json(&value);
    } else {
        as_text(found);
    }
    Ok(())
}

const MAX_MESSAGE: usize = 100;

fn sample_as_table(sample: &ParsedSample) {
    let mut rows = vec![["LINES", "LEVEL", "TIME", "MESSAGE", "FIELDS"].map(str::to_owned)];
    rows.extend(sample.events.iter().map(event));
    if rows.len() > 1 {
        render::columns(&rows);
        println!();
    }
    let in_events = sample.lines - sample.not_understood.len();
    println!("{in_events} of {} lines understood, as {} events", sample.lines, sample.events.len());
    if !sample.not_understood.is_empty() {
        let count = sample.not_understood.len();
        let shown: Vec<String> = sample.not_understood.iter().take(10).map(usize::to_string).collect();
        let lines = if count == 1 { "line" } else { "lines" };
        let more = if count > shown.len() { ", …" } else { "" };
        println!("{count} not understood: {lines} {}{more}", shown.join(", "));
    }
    if let Some(speed) = &sample.speed {
        println!(
            "{:.0} ns per line, {:.0} lines per second ({} passes); {:.1} MiB of memory",
            speed.ns_per_line,
            speed.lines_per_second,
            speed.passes,
            sample.memory_bytes as f64 / f64::from(1 << 20)
        );
    }
}

fn event(event: &Event) -> [String; 5] {
    let lines = if event.first_line == event.last_line {
        event.first_line.to_string()
    } else {
        format!("{}-{}", event.first_line, event.last_line)
    };
    [
        lines,
        event.level.unwrap_or("-").to_owned(),
        event.time.clone().unwrap_or_else(|| "-".to_owned()),
        hostler_model::text::clip(readable(&event.message), MAX_MESSAGE),
        fields(&event.fields),
    ]
}

fn fields(fields: &Map<String, Value>) -> String {
    let one = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!("{key}={}", readable(text)),
        other => format!("{key}={other}"),
    };
    fields.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What can stand in a cell of a table.
fn readable(text: &str) -> String {
    hostler_model::text::readable(text.as_bytes()).replace(['\n', '\t'], " ")
}

fn error(error: &Error) {
    let lines = match (error.first_line, error.last_line) {
        (first, last) if first == last => format!("line {first}"),
        (first, last) => format!("lines {first}-{last}"),
    };
    match &error.verdict {
        None => println!("{lines}: not understood"),
        Some(found) => verdict(&lines, found),
    }
}

fn verdict(lines: &str, found: &Verdict) {
    println!("{lines}: {} ({} %): {}", found.category, found.confidence, found.title);
    for exception in &found.exceptions {
        println!(
            "  {}: {}",
            exception.kind,
            hostler_model::text::clip(readable(&exception.message), MAX_MESSAGE)
        );
        for frame in &exception.frames {
            let line = frame.line.map(|line| format!(":{line}")).unwrap_or_default();
            let whose = if frame.in_app { "" } else { " (library)" };
            println!("    {} {}{line}{whose}", frame.function, frame.file);
        }
    }
    if !found.fingerprint.is_empty() {
        println!("  fingerprint  {}", found.fingerprint.join(" | "));
    }
    if let Some(suggestion) = &found.suggestion {
        println!("  suggestion   {suggestion}");
    }
}

fn checked(found: &Checked) {
    println!("{}: {} ({:.1} ms)", found.status, found.message, found.latency_ms);
    for metric in &found.metrics {
        println!("  {} = {} {}", metric.name, metric.value, metric.unit);
    }
}
