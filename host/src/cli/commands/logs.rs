//! `hostler logs`

use std::path::PathBuf;

use clap::Args as ClapArgs;
use hostler_api::logs::{
    GetLogs, Level, LogFormat, LogPage, LogRecord, LogSearch, SearchLogs, SearchMode, StreamFilter, TailLogs,
};
use regex::Regex;

use super::logs_show::{Look, Show};
use super::{logs_export, logs_follow, summary};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// Lines asked for at once; the daemon bounds the size of an answer besides.
pub(super) const PAGE: u32 = 1_000;
/// What is piped on must not be cut.
pub(super) const WHOLE_LINES: u32 = 256 * 1024;

#[derive(ClapArgs)]
#[command(
    after_help = "Examples:\n  hostler logs web -n 20\n  hostler logs -f web api\n  hostler logs --group shop --since 10m --level warn\n  hostler logs web --grep 'GET .* 5..' --fields\n  hostler logs web --raw | jq .\n  hostler logs web --export web.ndjson.zst"
)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id; several are merged in the order of time
    #[arg(required_unless_present = "group", conflicts_with = "group")]
    processes: Vec<String>,
    /// All members of this group
    #[arg(long, short)]
    group: Option<String>,
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
    /// Only lines that match this regular expression, anywhere in what was written
    #[arg(long, value_name = "REGEX")]
    grep: Option<String>,
    /// Print what parsers found in place of the lines: level, message, fields
    #[arg(long)]
    fields: bool,
    /// Print the lines as they were written, with their terminal escapes and nothing else; with --json, add that to the
    /// records
    #[arg(long, conflicts_with = "fields")]
    raw: bool,
    /// Print what the lines have in common, with counts
    #[arg(long, conflicts_with_all = ["follow", "export", "grep"])]
    summary: bool,
    /// Write all lines into this file, a JSON object on each line, what was written among it; packed if it ends in .gz or
    /// .zst
    #[arg(long, value_name = "FILE", conflicts_with_all = ["follow", "json", "grep"])]
    export: Option<PathBuf>,
    /// Print the tool's result; with --follow its records, one on each line
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let grep = args.grep.as_deref().map(Regex::new).transpose();
    let grep = grep.map_err(|e| Failure { message: format!("--grep: {e}"), code: 2 })?;
    let mut client = Client::connect()?;
    if args.summary {
        return summary::of(&mut client, matching(&args), false, args.json);
    }
    if let Some(path) = &args.export {
        return logs_export::run(&mut client, GetLogs { raw: true, ..filters(&args) }, path);
    }
    let several = args.group.is_some() || args.processes.len() > 1;
    let mut show = Show::new(look(&args), several);
    // Asked for first: what comes meanwhile is then among the newest lines, and is not printed twice.
    let end = args.follow.then(|| logs_follow::end(&mut client, &tail(&args))).transpose()?;
    let page = if args.grep.is_some() { found(&mut client, &args)? } else { newest(&mut client, &args)? };
    let page = if args.lines == 0 { LogPage { lines: Some(Vec::new()), count: 0, ..page } } else { page };
    let Some(end) = end else {
        if args.json {
            render::json(&serde_json::to_value(&page).map_err(|e| Failure::failed(e.to_string()))?);
            return Ok(());
        }
        return show.print(&page.lines.unwrap_or_default(), None);
    };
    show.print(&page.lines.unwrap_or_default(), None)?;
    logs_follow::run(&mut client, tail(&args), end, &mut show, grep.as_ref())
}

fn look(args: &Args) -> Look {
    match () {
        () if args.json => Look::Json { raw: args.raw },
        () if args.raw => Look::Raw,
        () if args.fields => Look::Fields,
        () => Look::Text,
    }
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

/// The processes that are asked for, as the tools take them.
fn processes(args: &Args) -> Option<String> {
    args.group.is_none().then(|| args.processes.join(","))
}

fn filters(args: &Args) -> GetLogs {
    GetLogs {
        process: processes(args),
        group: args.group.clone(),
        stream: stream(&args.stream),
        min_level: level(args.level.as_deref()),
        since: args.since.clone(),
        until: args.until.clone(),
        run: args.run,
        raw: matches!(look(args), Look::Text | Look::Raw | Look::Json { raw: true }),
        ..GetLogs::default()
    }
}

/// The same lines for a search.
fn matching(args: &Args) -> SearchLogs {
    let GetLogs { process, group, stream, min_level, since, until, run, raw, .. } = filters(args);
    SearchLogs { process, group, stream, min_level, since, until, run, raw, ..SearchLogs::default() }
}

/// Of the same processes what is to come.
fn tail(args: &Args) -> TailLogs {
    let GetLogs { process, group, min_level, raw, .. } = filters(args);
    // What is to come is looked through here, and not by a search.
    TailLogs { process, group, min_level, raw: raw || args.grep.is_some(), ..TailLogs::default() }
}

/// The newest lines, oldest first, as one page however many answers they take.
fn newest(client: &mut Client, args: &Args) -> Result<LogPage, Failure> {
    let mut whole: Option<LogPage> = None;
    let mut left = args.lines;
    loop {
        let request = GetLogs {
            // One is asked for even when none is wanted: it tells whether there is such a process.
            limit: Some(left.clamp(1, PAGE)),
            cursor: whole.as_ref().and_then(|page| page.next_cursor.clone()),
            format: LogFormat::Records,
            max_line_chars: Some(WHOLE_LINES),
            ..filters(args)
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

/// The newest lines that match, oldest first.
fn found(client: &mut Client, args: &Args) -> Result<LogPage, Failure> {
    let mut lines: Vec<LogRecord> = Vec::new();
    let mut cursor = None;
    loop {
        let left = args.lines.saturating_sub(lines.len() as u32);
        let request = SearchLogs {
            query: args.grep.clone().unwrap_or_default(),
            mode: SearchMode::Regex,
            case_sensitive: true,
            limit: Some(left.clamp(1, PAGE)),
            cursor,
            max_line_chars: Some(WHOLE_LINES),
            ..matching(args)
        };
        let older: LogSearch = client.read("search_logs", &request)?;
        lines.extend(older.matches.into_iter().map(|found| found.line));
        cursor = older.next_cursor;
        if cursor.is_none() || lines.len() >= args.lines as usize {
            break;
        }
    }
    lines.reverse();
    let truncated = cursor.is_some();
    Ok(LogPage {
        count: lines.len() as u32,
        lines: Some(lines),
        text: None,
        next_cursor: None,
        truncated,
        note: None,
    })
}
