//! `hostler plugin run`: a plugin on a sample, under the limits that a daemon would set.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostler_api::ToolError;
use hostler_api::time::rfc3339;
use hostler_model::lines::Splitter;
use hostler_model::{Stream, Timestamp};
use hostler_plugin_host::{
    CallError, Categorized, Component, ConfigError, Consents, Grants, Health, Kind, LoadError, LogEntry,
    Nowhere, Parsed, Plugin, PluginSettings, ProcessFacts, TextBatch,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::source::Source;
use super::workbench::{self, Workbench};
use crate::daemon::home::Home;

/// Lines in one call, beyond those that were left pending.
const BATCH_LINES: usize = 256;
/// Bytes in one call, unless one line has more.
const BATCH_BYTES: usize = 1 << 20;
/// So many lines are left pending at most.
const MAX_PENDING: usize = 512;
/// How long speed is measured.
const MEASURED: Duration = Duration::from_millis(500);

/// A plugin on trial.
pub(crate) struct Trial {
    runtime: tokio::runtime::Runtime,
    plugin: Plugin,
    home: Home,
}

impl Trial {
    /// Loads a plugin, with these grants for its file.
    ///
    /// # Errors
    /// When it is no plugin, or does not take the configuration.
    pub(crate) fn load(
        source: &Source,
        config: Option<Map<String, Value>>,
        grants: Grants,
        home: Home,
    ) -> Result<Self, ToolError> {
        let runtime = workbench::runtime()?;
        // Without a directory for the machine code it is compiled each time.
        let cache = home.create().ok().map(|()| home.plugin_code());
        let plugin = runtime.block_on(load(source, config, grants, cache)).map_err(refused)?;
        Ok(Self { runtime, plugin, home })
    }

    /// What kind of plugin it is.
    pub(crate) fn kind(&self) -> Kind {
        self.plugin.component().kind()
    }

    /// What it wrote into its log.
    pub(crate) fn log(&self) -> Vec<LogEntry> {
        self.plugin.recent_log().entries
    }

    /// Parses a sample, then measures.
    ///
    /// # Errors
    /// When a call fails.
    pub(crate) fn parse(&self, input: &[u8]) -> Result<ParsedSample, ToolError> {
        let lines = split(input);
        self.runtime.block_on(async {
            let mut sample = parse_all(&self.plugin, &lines).await?;
            sample.speed = measure(&self.plugin, &lines).await?;
            sample.memory_bytes = self.plugin.stats().memory_peak;
            Ok(sample)
        })
    }

    /// Categorizes the texts of a sample.
    ///
    /// # Errors
    /// When a call fails.
    pub(crate) fn categorize(&self, input: &[u8], whole: bool) -> Result<Vec<Error>, ToolError> {
        let texts = errors_of(input, whole);
        let mut instance = self.plugin.instance(Arc::new(Nowhere));
        let mut errors = Vec::new();
        for (lines, text) in texts {
            let batch: TextBatch = std::iter::once(text.as_slice()).collect();
            let answer = self.runtime.block_on(instance.categorize(&batch));
            let verdict = answer.map_err(|error| failed(&place(lines), error))?.pop().flatten();
            errors.push(Error {
                first_line: lines.0,
                last_line: lines.1,
                verdict: verdict.map(Verdict::from),
            });
        }
        Ok(errors)
    }

    /// Checks once.
    ///
    /// # Errors
    /// When there is no verdict.
    pub(crate) fn check(&self, facts: ProcessFacts, limit: Duration) -> Result<Checked, ToolError> {
        let cwd = std::env::current_dir()
            .map_err(|error| ToolError::internal(format!("the working directory cannot be used: {error}")))?;
        let surroundings = Workbench { facts, home: self.home.clone(), cwd };
        let mut instance = self.plugin.instance(Arc::new(surroundings));
        let began = Instant::now();
        let report = self.runtime.block_on(instance.check(limit));
        let latency_ms = began.elapsed().as_secs_f64() * 1e3;
        let report =
            report.map_err(|error| ToolError::internal(format!("no verdict: the plugin {error}")))?;
        Ok(Checked {
            status: match report.health {
                Health::Healthy => "healthy",
                Health::Degraded => "degraded",
                Health::Unhealthy => "unhealthy",
            },
            message: report.message,
            metrics: report
                .metrics
                .into_iter()
                .map(|metric| Metric { name: metric.name, value: metric.value, unit: metric.unit })
                .collect(),
            latency_ms,
        })
    }
}

async fn load(
    source: &Source,
    config: Option<Map<String, Value>>,
    grants: Grants,
    cache: Option<std::path::PathBuf>,
) -> Result<Plugin, LoadError> {
    let engine = workbench::engine(cache)?;
    let mut settings = PluginSettings::default();
    let component = Component::load(&engine, Arc::clone(&source.wasm), &settings.limits).await?;
    settings.consents = Consents::default().with(component.digest(), grants);
    settings.config = config.unwrap_or_default();
    let name = component.info().name.clone();
    Plugin::new(&name, component, settings).await
}

/// A bad configuration is a bad argument, everything else is the plugin's failure.
fn refused(error: LoadError) -> ToolError {
    match error {
        LoadError::Config(ConfigError { .. })
        | LoadError::Call { error: CallError::InvalidConfig(_), .. } => ToolError::invalid(error.to_string()),
        error => ToolError::internal(error.to_string()),
    }
}

fn failed(what: &str, error: CallError) -> ToolError {
    ToolError::internal(format!("{what}: the plugin {error}"))
}

/// A sample as events.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ParsedSample {
    pub(crate) events: Vec<Event>,
    /// Lines in all.
    pub(crate) lines: usize,
    /// Lines that are in no event: they would go to the next parser.
    pub(crate) not_understood: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) speed: Option<Speed>,
    pub(crate) memory_bytes: u64,
}

/// One event. Lines are counted from 1.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Event {
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
    /// As OpenTelemetry counts; 0 is unknown.
    pub(crate) severity: u8,
    pub(crate) level: Option<&'static str>,
    pub(crate) time: Option<String>,
    pub(crate) message: String,
    /// A key that is there several times has an array.
    pub(crate) fields: Map<String, Value>,
}

/// What parsing costs, in calls of many lines. Half of the passes took longer.
#[derive(Debug, Serialize)]
pub(crate) struct Speed {
    pub(crate) ns_per_line: f64,
    pub(crate) lines_per_second: f64,
    pub(crate) passes: usize,
}

/// An error and its verdict. Lines are counted from 1.
#[derive(Debug, Serialize)]
pub(crate) struct Error {
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
    /// None when the plugin leaves it to the next one.
    pub(crate) verdict: Option<Verdict>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) category: String,
    pub(crate) confidence: u8,
    pub(crate) title: String,
    pub(crate) exceptions: Vec<Exception>,
    pub(crate) fingerprint: Vec<String>,
    pub(crate) suggestion: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Exception {
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) frames: Vec<Frame>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Frame {
    pub(crate) function: String,
    pub(crate) file: String,
    pub(crate) line: Option<u32>,
    pub(crate) in_app: bool,
}

impl From<Categorized> for Verdict {
    fn from(found: Categorized) -> Self {
        let frame = |frame: hostler_plugin_host::Frame| Frame {
            function: frame.function,
            file: frame.file,
            line: frame.line,
            in_app: frame.in_app,
        };
        let exception = |exception: hostler_plugin_host::Exception| Exception {
            kind: exception.kind,
            message: exception.message,
            frames: exception.frames.into_iter().map(frame).collect(),
        };
        Self {
            category: found.category,
            confidence: found.confidence,
            title: found.title,
            exceptions: found.exceptions.into_iter().map(exception).collect(),
            fingerprint: found.fingerprint,
            suggestion: found.suggestion,
        }
    }
}

/// The verdict of a check.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) status: &'static str,
    pub(crate) message: String,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) latency_ms: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
}

/// The lines of a sample, as those of a process are split.
fn split(input: &[u8]) -> Vec<Vec<u8>> {
    let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
    splitter.push(Stream::Stdout, Timestamp(0), input, |line| lines.push(line.raw.to_vec()));
    splitter.finish(|line| lines.push(line.raw.to_vec()));
    lines
}

/// The errors of a sample with their first and last line: what stands between blank lines, or the whole.
fn errors_of(input: &[u8], whole: bool) -> Vec<((usize, usize), Vec<u8>)> {
    let lines = split(input);
    if whole {
        return if lines.is_empty() { Vec::new() } else { vec![((1, lines.len()), lines.join(&b'\n'))] };
    }
    let mut errors = Vec::new();
    let mut at = 0;
    for part in lines.split(|line| line.trim_ascii().is_empty()) {
        if !part.is_empty() {
            errors.push(((at + 1, at + part.len()), part.join(&b'\n')));
        }
        at += part.len() + 1;
    }
    errors
}

fn place((first, last): (usize, usize)) -> String {
    if first == last { format!("line {first}") } else { format!("lines {first} to {last}") }
}

/// How many of these lines fit in one call; at least one.
fn batch_len(lines: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    let fitting = lines.iter().take(BATCH_LINES).take_while(|line| {
        bytes += line.len();
        bytes <= BATCH_BYTES
    });
    fitting.count().max(1).min(lines.len())
}

/// Hands all lines over as the daemon does: those that are left pending come again with the next ones.
async fn parse_all(plugin: &Plugin, lines: &[Vec<u8>]) -> Result<ParsedSample, ToolError> {
    let mut instance = plugin.instance(Arc::new(Nowhere));
    let mut sample = ParsedSample { lines: lines.len(), ..ParsedSample::default() };
    // The first line that waits, and the first that was not handed over yet.
    let (mut begin, mut next) = (0, 0);
    while begin < lines.len() {
        let end = next + batch_len(&lines[next..]);
        let batch: TextBatch = lines[begin..end].iter().map(Vec::as_slice).collect();
        let is_last = end == lines.len() || end - begin > MAX_PENDING;
        let parsed =
            instance.parse(&batch, is_last).await.map_err(|error| failed(&place((begin + 1, end)), error))?;
        let done = parsed.pending_from.map_or(batch.len(), |line| line as usize);
        take_events(&mut sample, &parsed, &batch, begin, done);
        (begin, next) = (begin + done, end);
    }
    Ok(sample)
}

/// Adds what was found in the first `done` lines of a batch that begins after `before` lines.
fn take_events(sample: &mut ParsedSample, parsed: &Parsed, batch: &TextBatch, before: usize, done: usize) {
    let text = |span: &std::ops::Range<u32>| {
        String::from_utf8_lossy(batch.slice(span.clone()).unwrap_or_default()).into_owned()
    };
    let mut fields = parsed.fields.iter().peekable();
    let mut next = 0;
    for (row, number) in parsed.rows.iter().zip(0_u32..) {
        let (first, end) = (row.lines.start as usize, row.lines.end as usize);
        sample.not_understood.extend((next..first).map(|line| before + line + 1));
        next = end;
        let mut event = Event {
            first_line: before + first + 1,
            last_line: before + end,
            severity: row.severity,
            level: level(row.severity),
            time: row.unix_nanos.map(|nanos| rfc3339(Timestamp(nanos))),
            message: text(&row.message),
            fields: Map::new(),
        };
        while let Some(field) = fields.next_if(|field| field.row == number) {
            let key = parsed.keys.get(usize::from(field.key)).cloned().unwrap_or_default();
            add_field(&mut event.fields, key, text(&field.value));
        }
        sample.events.push(event);
    }
    sample.not_understood.extend((next..done).map(|line| before + line + 1));
}

fn add_field(fields: &mut Map<String, Value>, key: String, value: String) {
    match fields.get_mut(&key) {
        None => {
            fields.insert(key, Value::from(value));
        }
        Some(Value::Array(values)) => values.push(Value::from(value)),
        Some(other) => *other = Value::from(vec![other.take(), Value::from(value)]),
    }
}

/// The level that a severity number of OpenTelemetry belongs to.
fn level(severity: u8) -> Option<&'static str> {
    match severity {
        1..=4 => Some("trace"),
        5..=8 => Some("debug"),
        9..=12 => Some("info"),
        13..=16 => Some("warn"),
        17..=20 => Some("error"),
        21..=24 => Some("fatal"),
        _ => None,
    }
}

/// Parses the sample again and again, in full batches: a short one is repeated until it fills one.
async fn measure(plugin: &Plugin, lines: &[Vec<u8>]) -> Result<Option<Speed>, ToolError> {
    if lines.is_empty() {
        return Ok(None);
    }
    let count = lines.len().max(BATCH_LINES.next_multiple_of(lines.len()));
    let lines: Vec<Vec<u8>> = lines.iter().cycle().take(count).cloned().collect();
    let mut batches: Vec<TextBatch> = Vec::new();
    let mut rest = lines.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(batch_len(rest));
        batches.push(now.iter().map(Vec::as_slice).collect());
        rest = later;
    }
    let mut instance = plugin.instance(Arc::new(Nowhere));
    let mut passes = Vec::new();
    let began = Instant::now();
    // The first pass warms up.
    while passes.len() < 2 || began.elapsed() < MEASURED {
        let pass = Instant::now();
        for batch in &batches {
            instance.parse(batch, true).await.map_err(|error| failed("parsing again", error))?;
        }
        passes.push(pass.elapsed());
    }
    let passes = &mut passes[1..];
    passes.sort_unstable();
    let ns_per_line = passes[passes.len() / 2].as_secs_f64() * 1e9 / count as f64;
    Ok(Some(Speed { ns_per_line, lines_per_second: 1e9 / ns_per_line, passes: passes.len() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(name: &str, config: Option<&str>) -> (tempfile::TempDir, Trial) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home")).unwrap();
        let config = config.map(|text| super::super::source::read_config(text).unwrap());
        let trial = Trial::load(&Source::open(name).unwrap(), config, Grants::default(), home).unwrap();
        (dir, trial)
    }

    #[test]
    fn errors_stand_between_blank_lines() {
        let errors = errors_of(b"\n\na\nb\r\n \nc\n\n", false);
        assert_eq!(errors, [((3, 4), b"a\nb".to_vec()), ((6, 6), b"c".to_vec())]);
        assert_eq!(errors_of(b"a\n\nb\n", true), [((1, 3), b"a\n\nb".to_vec())]);
        assert!(errors_of(b"", true).is_empty() && errors_of(b"\n \n", false).is_empty());
    }

    #[test]
    fn a_field_that_is_there_twice_is_an_array() {
        let mut fields = Map::new();
        for value in ["1", "2", "3"] {
            add_field(&mut fields, "a".to_owned(), value.to_owned());
        }
        assert_eq!(fields["a"], serde_json::json!(["1", "2", "3"]));
    }

    #[test]
    fn batches_are_bounded_in_lines_and_bytes() {
        assert_eq!(batch_len(&vec![vec![b'x']; 1_000]), BATCH_LINES);
        assert_eq!(batch_len(&vec![vec![b'x'; 400_000]; 5]), 2);
        assert_eq!(batch_len(&[vec![b'x'; BATCH_BYTES + 1]]), 1);
        assert_eq!(batch_len(&[]), 0);
    }

    /// Stack traces that reach over the end of a batch are one event all the same.
    #[test]
    fn lines_that_are_left_pending_come_again() {
        let (_dir, trial) = trial("builtin:multiline", None);
        let trace =
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: x\n";
        let input = format!("{}{}", "plain\n".repeat(BATCH_LINES - 2), trace);
        let sample = trial.parse(input.as_bytes()).unwrap();
        assert_eq!(sample.lines, BATCH_LINES + 2);
        assert_eq!(sample.events.len(), 1, "{:?}", sample.events);
        assert_eq!(
            (sample.events[0].first_line, sample.events[0].last_line),
            (BATCH_LINES - 1, BATCH_LINES + 2)
        );
        assert_eq!(sample.not_understood.len(), BATCH_LINES - 2);
    }

    #[test]
    fn a_plugin_without_its_configuration_names_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home")).unwrap();
        let source = Source::open("builtin:tcp").unwrap();
        let error = Trial::load(&source, None, Grants::default(), home).err().unwrap();
        assert!(error.message.contains("/address is missing"), "{}", error.message);
    }
}
