//! `hostler search`

use clap::Args as ClapArgs;
use hostler_api::logs::{LogMatch, LogRecord, LogSearch, SearchLogs, SearchMode};
use serde_json::{Map, Value};

use super::logs::{level, stream};
use super::summary;
use crate::cli::client::{Client, parse};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

#[derive(ClapArgs)]
#[command(
    after_help = "Examples:\n  hostler search timeout --since 1h\n  hostler search -e 'order [0-9]+ failed' web -C 2\n  hostler search '' web --field 'status>=500' --fields"
)]
pub(in crate::cli) struct Args {
    /// What lines contain
    query: String,
    /// Name, project/name or id, several with commas between them; all processes of the project without it
    process: Option<String>,
    /// All members of this group
    #[arg(long, short, conflicts_with = "process")]
    group: Option<String>,
    /// The query is a regular expression
    #[arg(long, short = 'e')]
    regex: bool,
    /// Upper and lower case differ
    #[arg(long, short = 's')]
    case_sensitive: bool,
    /// At most so many of the newest matches
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: u32,
    /// Lines before and behind each match
    #[arg(long, short = 'C', value_name = "N", default_value_t = 0)]
    context: u32,
    /// Only this output
    #[arg(long, value_parser = ["stdout", "stderr", "both"], default_value = "both")]
    stream: String,
    /// Only lines of this level and above
    #[arg(long, value_parser = ["trace", "debug", "info", "warn", "error", "fatal"])]
    level: Option<String>,
    /// Only lines since this time (RFC 3339) or age ("10m")
    #[arg(long)]
    since: Option<String>,
    /// Only lines until this time or age
    #[arg(long)]
    until: Option<String>,
    /// Only this run
    #[arg(long)]
    run: Option<u32>,
    /// Only lines with such a parsed field: "status>=500"
    #[arg(long = "field", value_name = "NAME=VALUE")]
    fields: Vec<String>,
    /// Print what the lines have in common, with counts
    #[arg(long)]
    summary: bool,
    /// Print what parsers found in place of the lines: level, message, fields
    #[arg(long = "fields")]
    show_fields: bool,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let request = SearchLogs {
        query: args.query.clone(),
        mode: if args.regex { SearchMode::Regex } else { SearchMode::Text },
        case_sensitive: args.case_sensitive,
        process: args.process.clone(),
        group: args.group.clone(),
        stream: stream(&args.stream),
        min_level: level(args.level.as_deref()),
        since: args.since.clone(),
        until: args.until.clone(),
        run: args.run,
        field_filters: conditions(&args.fields)?,
        context: Some(args.context),
        summarize: args.summary,
        limit: Some(args.lines),
        raw: !args.json && !args.show_fields,
        ..SearchLogs::default()
    };
    let result = Client::connect()?.call("search_logs", &request)?.result;
    if args.json {
        render::json(&result);
        return Ok(());
    }
    let found: LogSearch = parse(result)?;
    match &found.templates {
        Some(templates) => summary::show(templates, false),
        None => show(
            &found.matches,
            args.process.as_ref().is_none_or(|names| names.contains(',')),
            args.show_fields,
        ),
    }
    told(&found);
    Ok(())
}

/// How many lines match, and what it took to know.
pub(super) fn told(found: &LogSearch) {
    let least = if found.total_exact { "" } else { "at least " };
    render::note(&format!(
        "{least}{} lines match; {} looked at in {} ms",
        found.total,
        render::bytes(found.scanned_bytes),
        found.elapsed_ms
    ));
}

/// "status>=500" into a name and a condition.
pub(super) fn conditions(fields: &[String]) -> Result<Map<String, Value>, Failure> {
    let pairs = fields.iter().map(|field| {
        let at = field.find(['=', '!', '<', '>']).filter(|at| *at > 0);
        let (name, condition) = field.split_at(at.unwrap_or(0));
        if name.is_empty() {
            let message = format!("--field {field:?}: give a name and a condition, such as \"status>=500\"");
            return Err(Failure { message, code: 2 });
        }
        Ok((name.to_owned(), condition.into()))
    });
    pairs.collect()
}

/// Matches, the oldest first as a log reads, with lines between those that are not neighbours.
fn show(matches: &[LogMatch], with_process: bool, with_fields: bool) {
    let has_context = matches.iter().any(|m| !m.before.is_empty() || !m.after.is_empty());
    let print = |line: &LogRecord| {
        let name = if with_process { format!("{} ", line.process) } else { String::new() };
        render::line(&format!("{name}{}", render::log_line(line, with_fields)));
    };
    for (at, found) in matches.iter().rev().enumerate() {
        if has_context && at > 0 {
            render::line("--");
        }
        found.before.iter().chain([&found.line]).chain(&found.after).for_each(print);
    }
}
