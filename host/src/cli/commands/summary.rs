//! `hostler summary`

use clap::Args as ClapArgs;
use hostler_api::logs::{LogSearch, LogTemplate, SearchLogs, SearchMode};

use super::logs::{level, stream};
use super::search::{conditions, told};
use crate::cli::client::{Client, parse};
use crate::cli::exit::Outcome;
use crate::cli::render;

#[derive(ClapArgs)]
#[command(
    after_help = "Examples:\n  hostler summary web\n  hostler summary --group shop --since 1h --level warn\n  hostler summary web api --grep timeout --examples"
)]
pub(in crate::cli) struct Args {
    /// Name, project/name or id; all processes of the project without any
    processes: Vec<String>,
    /// All members of this group
    #[arg(long, short, conflicts_with = "processes")]
    group: Option<String>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "REGEX")]
    grep: Option<String>,
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
    /// Print one of the lines below what it has in common with the others
    #[arg(long)]
    examples: bool,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    let request = SearchLogs {
        query: args.grep.clone().unwrap_or_default(),
        mode: if args.grep.is_some() { SearchMode::Regex } else { SearchMode::Text },
        case_sensitive: true,
        process: (!args.processes.is_empty()).then(|| args.processes.join(",")),
        group: args.group.clone(),
        stream: stream(&args.stream),
        min_level: level(args.level.as_deref()),
        since: args.since.clone(),
        until: args.until.clone(),
        run: args.run,
        field_filters: conditions(&args.fields)?,
        ..SearchLogs::default()
    };
    of(&mut Client::connect()?, request, args.examples, args.json)
}

/// What all lines that pass these filters have in common.
pub(super) fn of(client: &mut Client, filters: SearchLogs, examples: bool, json: bool) -> Outcome {
    let result = client.call("search_logs", &SearchLogs { summarize: true, ..filters })?.result;
    if json {
        render::json(&result);
        return Ok(());
    }
    let found: LogSearch = parse(result)?;
    show(found.templates.as_deref().unwrap_or_default(), examples);
    told(&found);
    found.note.iter().for_each(|note| render::note(note));
    Ok(())
}

/// Templates, the most frequent first.
pub(super) fn show(templates: &[LogTemplate], examples: bool) {
    let mut rows = vec![["LINES".to_owned(), "WHAT THEY SAY".to_owned()]];
    for template in templates {
        rows.push([template.count.to_string(), template.template.clone()]);
        if examples && template.example != template.template {
            rows.push([String::new(), format!("  {}", template.example)]);
        }
    }
    render::columns(&rows);
}
