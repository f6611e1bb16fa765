//! `hostler errors`

use clap::{Args as ClapArgs, Subcommand};
use hostler_api::errors::{ErrorList, ErrorSort, ErrorView, GetErrors};

use crate::cli::client::{Client, parse};
use crate::cli::exit::Outcome;
use crate::cli::render;

#[derive(ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Show one group in full
    Show(ShowArgs),
}

#[derive(ClapArgs)]
struct ListArgs {
    /// Only those of this process: name, project/name or id
    process: Option<String>,
    /// Only of this category, such as network
    #[arg(long, short)]
    category: Option<String>,
    /// Resolved ones, too
    #[arg(long, short)]
    all: bool,
    /// Only those seen since a time, or within such as 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those first seen since a time, or within such as 10m
    #[arg(long, value_name = "TIME")]
    new_since: Option<String>,
    /// last_seen, first_seen or count
    #[arg(long, value_parser = ["last_seen", "first_seen", "count"])]
    sort: Option<String>,
    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: u32,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

#[derive(ClapArgs)]
struct ShowArgs {
    /// Such as e12
    id: String,
    /// How many of its occurrences
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    occurrences: u32,
    /// Print the tool's result
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: Args) -> Outcome {
    match args.command {
        Some(Command::Show(args)) => show(args),
        None => list(args.list),
    }
}

fn list(args: ListArgs) -> Outcome {
    let sort = match args.sort.as_deref() {
        Some("first_seen") => ErrorSort::FirstSeen,
        Some("count") => ErrorSort::Count,
        _ => ErrorSort::LastSeen,
    };
    let request = GetErrors {
        process: args.process,
        category: args.category,
        resolved: (!args.all).then_some(false),
        since: args.since,
        new_since: args.new_since,
        sort,
        limit: Some(args.limit),
        ..GetErrors::default()
    };
    let result = Client::connect()?.call("get_errors", &request)?.result;
    if args.json {
        render::json(&result);
        return Ok(());
    }
    let list: ErrorList = parse(result)?;
    if !list.errors.is_empty() {
        let head = ["ID", "COUNT", "LAST SEEN", "CATEGORY", "PROCESS", "STATE", "TITLE"];
        let rows = list.errors.iter().map(row);
        let rows: Vec<[String; 7]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
        render::columns(&rows);
    }
    list.note.iter().for_each(|note| render::note(note));
    Ok(())
}

fn row(error: &ErrorView) -> [String; 7] {
    let process = match error.processes.as_slice() {
        [] => "-".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    };
    let seen = error.last_seen.get(..19).unwrap_or(&error.last_seen).replace('T', " ");
    let title = hostler_model::text::clip(error.title.clone(), 80);
    let cells = [&error.id, &error.count.to_string(), &seen, &error.category, &process, state(error), &title];
    cells.map(|cell: &str| cell.to_owned())
}

fn state(error: &ErrorView) -> &'static str {
    match (error.resolved, error.regression, error.new_since_restart) {
        (true, _, _) => "resolved",
        (false, true, _) => "regression",
        (false, false, true) => "new",
        (false, false, false) => "open",
    }
}

fn show(args: ShowArgs) -> Outcome {
    let request =
        GetErrors { error_id: Some(args.id), limit: Some(args.occurrences), ..GetErrors::default() };
    let result = Client::connect()?.call("get_errors", &request)?.result;
    if args.json {
        render::json(&result);
        return Ok(());
    }
    let list: ErrorList = parse(result)?;
    for error in &list.errors {
        println!("{} {} ({}, {})", error.id, error.title, error.category, state(error));
        facts(error);
    }
    for place in list.occurrences.iter().flatten() {
        println!(
            "  {:<10} {}  run {}  lines {}-{}  {}",
            "seen", place.time, place.run, place.first_seq, place.last_seq, place.process
        );
    }
    list.note.iter().for_each(|note| render::note(note));
    Ok(())
}

fn facts(error: &ErrorView) {
    let field = |name: &str, value: &str| println!("  {name:<10} {value}");
    field("count", &format!("{} in {} runs of {}", error.count, error.runs, error.processes.join(", ")));
    field("first", &error.first_seen);
    field("last", &error.last_seen);
    let optional = [
        ("in", &error.culprit),
        ("try", &error.suggestion),
        ("anomaly", &error.anomaly),
        ("note", &error.note),
    ];
    optional.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).for_each(|(n, v)| field(n, v));
    if let Some(resolution) = &error.resolution {
        field("resolved", &format!("{} by {}: {}", resolution.at, resolution.by, resolution.text));
    }
    if !error.similar.is_empty() {
        field("similar", &error.similar.join(", "));
    }
    for (at, line) in error.sample.iter().flat_map(|sample| sample.lines.iter().enumerate()) {
        let context = error.sample.as_ref().map_or(0, |sample| sample.context_lines as usize);
        println!("  {} {line}", if at < context { ' ' } else { '|' });
    }
}
