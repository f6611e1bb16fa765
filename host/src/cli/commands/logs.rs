//! `hostler logs`

use std::io::Write;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use hostler_api::logs::{GetLogs, Level, LogFormat, LogPage, LogRecord, StreamFilter};
use regex::Regex;

use super::{logs_export, logs_follow, search};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// Lines asked for at once; the daemon bounds the size of an answer besides.
pub(super) const PAGE: u32 = 1_000;
/// What is piped on must not be cut.
pub(super) const WHOLE_LINES: u32 = 256 * 1024;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id; several are merged in the order of time
    #[arg(required = true)]
    processes: Vec<String>,
    /// Go on with new lines until interrupted
    #[arg(long, short)]
    follow: bool,
    /// How many of the newest lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    lines: u32,
    /// Only this output
    #[arg(long, value_parser = ["stdout", "stderr", "both"], default_value = "both", conflicts_with = "follow")]
    stream: String,
    /// Only lines since this time (RFC 3339) or age ("10m")
    #[arg(long)]
    since: Option<String>,
    /// Only lines until this time or age
    #[arg(long, conflicts_with = "follow")]
    until: Option<String>,
    /// Only this run
    #[arg(long, conflicts_with = "follow")]
    run: Option<u32>,
    /// Only lines of this level and above, as far as a log parser knows it
    #[arg(long, value_parser = ["trace", "debug", "info", "warn", "error", "fatal"])]
    level: Option<String>,
    /// Of these lines, only those that match this regular expression
    #[arg(long, value_name = "REGEX")]
    grep: Option<String>,
    /// Print the parsed fields as well
    #[arg(long)]
    fields: bool,
    /// Print what the lines have in common, with counts
    #[arg(long, conflicts_with_all = ["follow", "export"])]
    summary: bool,
    /// Write all lines into this file, a JSON object on each line; packed if it ends in .gz or .zst
    #[arg(long, value_name = "FILE", conflicts_with_all = ["follow", "json"])]
    export: Option<PathBuf>,
    /// Print the tool's result; with --follow its records, one on each line
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let show = Show::read(&args)?;
    if args.json && args.processes.len() > 1 && !args.follow {
        let message = "--json prints the answer for one process: name one, or add --follow".to_owned();
        return Err(Failure { message, code: 2 });
    }
    if args.summary {
        let mut each = args.processes.iter();
        return each.try_for_each(|process| {
            search::summary(process, stream(&args.stream), args.since.clone(), args.json)
        });
    }
    let mut client = Client::connect()?;
    if let Some(path) = &args.export {
        let [process] = &args.processes[..] else {
            let message = "--export writes the lines of one process: name one".to_owned();
            return Err(Failure { message, code: 2 });
        };
        return logs_export::run(&mut client, filters(&args, process), path);
    }
    let (mut lines, mut places) = (Vec::new(), Vec::new());
    for process in &args.processes {
        let mut page = newest(&mut client, &args, process)?;
        // One line is asked for even when none is wanted: it tells where to follow on, and whether there is such a process.
        let last = page.lines.as_ref().and_then(|l| l.last()).map(|l| format!("{}.{}", l.run, l.seq));
        let last = match last {
            Some(last) => last,
            // None passes the filters; behind all lines is behind those that do not.
            None => end(&mut client, process)?,
        };
        places.push((process.clone(), last));
        if args.lines == 0 {
            page = LogPage { lines: Some(Vec::new()), count: 0, ..page };
        }
        if args.json && !args.follow {
            render::json(&serde_json::to_value(&page).map_err(|e| Failure::failed(e.to_string()))?);
            return Ok(());
        }
        lines.extend(page.lines.unwrap_or_default());
    }
    if args.processes.len() > 1 {
        lines.sort_by(|a, b| a.time.cmp(&b.time));
        lines.drain(..lines.len().saturating_sub(args.lines as usize));
    }
    show.print(&lines)?;
    if args.follow { logs_follow::run(places, &show) } else { Ok(()) }
}

/// The place of the newest line.
fn end(client: &mut Client, process: &str) -> Result<String, Failure> {
    let request = GetLogs {
        process: Some(process.to_owned()),
        limit: Some(1),
        format: LogFormat::Records,
        ..GetLogs::default()
    };
    let page: LogPage = client.read("get_logs", &request)?;
    let last = page.lines.iter().flatten().next_back().map(|line| format!("{}.{}", line.run, line.seq));
    Ok(last.unwrap_or_else(|| "0.0".to_owned()))
}

/// A stream as it is named on the command line.
pub(super) fn stream(name: &str) -> StreamFilter {
    match name {
        "stdout" => StreamFilter::Stdout,
        "stderr" => StreamFilter::Stderr,
        _ => StreamFilter::Both,
    }
}

/// A level as it is named on the command line.
pub(super) fn level(name: Option<&str>) -> Option<Level> {
    let name = serde_json::Value::from(name?);
    serde_json::from_value(name).ok()
}

fn filters(args: &Args, process: &str) -> GetLogs {
    GetLogs {
        process: Some(process.to_owned()),
        stream: stream(&args.stream),
        min_level: level(args.level.as_deref()),
        since: args.since.clone(),
        until: args.until.clone(),
        run: args.run,
        ..GetLogs::default()
    }
}

/// The newest lines, oldest first, as one page however many answers they take.
fn newest(client: &mut Client, args: &Args, process: &str) -> Result<LogPage, Failure> {
    let mut whole: Option<LogPage> = None;
    let mut left = args.lines;
    loop {
        let request = GetLogs {
            limit: Some(left.clamp(1, PAGE)),
            cursor: whole.as_ref().and_then(|page| page.next_cursor.clone()),
            format: LogFormat::Records,
            max_line_chars: Some(WHOLE_LINES),
            ..filters(args, process)
        };
        let older: LogPage = client.read("get_logs", &request)?;
        left = left.saturating_sub(older.count);
        let is_last = left == 0 || older.next_cursor.is_none() || older.count == 0;
        let page = match whole {
            None => older,
            Some(newer) => join(older, newer),
        };
        if is_last {
            return Ok(page);
        }
        whole = Some(page);
    }
}

/// One page of two, the older of which says how to go on.
fn join(older: LogPage, newer: LogPage) -> LogPage {
    let lines: Vec<LogRecord> = older.lines.into_iter().chain(newer.lines).flatten().collect();
    LogPage { count: older.count + newer.count, lines: Some(lines), ..older }
}

/// Which lines are printed, and how.
pub(super) struct Show {
    processes: Vec<String>,
    json: bool,
    fields: bool,
    level: Option<Level>,
    grep: Option<Regex>,
}

impl Show {
    fn read(args: &Args) -> Result<Self, Failure> {
        let grep = args.grep.as_deref().map(Regex::new).transpose();
        Ok(Self {
            processes: args.processes.clone(),
            json: args.json,
            fields: args.fields,
            level: level(args.level.as_deref()),
            grep: grep.map_err(|e| Failure { message: format!("--grep: {e}"), code: 2 })?,
        })
    }

    /// Whether lines of several processes come together.
    pub(super) fn several(&self) -> bool {
        self.processes.len() > 1
    }

    fn wants(&self, line: &LogRecord) -> bool {
        self.level.is_none_or(|least| line.level.is_some_and(|level| level >= least))
            && self.grep.as_ref().is_none_or(|grep| grep.is_match(&line.message))
    }

    /// Which of the processes wrote the line, as they were named.
    fn number(&self, line: &LogRecord) -> usize {
        let name = line.process.rsplit('/').next().unwrap_or(&line.process);
        self.processes.iter().position(|p| *p == line.process || p == name).unwrap_or(0)
    }

    /// Prints those lines that are wanted.
    pub(super) fn print(&self, lines: &[LogRecord]) -> Outcome {
        let width = self.processes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut out = std::io::stdout().lock();
        for line in lines.iter().filter(|line| self.wants(line)) {
            let written = if self.json {
                serde_json::to_writer(&mut out, line)
                    .map_err(std::io::Error::from)
                    .and_then(|()| writeln!(out))
            } else if self.several() {
                let number = self.number(line);
                let name = render::log_name(&self.processes[number], number, width);
                writeln!(out, "{name}{}", render::log_line_with(line, self.fields))
            } else {
                writeln!(out, "{}", render::log_line_with(line, self.fields))
            };
            written.map_err(|e| Failure::failed(e.to_string()))?;
        }
        out.flush().map_err(|e| Failure::failed(e.to_string()))
    }
}
