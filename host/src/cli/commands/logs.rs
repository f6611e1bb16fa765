//! `hostler logs`

use std::io::Write;

use clap::Args as ClapArgs;
use hostler_api::logs::{GetLogs, LogFormat, LogPage, LogRecord, LogTail, StreamFilter, TailLogs};
use hostler_api::process::GetProcessInfo;

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
    /// Print records, one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let mut client = Client::connect()?;
    let lines = newest(&mut client, &args)?;
    let last = lines.last().map(|l| format!("{}.{}", l.run, l.seq));
    show(&lines, args.json)?;
    if args.follow { follow(&mut client, &args, last.unwrap_or_else(|| "0.0".to_owned())) } else { Ok(()) }
}

/// The newest lines, however many answers they take, oldest first.
fn newest(client: &mut Client, args: &Args) -> Result<Vec<LogRecord>, Failure> {
    let stream = match args.stream.as_str() {
        "stdout" => StreamFilter::Stdout,
        "stderr" => StreamFilter::Stderr,
        _ => StreamFilter::Both,
    };
    let mut pages: Vec<Vec<LogRecord>> = Vec::new();
    let (mut cursor, mut left) = (None, args.lines);
    while left > 0 {
        let request = GetLogs {
            process: Some(args.process.clone()),
            stream,
            since: args.since.clone(),
            until: args.until.clone(),
            run: args.run,
            limit: Some(left.min(PAGE)),
            cursor: cursor.clone(),
            format: LogFormat::Records,
            max_line_chars: Some(WHOLE_LINES),
            ..GetLogs::default()
        };
        let page: LogPage = client.read("get_logs", &request)?;
        left = left.saturating_sub(page.count);
        pages.extend(page.lines);
        cursor = page.next_cursor;
        if cursor.is_none() || page.count == 0 {
            break;
        }
    }
    if args.lines == 0 {
        // A name that does not exist is told even when no line is asked for.
        let request = GetProcessInfo { process: args.process.clone(), runs: Some(0), project: None };
        client.call("get_process_info", &request)?;
    }
    Ok(pages.into_iter().rev().flatten().collect())
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
