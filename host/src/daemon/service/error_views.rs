//! How groups of errors are shown: as a line, in a list, in full.

use hostler_api::errors::{ErrorFrame, ErrorOccurrence, ErrorSample, ErrorView, ResolutionView};
use hostler_api::time::rfc3339;
use hostler_model::errors::{Fault, Frame, Resolution};
use hostler_model::text::clip;
use hostler_model::{ProcessId, RunNo, Timestamp};
use hostler_store::{ErrorGroup, Occurrence, Sample};

/// Hours of the trend.
const TREND_HOURS: usize = 24;
/// Processes that are named.
const PROCESSES: usize = 20;

/// How much is shown of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// No sample.
    Line,
    /// A sample of at most so many lines and frames.
    Some(usize),
    /// All that is kept.
    Full,
}

impl Detail {
    /// Such that a list of so many groups is an answer of about 10,000 characters.
    pub(super) fn for_list(groups: usize) -> Self {
        match groups {
            0..=3 => Self::Some(20),
            4..=6 => Self::Some(10),
            7..=12 => Self::Some(5),
            _ => Self::Line,
        }
    }

    fn lines(self) -> usize {
        match self {
            Self::Line => 0,
            Self::Some(lines) => lines,
            Self::Full => 150,
        }
    }
}

/// A group, with what is known elsewhere: names of processes and their newest runs.
pub(super) fn group(
    group: &ErrorGroup,
    detail: Detail,
    now: Timestamp,
    name: &dyn Fn(ProcessId) -> String,
    newest_run: &dyn Fn(ProcessId) -> Option<RunNo>,
) -> ErrorView {
    let state = &group.state;
    let resolution = match (&state.resolution, &state.regression) {
        (Some(resolution), _) => Some(resolution),
        (None, Some(regression)) => Some(&regression.resolution),
        (None, None) => None,
    };
    let is_new = |p: &hostler_store::ErrorProcess| newest_run(p.process_id) == Some(p.first_run);
    ErrorView {
        id: group.id.to_string(),
        title: group.fault.title.clone(),
        category: group.fault.category.clone(),
        count: state.count,
        first_seen: rfc3339(state.first_seen),
        last_seen: rfc3339(state.last_seen),
        processes: group.processes.iter().take(PROCESSES).map(|p| name(p.process_id)).collect(),
        runs: group.processes.iter().map(|p| p.runs).sum(),
        ended_runs: group.processes.iter().map(|p| p.ended_runs).sum(),
        resolved: state.is_resolved(),
        resolution: resolution.map(resolution_view),
        regression: state.is_regression(),
        new_since_restart: !group.processes.is_empty() && group.processes.iter().all(is_new),
        culprit: group.fault.culprit().map(place_of),
        suggestion: group.fault.suggestion.clone(),
        trend: state.trend.by_hour(now, TREND_HOURS).into_iter().map(|(_, count)| count).collect(),
        anomaly: state.anomaly(now).map(|anomaly| {
            format!(
                "{} times in the last 5 minutes, where {:.1} are usual",
                anomaly.recent,
                anomaly.usual_hundredths as f64 / 100.0
            )
        }),
        similar: Vec::new(),
        note: group.fault.note.clone(),
        sample: (detail != Detail::Line)
            .then(|| {
                group.sample.as_ref().map(|(place, sample)| shown_sample(group, place, sample, detail, name))
            })
            .flatten(),
    }
}

fn resolution_view(resolution: &Resolution) -> ResolutionView {
    ResolutionView { text: resolution.text.clone(), by: resolution.by.clone(), at: rfc3339(resolution.at) }
}

/// `function (file:line)`, as far as it is known.
fn place_of(frame: &Frame) -> String {
    let line = frame.line.map(|line| format!(":{line}")).unwrap_or_default();
    match (frame.function.is_empty(), frame.file.is_empty()) {
        (false, false) => format!("{} ({}{line})", frame.function, frame.file),
        (false, true) => frame.function.clone(),
        (true, _) => format!("{}{line}", frame.file),
    }
}

fn shown_sample(
    group: &ErrorGroup,
    place: &Occurrence,
    sample: &Sample,
    detail: Detail,
    name: &dyn Fn(ProcessId) -> String,
) -> ErrorSample {
    let (lines, context_lines) = shown_lines(sample, detail);
    let all = frames(&group.fault);
    let frames: Vec<ErrorFrame> = all.iter().take(detail.lines()).cloned().collect();
    let missing = (sample.lines.len() - lines.len(), all.len() - frames.len());
    let left_out = (missing != (0, 0)).then(|| {
        format!(
            "{} lines and {} frames; get_errors {{\"error_id\": \"{}\"}} has them",
            missing.0, missing.1, group.id
        )
    });
    ErrorSample { lines, context_lines, frames, place: occurrence(place, name), left_out }
}

/// The beginning and the end of a sample that is too long, for some runtimes say what happened first and others last.
fn shown_lines(sample: &Sample, detail: Detail) -> (Vec<String>, u32) {
    let most = detail.lines();
    let width = if detail == Detail::Full { 1_000 } else { 200 };
    let cut = |line: &String| clip(line.clone(), width);
    if sample.lines.len() <= most {
        return (sample.lines.iter().map(cut).collect(), sample.context);
    }
    // What stood before it goes first.
    let own = &sample.lines[(sample.context as usize).min(sample.lines.len())..];
    let head = own.iter().take(most.div_ceil(2).min(own.len()));
    let tail = own.iter().skip((most.div_ceil(2)).max(own.len().saturating_sub(most / 2)));
    (head.chain(tail).map(cut).collect(), 0)
}

/// The frames of all exceptions, the innermost first.
fn frames(fault: &Fault) -> Vec<ErrorFrame> {
    let view = |frame: &Frame| ErrorFrame {
        function: frame.function.clone(),
        file: frame.file.clone(),
        line: frame.line,
        in_app: frame.in_app,
    };
    fault.exceptions.iter().flat_map(|e| e.frames.iter().rev().map(view)).collect()
}

/// An occurrence.
pub(super) fn occurrence(occurrence: &Occurrence, name: &dyn Fn(ProcessId) -> String) -> ErrorOccurrence {
    ErrorOccurrence {
        process: name(occurrence.process_id),
        run: occurrence.run.0,
        stream: occurrence.stream,
        first_seq: occurrence.first_seq,
        last_seq: occurrence.last_seq,
        time: rfc3339(occurrence.time),
    }
}
