//! Why a start failed: all that is known, in one answer.

use std::time::Duration;

use hostler_api::process::{Evidence, EvidenceLine, PortHolder};
use hostler_api::view::ExitView;
use hostler_model::RunNo;
use hostler_model::text::{clip, readable};
use hostler_store::{LogQuery, LogRow, RunRecord};
use hostler_supervisor::Snapshot;

use super::{Service, ports};
use crate::daemon::registry::Entry;

const LINES: usize = 20;
const LINE_CHARS: usize = 500;
/// How long an answer waits for the error that explains it. That takes some milliseconds, but for the first time on a
/// machine, when the plugins are still to be compiled.
pub(super) const EXPLAINED: Duration = Duration::from_secs(5);

impl Service {
    /// The evidence of a run that failed.
    pub(super) async fn evidence(&self, entry: &Entry, run: RunNo) -> Evidence {
        entry.caught_up().await;
        let snapshot = entry.handle.snapshot();
        let rows = self.last_lines(entry, run).await;
        let last_lines: Vec<EvidenceLine> = rows
            .iter()
            .map(|r| EvidenceLine { stream: r.stream, message: clip(readable(&r.raw), LINE_CHARS) })
            .collect();
        let facts = Some(&snapshot.run).filter(|facts| facts.run == run);
        let error = facts.and_then(|f| f.launch_error.clone());
        let recorded = self.recorded(entry, run).await;
        let (known_exit, why) = recorded.map(|run| (run.exit, run.end_note)).unwrap_or_default();
        // When it has been restarted meanwhile, the records know how that run ended.
        let exit = facts.map_or(known_exit, |facts| facts.exit).map(|exit| {
            let view = ExitView::from(&exit);
            ExitView { reason: view.reason.clone().or(why), ..view }
        });
        let port_holder = self.port_holder(&last_lines, &snapshot).await;
        // What is not known soon is known later: get_errors has it.
        let _ = tokio::time::timeout(EXPLAINED, self.errors.explained(entry.id, run)).await;
        let error_group = self.error_of_run(entry.id, run).await;
        Evidence { exit, last_lines, error, error_group, port_holder }
    }

    async fn last_lines(&self, entry: &Entry, run: RunNo) -> Vec<LogRow> {
        let query = LogQuery { run: Some(run), ..LogQuery::newest(entry.id, LINES) };
        let mut rows = self.store.logs(query).await.map(|page| page.rows).unwrap_or_default();
        rows.reverse();
        rows
    }

    async fn recorded(&self, entry: &Entry, run: RunNo) -> Option<RunRecord> {
        let runs = self.store.runs(entry.id, 10).await.ok()?;
        runs.rows.into_iter().find(|r| r.run == run)
    }

    async fn port_holder(&self, lines: &[EvidenceLine], snapshot: &Snapshot) -> Option<PortHolder> {
        let lines: Vec<String> = lines.iter().map(|l| l.message.clone()).collect();
        let mut hints = snapshot.spec.args.clone();
        hints.extend(snapshot.spec.env.iter().filter(|(n, _)| n.contains("PORT")).map(|(_, v)| v.clone()));
        let wanted = ports::wanted_ports(&lines, &hints);
        if wanted.is_empty() {
            return None;
        }
        let registry = self.registry.clone();
        let holder = tokio::task::spawn_blocking(move || ports::holder(&registry, &wanted)).await.ok()??;
        let command = holder.command.map(|command| self.errors.redactor().redact_command(&command));
        Some(PortHolder { command, ..holder })
    }
}

/// The evidence in words, for a reader who sees only text.
pub(crate) fn in_words(evidence: &Evidence) -> String {
    let mut text = String::new();
    if let Some(error) = &evidence.error {
        text.push_str(&format!("\n{error}"));
    }
    if let Some(group) = &evidence.error_group {
        let place = group.culprit.as_deref().map(|culprit| format!(" in {culprit}")).unwrap_or_default();
        let advice = group.suggestion.as_deref().map(|advice| format!("; {advice}")).unwrap_or_default();
        text.push_str(&format!("\nerror {}: {} ({}){place}{advice}", group.id, group.title, group.category));
    }
    if let Some(holder) = &evidence.port_holder {
        let who = match (&holder.process, &holder.pid, &holder.command) {
            (Some(process), _, _) => {
                format!("`{process}`, which hostler runs: stop_process it or choose another port")
            }
            (None, Some(pid), Some(command)) => format!("pid {pid} ({command}), which hostler does not run"),
            _ => "a process that this user may not see".to_owned(),
        };
        text.push_str(&format!("\nport {} is held by {who}", holder.port));
    }
    if !evidence.last_lines.is_empty() {
        text.push_str("\nlast lines:");
        for line in &evidence.last_lines {
            let mark = if line.stream == hostler_model::Stream::Stderr { "E" } else { " " };
            text.push_str(&format!("\n{mark} {}", line.message));
        }
    } else if evidence.error.is_none() {
        text.push_str("\nit wrote nothing");
    }
    text
}
