//! `hostler logs`

use std::io::Write;

use clap::Args as ClapArgs;
use hostler_api::logs::{GetLogs, LogFormat, LogPage, LogRecord, LogTail, StreamFilter, TailLogs};

use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// Lines asked for at once; the daemon bounds the size of an answer besides.
const PAGE: u32 = 1_000;
/// What is piped on must not be cut.
const WHOLE_LINES: u32 = 256 * 1024;

#[derive(ClapArgs)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id
    process: String,
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
    #[arg(long, conflicts_with = "follow")]
    since: Option<String>,
    /// Only lines until this time or age
    #[arg(long, conflicts_with = "follow")]
    until: Option<String>,
    /// Only this run
    #[arg(long, conflicts_with = "follow")]
    run: Option<u32>,
    /// Print the tool's result; with --follow its records, one on each line
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let mut client = Client::connect()?;
    let mut page = newest(&mut client, &args)?;
    // One line is asked for even when none is wanted: it tells where to follow on, and whether there is such a process.
    let last = page.lines.as_ref().and_then(|l| l.last()).map(|l| format!("{}.{}", l.run, l.seq));
    if args.lines == 0 {
        page = LogPage { lines: Some(Vec::new()), count: 0, ..page };
    }
    if args.json && !args.follow {
        render::json(&serde_json::to_value(&page).map_err(|e| Failure::failed(e.to_string()))?);
        return Ok(());
    }
    let lines = page.lines.unwrap_or_default();
    show(&lines, args.json)?;
    if args.follow { follow(&mut client, &args, last.unwrap_or_else(|| "0.0".to_owned())) } else { Ok(()) }
}

/// The newest lines, oldest first, as one page however many answers they take.
fn newest(client: &mut Client, args: &Args) -> Result<LogPage, Failure> {
    let stream = match args.stream.as_str() {
        "stdout" => StreamFilter::Stdout,
        "stderr" => StreamFilter::Stderr,
        _ => StreamFilter::Both,
    };
    let mut whole: Option<LogPage> = None;
    let mut left = args.lines;
    loop {
        let request = GetLogs {
            process: Some(args.process.clone()),
            stream,
            since: args.since.clone(),
            until: args.until.clone(),
            run: args.run,
            limit: Some(left.clamp(1, PAGE)),
            cursor: whole.as_ref().and_then(|page| page.next_cursor.clone()),
            format: LogFormat::Records,
            max_line_chars: Some(WHOLE_LINES),
            ..GetLogs::default()
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

/// Goes on until interrupted, over restarts of the process.
fn follow(client: &mut Client, args: &Args, mut cursor: String) -> Outcome {
    loop {
        let request = TailLogs {
            process: Some(args.process.clone()),
            lines: Some(PAGE),
            follow: true,
            cursor: Some(cursor),
            wait_ms: Some(55_000),
            format: LogFormat::Records,
            max_line_chars: Some(WHOLE_LINES),
            ..TailLogs::default()
        };
        let tail: LogTail = client.read("tail_logs", &request)?;
        let lines = tail.lines.unwrap_or_default();
        show(&lines, args.json)?;
        if !tail.live && lines.is_empty() {
            render::note("the process has ended");
            return Ok(());
        }
        cursor = tail.cursor;
    }
}

fn show(lines: &[LogRecord], json: bool) -> Outcome {
    let mut out = std::io::stdout().lock();
    for line in lines {
        let written = if json {
            serde_json::to_writer(&mut out, line).map_err(std::io::Error::from).and_then(|()| writeln!(out))
        } else {
            writeln!(out, "{}", render::log_line(line))
        };
        written.map_err(|e| Failure::failed(e.to_string()))?;
    }
    out.flush().map_err(|e| Failure::failed(e.to_string()))
}
