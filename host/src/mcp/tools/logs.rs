//! Reading output.

use hostler_api::logs::{LogPage, LogRecord, LogSearch, LogTail, LogsCleared};

use super::{Hints, InWords, READS, ToolDef, tool};

const CLEARS: Hints = Hints { read_only: false, destructive: true, idempotent: true };

pub(super) fn tools() -> Vec<ToolDef> {
    vec![
        tool(
            "get_logs",
            "Read logs",
            "Shows kept output of a process, stdout and stderr together, of all its runs: by default the newest 100 \
             lines. Narrow it by stream, time (`since: \"10m\"`) or run; page with `cursor`. In text form each line is \
             the UTC time, E for stderr, and the message.",
            READS,
            |service, client, request, _| async move { service.logs(&client, request).await },
        ),
        tool(
            "tail_logs",
            "Follow logs",
            "Shows the newest lines and a cursor; with that cursor and `follow: true` it waits for newer lines, with \
             `until_pattern` for a line that matches. Use it to watch a process without reading the same lines twice.",
            READS,
            |service, client, request, patience| async move { service.tail(&client, request, &patience).await },
        ),
        tool(
            "search_logs",
            "Search logs",
            "Finds lines in kept output, newest first, over all runs of a process, or of all processes: by text or \
             regular expression, level, time and parsed fields. `summarize: true` tells what the lines have in \
             common, with counts: begin with it when there are many.",
            READS,
            |service, client, request, patience| async move {
                service.search_logs(&client, request, &patience).await
            },
        ),
        tool(
            "clear_logs",
            "Clear logs",
            "Removes kept output of a process, or of all, older than `before` or all of it. `dry_run` tells how much \
             that is.",
            CLEARS,
            |service, client, request, _| async move { service.clear_logs(&client, request).await },
        ),
    ]
}

/// Log text as text: JSON escapes cost tokens and hide the lines.
fn in_words(
    text: Option<&String>,
    lines: Option<&Vec<LogRecord>>,
    facts: &[(&str, String)],
) -> Option<String> {
    // Records are asked for as records.
    if lines.is_some() {
        return None;
    }
    let mut words = text.cloned().unwrap_or_default();
    let facts: Vec<String> = facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    if !words.is_empty() {
        words.push('\n');
    }
    words.push_str(&format!("[{}]", facts.join("; ")));
    Some(words)
}

impl InWords for LogPage {
    fn words(&self) -> Option<String> {
        let mut facts = vec![("lines", self.count.to_string()), ("truncated", self.truncated.to_string())];
        facts.extend(self.next_cursor.iter().map(|c| ("next_cursor", c.clone())));
        facts.extend(self.note.iter().map(|n| ("note", n.clone())));
        in_words(self.text.as_ref(), self.lines.as_ref(), &facts)
    }
}

impl InWords for LogTail {
    fn words(&self) -> Option<String> {
        let mut facts = vec![
            ("lines", self.count.to_string()),
            ("cursor", self.cursor.clone()),
            ("done", self.done.to_string()),
            ("live", self.live.to_string()),
            ("truncated", self.truncated.to_string()),
        ];
        facts.extend(self.unfinished.iter().map(|text| ("unfinished", text.clone())));
        facts.extend(self.note.iter().map(|n| ("note", n.clone())));
        in_words(self.text.as_ref(), self.lines.as_ref(), &facts)
    }
}

impl InWords for LogSearch {
    fn words(&self) -> Option<String> {
        None
    }
}

impl InWords for LogsCleared {
    fn words(&self) -> Option<String> {
        None
    }
}
