//! How results look: tables and colour for a terminal, plain text for a pipe.

use std::borrow::Cow;
use std::io::IsTerminal;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostler_api::logs::LogRecord;
use hostler_api::process::ProcessInfo;
use hostler_api::view::{ExitView, ProcessView, Status};
use hostler_model::text::readable;
use hostler_model::{Stream, visible};
use serde_json::Value;

/// The tool's result, as one line.
pub(super) fn json(value: &Value) {
    println!("{value}");
}

/// A remark beside the result.
pub(super) fn note(text: &str) {
    eprintln!("{}", visible::on_its_lines(text));
}

/// One process on one line.
pub(super) fn one_line(process: &ProcessView) {
    let pid = process.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let reason = process.status_reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
    println!("{} {}{pid}{reason}", process.name, coloured(process.status));
}

/// Processes as a table.
pub(super) fn table(processes: &[ProcessView], with_project: bool) {
    let mut head = vec!["NAME", "STATUS", "PID", "UPTIME", "RESTARTS", "CPU%", "MEMORY", "PORTS", "COMMAND"];
    if with_project {
        head.insert(0, "PROJECT");
    }
    let mut rows: Vec<Vec<String>> = vec![head.into_iter().map(str::to_owned).collect()];
    rows.extend(processes.iter().map(|p| row(p, with_project)));
    let columns = rows[0].len();
    let widths: Vec<usize> =
        (0..columns).map(|c| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0)).collect();
    for (at, cells) in rows.iter().enumerate() {
        let mut line = String::new();
        for (c, cell) in cells.iter().enumerate() {
            let is_status = at > 0 && c == usize::from(with_project) + 1;
            let shown = if is_status { coloured(processes[at - 1].status) } else { cell.clone() };
            line.push_str(&shown);
            if c + 1 < columns {
                line.push_str(&" ".repeat(widths[c] + 2 - cell.chars().count()));
            }
        }
        println!("{}", line.trim_end());
    }
}

/// Rows of cells, the first of which are the heads of the columns. The last cell of a row may have several lines.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) {
    print!("{}", in_columns(rows));
}

fn in_columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut lines: Vec<[String; N]> = Vec::new();
    for row in rows {
        let [.., last] = row.as_slice() else { continue };
        for (at, part) in last.split('\n').enumerate() {
            let cell = |column: usize| match (column + 1 == N, at) {
                (true, _) => visible::on_one_line(part),
                (false, 0) => visible::on_one_line(&row[column]),
                (false, _) => String::new(),
            };
            lines.push(std::array::from_fn(cell));
        }
    }
    let width = |column: usize| lines.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn row(p: &ProcessView, with_project: bool) -> Vec<String> {
    let dash = || "-".to_owned();
    let ports: Vec<String> = p.ports.iter().map(u16::to_string).collect();
    let command = command_line(p);
    let mut cells = vec![
        p.name.clone(),
        p.status.as_str().to_owned(),
        p.pid.map_or_else(dash, |pid| pid.to_string()),
        p.uptime_ms.map(duration).or_else(|| next_run(p)).unwrap_or_else(dash),
        p.restarts.to_string(),
        p.cpu_percent.map_or_else(dash, |c| format!("{c:.1}")),
        p.memory_bytes.map_or_else(dash, bytes),
        if ports.is_empty() { dash() } else { ports.join(",") },
        hostler_model::text::clip(command, 60),
    ];
    if with_project {
        cells.insert(0, p.project.clone());
    }
    cells
}

/// In place of how long it runs: when it does.
fn next_run(p: &ProcessView) -> Option<String> {
    let at: jiff::Timestamp = p.next_run_at.as_ref()?.parse().ok()?;
    let ms = u64::try_from(at.duration_since(jiff::Timestamp::now()).as_millis()).unwrap_or(0);
    Some(format!("in {}", duration(ms)))
}

/// Program and arguments on one line, whatever is in them.
fn command_line(p: &ProcessView) -> String {
    let words: Vec<&str> = std::iter::once(&p.command).chain(&p.args).map(String::as_str).collect();
    on_one_line(&words.join(" "))
}

/// Line feeds become visible, for a table has one line for each row, and so does what would act on the terminal.
pub(super) fn on_one_line(text: &str) -> String {
    visible::on_one_line(text)
}

/// All about one process.
pub(super) fn info(info: &ProcessInfo) {
    let p = &info.process;
    one_line(p);
    let field = |name: &str, value: String| println!("  {name:<10} {value}");
    field("id", format!("{} in project {}", p.id, p.project));
    field("command", command_line(p));
    if let Some(cwd) = info.specification.get("cwd").and_then(Value::as_str) {
        field("cwd", cwd.to_owned());
    }
    if let Some(uptime) = p.uptime_ms {
        field("uptime", duration(uptime));
    }
    field("restarts", p.restarts.to_string());
    if let (Some(cpu), Some(memory)) = (p.cpu_percent, p.memory_bytes) {
        field("uses", format!("{cpu:.1} % of a core, {}", bytes(memory)));
    }
    if !p.ports.is_empty() {
        field("ports", p.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", "));
    }
    if let Some(at) = &p.next_run_at {
        field("next run", at.clone());
    }
    if let Some(watching) = &info.watching {
        field("watching", watching.clone());
    }
    for check in &info.health {
        field("health", format!("{} {}: {}", check.plugin, check.health, on_one_line(&check.message)));
    }
    if let Some(files) = info.open_files {
        field("files", format!("{files} open"));
    }
    field("log", format!("{} lines kept", info.log_lines));
    for limit in &info.limits {
        field("limit", format!("{} {} ({})", limit.limit, limit.value, limit.enforced_by));
    }
    for process in &info.tree {
        field("tree", format!("{} <- {}  {}", process.pid, process.ppid, on_one_line(&process.command)));
    }
    for run in &info.runs {
        let end = run.exit.as_ref().map_or_else(|| "running".to_owned(), exit);
        let at = run.started_at.as_deref().unwrap_or("never executed");
        field("run", format!("{}  {at}  {end}  ({})", run.run, run.reason));
    }
}

/// An end in words.
pub(super) fn exit(exit: &ExitView) -> String {
    match (exit.code, &exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => signal.clone(),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// The bytes of a line as they were written, as far as they were asked for.
pub(super) fn written(line: &LogRecord) -> Cow<'_, [u8]> {
    match (&line.raw, &line.raw_base64) {
        (Some(text), _) => Cow::Borrowed(text.as_bytes()),
        (None, Some(base64)) => STANDARD.decode(base64).unwrap_or_default().into(),
        (None, None) => Cow::Borrowed(line.message.as_bytes()),
    }
}

/// A line of a log: its text, or with `fields` what parsers found in place of it.
pub(super) fn log_line(line: &LogRecord, fields: bool) -> String {
    let time = line.time.get(11..23).unwrap_or(&line.time);
    let text = if fields { parsed(line) } else { readable(&written(line)) };
    let is_error = line.stream == Stream::Stderr;
    if is_terminal() {
        let colour = if is_error { "31" } else { "0" };
        return format!("\x1b[2m{time}\x1b[0m \x1b[{colour}m{text}\x1b[0m");
    }
    format!("{time} {} {text}", if is_error { 'E' } else { ' ' })
}

/// Level, message and fields.
fn parsed(line: &LogRecord) -> String {
    let level = line.level.map(|level| format!("{} ", level.name().to_uppercase()));
    let mut text = format!("{}{}", level.unwrap_or_default(), line.message);
    for (name, value) in &line.fields {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!(" {name}={value}"));
    }
    text
}

/// The name of a process before its lines, each in a colour of its own on a terminal.
pub(super) fn log_name(name: &str, number: usize, width: usize) -> String {
    const COLOURS: [&str; 6] = ["36", "33", "32", "35", "34", "96"];
    if is_terminal() {
        return format!("\x1b[{}m{name:<width$}\x1b[0m ", COLOURS[number % COLOURS.len()]);
    }
    format!("{name:<width$} ")
}

/// A line of the result.
pub(super) fn line(text: &str) {
    println!("{text}");
}

fn coloured(status: Status) -> String {
    let colour = match status {
        Status::Running => "32",
        Status::Starting | Status::Stopping | Status::Backoff => "33",
        Status::Failed => "31",
        Status::Stopped | Status::Exited => "2",
    };
    if is_terminal() {
        format!("\x1b[{colour}m{}\x1b[0m", status.as_str())
    } else {
        status.as_str().to_owned()
    }
}

/// Colour is for terminals, and not for who asked for none (<https://no-color.org>).
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// A time in words.
pub(super) fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms}ms"),
        1..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// A size in words.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cell_of_a_row_may_have_lines_and_no_cell_acts_on_the_terminal() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["web", "failed", "exit code 1\nlast\u{1b}[2K"]), row(["a\nb", "up", ""])];
        assert_eq!(
            in_columns(&rows),
            "web  failed  exit code 1\n             last\u{241b}[2K\na\u{240a}b  up\n"
        );
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            (duration(950), duration(61_000), duration(90_000_000)),
            ("950ms".into(), "1m01s".into(), "1d01h".into())
        );
        assert_eq!(
            (bytes(512), bytes(1536), bytes(3 << 30)),
            ("512 B".into(), "1.5 KiB".into(), "3.0 GiB".into())
        );
    }
}
